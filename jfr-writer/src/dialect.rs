//! What things are called in the file.

/// The naming scheme of a chunk. It decides which events exist, what a CPU sample is called, and
/// how a thread's state is spelled; never anything about the layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// `datadog.*` names, from which DataKit derives its metrics.
    DataKit,
    /// `jdk.*` names, as JMC, IDEs and async-profiler's converter read them.
    Jdk,
}

/// One value for each dialect: the only way in which the rest of the crate asks for the dialect.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PerDialect<T> {
    pub(crate) datakit: T,
    pub(crate) jdk: T,
}

impl<T> PerDialect<T> {
    pub(crate) const fn get(&self, dialect: Dialect) -> &T {
        match dialect {
            Dialect::DataKit => &self.datakit,
            Dialect::Jdk => &self.jdk,
        }
    }
}

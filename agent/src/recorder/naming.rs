//! What the recorder asks of the JVM about methods, and when it has to ask again.

use crate::hotspot::names::{Footprint, MethodDescription, MethodResolver, ResolveError};

/// A time between two looks at whether classes were loaded. What was asked in the same epoch need not be asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Epoch(u64);

/// Names methods and counts those that have no name any more.
#[derive(Debug)]
pub(super) struct Naming {
    resolver: Option<MethodResolver>,
    /// Whether names are needed beyond the chunk.
    keeps_texts: bool,
    failures: [u64; ResolveError::ALL.len()],
    without_layout: u64,
    /// Addresses that were found to stand for another method, or for none.
    changes: u64,
    /// Classes that had been loaded at the last look.
    classes_loaded: Option<i64>,
    /// When that was.
    looked_at: u64,
    epoch: Epoch,
    drain: u64,
}

impl Naming {
    pub(super) fn new(resolver: Option<MethodResolver>, keeps_texts: bool) -> Self {
        Self {
            resolver,
            keeps_texts,
            failures: [0; ResolveError::ALL.len()],
            without_layout: 0,
            changes: 0,
            classes_loaded: None,
            looked_at: 0,
            epoch: Epoch(0),
            drain: 0,
        }
    }

    pub(super) const fn keeps_texts(&self) -> bool {
        self.keeps_texts
    }

    /// A drain begins at this time: methods may have been compiled, and classes loaded, since the last one.
    pub(super) fn begin_drain(&mut self, now: u64) {
        self.drain += 1;
        self.look(now);
    }

    /// A record of this time is about to be named. One that is younger than the last look asks for another.
    pub(super) fn meet_record(&mut self, nanos: u64, clock: impl FnOnce() -> u64) {
        // A JVM that does not count would begin an epoch with each such record.
        if nanos >= self.looked_at && self.classes_loaded.is_some() {
            self.look(clock());
        }
    }

    fn look(&mut self, now: u64) {
        self.looked_at = now;
        let loaded = self
            .resolver
            .as_ref()
            .and_then(MethodResolver::classes_loaded);
        if loaded.is_none() || loaded != self.classes_loaded {
            self.epoch.0 += 1;
        }
        self.classes_loaded = loaded;
    }

    pub(super) const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The drain that is under way.
    pub(super) const fn drain(&self) -> u64 {
        self.drain
    }

    /// Describes a method, and counts it where that is not possible.
    pub(super) fn describe(&mut self, method: usize) -> Option<MethodDescription> {
        let Some(resolver) = &self.resolver else {
            self.without_layout += 1;
            return None;
        };
        resolver
            .describe_method(method as u64)
            .inspect_err(|reason| self.failures[reason.index()] += 1)
            .ok()
    }

    /// The name of the class at an address.
    pub(super) fn class_name(&self, klass: u64) -> Option<String> {
        self.resolver.as_ref()?.class_name(klass)
    }

    /// Whether there is a method at an address.
    pub(super) fn is_method(&self, address: usize) -> bool {
        self.resolver
            .as_ref()
            .is_some_and(|resolver| resolver.describe_method(address as u64).is_ok())
    }

    /// An address does not stand any more for what it stood for.
    pub(super) fn note_change(&mut self) {
        self.changes += 1;
    }

    /// Whether the method that was described is still there.
    pub(super) fn still_is(&self, method: usize, footprint: &Footprint) -> bool {
        self.resolver
            .as_ref()
            .is_some_and(|resolver| resolver.still_is(method as u64, footprint))
    }

    /// Whether the method has compiled code now.
    pub(super) fn has_compiled_code(&self, method: usize) -> bool {
        self.resolver
            .as_ref()
            .and_then(|resolver| resolver.has_compiled_code(method as u64))
            == Some(true)
    }

    /// Grows when methods that are sampled go away. Names should then be asked for sooner.
    pub(super) fn signs_of_haste(&self) -> u64 {
        self.failures.iter().sum::<u64>() + self.changes
    }

    /// The counters of what could not be named.
    pub(super) fn counters(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        ResolveError::ALL
            .iter()
            .map(|reason| (counter_name(*reason), self.failures[reason.index()]))
            .chain([("names_without_layout", self.without_layout)])
    }
}

fn counter_name(reason: ResolveError) -> &'static str {
    match reason {
        ResolveError::MalformedMethod => "name_malformed_method",
        ResolveError::UnreadableMethod => "name_unreadable_method",
        ResolveError::BadConstMethod => "name_bad_const_method",
        ResolveError::BadConstantPool => "name_bad_constant_pool",
        ResolveError::BadClass => "name_bad_class",
        ResolveError::BadSymbol => "name_bad_symbol",
        ResolveError::BadLineNumbers => "name_bad_line_numbers",
        ResolveError::Changed => "name_changed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_count_of_classes_each_drain_is_an_epoch() {
        let mut naming = Naming::new(None, false);
        naming.begin_drain(10);
        let first = naming.epoch();
        naming.meet_record(5, || unreachable!("the record is older than the look"));
        naming.meet_record(11, || unreachable!("there is nothing to look at"));
        assert_eq!(naming.epoch(), first);
        naming.begin_drain(20);
        assert!(naming.epoch() > first);
    }

    #[test]
    fn a_jvm_that_is_not_understood_is_counted() {
        let mut naming = Naming::new(None, false);
        assert_eq!(naming.describe(0x1000), None);
        let counters: Vec<_> = naming.counters().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counters, [("names_without_layout", 1)]);
        assert_eq!(naming.signs_of_haste(), 0);
    }
}

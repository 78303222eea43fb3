//! Where no walk of jprof's own loads what may fault, no handler of faults is installed.

/// There are none.
#[derive(Clone, Copy, Debug)]
pub enum FaultHandlers {}

impl FaultHandlers {
    /// Never called.
    #[must_use]
    pub const fn renew(&self) -> bool {
        match *self {}
    }

    /// Never called.
    pub const fn remove(&self) {
        match *self {}
    }
}

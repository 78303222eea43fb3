//! Where the own walker does not know the processor: it is declined, and the choice falls on AsyncGetCallTrace.

use jprof_signal_safe::counters::Counters;

use super::{Choice, Jvm};

/// Why not.
pub(super) fn alone(_: &Jvm<'_>) -> Result<Choice, String> {
    Err(format!(
        "walker=vm knows the stacks of x86_64 only, not of {}",
        std::env::consts::ARCH
    ))
}

/// Why not.
pub(super) fn judged(jvm: &Jvm<'_>, _: &'static Counters) -> Result<Choice, String> {
    alone(jvm)
}

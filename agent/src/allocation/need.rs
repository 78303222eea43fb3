//! What breakpoints on the JVM's reports of allocations are needed for.

use crate::hotspot::JavaVersion;

/// The first release whose own samples need none of this.
const RIGHT_BY_ITSELF: u32 = 25;
/// The first release that has samples of its own.
const FIRST_WITH_SAMPLES: u32 = 11;

/// What the traps are for in a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// There are no samples but theirs.
    Only,
    /// The JVM's samples are uneven without them.
    Better,
    /// Nothing.
    None,
}

impl Need {
    /// What it means where they are better and cannot be had.
    pub(crate) const UNEVEN: &'static str = "the JVM's own sampler decides alone which objects are sampled, and takes some kinds too often (docs/allocation.md)";

    /// What it means where nobody has asked for samples.
    pub(crate) const ONLY: &'static str =
        "JDK 8 has none of its own, and only alloc=on has jprof set breakpoints in the JVM's code";

    /// That of a release.
    pub(crate) const fn of(version: JavaVersion) -> Self {
        match version.feature {
            ..FIRST_WITH_SAMPLES => Self::Only,
            FIRST_WITH_SAMPLES..RIGHT_BY_ITSELF => Self::Better,
            RIGHT_BY_ITSELF.. => Self::None,
        }
    }
}

//! Where there are no breakpoints, there is no handler of theirs.

/// There is none to renew.
pub(crate) const fn renew() -> bool {
    false
}

/// There is none to be blocked.
pub(crate) const fn unblock() {}

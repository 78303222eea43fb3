//! Everything that a signal handler may touch.

//! The command `jprof`.

fn main() {}

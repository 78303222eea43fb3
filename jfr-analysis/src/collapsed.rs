use std::io::{self, Write};

use crate::StackSet;

/// Writes `frame;frame;frame N` lines, sorted; with `threads` the thread's name is the root frame.
pub fn collapsed(_stacks: &StackSet, _threads: bool, _out: &mut dyn Write) -> io::Result<()> {
    todo!()
}

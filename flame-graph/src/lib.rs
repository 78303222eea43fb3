//! Turns weighted stacks into one self-contained HTML page.

use std::cmp::Ordering;
use std::io::{self, Write};

use crate::StackSet;

/// Writes a line `frame;frame;frame N` for each distinct stack, root first and sorted.
///
/// With `threads`, the thread's name in brackets is the root frame. In names, what would break the
/// format (`;`, line ends and other control characters) is written as `_`.
///
/// # Errors
/// When `out` fails.
pub fn collapsed(stacks: &StackSet, threads: bool, out: &mut dyn Write) -> io::Result<()> {
    let names: Vec<String> = stacks
        .frames
        .iter()
        .map(|frame| printable(&frame.name))
        .collect();
    let thread_names: Vec<String> = (0..stacks.threads.len())
        .map(|thread| printable(&stacks.thread_frame(thread as u32)))
        .collect();
    let mut lines: Vec<Line<'_>> = stacks
        .merged(threads)
        .into_iter()
        .map(|stack| Line {
            thread: stack
                .thread
                .map(|thread| thread_names[thread as usize].as_str()),
            frames: stack.frames,
            value: stack.value,
        })
        .collect();
    lines.sort_by(|left, right| left.compare(right, &names));
    // Frames of different kinds may have one name, so equal lines are only now side by side.
    lines.dedup_by(|later, kept| {
        let same = later.compare(kept, &names).is_eq();
        if same {
            kept.value = kept.value.saturating_add(later.value);
        }
        same
    });
    for line in lines {
        for (index, name) in line.names(&names).enumerate() {
            if index > 0 {
                out.write_all(b";")?;
            }
            out.write_all(name.as_bytes())?;
        }
        writeln!(out, " {}", line.value)?;
    }
    Ok(())
}

struct Line<'s> {
    thread: Option<&'s str>,
    frames: &'s [u32],
    value: u64,
}

impl<'s> Line<'s> {
    fn names(&self, names: &'s [String]) -> impl Iterator<Item = &'s str> {
        let frames = self.frames.iter();
        self.thread
            .into_iter()
            .chain(frames.map(move |&frame| names[frame as usize].as_str()))
    }

    /// The order of the lines as text, up to their counts.
    fn compare(&self, other: &Self, names: &'s [String]) -> Ordering {
        let mut left = self.names(names);
        let mut right = other.names(names);
        loop {
            match (left.next(), right.next()) {
                (None, None) => return Ordering::Equal,
                // The shorter line goes on with a blank, the longer with a semicolon.
                (None, Some(_)) => return Ordering::Less,
                (Some(_), None) => return Ordering::Greater,
                (Some(a), Some(b)) if a == b => {}
                (Some(a), Some(b)) => {
                    let after = |more: bool| if more { b';' } else { b' ' };
                    let a = a.bytes().chain([after(left.next().is_some())]);
                    let b = b.bytes().chain([after(right.next().is_some())]);
                    return a.cmp(b);
                }
            }
        }
    }
}

fn printable(name: &str) -> String {
    let is_printable = |c: char| c != ';' && !c.is_control() && c != '\u{2028}' && c != '\u{2029}';
    name.chars()
        .map(|c| if is_printable(c) { c } else { '_' })
        .collect()
}

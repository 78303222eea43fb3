use std::cmp::Ordering;
use std::collections::HashMap;
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
    let mut names = Names::default();
    let frames: Vec<u32> = stacks
        .frames
        .iter()
        .map(|frame| names.id(&frame.name))
        .collect();
    let mut lines: Vec<Line> = stacks
        .merged(threads)
        .into_iter()
        .map(|stack| {
            let thread = stack.thread.map(|thread| stacks.thread_frame(thread));
            let thread = thread.map(|name| names.id(&name));
            let frames = stack.frames.iter().map(|&frame| frames[frame as usize]);
            Line {
                names: thread.into_iter().chain(frames).collect(),
                value: stack.value,
            }
        })
        .collect();
    lines.sort_unstable_by(|left, right| left.compare(right, &names));
    // Frames of different kinds may have one name, so equal lines are only now side by side.
    lines.dedup_by(|later, kept| {
        let same = later.names == kept.names;
        if same {
            kept.value = kept.value.saturating_add(later.value);
        }
        same
    });
    let mut text = Vec::new();
    for line in lines {
        text.clear();
        for &name in &line.names {
            text.extend_from_slice(names.texts[name as usize].as_bytes());
            text.push(b';');
        }
        text.pop();
        writeln!(text, " {}", line.value)?;
        out.write_all(&text)?;
    }
    Ok(())
}

/// The distinct names, as they are printed.
#[derive(Default)]
struct Names {
    texts: Vec<String>,
    ids: HashMap<String, u32>,
}

impl Names {
    fn id(&mut self, name: &str) -> u32 {
        let text = printable(name);
        if let Some(id) = self.ids.get(&text) {
            return *id;
        }
        let id = self.texts.len() as u32;
        self.texts.push(text.clone());
        self.ids.insert(text, id);
        id
    }
}

struct Line {
    names: Box<[u32]>,
    value: u64,
}

impl Line {
    /// The order of the lines as text, up to their counts.
    fn compare(&self, other: &Self, names: &Names) -> Ordering {
        let same = self.names.iter().zip(&other.names);
        let same = same.take_while(|(left, right)| left == right).count();
        let (left, right) = (&self.names[same..], &other.names[same..]);
        match (left, right) {
            ([], []) => Ordering::Equal,
            // The shorter line goes on with a blank, the longer with a semicolon.
            ([], _) => Ordering::Less,
            (_, []) => Ordering::Greater,
            ([left, left_rest @ ..], [right, right_rest @ ..]) => {
                let text = |name: u32, rest: &[u32]| {
                    let after = if rest.is_empty() { b' ' } else { b';' };
                    names.texts[name as usize].bytes().chain([after])
                };
                text(*left, left_rest).cmp(text(*right, right_rest))
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

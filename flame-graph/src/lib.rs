//! Turns weighted stacks into one self-contained HTML page.
//!
//! The crate knows stacks and nothing of their source. A [`FlameGraph`] takes frames and weighted
//! stacks and keeps them as one tree, so its memory follows the number of distinct stacks and not
//! the number of samples. [`FlameGraph::render`] makes a file that opens by itself and asks
//! nothing of the network; [`FlameGraph::render_linked`] makes the same page for a server that
//! serves [`SCRIPT`] and [`STYLE`] itself.
//!
//! ```
//! use flame_graph::{FlameGraph, FrameKind};
//!
//! let mut graph = FlameGraph::new("demo", "samples");
//! let main = graph.frame("Main.main", FrameKind::Interpreted);
//! let work = graph.frame("Main.work", FrameKind::Jit);
//! graph.add(&[main, work], 41);
//! graph.add(&[main], 1);
//! assert_eq!(graph.total(), 42);
//! assert!(graph.render().starts_with("<!DOCTYPE html>"));
//! ```
//!
//! # One method, one box
//!
//! A method that was interpreted at first and compiled later is one method. Frames of one name
//! whose kinds are Java share the box under their caller; the box knows how much of it each kind
//! has and takes the colour of the largest part.
//!
//! # Names are not trusted
//!
//! Names of threads, classes and methods belong to whoever wrote the profiled program. They reach
//! the page only inside base64 and are shown only as text, never as markup; the page's content
//! security policy allows no script but its own.

mod page;
mod payload;
mod tree;

use std::sync::Arc;

use rustc_hash::FxHashMap;

pub use page::{Linked, SCRIPT, STYLE};
use tree::Tree;

/// What a frame is, for its colour and for the legend. The four kinds of Java are ways to run a
/// method and share its box; any other kind makes a box of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum FrameKind {
    /// Java, run by the interpreter.
    Interpreted = 0,
    /// Java, compiled by C1.
    C1 = 1,
    /// Java, compiled by C2 or another optimising compiler.
    Jit = 2,
    /// Java, inlined into its caller.
    Inlined = 3,
    /// Native code: C functions and libraries.
    Native = 4,
    /// Native code with a C++ name.
    Cpp = 5,
    /// The operating system's kernel.
    Kernel = 6,
    /// The JVM itself, threads, and frames that stand for what was not walked.
    Vm = 7,
    /// No code: the class of an object that the code below allocated.
    Class = 8,
}

impl FrameKind {
    const COUNT: usize = 9;

    const fn is_java(self) -> bool {
        matches!(
            self,
            Self::Interpreted | Self::C1 | Self::Jit | Self::Inlined
        )
    }
}

/// A frame of one [`FlameGraph`]; means nothing in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FrameId(u32);

/// Weighted stacks on their way into a page.
#[derive(Debug)]
pub struct FlameGraph {
    title: String,
    unit: String,
    notes: Vec<String>,
    frames: Frames,
    tree: Tree,
    /// What was added to stacks that end with a frame of each kind.
    own_of_kind: [u64; FrameKind::COUNT],
}

/// The distinct frames, and the distinct names among them.
#[derive(Debug, Default)]
struct Frames {
    names: Vec<Arc<str>>,
    name_ids: FxHashMap<Arc<str>, u32>,
    frames: Vec<(u32, FrameKind)>,
    frame_ids: FxHashMap<(u32, FrameKind), u32>,
    /// Per frame the one whose box it shares: the first Java frame of its name, or itself.
    boxes: Vec<u32>,
    /// Name -> its first Java frame.
    java: FxHashMap<u32, u32>,
}

impl Frames {
    fn intern(&mut self, name: &str, kind: FrameKind) -> u32 {
        let name_id = match self.name_ids.get(name) {
            Some(&id) => id,
            None => {
                let id = self.names.len() as u32;
                let name: Arc<str> = name.into();
                self.names.push(Arc::clone(&name));
                self.name_ids.insert(name, id);
                id
            }
        };
        *self.frame_ids.entry((name_id, kind)).or_insert_with(|| {
            let frame = self.frames.len() as u32;
            self.frames.push((name_id, kind));
            self.boxes.push(if kind.is_java() {
                *self.java.entry(name_id).or_insert(frame)
            } else {
                frame
            });
            frame
        })
    }

    fn name(&self, frame: u32) -> &str {
        &self.names[self.frames[frame as usize].0 as usize]
    }

    fn kind(&self, frame: u32) -> FrameKind {
        self.frames[frame as usize].1
    }
}

impl FlameGraph {
    /// An empty graph. `unit` is what a stack's value counts; the page writes `"ns"` as a time,
    /// `"bytes"` as a size, and any other unit after the number.
    pub fn new(title: &str, unit: &str) -> Self {
        Self {
            title: title.to_owned(),
            unit: unit.to_owned(),
            notes: Vec::new(),
            frames: Frames::default(),
            tree: Tree::new(),
            own_of_kind: [0; FrameKind::COUNT],
        }
    }

    /// The frame of that name and kind; the same pair always gives the same id.
    pub fn frame(&mut self, name: &str, kind: FrameKind) -> FrameId {
        FrameId(self.frames.intern(name, kind))
    }

    /// Adds `value` to the stack, root first. A value of 0 adds nothing; an empty stack counts
    /// for the whole only. Sums stop at `u64::MAX`, and the page is exact up to 2^53.
    ///
    /// # Panics
    ///
    /// When a frame is of another graph that has more frames than this one.
    pub fn add(&mut self, stack: &[FrameId], value: u64) {
        let known = self.frames.frames.len();
        assert!(
            stack.iter().all(|frame| (frame.0 as usize) < known),
            "a frame of another flame graph"
        );
        if value == 0 {
            return;
        }
        let frames = stack.iter().map(|frame| frame.0);
        self.tree.add(frames, &self.frames.boxes, value);
        if let Some(leaf) = stack.last() {
            let own = &mut self.own_of_kind[self.frames.kind(leaf.0) as usize];
            *own = own.saturating_add(value);
        }
    }

    /// A sentence that the page keeps in view: losses, limits, warnings.
    pub fn note(&mut self, text: &str) {
        self.notes.push(text.to_owned());
    }

    /// The sum of all values added.
    pub fn total(&self) -> u64 {
        self.tree.total()
    }

    /// Distinct stacks and beginnings of stacks, however their Java frames were run: the boxes of
    /// the page without the root.
    pub fn nodes(&self) -> usize {
        self.tree.len()
    }

    /// One HTML file with all it needs.
    pub fn render(&self) -> String {
        page::inline(&self.title, &self.data())
    }

    /// The same page for a server: script, style and the way back are links.
    pub fn render_linked(&self, links: &Linked<'_>) -> String {
        page::linked(&self.title, &self.data(), links)
    }

    /// The profile as the page's script reads it: base64 of gzip of the stream that
    /// `assets/profile.js` describes.
    pub fn data(&self) -> String {
        payload::encode(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_of_name_and_kind_is_one_frame() {
        let mut graph = FlameGraph::new("t", "samples");
        let jit = graph.frame("A.a", FrameKind::Jit);
        assert_eq!(jit, graph.frame("A.a", FrameKind::Jit));
        assert_ne!(jit, graph.frame("A.a", FrameKind::Inlined));
        assert_ne!(jit, graph.frame("A.b", FrameKind::Jit));
        assert_eq!(graph.frames.names.len(), 2);
    }

    #[test]
    fn the_total_is_the_sum_of_all_values() {
        let mut graph = FlameGraph::new("t", "samples");
        let a = graph.frame("a", FrameKind::Jit);
        graph.add(&[a, a, a], 5);
        graph.add(&[a], 2);
        graph.add(&[], 1);
        graph.add(&[a, a], 0);
        assert_eq!(graph.total(), 8);
        assert_eq!(graph.nodes(), 3);
    }

    #[test]
    fn the_ways_to_run_a_method_share_a_box_and_no_other_kind_does() {
        const ALL: [FrameKind; FrameKind::COUNT] = [
            FrameKind::Interpreted,
            FrameKind::C1,
            FrameKind::Jit,
            FrameKind::Inlined,
            FrameKind::Native,
            FrameKind::Cpp,
            FrameKind::Kernel,
            FrameKind::Vm,
            FrameKind::Class,
        ];
        let mut graph = FlameGraph::new("t", "samples");
        let mut nodes = Vec::new();
        for (value, kind) in (1..).zip(ALL) {
            let frame = graph.frame("A.a", kind);
            graph.add(&[frame], value);
            nodes.push(graph.nodes());
        }
        assert_eq!(nodes, [1, 1, 1, 1, 2, 3, 4, 5, 6]);
        assert_eq!(graph.own_of_kind, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
        let other = graph.frame("A.b", FrameKind::Jit);
        graph.add(&[other], 1);
        assert_eq!(graph.nodes(), 7);
    }

    #[test]
    fn what_the_kinds_own_adds_up_to_all_but_the_roots_own() {
        let mut graph = FlameGraph::new("t", "samples");
        let interpreted = graph.frame("a", FrameKind::Interpreted);
        let jit = graph.frame("a", FrameKind::Jit);
        let kernel = graph.frame("k", FrameKind::Kernel);
        graph.add(&[interpreted, jit], 5);
        graph.add(&[jit], 2);
        graph.add(&[jit, kernel], 3);
        graph.add(&[interpreted], 0);
        graph.add(&[], 9);
        assert_eq!(graph.own_of_kind, [0, 0, 7, 0, 0, 0, 3, 0, 0]);
        assert_eq!(graph.total() - graph.own_of_kind.iter().sum::<u64>(), 9);
    }

    #[test]
    #[should_panic(expected = "a frame of another flame graph")]
    fn a_frame_of_another_graph_is_refused() {
        let mut one = FlameGraph::new("one", "samples");
        let frame = one.frame("a", FrameKind::Jit);
        FlameGraph::new("other", "samples").add(&[frame], 1);
    }
}

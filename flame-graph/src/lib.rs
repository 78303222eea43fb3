//! Turns weighted stacks into one self-contained HTML page.
//!
//! The crate knows stacks and nothing of their source: a [`FlameGraph`] takes frames and
//! weighted stacks, and renders one page that asks nothing of the network.

/// What a frame is, for its colour and for the legend.
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
    /// The JVM itself, and frames that stand for what was not walked.
    Vm = 7,
}

/// A frame of one [`FlameGraph`]; means nothing in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FrameId(u32);

/// Weighted stacks on their way into a page.
#[derive(Debug)]
pub struct FlameGraph {
    title: String,
    unit: String,
}

impl FlameGraph {
    /// An empty graph. `unit` is what a stack's value counts (`"samples"`, `"ns"`, `"bytes"`).
    pub fn new(title: &str, unit: &str) -> Self {
        Self {
            title: title.to_owned(),
            unit: unit.to_owned(),
        }
    }

    /// The frame of that name and kind; the same pair always gives the same id.
    pub fn frame(&mut self, _name: &str, _kind: FrameKind) -> FrameId {
        FrameId(0)
    }

    /// Adds `value` to the stack, root first. An empty stack counts for the whole only.
    pub fn add(&mut self, _stack: &[FrameId], _value: u64) {}

    /// A sentence that the page keeps in view: losses, limits, warnings.
    pub fn note(&mut self, _text: &str) {}

    /// One HTML file with all it needs.
    pub fn render(&self) -> String {
        format!("<title>{} {}</title>", self.title, self.unit)
    }
}

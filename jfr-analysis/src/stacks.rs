use jfr_reader::Recording;

/// What a stack's value counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// CPU samples, `datadog.ExecutionSample` by weight, `jdk.ExecutionSample` one each.
    Cpu,
}

/// What a frame is.
pub use flame_graph::FrameKind;

/// A frame as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FrameName {
    /// `java/lang/String.equals`, or a native function's name.
    pub name: String,
    /// Compiled, interpreted, native …
    pub kind: FrameKind,
}

/// One distinct stack of one thread, with the sum of its samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    /// Indices into [`StackSet::frames`], root first.
    pub frames: Box<[u32]>,
    /// Index into [`StackSet::threads`].
    pub thread: u32,
    /// Index into [`StackSet::states`].
    pub state: u32,
    /// Sum over the samples, in [`StackSet::unit`].
    pub value: u64,
}

/// The stacks of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StackSet {
    /// Every distinct frame.
    pub frames: Vec<FrameName>,
    /// Every distinct thread name.
    pub threads: Vec<String>,
    /// Every distinct thread state, as the file names it.
    pub states: Vec<String>,
    /// The distinct stacks.
    pub stacks: Vec<Stack>,
    /// What the values count: `samples`, `bytes`, `ns`.
    pub unit: &'static str,
}

impl StackSet {
    /// Takes the stacks of `kind` out of a recording.
    pub fn collect(_recording: &Recording<'_>, _kind: Kind) -> StackSet {
        todo!()
    }
}

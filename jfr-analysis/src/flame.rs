use crate::StackSet;

/// How a flame graph is made.
#[derive(Clone, Debug, Default)]
pub struct FlameOptions {
    /// The page's title.
    pub title: String,
    /// The thread's name becomes the root frame.
    pub threads: bool,
}

/// One self-contained HTML page with the flame graph of the stacks.
pub fn flame_page(_stacks: &StackSet, _options: &FlameOptions) -> String {
    todo!()
}

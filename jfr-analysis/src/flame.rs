use flame_graph::{FlameGraph, FrameKind};

use crate::StackSet;

/// How a flame graph is made.
#[derive(Clone, Debug, Default)]
pub struct FlameOptions {
    /// The page's title.
    pub title: String,
    /// The thread's name becomes the root frame.
    pub threads: bool,
    /// Sentences that the page keeps in view.
    pub notes: Vec<String>,
}

/// The flame graph of the stacks.
pub fn flame_graph(stacks: &StackSet, options: &FlameOptions) -> FlameGraph {
    let mut graph = FlameGraph::new(&options.title, &stacks.unit);
    let frames: Vec<_> = stacks
        .frames
        .iter()
        .map(|frame| graph.frame(&frame.name, frame.kind))
        .collect();
    let mut ids = Vec::new();
    for stack in stacks.merged(options.threads) {
        ids.clear();
        if let Some(thread) = stack.thread {
            ids.push(graph.frame(&stacks.thread_frame(thread), FrameKind::Vm));
        }
        ids.extend(stack.frames.iter().map(|&index| frames[index as usize]));
        graph.add(&ids, stack.value);
    }
    if stacks.earlier_snapshots > 0 {
        graph.note(&format!(
            "Live objects are those of the recording's last moment; {} earlier ones are left out.",
            stacks.earlier_snapshots
        ));
    }
    if stacks.unreadable_events > 0 {
        graph.note(&format!(
            "{} events could not be read and are missing here.",
            stacks.unreadable_events
        ));
    }
    for note in &options.notes {
        graph.note(note);
    }
    graph
}

/// One self-contained HTML page with the flame graph of the stacks.
pub fn flame_page(stacks: &StackSet, options: &FlameOptions) -> String {
    flame_graph(stacks, options).render()
}

//! Makes a page from stacks as JSON, for tests that need a profile which they know to the last
//! sample: `from_json OUT.html < STACKS.json`.
//!
//! ```json
//! {"title": "t", "unit": "samples", "notes": ["n"],
//!  "stacks": [[[["Main.main", 0], ["Main.work", 2]], 5]]}
//! ```
//!
//! A stack is its frames, root first, and its value; a frame is its name and the number of its kind.

use std::error::Error;
use std::{env, fs, io};

use flame_graph::{FlameGraph, FrameId, FrameKind};
use serde_json::Value;

const KINDS: [FrameKind; 9] = [
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

fn main() -> Result<(), Box<dyn Error>> {
    let path = env::args()
        .nth(1)
        .ok_or("usage: from_json OUT.html < STACKS.json")?;
    let input: Value = serde_json::from_reader(io::stdin().lock())?;
    fs::write(
        path,
        graph(&input)
            .ok_or("not the stacks of a flame graph")?
            .render(),
    )?;
    Ok(())
}

fn graph(input: &Value) -> Option<FlameGraph> {
    let mut graph = FlameGraph::new(input["title"].as_str()?, input["unit"].as_str()?);
    for note in input["notes"].as_array()? {
        graph.note(note.as_str()?);
    }
    for stack in input["stacks"].as_array()? {
        let frames: Option<Vec<FrameId>> = stack[0]
            .as_array()?
            .iter()
            .map(|frame| {
                let kind = KINDS.get(usize::try_from(frame[1].as_u64()?).ok()?)?;
                Some(graph.frame(frame[0].as_str()?, *kind))
            })
            .collect();
        graph.add(&frames?, stack[1].as_u64()?);
    }
    Some(graph)
}

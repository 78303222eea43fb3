//! Everything that is done with a recording of unknown origin: reading, stacks, text, metrics.

use jfr_analysis::{Kind, Metrics, Period, StackSet, collapsed, counters};
use jfr_reader::{Recording, StructView, Value};

/// How deep values within values are followed; constant pools may lead in circles.
const DEPTH: usize = 3;

pub(crate) fn read_all(bytes: &[u8]) {
    let Ok(recording) = Recording::parse(bytes) else {
        return;
    };
    for chunk in recording.chunks() {
        for event in chunk.events().flatten() {
            let _ = (event.start_unix_nanos(), event.duration_nanos());
            if let Some(stack) = event.stack_trace() {
                for frame in stack.frames() {
                    let _ = (frame.class_name(), frame.method_name(), frame.kind());
                }
            }
            read_struct(event.fields(), DEPTH);
        }
    }
    for kind in Kind::ALL {
        let stacks = StackSet::collect(&recording, kind);
        for threads in [false, true] {
            collapsed(&stacks, threads, &mut std::io::sink()).expect("a sink takes everything");
        }
    }
    let _ = counters(&recording);
    if let Some(period) = Period::of_chunks(&recording) {
        let _ = Metrics::derive(&recording, period).to_json();
    }
}

fn read_struct(view: StructView<'_>, depth: usize) {
    for value in view.fields().filter_map(|(_, value)| value) {
        read_value(value, depth);
    }
}

fn read_value(value: Value<'_>, depth: usize) {
    if depth == 0 {
        return;
    }
    match value {
        Value::Struct(view) => read_struct(view, depth - 1),
        Value::Array(array) => {
            for value in array.iter().flatten() {
                read_value(value, depth - 1);
            }
        }
        _ => {}
    }
}

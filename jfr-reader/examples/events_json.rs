//! Prints a recording as one JSON object per event, in file order, for comparison with other
//! readers: `cargo run -p jfr-reader --example events_json -- [--one-clock] FILE`. The shape is that
//! of `tests/readers/README.md`. With `--one-clock`, the first chunk's header says when the ticks of
//! all chunks are, as JDK 25's reader has it.

use std::io::{BufWriter, Write, stdout};
use std::path::Path;
use std::process::ExitCode;

use jfr_reader::{ChunkHeader, Event, Field, Recording, StructView, Unit, Value};
use serde_json::{Map, Value as Json, json};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1).collect::<Vec<_>>();
    let one_clock = arguments
        .first()
        .is_some_and(|first| first == "--one-clock");
    if one_clock {
        arguments.remove(0);
    }
    let [path] = arguments.as_slice() else {
        eprintln!("usage: events_json [--one-clock] FILE");
        return ExitCode::from(2);
    };
    match print_events(path.as_ref(), one_clock) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", path.display());
            ExitCode::FAILURE
        }
    }
}

fn print_events(path: &Path, one_clock: bool) -> Result<(), Box<dyn std::error::Error>> {
    let bytes = std::fs::read(path)?;
    let recording = Recording::parse(&bytes)?;
    let mut out = BufWriter::new(stdout().lock());
    for chunk in recording.chunks() {
        let clock = if one_clock {
            &recording.chunks()[0]
        } else {
            chunk
        };
        for event in chunk.events() {
            serde_json::to_writer(&mut out, &canonical_event(clock.header(), &event?))?;
            out.write_all(b"\n")?;
        }
    }
    out.flush()?;
    match recording.damage().first() {
        Some(damage) => Err(damage.to_string().into()),
        None => Ok(()),
    }
}

fn canonical_event(clock: &ChunkHeader, event: &Event<'_>) -> Json {
    let fields = event
        .fields()
        .fields()
        .filter(|(field, _)| field.name() != "startTime")
        .map(|(field, value)| {
            (
                field.name().to_owned(),
                canonical_field(clock, field, value),
            )
        })
        .collect::<Map<_, _>>();
    json!({
        "type": event.type_name(),
        "startTime": event.i64("startTime").map(|ticks| clock.unix_nanos(ticks)),
        "fields": fields,
    })
}

/// A time is `{"nanos": n}`, so that a comparison may know it for one.
fn canonical_field(clock: &ChunkHeader, field: Field<'_>, value: Option<Value<'_>>) -> Json {
    let Some(value) = value else {
        return Json::Null;
    };
    match value {
        Value::Long(number) => match nanos(clock, field.unit(), number) {
            Some(nanos) => json!({ "nanos": nanos }),
            None => json!(number),
        },
        value => canonical_value(clock, value),
    }
}

/// The extremes of a raw value mean "none" or "for ever" and stay what they are.
fn nanos(clock: &ChunkHeader, unit: Unit, value: i64) -> Option<i64> {
    let extreme = value == i64::MIN || value == i64::MAX;
    let nanos = match unit {
        Unit::Ticks => clock.span_nanos(value),
        Unit::TickTimestamp => clock.unix_nanos(value),
        Unit::Nanoseconds | Unit::EpochNanoseconds => value,
        Unit::Microseconds => value.saturating_mul(1_000),
        Unit::Milliseconds | Unit::EpochMilliseconds => value.saturating_mul(1_000_000),
        Unit::Seconds | Unit::EpochSeconds => value.saturating_mul(1_000_000_000),
        _ => return None,
    };
    Some(if extreme { value } else { nanos })
}

fn canonical_value(clock: &ChunkHeader, value: Value<'_>) -> Json {
    match value {
        Value::Boolean(value) => json!(value),
        Value::Float(value) => real(value.into()),
        Value::Double(value) => real(value),
        Value::String(text) => json!(text),
        Value::Array(array) => array
            .iter()
            .map(|element| element.map_or(Json::Null, |value| canonical_value(clock, value)))
            .collect(),
        Value::Struct(view) => match view.ty().name() {
            "java.lang.Thread" => thread(&view),
            "java.lang.Class" => class_name(&view).map_or(Json::Null, Json::from),
            "jdk.types.StackTrace" => stack_trace(&view),
            _ => other_struct(clock, view),
        },
        number => number.as_i64().map_or(Json::Null, Json::from),
    }
}

/// JSON has no number for what is none.
fn real(value: f64) -> Json {
    if value.is_nan() {
        json!("NaN")
    } else if value.is_infinite() {
        json!(if value > 0.0 { "Infinity" } else { "-Infinity" })
    } else {
        json!(value)
    }
}

fn thread(view: &StructView<'_>) -> Json {
    json!({
        "osName": view.text("osName"),
        "osThreadId": view.i64("osThreadId"),
        "javaName": view.text("javaName"),
        "javaThreadId": view.i64("javaThreadId"),
        "group": view.text("group.name"),
    })
}

fn class_name(view: &StructView<'_>) -> Option<String> {
    Some(view.text("name")?.replace('/', "."))
}

fn stack_trace(view: &StructView<'_>) -> Json {
    let frames = view.value("frames").and_then(Value::into_array);
    let frames = frames
        .iter()
        .flat_map(|frames| frames.iter())
        .map(|frame| {
            frame
                .and_then(Value::into_struct)
                .map(|frame| frame_text(&frame))
        })
        .collect::<Vec<_>>();
    json!({
        "truncated": matches!(view.value("truncated"), Some(Value::Boolean(true))),
        "frames": frames,
    })
}

fn frame_text(frame: &StructView<'_>) -> String {
    let method = match frame.value("method").and_then(Value::into_struct) {
        Some(method) => {
            let class = method
                .value("type")
                .and_then(Value::into_struct)
                .and_then(|class| class_name(&class));
            format!(
                "{}.{}{}",
                class.as_deref().unwrap_or("?"),
                method.text("name").as_deref().unwrap_or("?"),
                method.text("descriptor").as_deref().unwrap_or("?"),
            )
        }
        None => "?".to_owned(),
    };
    let line = frame.i64("lineNumber").unwrap_or(0);
    let bytecode_index = frame.i64("bytecodeIndex").unwrap_or(0);
    let kind = frame.text("type");
    format!(
        "{method}:{line}:{bytecode_index}:{}",
        kind.as_deref().unwrap_or("?")
    )
}

/// A struct with one text is that text.
fn other_struct(clock: &ChunkHeader, view: StructView<'_>) -> Json {
    if view.ty().fields().len() == 1
        && let Some(text) = Value::Struct(view).into_text()
    {
        return json!(text);
    }
    view.fields()
        .map(|(field, value)| {
            (
                field.name().to_owned(),
                canonical_field(clock, field, value),
            )
        })
        .collect::<Map<_, _>>()
        .into()
}

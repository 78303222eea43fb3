//! Says whether two readers saw the same events, in what `events_json` and its like print:
//! `cargo run -p jfr-reader --example compare_events -- [--datakit] [--some-types] FULL OTHER`.
//!
//! Events of one type are compared in their order. Times may differ by a nanosecond, since readers
//! round ticks in their own ways. With `--datakit`, OTHER comes from DataKit's parser and may lack
//! what that does not keep; `tests/readers/README.md` lists it. With `--some-types`, only the types
//! that OTHER has are compared.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::ExitCode;

use serde_json::Value as Json;

/// More differences than these say nothing new.
const SHOWN: usize = 10;

type Events = BTreeMap<String, Vec<Json>>;

fn main() -> ExitCode {
    let (options, files) = std::env::args()
        .skip(1)
        .partition::<Vec<_>, _>(|argument| argument.starts_with("--"));
    let has = |name: &str| options.iter().any(|option| option == name);
    let [full, other] = files.as_slice() else {
        eprintln!("usage: compare_events [--datakit] [--some-types] FULL OTHER");
        return ExitCode::from(2);
    };
    let (mut full, other) = match (read(full.as_ref()), read(other.as_ref())) {
        (Ok(full), Ok(other)) => (full, other),
        (Err(error), _) | (_, Err(error)) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    if has("--some-types") {
        full.retain(|name, _| other.contains_key(name));
    }
    let rules = Rules {
        datakit: has("--datakit"),
    };
    let differences = compare(&full, &other, rules);
    if differences.is_empty() {
        let events = full.values().map(Vec::len).sum::<usize>();
        println!("equal: {events} events of {} types", full.len());
        return ExitCode::SUCCESS;
    }
    println!("{} differences", differences.len());
    for difference in differences.iter().take(SHOWN) {
        println!("  {difference}");
    }
    ExitCode::FAILURE
}

fn read(path: &Path) -> Result<Events, String> {
    let in_file = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let file = File::open(path).map_err(|error| in_file(&error))?;
    let mut events = Events::new();
    for line in BufReader::new(file).lines() {
        let line = line.map_err(|error| in_file(&error))?;
        let event = serde_json::from_str::<Json>(&line).map_err(|error| in_file(&error))?;
        let name = event["type"]
            .as_str()
            .ok_or_else(|| in_file(&"an event without a type"))?;
        events.entry(name.to_owned()).or_default().push(event);
    }
    Ok(events)
}

fn compare(full: &Events, other: &Events, rules: Rules) -> Vec<String> {
    let mut differences = Vec::new();
    let names = full
        .keys()
        .chain(other.keys().filter(|name| !full.contains_key(*name)));
    for name in names {
        let (left, right) = (full.get(name), other.get(name));
        let (left, right) = (
            left.map_or(&[][..], Vec::as_slice),
            right.map_or(&[][..], Vec::as_slice),
        );
        if left.len() != right.len() {
            differences.push(format!(
                "{name}: {} events, and {}",
                left.len(),
                right.len()
            ));
        }
        for (index, (left, right)) in left.iter().zip(right).enumerate() {
            let place = format!("{name} #{index}");
            if !same_nanos(&left["startTime"], &right["startTime"]) {
                differences.push(format!(
                    "{place} startTime: {} and {}",
                    left["startTime"], right["startTime"]
                ));
            }
            rules.compare(&place, &left["fields"], &right["fields"], &mut differences);
        }
    }
    differences
}

#[derive(Clone, Copy)]
struct Rules {
    datakit: bool,
}

impl Rules {
    fn compare(self, place: &str, left: &Json, right: &Json, differences: &mut Vec<String>) {
        match (left, right) {
            (Json::Object(a), Json::Object(b))
                if a.contains_key("nanos") && b.contains_key("nanos") =>
            {
                if !same_nanos(&a["nanos"], &b["nanos"]) {
                    differences.push(format!("{place}: {left} and {right}"));
                }
            }
            (_, Json::Object(b)) if b.contains_key("known") => {}
            (_, Json::Object(b)) if self.datakit && b.contains_key("last") => {
                let last = left.as_array().and_then(|elements| elements.last());
                self.compare(place, last.unwrap_or(&Json::Null), &b["last"], differences);
            }
            (Json::Object(a), Json::Object(b)) => {
                let names = a
                    .keys()
                    .chain(b.keys().filter(|name| !a.contains_key(*name)));
                for name in names {
                    let (left, right) = (a.get(name), b.get(name));
                    if !self.datakit && left.is_some() != right.is_some() {
                        differences.push(format!("{place}.{name} is in one only"));
                        continue;
                    }
                    let (left, right) = (left.unwrap_or(&Json::Null), right.unwrap_or(&Json::Null));
                    self.compare(&format!("{place}.{name}"), left, right, differences);
                }
            }
            (Json::Array(a), Json::Array(b)) if a.len() == b.len() => {
                for (index, (left, right)) in a.iter().zip(b).enumerate() {
                    self.compare(&format!("{place}[{index}]"), left, right, differences);
                }
            }
            _ if left == right || same_real(left, right) || same_unsigned(left, right) => {}
            _ if self.datakit && (absent(left) && absent(right) || same_frame(left, right)) => {}
            _ => differences.push(format!("{place}: {left} and {right}")),
        }
    }
}

fn same_nanos(left: &Json, right: &Json) -> bool {
    match (left.as_i64(), right.as_i64()) {
        (Some(left), Some(right)) => left.abs_diff(right) <= 1,
        _ => left == right,
    }
}

/// Whether two numbers are one, written as `1` and as `1.0`, or summed in another order.
fn same_real(left: &Json, right: &Json) -> bool {
    match (left.as_f64(), right.as_f64()) {
        (Some(a), Some(b)) if left.is_f64() || right.is_f64() => {
            (a - b).abs() <= 1e-12 * a.abs().max(b.abs())
        }
        _ => false,
    }
}

/// Whether the right number is the left one, an `int`, without a sign: the JVM's metadata may say that it has none.
fn same_unsigned(left: &Json, right: &Json) -> bool {
    let unsigned = left.as_i64().and_then(|int| i32::try_from(int).ok());
    let unsigned = unsigned.map(|int| f64::from(int.cast_unsigned()));
    unsigned.is_some() && unsigned == right.as_f64()
}

/// DataKit's parser takes null and empty for one.
fn absent(value: &Json) -> bool {
    value.is_null() || value == ""
}

/// Whether two frames `method(descriptor:line:bytecode index:type` agree in all that the right one
/// does not have as `*`.
fn same_frame(left: &Json, right: &Json) -> bool {
    fn parts(frame: &Json) -> Option<[&str; 5]> {
        let mut parts = frame.as_str()?.rsplitn(4, ':');
        let [kind, index, line] = [parts.next()?, parts.next()?, parts.next()?];
        let method = parts.next()?;
        let (method, descriptor) = method.rsplit_once('(').unwrap_or((method, ""));
        Some([method, descriptor, line, index, kind])
    }
    let (Some(left), Some(right)) = (parts(left), parts(right)) else {
        return false;
    };
    left.iter()
        .zip(right)
        .all(|(&left, right)| left == right || right == "*")
}

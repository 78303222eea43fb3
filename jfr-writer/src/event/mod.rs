//! The events: one file per family, one [`Form`](form::Form) per event and dialect.

mod counter;
mod cpu;
mod form;
mod heap;
mod jvm;
mod recording;
mod sample;
mod settings;
mod thread;

pub use counter::Counter;
pub use cpu::CpuLoad;
pub use heap::{HeapUsage, LiveObject, ObjectSample};
pub use jvm::{
    CpuInformation, InitialSystemProperty, JvmInformation, NativeLibrary, OsInformation,
};
pub use recording::{ActiveRecording, ActiveSetting};
pub use sample::ExecutionSample;
pub use settings::ProfilerConfig;
pub use thread::{ThreadEnd, ThreadStart};

pub(crate) use form::{Definition, Described, EventType, Unit};

use crate::dialect::Dialect;
use crate::limits::FIRST_TYPE_ID;

/// An event that [`ChunkWriter::write`](crate::ChunkWriter::write) takes. Only this crate's events are.
pub trait Event: Described {}

impl<E: Described> Event for E {}

/// The type id of the `number`th event.
const fn id(number: u64) -> u64 {
    FIRST_TYPE_ID + number
}

/// An event of the catalogue: how it is defined in a dialect, if it is.
struct Entry {
    definition: fn(Dialect) -> Option<Definition>,
    event_type: fn(Dialect) -> Option<EventType>,
}

impl Entry {
    const fn of<E: Described + 'static>() -> Self {
        Self {
            definition: Definition::of::<E>,
            event_type: Definition::event_type::<E>,
        }
    }
}

/// Every event that a chunk can hold.
const CATALOGUE: &[Entry] = &[
    Entry::of::<ExecutionSample>(),
    Entry::of::<ProfilerConfig<'static>>(),
    Entry::of::<ActiveRecording<'static>>(),
    Entry::of::<ActiveSetting<'static>>(),
    Entry::of::<JvmInformation<'static>>(),
    Entry::of::<OsInformation<'static>>(),
    Entry::of::<CpuInformation<'static>>(),
    Entry::of::<InitialSystemProperty<'static>>(),
    Entry::of::<NativeLibrary<'static>>(),
    Entry::of::<CpuLoad>(),
    Entry::of::<ThreadStart>(),
    Entry::of::<ThreadEnd>(),
    Entry::of::<Counter<'static>>(),
    Entry::of::<ObjectSample>(),
    Entry::of::<LiveObject>(),
    Entry::of::<HeapUsage>(),
];

/// The events of a dialect.
pub(crate) fn definitions(dialect: Dialect) -> impl Iterator<Item = Definition> {
    CATALOGUE
        .iter()
        .filter_map(move |entry| (entry.definition)(dialect))
}

/// The type id of the event with this name.
fn type_id(dialect: Dialect, name: &str) -> Option<u64> {
    CATALOGUE
        .iter()
        .filter_map(|entry| (entry.event_type)(dialect))
        .find(|event| event.name == name)
        .map(|event| event.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::Type;
    use std::collections::HashMap;

    fn names(dialect: Dialect) -> Vec<&'static str> {
        definitions(dialect)
            .map(|definition| definition.event.name)
            .collect()
    }

    #[test]
    fn no_chunk_defines_both_kinds_of_cpu_sample() {
        let (datakit, jdk) = (names(Dialect::DataKit), names(Dialect::Jdk));
        assert!(datakit.contains(&"datadog.ExecutionSample"));
        assert!(!datakit.contains(&"jdk.ExecutionSample"));
        assert!(jdk.contains(&"jdk.ExecutionSample"));
        assert!(
            jdk.iter().all(|name| !name.starts_with("datadog.")),
            "{jdk:?}"
        );
    }

    #[test]
    fn an_id_means_one_event_in_all_dialects() {
        let mut names = HashMap::new();
        for dialect in [Dialect::DataKit, Dialect::Jdk] {
            for Definition { event, .. } in definitions(dialect) {
                assert!((FIRST_TYPE_ID..FIRST_TYPE_ID + 1_000).contains(&event.id));
                assert_eq!(*names.entry(event.id).or_insert(event.name), event.name);
                assert_eq!(type_id(dialect, event.name), Some(event.id));
            }
        }
        assert_eq!(type_id(Dialect::Jdk, "datadog.ExecutionSample"), None);
    }

    #[test]
    fn categories_fit_into_the_metadata() {
        for dialect in [Dialect::DataKit, Dialect::Jdk] {
            for Definition { event, .. } in definitions(dialect) {
                assert!((1..=2).contains(&event.category.len()), "{}", event.name);
            }
        }
    }

    #[test]
    fn units_stand_at_numbers_only() {
        for dialect in [Dialect::DataKit, Dialect::Jdk] {
            for Definition { event, fields } in definitions(dialect) {
                assert_eq!(fields[0].0.name, "startTime");
                for (field, ty) in fields {
                    let numeric = matches!(ty, Type::Long | Type::Int | Type::Float);
                    assert!(
                        numeric || field.unit == Unit::None,
                        "{}.{} is no number",
                        event.name,
                        field.name,
                    );
                }
            }
        }
    }
}

//! What was recorded, and with which settings.

use super::form::{Column, Described, EventType, Form, Spread, Unit, Value};
use super::id;
use crate::dialect::Dialect;

/// A recording that was running (`jdk.ActiveRecording`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActiveRecording<'a> {
    /// When the event was made.
    pub ticks: u64,
    /// Number of the recording in its process.
    pub id: u64,
    /// Its name.
    pub name: &'a str,
    /// Where it goes, if to a file.
    pub destination: Option<&'a str>,
    /// How long its data is kept; 0: no limit.
    pub max_age_millis: u64,
    /// How much of its data is kept; 0: no limit.
    pub max_size_bytes: u64,
    /// When it began, since the epoch.
    pub start_unix_millis: u64,
    /// How long it is to last; 0: until it is stopped.
    pub duration_millis: u64,
}

impl Described for ActiveRecording<'_> {
    fn form<'f>(_: Dialect) -> Option<&'f Form<'f, Self>>
    where
        Self: 'f,
    {
        Some(
            const {
                &Form::<Self> {
                    event: EventType {
                        id: id(4),
                        name: "jdk.ActiveRecording",
                        label: "Flight Recording",
                        category: &["Flight Recorder"],
                        description: None,
                    },
                    times: |event| Spread::once(event.ticks),
                    columns: &[
                        Column::new("id", "Id", Value::Long(|event| event.id)),
                        Column::new("name", "Name", Value::Text(|event| Some(event.name))),
                        Column::new(
                            "destination",
                            "Destination",
                            Value::Text(|event| event.destination),
                        ),
                        Column::unit(
                            "maxAge",
                            "Max Age",
                            Unit::Millis,
                            Value::Long(|event| event.max_age_millis),
                        ),
                        Column::unit(
                            "maxSize",
                            "Max Size",
                            Unit::Bytes,
                            Value::Long(|event| event.max_size_bytes),
                        ),
                        Column::unit(
                            "recordingStart",
                            "Start Time",
                            Unit::TimestampUnixMillis,
                            Value::Long(|event| event.start_unix_millis),
                        ),
                        Column::unit(
                            "recordingDuration",
                            "Recording Duration",
                            Unit::Millis,
                            Value::Long(|event| event.duration_millis),
                        ),
                    ],
                }
            },
        )
    }
}

/// A setting that an event was recorded with (`jdk.ActiveSetting`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActiveSetting<'a> {
    /// When the event was made.
    pub ticks: u64,
    /// Name of the event type that the setting is of, in the chunk's dialect. A name that the
    /// dialect does not have is written as type id 0, as for a setting of the profiler as a whole.
    pub event: &'a str,
    /// The setting's name.
    pub name: &'a str,
    /// Its value.
    pub value: &'a str,
}

impl Described for ActiveSetting<'_> {
    fn form<'f>(_: Dialect) -> Option<&'f Form<'f, Self>>
    where
        Self: 'f,
    {
        Some(
            const {
                &Form::<Self> {
                    event: EventType {
                        id: id(5),
                        name: "jdk.ActiveSetting",
                        label: "Recording Setting",
                        category: &["Flight Recorder"],
                        description: None,
                    },
                    times: |event| Spread::once(event.ticks),
                    columns: &[
                        Column::new("id", "Event Id", Value::EventId(|event| event.event)),
                        Column::new(
                            "name",
                            "Setting Name",
                            Value::Text(|event| Some(event.name)),
                        ),
                        Column::new(
                            "value",
                            "Setting Value",
                            Value::Text(|event| Some(event.value)),
                        ),
                    ],
                }
            },
        )
    }
}

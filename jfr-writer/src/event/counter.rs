//! The profiler's own counters.

use super::form::{Column, Described, EventType, Form, Spread, Value};
use super::id;
use crate::dialect::Dialect;

/// What the profiler counted during the chunk: its losses and costs (`jprof.Counter`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counter<'a> {
    /// When the event was made.
    pub ticks: u64,
    /// What was counted.
    pub name: &'a str,
    /// How often, in this chunk.
    pub count: u64,
}

impl Described for Counter<'_> {
    fn form<'f>(_: Dialect) -> Option<&'f Form<'f, Self>>
    where
        Self: 'f,
    {
        Some(
            const {
                &Form::<Self> {
                    event: EventType {
                        id: id(14),
                        name: "jprof.Counter",
                        label: "Profiler Counter",
                        category: &["Profiler"],
                        description: Some(
                            "A loss or a cost that the profiler counted during the chunk",
                        ),
                    },
                    times: |event| Spread::once(event.ticks),
                    columns: &[
                        Column::new("name", "Name", Value::Text(|event| Some(event.name))),
                        Column::new("count", "Count", Value::Long(|event| event.count)),
                    ],
                }
            },
        )
    }
}

//! Threads that begin and end.

use super::form::{Column, Described, EventType, Form, Spread, Value};
use super::id;
use crate::dialect::Dialect;
use crate::ids::{StackTraceId, ThreadId};

/// A thread began (`jdk.ThreadStart`). Not for threads that were there before the recording:
/// readers count the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThreadStart {
    /// When the event was made.
    pub ticks: u64,
    /// The thread that the event was made on.
    pub event_thread: ThreadId,
    /// Where the thread was started, or [`StackTraceId::NULL`].
    pub stack: StackTraceId,
    /// The new thread.
    pub thread: ThreadId,
    /// The thread that started it, or [`ThreadId::NULL`].
    pub parent_thread: ThreadId,
}

impl Described for ThreadStart {
    fn form<'f>(_: Dialect) -> Option<&'f Form<'f, Self>>
    where
        Self: 'f,
    {
        Some(
            const {
                &Form::<Self> {
                    event: EventType {
                        id: id(12),
                        name: "jdk.ThreadStart",
                        label: "Java Thread Start",
                        category: &["Java Application"],
                        description: None,
                    },
                    times: |event| Spread::once(event.ticks),
                    columns: &[
                        Column::new(
                            "eventThread",
                            "Event Thread",
                            Value::Thread(|event| event.event_thread),
                        ),
                        Column::new(
                            "stackTrace",
                            "Stack Trace",
                            Value::StackTrace(|event| event.stack),
                        ),
                        Column::new(
                            "thread",
                            "New Java Thread",
                            Value::Thread(|event| event.thread),
                        ),
                        Column::new(
                            "parentThread",
                            "Parent Java Thread",
                            Value::Thread(|event| event.parent_thread),
                        ),
                    ],
                }
            },
        )
    }
}

/// A thread ended (`jdk.ThreadEnd`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThreadEnd {
    /// When the event was made.
    pub ticks: u64,
    /// The thread.
    pub thread: ThreadId,
}

impl Described for ThreadEnd {
    fn form<'f>(_: Dialect) -> Option<&'f Form<'f, Self>>
    where
        Self: 'f,
    {
        Some(
            const {
                &Form::<Self> {
                    event: EventType {
                        id: id(13),
                        name: "jdk.ThreadEnd",
                        label: "Java Thread End",
                        category: &["Java Application"],
                        description: None,
                    },
                    times: |event| Spread::once(event.ticks),
                    columns: &[
                        Column::new(
                            "eventThread",
                            "Event Thread",
                            Value::Thread(|event| event.thread),
                        ),
                        Column::new("thread", "Java Thread", Value::Thread(|event| event.thread)),
                    ],
                }
            },
        )
    }
}

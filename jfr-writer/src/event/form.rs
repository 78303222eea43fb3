//! How an event is laid out: one table of columns that both writes the fields and describes them.

use crate::dialect::Dialect;
use crate::encode::{put_boolean, put_float, put_int, put_long, put_text};
use crate::error::WriteError;
use crate::event::type_id;
use crate::ids::{ChunkTag, ClassId, StackTraceId, ThreadId};
use crate::limits::MAX_SAMPLE_COPIES;
use crate::metadata::Type;
use crate::pool::{ExecutionMode, ThreadState};

/// What a chunk says of an event type.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EventType {
    /// The same in every chunk, and no other event's: readers tell events apart by it over a whole file.
    pub(crate) id: u64,
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    /// At most two levels.
    pub(crate) category: &'static [&'static str],
    pub(crate) description: Option<&'static str>,
}

/// What a field's number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    None,
    TimestampTicks,
    TimestampUnixMillis,
    Nanos,
    Millis,
    Bytes,
    /// 0 to 1.
    Fraction,
    Unsigned,
    Address,
}

/// What a chunk says of a field, beside its type.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    pub(crate) description: Option<&'static str>,
    pub(crate) unit: Unit,
}

/// Where a field's value comes from; this also fixes the field's type.
pub(crate) enum Value<E> {
    Long(fn(&E) -> u64),
    Int(fn(&E) -> u32),
    Float(fn(&E) -> f32),
    Boolean(fn(&E) -> bool),
    Text(for<'e> fn(&'e E) -> Option<&'e str>),
    Thread(fn(&E) -> ThreadId),
    StackTrace(fn(&E) -> StackTraceId),
    Class(fn(&E) -> ClassId),
    State(fn(&E) -> ThreadState),
    Mode(fn(&E) -> ExecutionMode),
    /// The type id of the event that has this name in the chunk's dialect, 0 if there is none.
    EventId(for<'e> fn(&'e E) -> &'e str),
}

/// A field of an event and its value.
pub(crate) struct Column<E> {
    field: Field,
    value: Value<E>,
}

impl<E> Column<E> {
    pub(crate) const fn new(name: &'static str, label: &'static str, value: Value<E>) -> Self {
        Self {
            field: Field {
                name,
                label,
                description: None,
                unit: Unit::None,
            },
            value,
        }
    }

    pub(crate) const fn unit(
        name: &'static str,
        label: &'static str,
        unit: Unit,
        value: Value<E>,
    ) -> Self {
        Self {
            field: Field {
                name,
                label,
                description: None,
                unit,
            },
            value,
        }
    }

    const fn ty(&self) -> Type {
        match self.value {
            Value::Long(_) | Value::EventId(_) => Type::Long,
            Value::Int(_) => Type::Int,
            Value::Float(_) => Type::Float,
            Value::Boolean(_) => Type::Boolean,
            Value::Text(_) => Type::String,
            Value::Thread(_) => Type::Thread,
            Value::StackTrace(_) => Type::StackTrace,
            Value::Class(_) => Type::Class,
            Value::State(_) => Type::ThreadState,
            Value::Mode(_) => Type::ExecutionMode,
        }
    }

    fn put(&self, out: &mut Vec<u8>, event: &E, dialect: Dialect, chunk: ChunkTag) {
        match self.value {
            Value::Long(get) => put_long(out, get(event)),
            Value::Int(get) => put_int(out, get(event) as i32),
            Value::Float(get) => put_float(out, get(event)),
            Value::Boolean(get) => put_boolean(out, get(event)),
            Value::Text(get) => put_text(out, get(event)),
            Value::Thread(get) => put_long(out, get(event).index(chunk).into()),
            Value::StackTrace(get) => put_long(out, get(event).index(chunk).into()),
            Value::Class(get) => put_long(out, get(event).index(chunk).into()),
            Value::State(get) => put_long(out, get(event).key()),
            Value::Mode(get) => put_long(out, get(event).key()),
            Value::EventId(get) => put_long(out, type_id(dialect, get(event)).unwrap_or(0)),
        }
    }
}

/// `count` points in time, evenly over the span that ends at `end_ticks`; the last one is the end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) end_ticks: u64,
    pub(crate) span_ticks: u64,
    pub(crate) count: u64,
}

impl Spread {
    pub(crate) const fn once(ticks: u64) -> Self {
        Self {
            end_ticks: ticks,
            span_ticks: 0,
            count: 1,
        }
    }

    /// The same, if it is no more than [`MAX_SAMPLE_COPIES`].
    pub(crate) fn checked(self) -> Result<impl Iterator<Item = u64>, WriteError> {
        if self.count > MAX_SAMPLE_COPIES {
            return Err(WriteError::TooManyCopies { weight: self.count });
        }
        Ok(self.times())
    }

    fn times(self) -> impl Iterator<Item = u64> {
        let start = self.end_ticks.saturating_sub(self.span_ticks);
        let span = u128::from(self.end_ticks - start);
        (1..=self.count)
            .map(move |nth| start + (span * u128::from(nth) / u128::from(self.count)) as u64)
    }
}

/// An event as it stands in a chunk: its type, when it is written, and its fields after `startTime`.
pub struct Form<'f, E> {
    pub(crate) event: EventType,
    pub(crate) times: fn(&E) -> Spread,
    pub(crate) columns: &'f [Column<E>],
}

const START_TIME: Field = Field {
    name: "startTime",
    label: "Start Time",
    description: None,
    unit: Unit::TimestampTicks,
};

impl<E> Form<'_, E> {
    /// Everything after the event's size.
    pub(crate) fn put(
        &self,
        out: &mut Vec<u8>,
        event: &E,
        ticks: u64,
        dialect: Dialect,
        chunk: ChunkTag,
    ) {
        put_long(out, self.event.id);
        put_long(out, ticks);
        for column in self.columns {
            column.put(out, event, dialect, chunk);
        }
    }

    fn fields(&self) -> Vec<(Field, Type)> {
        let start_time = (START_TIME, Type::Long);
        std::iter::once(start_time)
            .chain(
                self.columns
                    .iter()
                    .map(|column| (column.field, column.ty())),
            )
            .collect()
    }
}

/// What an event is called and made of in each dialect.
pub trait Described: Sized {
    /// `None`: the dialect has no such event.
    fn form<'f>(dialect: Dialect) -> Option<&'f Form<'f, Self>>
    where
        Self: 'f;
}

/// An event's part of the metadata.
pub(crate) struct Definition {
    pub(crate) event: EventType,
    pub(crate) fields: Vec<(Field, Type)>,
}

impl Definition {
    pub(crate) fn of<E: Described + 'static>(dialect: Dialect) -> Option<Self> {
        let form = E::form(dialect)?;
        Some(Self {
            event: form.event,
            fields: form.fields(),
        })
    }

    pub(crate) fn event_type<E: Described + 'static>(dialect: Dialect) -> Option<EventType> {
        E::form(dialect).map(|form| form.event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(end_ticks: u64, span_ticks: u64, count: u64) -> Vec<u64> {
        Spread {
            end_ticks,
            span_ticks,
            count,
        }
        .times()
        .collect()
    }

    #[test]
    fn times_are_spread_evenly_and_end_at_the_end() {
        assert_eq!(times(1_000, 400, 4), [700, 800, 900, 1_000]);
        assert_eq!(times(1_000, 10, 3), [993, 996, 1_000]);
        assert_eq!(times(1_000, 400, 1), [1_000]);
        assert_eq!(times(1_000, 400, 0), []);
    }

    #[test]
    fn a_span_from_before_the_clock_began_starts_at_its_zero() {
        assert_eq!(times(10, 100, 2), [5, 10]);
        assert_eq!(times(u64::MAX, u64::MAX, 2), [u64::MAX / 2, u64::MAX]);
    }
}

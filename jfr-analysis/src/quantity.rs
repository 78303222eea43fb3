//! Numbers with units, converted as DataKit's JFR parser converts them.
//!
//! What it cannot convert is an error there and leaves the event out, so it is `None` here: a number
//! without a unit, a span whose annotation names none of the units that it knows, or one kind of unit
//! where another is asked for. Whole numbers stay whole; a span in ticks becomes a float, and is cut
//! off, not rounded, where a whole number is wanted.

use jfr_reader::{Event, Unit, Value};

/// A number, whole or not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Int(i64),
    Float(f64),
}

impl Number {
    /// The number of a field; `None` when it is none.
    pub(crate) fn of(event: &Event<'_>, name: &str) -> Option<Self> {
        match event.value(name)? {
            Value::Byte(value) => Some(Self::Int(value.into())),
            Value::Short(value) => Some(Self::Int(value.into())),
            Value::Int(value) => Some(Self::Int(value.into())),
            Value::Long(value) => Some(Self::Int(value)),
            Value::Float(value) => Some(Self::Float(value.into())),
            Value::Double(value) => Some(Self::Float(value)),
            _ => None,
        }
    }

    /// As [`Self::of`], with the sign taken off where the field has none.
    fn of_quantity(event: &Event<'_>, name: &str) -> Option<Self> {
        let number = Self::of(event, name)?;
        if !event.ty().field(name)?.is_unsigned() {
            return Some(number);
        }
        Some(match event.value(name)? {
            Value::Byte(value) => Self::Int(value.cast_unsigned().into()),
            Value::Short(value) => Self::Int(value.cast_unsigned().into()),
            Value::Int(value) => Self::Int(value.cast_unsigned().into()),
            _ => number,
        })
    }

    /// Cut off to a whole number.
    pub(crate) fn to_i64(self) -> i64 {
        match self {
            Self::Int(value) => value,
            Self::Float(value) => value as i64,
        }
    }

    pub(crate) fn to_f64(self) -> f64 {
        match self {
            Self::Int(value) => value as f64,
            Self::Float(value) => value,
        }
    }

    fn times(self, factor: i64) -> Self {
        match self {
            Self::Int(value) => Self::Int(value.wrapping_mul(factor)),
            Self::Float(value) => Self::Float(value * factor as f64),
        }
    }
}

/// A field of bytes.
pub(crate) fn bytes(event: &Event<'_>, name: &str) -> Option<Number> {
    let number = Number::of_quantity(event, name)?;
    (event.ty().field(name)?.unit() == Unit::Bytes).then_some(number)
}

/// A field that is a span, in nanoseconds.
pub(crate) fn nanos(event: &Event<'_>, name: &str) -> Option<Number> {
    let number = Number::of_quantity(event, name)?;
    Some(match event.ty().field(name)?.unit() {
        Unit::Nanoseconds => number,
        Unit::Milliseconds => number.times(1_000_000),
        Unit::Seconds => number.times(1_000_000_000),
        Unit::Ticks => {
            let nanos_per_tick = 1e9 / event.chunk_header().ticks_per_second as f64;
            match number {
                Number::Int(0) => number,
                _ => Number::Float(number.to_f64() * nanos_per_tick),
            }
        }
        // Microseconds among them: DataKit does not know that unit.
        _ => return None,
    })
}

/// A field that is a point in time, in nanoseconds since 1970.
pub(crate) fn unix_nanos(event: &Event<'_>, name: &str) -> Option<i64> {
    let number = Number::of_quantity(event, name)?;
    Some(match event.ty().field(name)?.unit() {
        Unit::EpochNanoseconds => number.to_i64(),
        Unit::EpochMilliseconds => number.times(1_000_000).to_i64(),
        Unit::EpochSeconds => number.times(1_000_000_000).to_i64(),
        Unit::TickTimestamp => {
            // 64 bits, which overflow some nine seconds off the chunk's start when ticks are
            // nanoseconds: a wrong time, but the one that DataKit takes.
            let header = event.chunk_header();
            number
                .to_i64()
                .wrapping_sub(header.start_ticks)
                .wrapping_mul(1_000_000_000)
                .wrapping_div(header.ticks_per_second)
                .wrapping_add(header.start_unix_nanos)
        }
        _ => return None,
    })
}

use std::fmt;
use std::str::FromStr;

use jfr_reader::Event;

/// What a stack's value counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// CPU samples, by their weight where they have one.
    Cpu,
    /// Samples by wall clock, of threads that run and of those that wait.
    Wall,
    /// Bytes allocated.
    Alloc,
    /// Nanoseconds spent waiting for locks.
    Lock,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 4] = [Kind::Cpu, Kind::Wall, Kind::Alloc, Kind::Lock];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Cpu => "cpu",
            Kind::Wall => "wall",
            Kind::Alloc => "alloc",
            Kind::Lock => "lock",
        }
    }

    /// What the values count.
    pub fn unit(self) -> &'static str {
        match self {
            Kind::Cpu | Kind::Wall => "samples",
            Kind::Alloc => "bytes",
            Kind::Lock => "ns",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word that names no [`Kind`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no kind of samples: cpu, wall, alloc and lock are")]
pub struct UnknownKind(String);

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Kind::ALL
            .into_iter()
            .find(|kind| kind.name() == word)
            .ok_or_else(|| UnknownKind(word.to_owned()))
    }
}

/// A type of events that has stacks of some kind.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) kind: Kind,
    pub(crate) event: &'static str,
    /// Families of events that tell of the same thing in different words: only the lowest that a
    /// recording has is counted, else a file with two would count twice.
    pub(crate) family: usize,
    value: Amount,
}

/// How much an event adds to its stack.
#[derive(Clone, Copy, Debug)]
enum Amount {
    One,
    Field(&'static str),
    Product(&'static str, &'static str),
    Nanos(&'static str),
}

pub(crate) const FAMILIES: usize = 3;

/// Every type of events that has stacks.
pub(crate) const SOURCES: &[Source] = &[
    source(
        Kind::Cpu,
        0,
        "datadog.ExecutionSample",
        Amount::Field("weight"),
    ),
    source(Kind::Cpu, 1, "jdk.ExecutionSample", Amount::One),
    // The JDK samples threads in native methods by another event and does not say whether they
    // run; viewers count both alike.
    source(Kind::Cpu, 1, "jdk.NativeMethodSample", Amount::One),
    source(
        Kind::Wall,
        0,
        "datadog.MethodSample",
        Amount::Field("weight"),
    ),
    source(
        Kind::Wall,
        1,
        "profiler.WallClockSample",
        Amount::Field("samples"),
    ),
    source(
        Kind::Alloc,
        0,
        "datadog.ObjectSample",
        Amount::Product("size", "weight"),
    ),
    source(
        Kind::Alloc,
        1,
        "jdk.ObjectAllocationInNewTLAB",
        Amount::Field("tlabSize"),
    ),
    source(
        Kind::Alloc,
        1,
        "jdk.ObjectAllocationOutsideTLAB",
        Amount::Field("allocationSize"),
    ),
    source(
        Kind::Alloc,
        2,
        "jdk.ObjectAllocationSample",
        Amount::Field("weight"),
    ),
    source(
        Kind::Lock,
        0,
        "jdk.JavaMonitorEnter",
        Amount::Nanos("duration"),
    ),
    source(Kind::Lock, 0, "jdk.ThreadPark", Amount::Nanos("duration")),
];

const fn source(kind: Kind, family: usize, event: &'static str, value: Amount) -> Source {
    assert!(family < FAMILIES);
    Source {
        kind,
        event,
        family,
        value,
    }
}

impl Source {
    /// How much the event adds; 0 for what is negative or missing.
    pub(crate) fn value(&self, event: &Event<'_>) -> u64 {
        let number = |name| event.value(name).and_then(|value| value.as_f64());
        match self.value {
            Amount::One => 1,
            Amount::Field(name) => match event.i64(name) {
                Some(value) => u64::try_from(value).unwrap_or(0),
                // A float saturates, and what is no number is 0.
                None => number(name).map_or(0, |value| value.round() as u64),
            },
            Amount::Product(left, right) => match (number(left), number(right)) {
                (Some(left), Some(right)) => (left * right).round() as u64,
                _ => 0,
            },
            Amount::Nanos(name) => event
                .nanos(name)
                .and_then(|nanos| u64::try_from(nanos).ok())
                .unwrap_or(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_read_by_its_name() {
        for kind in Kind::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
        }
        assert_eq!(
            "heap".parse::<Kind>().expect_err("no kind").to_string(),
            r#""heap" is no kind of samples: cpu, wall, alloc and lock are"#
        );
    }
}

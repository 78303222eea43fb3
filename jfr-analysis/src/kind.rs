use std::fmt;
use std::str::FromStr;

use jfr_reader::{Chunk, Event, Type};

/// What a stack's value counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// CPU samples, by their weight where they have one.
    Cpu,
    /// Samples by wall clock, of threads that run and of those that wait.
    Wall,
    /// Objects allocated.
    Alloc,
    /// Bytes allocated.
    AllocBytes,
    /// Objects that are alive.
    Live,
    /// Bytes of objects that are alive.
    LiveBytes,
    /// Nanoseconds spent waiting for locks.
    Lock,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 7] = [
        Kind::Cpu,
        Kind::Wall,
        Kind::Alloc,
        Kind::AllocBytes,
        Kind::Live,
        Kind::LiveBytes,
        Kind::Lock,
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Cpu => "cpu",
            Kind::Wall => "wall",
            Kind::Alloc => "alloc",
            Kind::AllocBytes => "alloc-bytes",
            Kind::Live => "live",
            Kind::LiveBytes => "live-bytes",
            Kind::Lock => "lock",
        }
    }

    /// What it is called in a title.
    pub fn title(self) -> &'static str {
        match self {
            Kind::Alloc => "allocated objects",
            Kind::AllocBytes => "allocated bytes",
            Kind::Live => "live objects",
            Kind::LiveBytes => "live bytes",
            Kind::Cpu | Kind::Wall | Kind::Lock => self.name(),
        }
    }

    /// What the values count where the recording says enough for it.
    pub(crate) const fn unit(self) -> &'static str {
        match self {
            Kind::Cpu | Kind::Wall => SAMPLES,
            Kind::Alloc | Kind::Live => "objects",
            Kind::AllocBytes | Kind::LiveBytes => "bytes",
            Kind::Lock => "ns",
        }
    }

    /// Whether a chunk's events tell of one moment: those of several chunks cannot be added up.
    pub(crate) fn is_snapshot(self) -> bool {
        matches!(self, Kind::Live | Kind::LiveBytes)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word that names no [`Kind`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no kind of samples: cpu, wall, alloc, alloc-bytes, live, live-bytes and lock are"
)]
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

/// The unit where each event counts as one, since the recording does not say for how many of what
/// it stands.
const SAMPLES: &str = "samples";

/// A type of events that has stacks of some kind.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) kind: Kind,
    pub(crate) event: &'static str,
    /// Families of events that tell of the same thing in different words: only the lowest that a
    /// recording has is counted, else a file with two would count twice.
    pub(crate) family: usize,
    /// A field without which the type does not belong to the family.
    needs: Option<&'static str>,
    /// Only in chunks that jprof wrote.
    ours: bool,
    value: Amount,
    pub(crate) unit: &'static str,
    /// Where the class of the object is that the event tells of.
    pub(crate) class: Option<&'static str>,
}

/// How much an event adds to its stack.
#[derive(Clone, Copy, Debug)]
enum Amount {
    One,
    Field(&'static str),
    Product(&'static str, &'static str),
    Quotient(&'static str, &'static str),
    Nanos(&'static str),
}

pub(crate) const FAMILIES: usize = 4;

/// Every type of events that has stacks. Of two sources for one kind and type, the first that the
/// type has the fields for counts.
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
        Amount::Field("weight"),
    )
    .of(OBJECT_CLASS),
    // Ours says of how many bytes, so of how many objects.
    source(
        Kind::Alloc,
        1,
        "jdk.ObjectAllocationInNewTLAB",
        Amount::Quotient("tlabSize", "allocationSize"),
    )
    .of(OBJECT_CLASS)
    .ours(),
    source(Kind::Alloc, 2, "jdk.ObjectAllocationInNewTLAB", Amount::One).of(OBJECT_CLASS),
    source(
        Kind::Alloc,
        2,
        "jdk.ObjectAllocationOutsideTLAB",
        Amount::One,
    )
    .of(OBJECT_CLASS),
    source(Kind::Alloc, 3, "jdk.ObjectAllocationSample", Amount::One).of(OBJECT_CLASS),
    source(
        Kind::AllocBytes,
        0,
        "datadog.ObjectSample",
        Amount::Product("size", "weight"),
    )
    .of(OBJECT_CLASS),
    source(
        Kind::AllocBytes,
        1,
        "jdk.ObjectAllocationInNewTLAB",
        Amount::Field("tlabSize"),
    )
    .of(OBJECT_CLASS)
    .ours(),
    source(
        Kind::AllocBytes,
        2,
        "jdk.ObjectAllocationInNewTLAB",
        Amount::Field("tlabSize"),
    )
    .of(OBJECT_CLASS),
    source(
        Kind::AllocBytes,
        2,
        "jdk.ObjectAllocationOutsideTLAB",
        Amount::Field("allocationSize"),
    )
    .of(OBJECT_CLASS),
    source(
        Kind::AllocBytes,
        3,
        "jdk.ObjectAllocationSample",
        Amount::Field("weight"),
    )
    .of(OBJECT_CLASS),
    source(
        Kind::Live,
        0,
        "datadog.HeapLiveObject",
        Amount::Field("weight"),
    )
    .of(OBJECT_CLASS),
    source(Kind::Live, 2, "profiler.LiveObject", Amount::One).of(OBJECT_CLASS),
    source(Kind::Live, 3, "jdk.OldObjectSample", Amount::One).of("object.type"),
    source(
        Kind::LiveBytes,
        0,
        "datadog.HeapLiveObject",
        Amount::Product("size", "weight"),
    )
    .of(OBJECT_CLASS),
    source(
        Kind::LiveBytes,
        2,
        "profiler.LiveObject",
        Amount::Field("allocationSize"),
    )
    .of(OBJECT_CLASS),
    // Older JDKs do not write the size.
    source(
        Kind::LiveBytes,
        3,
        "jdk.OldObjectSample",
        Amount::Field(OBJECT_SIZE),
    )
    .of("object.type")
    .with(OBJECT_SIZE),
    source(
        Kind::Lock,
        0,
        "jdk.JavaMonitorEnter",
        Amount::Nanos("duration"),
    ),
    source(Kind::Lock, 0, "jdk.ThreadPark", Amount::Nanos("duration")),
];

/// A type of events that only jprof writes.
const OURS: &str = "jprof.Counter";
const OBJECT_CLASS: &str = "objectClass";
const OBJECT_SIZE: &str = "objectSize";

const fn source(kind: Kind, family: usize, event: &'static str, value: Amount) -> Source {
    assert!(family < FAMILIES);
    let unit = match (value, kind) {
        (Amount::One, _) => SAMPLES,
        _ => kind.unit(),
    };
    Source {
        kind,
        event,
        family,
        needs: None,
        ours: false,
        value,
        unit,
        class: None,
    }
}

impl Source {
    const fn of(self, class: &'static str) -> Self {
        Self {
            class: Some(class),
            ..self
        }
    }

    const fn with(self, field: &'static str) -> Self {
        Self {
            needs: Some(field),
            ..self
        }
    }

    const fn ours(self) -> Self {
        Self { ours: true, ..self }
    }

    /// Whether a type of its name has the fields that it goes by, in a chunk of a writer that it is of.
    pub(crate) fn fits(&self, ty: Type<'_>, chunk: &Chunk<'_>) -> bool {
        self.needs.is_none_or(|field| ty.field(field).is_some())
            && (!self.ours || chunk.type_named(OURS).is_some())
    }

    /// How much the event adds; 0 for what is negative or missing.
    pub(crate) fn value(&self, event: &Event<'_>) -> f64 {
        let number = |name| event.value(name).and_then(|value| value.as_f64());
        let value = match self.value {
            Amount::One => Some(1.0),
            Amount::Field(name) => number(name),
            Amount::Product(left, right) => number(left).zip(number(right)).map(|(l, r)| l * r),
            Amount::Quotient(whole, part) => number(whole)
                .zip(number(part).filter(|&part| part > 0.0))
                .map(|(whole, part)| whole / part),
            Amount::Nanos(name) => event.nanos(name).map(|nanos| nanos as f64),
        };
        // What is no number becomes 0 too.
        value.unwrap_or(0.0).max(0.0).min(u64::MAX as f64)
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
            r#""heap" is no kind of samples: cpu, wall, alloc, alloc-bytes, live, live-bytes and lock are"#
        );
    }
}

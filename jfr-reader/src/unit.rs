/// What a field's numbers count, by the annotation that the metadata gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Unit {
    /// Nothing is said.
    #[default]
    None,
    /// `DataAmount` or `MemoryAmount`.
    Bytes,
    /// A span in ticks of the chunk's clock.
    Ticks,
    /// A span.
    Nanoseconds,
    /// A span.
    Microseconds,
    /// A span.
    Milliseconds,
    /// A span.
    Seconds,
    /// A point in time, in ticks of the chunk's clock.
    TickTimestamp,
    /// A point in time since 1970.
    EpochNanoseconds,
    /// A point in time since 1970.
    EpochMilliseconds,
    /// A point in time since 1970.
    EpochSeconds,
    /// `Percentage`: 1 is the whole.
    Fraction,
    /// `Frequency`.
    Hertz,
    /// `MemoryAddress`.
    Address,
}

impl Unit {
    /// The unit that an annotation stands for; `None` when the annotation says none.
    ///
    /// A span or a time without a `value` stays without a unit: writers always name it.
    pub(crate) fn of_annotation(class: &str, value: &str) -> Option<Self> {
        Some(match (class, value) {
            ("jdk.jfr.DataAmount" | "jdk.jfr.MemoryAmount", _) => Self::Bytes,
            ("jdk.jfr.Percentage", _) => Self::Fraction,
            ("jdk.jfr.Frequency", _) => Self::Hertz,
            ("jdk.jfr.MemoryAddress", _) => Self::Address,
            ("jdk.jfr.Timespan", "TICKS") => Self::Ticks,
            ("jdk.jfr.Timespan", "NANOSECONDS") => Self::Nanoseconds,
            ("jdk.jfr.Timespan", "MICROSECONDS") => Self::Microseconds,
            ("jdk.jfr.Timespan", "MILLISECONDS") => Self::Milliseconds,
            ("jdk.jfr.Timespan", "SECONDS") => Self::Seconds,
            ("jdk.jfr.Timestamp", "TICKS") => Self::TickTimestamp,
            ("jdk.jfr.Timestamp", "NANOSECONDS_SINCE_EPOCH") => Self::EpochNanoseconds,
            ("jdk.jfr.Timestamp", "MILLISECONDS_SINCE_EPOCH") => Self::EpochMilliseconds,
            ("jdk.jfr.Timestamp", "SECONDS_SINCE_EPOCH") => Self::EpochSeconds,
            _ => return None,
        })
    }
}

//! What is allocated, what of it is still there, and how full the heap is.

use super::form::{Column, Described, EventType, Form, Spread, Unit, Value};
use super::id;
use crate::dialect::{Dialect, PerDialect};
use crate::ids::{ClassId, StackTraceId, ThreadId};

/// An object that was allocated, and the objects of its kind that it stands for.
///
/// `datadog.ObjectSample`, whose size times weight DataKit sums up, or
/// `jdk.ObjectAllocationInNewTLAB`, whose `tlabSize` is that product: the bytes that the sample stands
/// for, which JMC and async-profiler's converter sum up. `jdk.ObjectAllocationSample` has no place for
/// the object's own size, and readers that know both would add them up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ObjectSample {
    /// When the object was allocated.
    pub ticks: u64,
    /// The thread that allocated it.
    pub thread: ThreadId,
    /// Where.
    pub stack: StackTraceId,
    /// Its class.
    pub class: ClassId,
    /// Its own size.
    pub size_bytes: u64,
    /// How many objects of that size the sample stands for.
    pub weight: f32,
}

const SAMPLE_LABEL: &str = "Object Allocation Sample";

const DATAKIT_SAMPLE: Form<'static, ObjectSample> = Form {
    event: EventType {
        id: id(15),
        name: "datadog.ObjectSample",
        label: SAMPLE_LABEL,
        category: &["Datadog", "Profiling"],
        description: Some("An object that was allocated and how many it stands for"),
    },
    times: |sample| Spread::once(sample.ticks),
    columns: &[
        Column::new(
            "eventThread",
            "Event Thread",
            Value::Thread(|sample| sample.thread),
        ),
        Column::new(
            "stackTrace",
            "Stack Trace",
            Value::StackTrace(|sample| sample.stack),
        ),
        Column::new(
            "objectClass",
            "Object Class",
            Value::Class(|sample| sample.class),
        ),
        Column::unit(
            "size",
            "Object Size",
            Unit::Bytes,
            Value::Long(|sample| sample.size_bytes),
        ),
        // The last one: a reader of Guance's takes a float for a varint.
        Column::new(
            "weight",
            "Sample Weight",
            Value::Float(|sample| sample.weight),
        ),
    ],
};

const JDK_SAMPLE: Form<'static, ObjectSample> = Form {
    event: EventType {
        id: id(16),
        name: "jdk.ObjectAllocationInNewTLAB",
        label: "Allocation in new TLAB",
        category: &["Java Application"],
        description: None,
    },
    times: |sample| Spread::once(sample.ticks),
    columns: &[
        Column::new(
            "eventThread",
            "Event Thread",
            Value::Thread(|sample| sample.thread),
        ),
        Column::new(
            "stackTrace",
            "Stack Trace",
            Value::StackTrace(|sample| sample.stack),
        ),
        Column::new(
            "objectClass",
            "Object Class",
            Value::Class(|sample| sample.class),
        ),
        Column::unit(
            "allocationSize",
            "Allocation Size",
            Unit::Bytes,
            Value::Long(|sample| sample.size_bytes),
        ),
        Column::unit(
            "tlabSize",
            "TLAB Size",
            Unit::Bytes,
            Value::Long(|sample| bytes_stood_for(sample.size_bytes, sample.weight)),
        ),
    ],
};

impl Described for ObjectSample {
    fn form<'f>(dialect: Dialect) -> Option<&'f Form<'f, Self>> {
        const {
            &PerDialect {
                datakit: Some(DATAKIT_SAMPLE),
                jdk: Some(JDK_SAMPLE),
            }
        }
        .get(dialect)
        .as_ref()
    }
}

/// An object that was alive when the event was made, and the objects that it stands for. All that
/// are alive at one moment belong into one chunk: readers take the last chunk that has any.
///
/// `datadog.HeapLiveObject`, or `profiler.LiveObject` as async-profiler names it. Readers of the
/// latter add `allocationSize` up, so it is the bytes that the object stands for. Its fields are those
/// that async-profiler's converter knows by heart: with one more it misreads the file.
/// `jdk.OldObjectSample` is not written: it tells of one object and what holds it, and has no field for
/// how many it stands for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LiveObject {
    /// When it was seen alive.
    pub ticks: u64,
    /// The thread that allocated it.
    pub thread: ThreadId,
    /// Where it was allocated.
    pub stack: StackTraceId,
    /// Its class.
    pub class: ClassId,
    /// Its own size.
    pub size_bytes: u64,
    /// How many live objects of that size it stands for.
    pub weight: f32,
    /// How many garbage collections it has survived; 0: none has seen it yet. In the file only in the
    /// DataKit dialect.
    pub age: u64,
    /// When it was allocated. In the file only in the jdk dialect.
    pub allocation_ticks: u64,
}

const LIVE_LABEL: &str = "Live Object";

const DATAKIT_LIVE: Form<'static, LiveObject> = Form {
    event: EventType {
        id: id(17),
        name: "datadog.HeapLiveObject",
        label: LIVE_LABEL,
        category: &["Datadog", "Profiling"],
        description: Some("An object that is alive and how many it stands for"),
    },
    times: |object| Spread::once(object.ticks),
    columns: &[
        Column::new(
            "eventThread",
            "Event Thread",
            Value::Thread(|object| object.thread),
        ),
        Column::new(
            "stackTrace",
            "Stack Trace",
            Value::StackTrace(|object| object.stack),
        ),
        Column::new(
            "objectClass",
            "Object Class",
            Value::Class(|object| object.class),
        ),
        Column::unit(
            "age",
            "Object Age",
            Unit::Unsigned,
            Value::Long(|object| object.age),
        ),
        Column::unit(
            "size",
            "Object Size",
            Unit::Bytes,
            Value::Long(|object| object.size_bytes),
        ),
        Column::new(
            "weight",
            "Sample Weight",
            Value::Float(|object| object.weight),
        ),
    ],
};

const JDK_LIVE: Form<'static, LiveObject> = Form {
    event: EventType {
        id: id(18),
        name: "profiler.LiveObject",
        label: LIVE_LABEL,
        category: &["Java Application"],
        description: None,
    },
    times: |object| Spread::once(object.ticks),
    columns: &[
        Column::new(
            "eventThread",
            "Event Thread",
            Value::Thread(|object| object.thread),
        ),
        Column::new(
            "stackTrace",
            "Stack Trace",
            Value::StackTrace(|object| object.stack),
        ),
        Column::new(
            "objectClass",
            "Object Class",
            Value::Class(|object| object.class),
        ),
        Column::unit(
            "allocationSize",
            "Live Size",
            Unit::Bytes,
            Value::Long(|object| bytes_stood_for(object.size_bytes, object.weight)),
        ),
        Column::unit(
            "allocationTime",
            "Allocation Time",
            Unit::TimestampTicks,
            Value::Long(|object| object.allocation_ticks),
        ),
    ],
};

impl Described for LiveObject {
    fn form<'f>(dialect: Dialect) -> Option<&'f Form<'f, Self>> {
        const {
            &PerDialect {
                datakit: Some(DATAKIT_LIVE),
                jdk: Some(JDK_LIVE),
            }
        }
        .get(dialect)
        .as_ref()
    }
}

/// How much of the heap is used (`datadog.HeapUsage`). DataKit takes the first one of an upload. The
/// jdk dialect has no such event: there, writing it leaves the chunk as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeapUsage {
    /// When the event was made.
    pub ticks: u64,
    /// The heap's used part.
    pub size_bytes: u64,
    /// Whether that is what the last garbage collection left.
    pub is_live: bool,
}

impl Described for HeapUsage {
    fn form<'f>(dialect: Dialect) -> Option<&'f Form<'f, Self>>
    where
        Self: 'f,
    {
        const {
            &PerDialect {
                datakit: Some(Form::<Self> {
                    event: EventType {
                        id: id(19),
                        name: "datadog.HeapUsage",
                        label: "Heap Usage",
                        category: &["Datadog"],
                        description: None,
                    },
                    times: |usage| Spread::once(usage.ticks),
                    columns: &[
                        Column::unit(
                            "size",
                            "Used Size",
                            Unit::Bytes,
                            Value::Long(|usage| usage.size_bytes),
                        ),
                        Column::new("isLive", "After GC", Value::Boolean(|usage| usage.is_live)),
                    ],
                }),
                jdk: None,
            }
        }
        .get(dialect)
        .as_ref()
    }
}

/// Bytes of all objects that a sampled one stands for, itself among them.
fn bytes_stood_for(size_bytes: u64, weight: f32) -> u64 {
    // A float saturates, and what is no number is 0.
    let bytes = (size_bytes as f64 * f64::from(weight)).round() as u64;
    // Readers take it as signed.
    bytes.min(i64::MAX as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_size_times_weight_to_the_nearest_byte() {
        assert_eq!(bytes_stood_for(16, 1.0), 16);
        assert_eq!(bytes_stood_for(16, 32_768.5), 524_296);
        assert_eq!(bytes_stood_for(3, 1.5), 5);
        assert_eq!(bytes_stood_for(8 << 20, 1.0), 8 << 20);
    }

    #[test]
    fn weights_that_are_none_do_no_harm() {
        assert_eq!(bytes_stood_for(16, f32::NAN), 0);
        assert_eq!(bytes_stood_for(16, -1.0), 0);
        assert_eq!(bytes_stood_for(16, f32::INFINITY), i64::MAX as u64);
    }
}

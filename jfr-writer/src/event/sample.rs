//! CPU samples.

use super::form::{Column, Described, EventType, Form, Spread, Value};
use super::id;
use crate::dialect::{Dialect, PerDialect};
use crate::ids::{StackTraceId, ThreadId};
use crate::pool::{ExecutionMode, ThreadState};

/// A thread's stack at one moment, standing for the CPU time that it used since its sample before.
///
/// `datadog.ExecutionSample` carries the weight. `jdk.ExecutionSample` has no field for it and is
/// written `weight` times, at times spread evenly over the span that ends at `ticks`: a sample of
/// weight 0 is then not in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExecutionSample {
    /// When the sample was taken.
    pub ticks: u64,
    /// How long before `ticks` the time began that the sample stands for.
    pub span_ticks: u64,
    /// The thread that was sampled.
    pub thread: ThreadId,
    /// Its stack.
    pub stack: StackTraceId,
    /// What the scheduler thought of the thread.
    pub state: ThreadState,
    /// What kind of code ran.
    pub mode: ExecutionMode,
    /// How many sampling intervals of CPU time the sample stands for, at most
    /// [`MAX_SAMPLE_COPIES`](crate::MAX_SAMPLE_COPIES) in the jdk dialect.
    pub weight: u64,
}

const LABEL: &str = "Method Profiling Sample";

const DATAKIT: Form<'static, ExecutionSample> = Form {
    event: EventType {
        id: id(1),
        name: "datadog.ExecutionSample",
        label: LABEL,
        category: &["Datadog", "Profiling"],
        description: Some("A thread's stack and the CPU time that it stands for"),
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
        Column::new("state", "Thread State", Value::State(|sample| sample.state)),
        Column::new("mode", "Execution Mode", Value::Mode(|sample| sample.mode)),
        Column::new(
            "weight",
            "Sample Weight",
            Value::Long(|sample| sample.weight),
        ),
        Column::new("spanId", "Span ID", Value::Long(|_| NO_SPAN)),
        Column::new(
            "localRootSpanId",
            "Local Root Span ID",
            Value::Long(|_| NO_SPAN),
        ),
    ],
};

const JDK: Form<'static, ExecutionSample> = Form {
    event: EventType {
        id: id(2),
        name: "jdk.ExecutionSample",
        label: LABEL,
        category: &["Java Virtual Machine", "Profiling"],
        description: Some("Snapshot of a threads state"),
    },
    times: |sample| Spread {
        end_ticks: sample.ticks,
        span_ticks: sample.span_ticks,
        count: sample.weight,
    },
    columns: &[
        Column::new(
            "sampledThread",
            "Thread",
            Value::Thread(|sample| sample.thread),
        ),
        Column::new(
            "stackTrace",
            "Stack Trace",
            Value::StackTrace(|sample| sample.stack),
        ),
        Column::new("state", "Thread State", Value::State(|sample| sample.state)),
    ],
};

/// No tracer's span was active.
const NO_SPAN: u64 = 0;

const FORMS: PerDialect<Form<'static, ExecutionSample>> = PerDialect {
    datakit: DATAKIT,
    jdk: JDK,
};

impl Described for ExecutionSample {
    fn form<'f>(dialect: Dialect) -> Option<&'f Form<'f, Self>> {
        Some(const { &FORMS }.get(dialect))
    }
}

//! What a JFR recording says: stacks by kind, and the metrics that DataKit derives.
//!
//! [`load`] brings bytes (plain or gzip) into memory, [`Loaded::recording`] reads them;
//! [`StackSet::collect`] takes the stacks of one [`Kind`] out of a recording, for
//! [`collapsed`] text or a [`flame_page`]; [`Metrics::derive`] makes the `prof_jvm_*` numbers.
#![forbid(unsafe_code)]

mod collapsed;
mod counters;
mod error;
mod event_json;
mod flame;
mod load;
mod metrics;
mod stacks;

pub use collapsed::collapsed;
pub use counters::counters;
pub use error::AnalysisError;
pub use event_json::{EventJson, Period};
pub use flame::{FlameOptions, flame_page};
pub use load::{DEFAULT_MAX_BYTES, Loaded, load, load_bytes, load_reader};
pub use metrics::{Metric, MetricValue, Metrics};
pub use stacks::{FrameKind, FrameName, Kind, Stack, StackSet};

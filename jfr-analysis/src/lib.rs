//! What a JFR recording says: stacks by kind, and the metrics that DataKit derives.
//!
//! [`load`] brings bytes (plain or gzip) into memory, [`Loaded::recording`] reads them;
//! [`StackSet::collect`] takes the stacks of one [`Kind`] out of a recording, for
//! [`collapsed`] text or a [`flame_page`]; [`Metrics::derive`] makes the `prof_jvm_*` numbers.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use jfr_analysis::{DEFAULT_MAX_BYTES, Kind, StackSet, collapsed, load};
//!
//! let loaded = load("main.jfr".as_ref(), DEFAULT_MAX_BYTES)?;
//! let stacks = StackSet::collect(&loaded.recording()?, Kind::Cpu);
//! collapsed(&stacks, false, &mut std::io::stdout())?;
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod collapsed;
mod counted;
mod counters;
mod error;
mod event_json;
mod flame;
mod frame;
mod kind;
mod load;
mod metrics;
mod quantity;
mod stacks;

pub use collapsed::collapsed;
pub use counters::{counters, losses};
pub use error::AnalysisError;
pub use event_json::{EventJson, Period};
pub use flame::{FlameOptions, flame_graph, flame_page};
/// What a frame is.
pub use flame_graph::FrameKind;
pub use frame::FrameName;
pub use kind::{Kind, UnknownKind};
pub use load::{DEFAULT_MAX_BYTES, Loaded, load, load_bytes, load_reader};
pub use metrics::{LiveEstimate, Metric, MetricValue, Metrics};
pub use stacks::{Stack, StackCollector, StackSet, kinds};

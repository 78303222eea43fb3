//! What the profiler was asked to do.

use super::form::{Column, Described, EventType, Form, Spread, Unit, Value};
use super::id;
use crate::dialect::{Dialect, PerDialect};

/// How the profiler was set up for this chunk (`datadog.DatadogProfilerConfig`). DataKit multiplies
/// the samples' weights by `cpu_interval_nanos`. The jdk dialect has no such event: there, writing
/// it leaves the chunk as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProfilerConfig<'a> {
    /// When the event was made.
    pub ticks: u64,
    /// CPU time between a thread's samples; 0: no CPU samples.
    pub cpu_interval_nanos: u64,
    /// Time between wall-clock samples; 0: none.
    pub wall_interval_nanos: u64,
    /// Bytes allocated between allocation samples; 0: none.
    pub alloc_interval_bytes: u64,
    /// Bytes allocated between objects whose life is followed; 0: none.
    pub memleak_interval_bytes: u64,
    /// How many objects can be followed at a time.
    pub memleak_capacity: u64,
    /// Bits of what is on: CPU 1, allocation 2, locks 4, wall clock 8, native memory 16.
    pub mode_mask: u32,
    /// The profiler's version.
    pub version: &'a str,
    /// What makes CPU samples.
    pub cpu_engine: &'a str,
}

impl Described for ProfilerConfig<'_> {
    fn form<'f>(dialect: Dialect) -> Option<&'f Form<'f, Self>>
    where
        Self: 'f,
    {
        const {
            &PerDialect {
                datakit: Some(Form::<Self> {
                    event: EventType {
                        id: id(3),
                        name: "datadog.DatadogProfilerConfig",
                        label: "Profiler Configuration",
                        category: &["Datadog"],
                        description: Some("The profiler's settings in this recording"),
                    },
                    times: |config| Spread::once(config.ticks),
                    columns: &[
                        Column::unit(
                            "cpuInterval",
                            "CPU Sampling Interval",
                            Unit::Nanos,
                            Value::Long(|config| config.cpu_interval_nanos),
                        ),
                        Column::unit(
                            "wallInterval",
                            "Wall Clock Sampling Interval",
                            Unit::Nanos,
                            Value::Long(|config| config.wall_interval_nanos),
                        ),
                        Column::unit(
                            "allocInterval",
                            "Allocation Sampling Interval",
                            Unit::Bytes,
                            Value::Long(|config| config.alloc_interval_bytes),
                        ),
                        Column::unit(
                            "memleakInterval",
                            "Live Object Sampling Interval",
                            Unit::Bytes,
                            Value::Long(|config| config.memleak_interval_bytes),
                        ),
                        Column::new(
                            "memleakCapacity",
                            "Live Object Capacity",
                            Value::Long(|config| config.memleak_capacity),
                        ),
                        Column::new(
                            "modeMask",
                            "Enabled Modes",
                            Value::Int(|config| config.mode_mask),
                        ),
                        Column::new(
                            "version",
                            "Profiler Version",
                            Value::Text(|config| Some(config.version)),
                        ),
                        Column::new(
                            "cpuEngine",
                            "CPU Engine",
                            Value::Text(|config| Some(config.cpu_engine)),
                        ),
                    ],
                }),
                jdk: None,
            }
        }
        .get(dialect)
        .as_ref()
    }
}

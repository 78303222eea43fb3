//! How busy the processors were.

use super::form::{Column, Described, EventType, Form, Spread, Unit, Value};
use super::id;
use crate::dialect::Dialect;

/// CPU use since the event before (`jdk.CPULoad`). 1 is all hardware threads of the machine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CpuLoad {
    /// When the event was made.
    pub ticks: u64,
    /// The process, in user mode: 0 to 1.
    pub jvm_user: f32,
    /// The process, in the kernel: 0 to 1.
    pub jvm_system: f32,
    /// Everything on the machine: 0 to 1.
    pub machine_total: f32,
}

impl Described for CpuLoad {
    fn form<'f>(_: Dialect) -> Option<&'f Form<'f, Self>>
    where
        Self: 'f,
    {
        Some(
            const {
                &Form::<Self> {
                    event: EventType {
                        id: id(11),
                        name: "jdk.CPULoad",
                        label: "CPU Load",
                        category: &["Operating System", "Processor"],
                        description: Some(
                            "Information about the recent CPU usage of the JVM process",
                        ),
                    },
                    times: |event| Spread::once(event.ticks),
                    columns: &[
                        Column::unit(
                            "jvmUser",
                            "JVM User",
                            Unit::Fraction,
                            Value::Float(|event| event.jvm_user),
                        ),
                        Column::unit(
                            "jvmSystem",
                            "JVM System",
                            Unit::Fraction,
                            Value::Float(|event| event.jvm_system),
                        ),
                        Column::unit(
                            "machineTotal",
                            "Machine Total",
                            Unit::Fraction,
                            Value::Float(|event| event.machine_total),
                        ),
                    ],
                }
            },
        )
    }
}

//! The process: its JVM, its machine, its properties and its libraries.

use super::form::{Column, Described, EventType, Form, Spread, Unit, Value};
use super::id;
use crate::dialect::Dialect;

/// The JVM and what it runs (`jdk.JVMInformation`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JvmInformation<'a> {
    /// When the event was made.
    pub ticks: u64,
    /// Such as `OpenJDK 64-Bit Server VM`.
    pub jvm_name: &'a str,
    /// The VM's full version line.
    pub jvm_version: &'a str,
    /// Arguments of the VM on the command line.
    pub jvm_arguments: Option<&'a str>,
    /// Arguments of the VM from settings files.
    pub jvm_flags: Option<&'a str>,
    /// Main class or jar, and its arguments.
    pub java_arguments: Option<&'a str>,
    /// When the JVM started, since the epoch.
    pub jvm_start_unix_millis: u64,
    /// Process id.
    pub pid: u64,
}

impl Described for JvmInformation<'_> {
    fn form<'f>(_: Dialect) -> Option<&'f Form<'f, Self>>
    where
        Self: 'f,
    {
        Some(
            const {
                &Form::<Self> {
                    event: EventType {
                        id: id(6),
                        name: "jdk.JVMInformation",
                        label: "JVM Information",
                        category: &["Java Virtual Machine"],
                        description: Some("Description of JVM and the Java application"),
                    },
                    times: |event| Spread::once(event.ticks),
                    columns: &[
                        Column::new(
                            "jvmName",
                            "JVM Name",
                            Value::Text(|event| Some(event.jvm_name)),
                        ),
                        Column::new(
                            "jvmVersion",
                            "JVM Version",
                            Value::Text(|event| Some(event.jvm_version)),
                        ),
                        Column::new(
                            "jvmArguments",
                            "JVM Command Line Arguments",
                            Value::Text(|event| event.jvm_arguments),
                        ),
                        Column::new(
                            "jvmFlags",
                            "JVM Settings File Arguments",
                            Value::Text(|event| event.jvm_flags),
                        ),
                        Column::new(
                            "javaArguments",
                            "Java Application Arguments",
                            Value::Text(|event| event.java_arguments),
                        ),
                        Column::unit(
                            "jvmStartTime",
                            "JVM Start Time",
                            Unit::TimestampUnixMillis,
                            Value::Long(|event| event.jvm_start_unix_millis),
                        ),
                        Column::new("pid", "Process Identifier", Value::Long(|event| event.pid)),
                    ],
                }
            },
        )
    }
}

/// The operating system (`jdk.OSInformation`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OsInformation<'a> {
    /// When the event was made.
    pub ticks: u64,
    /// Its name and version, as `uname` and the distribution say it.
    pub os_version: &'a str,
}

impl Described for OsInformation<'_> {
    fn form<'f>(_: Dialect) -> Option<&'f Form<'f, Self>>
    where
        Self: 'f,
    {
        Some(
            const {
                &Form::<Self> {
                    event: EventType {
                        id: id(7),
                        name: "jdk.OSInformation",
                        label: "OS Information",
                        category: &["Operating System"],
                        description: Some(
                            "Description of the OS the JVM runs on, for example, a uname-like output",
                        ),
                    },
                    times: |event| Spread::once(event.ticks),
                    columns: &[Column::new(
                        "osVersion",
                        "OS Version",
                        Value::Text(|event| Some(event.os_version)),
                    )],
                }
            },
        )
    }
}

/// The processors (`jdk.CPUInformation`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuInformation<'a> {
    /// When the event was made.
    pub ticks: u64,
    /// Their type.
    pub cpu: &'a str,
    /// Their features.
    pub description: &'a str,
    /// Sockets.
    pub sockets: u32,
    /// Cores in all sockets.
    pub cores: u32,
    /// Hardware threads of all cores.
    pub hw_threads: u32,
}

impl Described for CpuInformation<'_> {
    fn form<'f>(_: Dialect) -> Option<&'f Form<'f, Self>>
    where
        Self: 'f,
    {
        Some(
            const {
                &Form::<Self> {
                    event: EventType {
                        id: id(8),
                        name: "jdk.CPUInformation",
                        label: "CPU Information",
                        category: &["Operating System", "Processor"],
                        description: Some(
                            "Characteristics and descriptions of the processor(s) the JVM is running on",
                        ),
                    },
                    times: |event| Spread::once(event.ticks),
                    columns: &[
                        Column::new("cpu", "Type", Value::Text(|event| Some(event.cpu))),
                        Column::new(
                            "description",
                            "Description",
                            Value::Text(|event| Some(event.description)),
                        ),
                        Column::unit(
                            "sockets",
                            "Sockets",
                            Unit::Unsigned,
                            Value::Int(|event| event.sockets),
                        ),
                        Column::unit(
                            "cores",
                            "Cores",
                            Unit::Unsigned,
                            Value::Int(|event| event.cores),
                        ),
                        Column::unit(
                            "hwThreads",
                            "Hardware Threads",
                            Unit::Unsigned,
                            Value::Int(|event| event.hw_threads),
                        ),
                    ],
                }
            },
        )
    }
}

/// A system property as it was when the JVM started (`jdk.InitialSystemProperty`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InitialSystemProperty<'a> {
    /// When the event was made.
    pub ticks: u64,
    /// The property's name.
    pub key: &'a str,
    /// Its value. Secrets are for the caller to mask.
    pub value: &'a str,
}

impl Described for InitialSystemProperty<'_> {
    fn form<'f>(_: Dialect) -> Option<&'f Form<'f, Self>>
    where
        Self: 'f,
    {
        Some(
            const {
                &Form::<Self> {
                    event: EventType {
                        id: id(9),
                        name: "jdk.InitialSystemProperty",
                        label: "Initial System Property",
                        category: &["Java Virtual Machine"],
                        description: Some("System Property at JVM start"),
                    },
                    times: |event| Spread::once(event.ticks),
                    columns: &[
                        Column::new("key", "Key", Value::Text(|event| Some(event.key))),
                        Column::new("value", "Value", Value::Text(|event| Some(event.value))),
                    ],
                }
            },
        )
    }
}

/// A library that is mapped into the process (`jdk.NativeLibrary`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NativeLibrary<'a> {
    /// When the event was made.
    pub ticks: u64,
    /// Its path.
    pub name: &'a str,
    /// Address of its first byte.
    pub base_address: u64,
    /// Address after its last byte; 0: not known.
    pub top_address: u64,
}

impl Described for NativeLibrary<'_> {
    fn form<'f>(_: Dialect) -> Option<&'f Form<'f, Self>>
    where
        Self: 'f,
    {
        Some(
            const {
                &Form::<Self> {
                    event: EventType {
                        id: id(10),
                        name: "jdk.NativeLibrary",
                        label: "Native Library",
                        category: &["Java Virtual Machine", "Runtime"],
                        description: Some(
                            "Information about a dynamic library or other native image loaded by the JVM process",
                        ),
                    },
                    times: |event| Spread::once(event.ticks),
                    columns: &[
                        Column::new("name", "Name", Value::Text(|event| Some(event.name))),
                        Column::unit(
                            "baseAddress",
                            "Base Address",
                            Unit::Address,
                            Value::Long(|event| event.base_address),
                        ),
                        Column::unit(
                            "topAddress",
                            "Top Address",
                            Unit::Address,
                            Value::Long(|event| event.top_address),
                        ),
                    ],
                }
            },
        )
    }
}

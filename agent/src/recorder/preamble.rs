//! What every chunk says of the JVM, the machine and the profiler.

use std::fmt;

use jfr_writer::{
    ActiveRecording, ActiveSetting, CpuInformation, CpuLoad, InitialSystemProperty, JvmInformation,
    NativeLibrary, OsInformation, ProfilerConfig, WriteError,
};

use super::chunk::OpenChunk;
use crate::host::{self, CpuInfo};
use crate::hotspot::JvmInfo;
use crate::options::{mask_text, mask_value};

/// What lies between two samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interval {
    /// CPU time.
    CpuNanos(u64),
    /// So many events of that name.
    Events {
        /// How many.
        number: u64,
        /// As the option `event` names them.
        name: String,
    },
}

impl Interval {
    /// CPU time only: 0 for other events.
    const fn cpu_nanos(&self) -> u64 {
        match self {
            Self::CpuNanos(nanos) => *nanos,
            Self::Events { .. } => 0,
        }
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CpuNanos(nanos) => write!(out, "{nanos} ns"),
            Self::Events { number, name } => write!(out, "{number} {name}"),
        }
    }
}

/// Bits of the profiler's modes, as Datadog's profiler for Java numbers them.
const MODE_CPU: u32 = 1;
const MODE_ALLOC: u32 = 2;

/// How objects are sampled as a chunk begins; all 0 where they are not.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SampledObjects {
    /// The mean distance of allocation samples.
    pub(super) alloc_interval_bytes: u64,
    /// That of objects that may be live ones.
    pub(super) live_interval_bytes: u64,
    /// The most live objects that are watched at once.
    pub(super) live_capacity: u64,
}

/// How the profiler is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What lies between samples.
    pub interval: Interval,
    /// The CPU engine's name; empty without one.
    pub cpu_engine: &'static str,
    /// The event that CPU samples are called.
    pub sample_event: &'static str,
    /// The options in force, secrets masked.
    pub options: Vec<(&'static str, String)>,
    /// When the session began.
    pub start_unix_millis: u64,
    /// Where the recording goes, as text.
    pub destination: String,
    /// Length of a chunk.
    pub period_millis: u64,
}

/// The facts, read once.
#[derive(Debug)]
pub struct Preamble {
    settings: Settings,
    jvm: JvmInfo,
    os: String,
    cpu: CpuInfo,
    properties: Vec<(String, String)>,
}

/// The version that recordings name.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

impl Preamble {
    /// Reads the machine's part and masks secrets.
    #[must_use]
    pub fn new(settings: Settings, mut jvm: JvmInfo, properties: Vec<(String, String)>) -> Self {
        for text in [
            &mut jvm.jvm_arguments,
            &mut jvm.jvm_flags,
            &mut jvm.java_arguments,
        ] {
            *text = mask_text(text).into_owned();
        }
        let properties = properties
            .into_iter()
            .map(|(name, value)| {
                let value = if name.ends_with(".command") {
                    mask_text(&value)
                } else {
                    mask_value(&name, &value)
                };
                (name, value.into_owned())
            })
            .collect();
        Self {
            settings,
            jvm,
            os: host::os_description(),
            cpu: CpuInfo::read(),
            properties,
        }
    }

    /// Writes the facts at the head of a chunk.
    pub(super) fn write(
        &self,
        chunk: &mut OpenChunk,
        ticks: u64,
        objects: SampledObjects,
    ) -> Result<(), WriteError> {
        let settings = &self.settings;
        let samples_time = !settings.cpu_engine.is_empty() && settings.interval.cpu_nanos() > 0;
        chunk.write(&ActiveRecording {
            ticks,
            id: 1,
            name: "jprof",
            destination: Some(&settings.destination),
            max_age_millis: 0,
            max_size_bytes: 0,
            start_unix_millis: settings.start_unix_millis,
            duration_millis: settings.period_millis,
        })?;
        chunk.write(&ProfilerConfig {
            ticks,
            cpu_interval_nanos: settings.interval.cpu_nanos(),
            wall_interval_nanos: 0,
            alloc_interval_bytes: objects.alloc_interval_bytes,
            memleak_interval_bytes: objects.live_interval_bytes,
            memleak_capacity: objects.live_capacity,
            mode_mask: u32::from(samples_time) * MODE_CPU
                + u32::from(objects.alloc_interval_bytes > 0) * MODE_ALLOC,
            version: VERSION,
            cpu_engine: settings.cpu_engine,
        })?;
        self.write_settings(chunk, ticks)?;
        chunk.write(&JvmInformation {
            ticks,
            jvm_name: &self.jvm.name,
            jvm_version: &self.jvm.version,
            jvm_arguments: text(&self.jvm.jvm_arguments),
            jvm_flags: text(&self.jvm.jvm_flags),
            java_arguments: text(&self.jvm.java_arguments),
            jvm_start_unix_millis: u64::try_from(self.jvm.start_unix_millis).unwrap_or(0),
            pid: u64::from(self.jvm.pid),
        })?;
        chunk.write(&OsInformation {
            ticks,
            os_version: &self.os,
        })?;
        chunk.write(&CpuInformation {
            ticks,
            cpu: &self.cpu.model,
            description: &self.cpu.description,
            sockets: self.cpu.sockets,
            cores: self.cpu.cores,
            hw_threads: self.cpu.hw_threads,
        })?;
        for (key, value) in &self.properties {
            chunk.write(&InitialSystemProperty { ticks, key, value })?;
        }
        for library in host::native_libraries() {
            chunk.write(&NativeLibrary {
                ticks,
                name: &library.path,
                base_address: library.base_address,
                top_address: library.top_address,
            })?;
        }
        Ok(())
    }

    fn write_settings(&self, chunk: &mut OpenChunk, ticks: u64) -> Result<(), WriteError> {
        let event = self.settings.sample_event;
        let enabled = (!self.settings.cpu_engine.is_empty()).to_string();
        let interval = self.settings.interval.to_string();
        for (name, value) in [
            ("enabled", enabled.as_str()),
            ("period", interval.as_str()),
            ("engine", self.settings.cpu_engine),
        ] {
            chunk.write(&ActiveSetting {
                ticks,
                event,
                name,
                value,
            })?;
        }
        for (name, value) in &self.settings.options {
            chunk.write(&ActiveSetting {
                ticks,
                event: "jdk.ActiveRecording",
                name,
                value,
            })?;
        }
        Ok(())
    }
}

fn text(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// The load as an event.
pub(super) const fn cpu_load_event(ticks: u64, load: &host::CpuLoad) -> CpuLoad {
    CpuLoad {
        ticks,
        jvm_user: load.jvm_user,
        jvm_system: load.jvm_system,
        machine_total: load.machine_total,
    }
}

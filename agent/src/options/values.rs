//! The types of the options' values.

use std::fmt;
use std::path::PathBuf;

/// What to do, named by the first word of a string in async-profiler's manner; our own strings always start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// Start to profile.
    #[default]
    Start,
    /// Seal and hand over what there is, and stop.
    Stop,
    /// Say how the session is doing.
    Status,
    /// An action that this version does not have: there is nothing to do, and a complaint says so.
    Nothing,
}

/// Where profiles are uploaded.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Url {
    /// Nowhere.
    None,
    /// To this `http` or `https` address, DataKit's base or the full path of its endpoint: a text of which
    /// [`ingest_client::Endpoint::parse`] makes an endpoint.
    Base(String),
}

impl fmt::Display for Url {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Url::None => "none",
            Url::Base(text) => text,
        })
    }
}

/// What makes CPU samples.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Event {
    /// Nothing: no CPU samples.
    None,
    /// CPU time, by the best means that the system grants.
    #[default]
    Cpu,
    /// CPU time, by per-thread CPU timers and nothing else.
    CpuTimer,
    /// CPU time, by the process's one timer and nothing else.
    ProcessTimer,
    /// The perf event of this name and nothing else. Only its shape has been checked.
    Perf(String),
}

impl Event {
    /// Whether it counts CPU time, so that its interval is a length of time.
    #[must_use]
    pub fn is_clock(&self) -> bool {
        match self {
            Event::Cpu | Event::CpuTimer | Event::ProcessTimer => true,
            Event::None => false,
            Event::Perf(name) => matches!(name.as_str(), "cpu-clock" | "task-clock"),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Event::None => "none",
            Event::Cpu => "cpu",
            Event::CpuTimer => "ctimer",
            Event::ProcessTimer => "itimer",
            Event::Perf(name) => name,
        })
    }
}

/// Which allocated objects are sampled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Alloc {
    /// None.
    Off,
    /// At a distance that gives a hundred or so a second at the most.
    #[default]
    Adaptive,
    /// So many bytes apart, on average.
    Every(u64),
}

impl fmt::Display for Alloc {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Alloc::Off => out.write_str("off"),
            Alloc::Adaptive => out.write_str("on"),
            Alloc::Every(bytes) => {
                let units = [(1 << 30, "g"), (1 << 20, "m"), (1 << 10, "k")];
                let unit = units
                    .into_iter()
                    .find(|(unit, _)| bytes.is_multiple_of(*unit));
                let (unit, name) = unit.unwrap_or((1, ""));
                write!(out, "{}{name}", bytes / unit)
            }
        }
    }
}

/// Which of the sampled objects are written as long as they are alive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Live {
    /// None.
    #[default]
    Off,
    /// Those that a garbage collection has left alive.
    On,
    /// The younger ones as well, of which nobody knows yet whether they are.
    All,
}

impl fmt::Display for Live {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Live::Off => "off",
            Live::On => "on",
            Live::All => "all",
        })
    }
}

/// What the events in the file are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// `datadog.*` names, which DataKit derives its metrics from.
    DataKit,
    /// `jdk.*` and `profiler.*` names, which JDK Mission Control and other JFR tools read.
    Jdk,
}

impl fmt::Display for Dialect {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Dialect::DataKit => "datakit",
            Dialect::Jdk => "jdk",
        })
    }
}

/// How Java stacks are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Walker {
    /// By the JVM's own structures.
    Vm,
    /// By AsyncGetCallTrace.
    Agct,
    /// By the JVM's own structures, with AsyncGetCallTrace as the judge in each sample.
    Both,
}

impl fmt::Display for Walker {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Walker::Vm => "vm",
            Walker::Agct => "agct",
            Walker::Both => "both",
        })
    }
}

/// How classes are called that the JVM makes while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Names {
    /// Without the numbers and addresses that differ from run to run: `Shop$$Lambda`.
    Readable,
    /// As the JVM calls them: `Shop$$Lambda+0x00007f2d88003200`.
    Raw,
}

impl fmt::Display for Names {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Names::Readable => "readable",
            Names::Raw => "raw",
        })
    }
}

/// Where the agent's own lines go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum LogTarget {
    /// Standard error.
    #[default]
    Stderr,
    /// Standard output.
    Stdout,
    /// Appended to this file.
    File(PathBuf),
}

impl fmt::Display for LogTarget {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LogTarget::Stderr => out.write_str("stderr"),
            LogTarget::Stdout => out.write_str("stdout"),
            LogTarget::File(path) => write!(out, "{}", path.display()),
        }
    }
}

//! The agent's options: their grammar, the places that can give them, and their defaults.
//!
//! [`parse`] is a function of its arguments: it asks no JVM and opens nothing. It always gives options to run with; what
//! is wrong with the input is said in complaints of one line each. For users the options are described in
//! `docs/options.md`.

mod async_profiler;
mod choices;
mod complaint;
mod file_pattern;
mod grammar;
mod keys;
mod parser;
mod perf_event;
mod read;
mod secrets;
mod service_name;
mod settings;
mod sources;
mod tags;
#[cfg(test)]
mod tests;
mod values;

use std::path::PathBuf;
use std::time::Duration;

use jprof_signal_safe::tick::Unit;

pub use complaint::{Complaint, Severity};
pub use file_pattern::{BadPattern, FilePattern, LocalTime, PatternValues};
pub use keys::{KEYS, Key, LATER};
pub use parser::{Parsed, is_async_profilers, parse};
pub use perf_event::{Counted, PerfEvent};
pub use secrets::{is_secret_name, mask_arguments, mask_text, mask_value};
pub use service_name::default_service_name;
pub use settings::Setting;
pub use sources::{NoSources, Origin, Sources};
pub use values::{Action, Alloc, Dialect, Event, Live, LogTarget, Names, Url, Walker};

/// The most that the option `stackdepth` takes.
pub const DEEPEST_STACK: u32 = 8192;

/// Options to run with, each checked. The defaults are those of an empty agent string.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// What to do.
    pub action: Action,
    /// The service's name; without one, [`default_service_name`] is it.
    pub service: Option<String>,
    /// The environment, such as `prod`.
    pub env: Option<String>,
    /// The application's version.
    pub version: Option<String>,
    /// The host's name; without one, the system's.
    pub host: Option<String>,
    /// Further tags, each name once, none of them `service`, `env`, `version` or `host`. Their text is as given: not yet
    /// cleaned for the upload.
    pub tags: Vec<(String, String)>,
    /// Length of a profile, 1 s to 1 h.
    pub period: Duration,
    /// Where profiles are uploaded.
    pub url: Url,
    /// The file that profiles are written to, beside the upload.
    pub file: Option<FilePattern>,
    /// What makes CPU samples.
    pub event: Event,
    /// CPU time between two samples of a thread, 10 us to 10 s; of no effect on perf events that count something else.
    pub interval: Duration,
    /// How many events lie between two samples of a perf event that counts something other than time, at least 1; `None`
    /// for time.
    pub event_period: Option<u64>,
    /// Which allocated objects are sampled.
    pub alloc: Alloc,
    /// Which of the sampled objects are written as long as they are alive.
    pub live: Live,
    /// What the events in the file are called.
    pub dialect: Dialect,
    /// How Java stacks are taken.
    pub walker: Walker,
    /// Frames kept from the top of a stack, 1 to 8192.
    pub stack_depth: u32,
    /// How classes are called that the JVM makes while it runs.
    pub names: Names,
    /// The folder where sealed chunks wait; without one, a folder of the user's own under the temporary directory.
    pub spool: Option<PathBuf>,
    /// Longest time that the end of the JVM waits for the last upload, 0 to 5 min.
    pub shutdown_flush: Duration,
    /// The value of the tag `library_type`.
    pub library_type: String,
    /// Folders where separate debug files are looked for.
    pub debugdir: Vec<PathBuf>,
    /// Where the agent's own lines go.
    pub log: LogTarget,
    /// The least grave lines that are written.
    pub log_level: log::LevelFilter,
    /// Whether a wrong option stops the start.
    pub strict: bool,
}

impl Options {
    /// What lies between two samples, and what it is a number of.
    #[must_use]
    pub fn interval_in_units(&self) -> (Unit, u64) {
        match self.event_period {
            Some(events) => (Unit::Events, events.max(1)),
            None => {
                let nanos = u64::try_from(self.interval.as_nanos()).unwrap_or(u64::MAX);
                (Unit::CpuNanos, nanos.max(1))
            }
        }
    }
}

impl Default for Options {
    fn default() -> Options {
        Options {
            action: Action::Start,
            service: None,
            env: None,
            version: None,
            host: None,
            tags: Vec::new(),
            period: Duration::from_secs(60),
            url: Url::Base("http://localhost:9529".to_owned()),
            file: None,
            event: Event::Cpu,
            interval: Duration::from_millis(10),
            event_period: None,
            alloc: Alloc::Adaptive,
            live: Live::Off,
            dialect: Dialect::DataKit,
            walker: Walker::Vm,
            stack_depth: 2048,
            names: Names::Readable,
            spool: None,
            shutdown_flush: Duration::from_secs(5),
            library_type: "jprof".to_owned(),
            debugdir: Vec::new(),
            log: LogTarget::Stderr,
            log_level: log::LevelFilter::Warn,
            strict: false,
        }
    }
}

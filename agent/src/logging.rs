//! The agent's own lines: each begins with `[jprof]`.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError, RwLock};

use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::options::LogTarget;

struct Sink {
    file: Option<Mutex<File>>,
    to_stdout: bool,
    level: LevelFilter,
}

/// Where lines go at present; none before the first load.
static SINK: RwLock<Option<Sink>> = RwLock::new(None);

/// What the crate `log` knows: it takes one for good.
struct Lines;

/// Installs the log, in place of an earlier one. A file that cannot be opened leaves standard error, and the first line says
/// so.
pub(crate) fn install(target: &LogTarget, level: LevelFilter) {
    let (file, problem) = match target {
        LogTarget::File(path) => match OpenOptions::new().create(true).append(true).open(path) {
            Ok(file) => (Some(Mutex::new(file)), None),
            Err(error) => (
                None,
                Some(format!(
                    "log={} cannot be opened: {error}; standard error is used",
                    path.display()
                )),
            ),
        },
        LogTarget::Stderr | LogTarget::Stdout => (None, None),
    };
    *SINK.write().unwrap_or_else(PoisonError::into_inner) = Some(Sink {
        file,
        to_stdout: *target == LogTarget::Stdout,
        level,
    });
    // A second load finds the one installed by the first.
    let _ = log::set_logger(&Lines);
    log::set_max_level(level);
    if let Some(problem) = problem {
        log::warn!("{problem}");
    }
}

impl Log for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Other crates' chatter is of no use to the application's users.
        is_ours(metadata.target())
            && SINK
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .as_ref()
                .is_some_and(|sink| metadata.level() <= sink.level)
    }

    fn log(&self, record: &Record<'_>) {
        let sink = SINK.read().unwrap_or_else(PoisonError::into_inner);
        let Some(sink) = sink.as_ref() else { return };
        if record.level() <= sink.level && is_ours(record.target()) {
            sink.write(record);
        }
    }

    fn flush(&self) {}
}

impl Sink {
    fn write(&self, record: &Record<'_>) {
        let mark = match record.level() {
            Level::Error => "error: ",
            Level::Warn => "warning: ",
            Level::Info | Level::Debug | Level::Trace => "",
        };
        let line = format!("[jprof] {mark}{}\n", record.args());
        // One write per line, so that lines of several threads do not mix. There is nobody to tell
        // about a log that cannot be written.
        let _ = match &self.file {
            Some(file) => file
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .write_all(line.as_bytes()),
            None if self.to_stdout => io::stdout().lock().write_all(line.as_bytes()),
            None => io::stderr().lock().write_all(line.as_bytes()),
        };
    }
}

fn is_ours(target: &str) -> bool {
    ["jprof", "ingest_client", "jfr_writer"]
        .iter()
        .any(|name| target.starts_with(name))
}

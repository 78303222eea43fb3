use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

/// Why a JVM was not reached, and what to do about it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AttachError {
    /// There is no such process, or `/proc` hides it.
    #[error("there is no process {pid}: `jprof list` shows the JVMs")]
    NoSuchProcess {
        /// Its id.
        pid: u32,
    },
    /// The process ended while it was worked on.
    #[error("process {pid} has ended")]
    Ended {
        /// Its id.
        pid: u32,
    },
    /// The id is that of a thread.
    #[error("{pid} is a thread of process {process}: try {process}")]
    Thread {
        /// The thread's id.
        pid: u32,
        /// The process's.
        process: u32,
    },
    /// The process is another user's.
    #[error("process {pid} belongs to {user}: run jprof as that user or as root")]
    Forbidden {
        /// Its id.
        pid: u32,
        /// Its user's name, or number.
        user: String,
    },
    /// No libjvm.so is mapped.
    #[error("process {pid} ({name}) is no HotSpot JVM: `jprof list` shows those that are")]
    NotAJvm {
        /// Its id.
        pid: u32,
        /// What the kernel calls it.
        name: String,
    },
    /// The JVM runs on musl, for which the library is not made.
    #[error("the JVM {pid} runs on musl (Alpine): jprof needs a JVM on glibc")]
    Musl {
        /// Its id.
        pid: u32,
    },
    /// It has no handler for SIGQUIT, which would end it, and no socket.
    #[error(
        "the JVM {pid} takes no SIGQUIT, which would end it, and has no attach socket{}",
        not_ready(*.reduced_signals)
    )]
    NotReady {
        /// Its id.
        pid: u32,
        /// Whether it was started with `-Xrs`.
        reduced_signals: bool,
    },
    /// It was started with `-XX:+DisableAttachMechanism`.
    #[error(
        "the JVM {pid} was started with -XX:+DisableAttachMechanism, which rules attaching out: start it without that, or with -agentpath"
    )]
    Disabled {
        /// Its id.
        pid: u32,
    },
    /// It is stopped by a signal or a debugger.
    #[error("process {pid} is stopped and cannot answer: continue it (kill -CONT {pid}) first")]
    Stopped {
        /// Its id.
        pid: u32,
    },
    /// Its control group is frozen.
    #[error(
        "process {pid} is frozen by its control group and cannot answer: thaw it (unpause the container) first"
    )]
    Frozen {
        /// Its id.
        pid: u32,
    },
    /// Another jprof works on the same process.
    #[error("another jprof attaches to process {pid} at this moment: try again when it is done")]
    Busy {
        /// The process's id.
        pid: u32,
    },
    /// The JVM would take another user's trigger file for its own, and print a thread dump.
    #[error(
        "{name} in the working directory of the JVM {pid} belongs to another user, which makes the JVM print a thread dump: remove the file"
    )]
    ForeignTrigger {
        /// The JVM's id.
        pid: u32,
        /// The file's name.
        name: String,
    },
    /// No socket came after SIGQUIT, or none that takes connections.
    #[error("the JVM {pid} opened no attach socket within {}: {reason}", seconds(*.timeout))]
    NoListener {
        /// Its id.
        pid: u32,
        /// The time allowed.
        timeout: Duration,
        /// What is known of it.
        reason: &'static str,
    },
    /// The request was sent, and no answer came.
    #[error(
        "the JVM {pid} did not answer within {}: it may be busy, or stopped, and may still load jprof later; see `jprof status {pid}`, or allow more with --timeout",
        seconds(*.timeout)
    )]
    NoAnswer {
        /// Its id.
        pid: u32,
        /// The time allowed.
        timeout: Duration,
    },
    /// It closed the connection without a word.
    #[error(
        "the JVM {pid} closed the connection without an answer: JDK 8 does so when jprof runs as another user and may not become the JVM's"
    )]
    NoWord {
        /// Its id.
        pid: u32,
    },
    /// It answers, but not in the protocol.
    #[error("the JVM {pid} gives an answer that is not understood: {answer:?}")]
    Answer {
        /// Its id.
        pid: u32,
        /// The first part of it.
        answer: String,
    },
    /// It was started with `-XX:-EnableDynamicAgentLoading`.
    #[error(
        "the JVM {pid} was started with -XX:-EnableDynamicAgentLoading: start it without that, or with -agentpath"
    )]
    LoadingDisabled {
        /// Its id.
        pid: u32,
    },
    /// It could not load the library.
    #[error("the JVM {pid} could not load {}: {}", library.display(), or_silent(.reason))]
    NotLoaded {
        /// Its id.
        pid: u32,
        /// The library's path as the JVM was told it.
        library: PathBuf,
        /// The JVM's words, often the loader's.
        reason: String,
    },
    /// The agent is there already, and did not take the options.
    #[error(
        "jprof is in the JVM {pid} already ({}) and did not take the options: its reason stands on the JVM's standard error",
        library.display()
    )]
    OptionsRefused {
        /// The JVM's id.
        pid: u32,
        /// The library that is in it.
        library: PathBuf,
    },
    /// The agent was loaded and returned an error.
    #[error(
        "the agent refused to start in the JVM {pid} (code {code}): its reason stands on the JVM's standard error"
    )]
    AgentRefused {
        /// The JVM's id.
        pid: u32,
        /// What the agent returned.
        code: i32,
    },
    /// The agent took the options and does not record.
    #[error(
        "jprof was loaded into the JVM {pid} but does not record: its reason stands on the JVM's standard error"
    )]
    Idle {
        /// The JVM's id.
        pid: u32,
    },
    /// There is no jprof in it.
    #[error("jprof is not in the JVM {pid}: there is nothing to detach")]
    NothingToDetach {
        /// Its id.
        pid: u32,
    },
    /// The agent was told to stop and still records.
    #[error(
        "jprof in the JVM {pid} was told to stop and still records: see the JVM's standard error"
    )]
    StillRecording {
        /// The JVM's id.
        pid: u32,
    },
    /// The library or the options are longer than the protocol can carry.
    #[error("{what} is {bytes} bytes long; a JVM takes {limit} at most")]
    TooLong {
        /// What is.
        what: &'static str,
        /// Its length.
        bytes: usize,
        /// The longest.
        limit: usize,
    },
    /// A zero byte in the options or the library's path, which ends a word in the protocol.
    #[error("{what} holds a zero byte, which no JVM can be told")]
    ZeroByte {
        /// What does.
        what: &'static str,
    },
    /// The library cannot be read.
    #[error("cannot read the library {}: {source}; name another with --library", path.display())]
    Library {
        /// Its path.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The target cannot see the library, and there is no folder that takes a copy.
    #[error("the JVM {pid} cannot see {}, and no folder of its own takes a copy that it could run: {tried}", library.display())]
    NoPlace {
        /// Its id.
        pid: u32,
        /// The library.
        library: PathBuf,
        /// Folders and what is wrong with each.
        tried: String,
    },
    /// The caller gave up.
    #[error("interrupted")]
    Cancelled,
    /// The system refuses something else.
    #[error("cannot {what}: {source}")]
    System {
        /// What was tried.
        what: String,
        /// The system's answer.
        source: io::Error,
    },
}

fn not_ready(reduced_signals: bool) -> &'static str {
    if reduced_signals {
        ": it was started with -Xrs; start it without, or with -agentpath"
    } else {
        ": is it still starting? Try again; if it was started with -Xrs, start it with -agentpath"
    }
}

fn or_silent(reason: &str) -> &str {
    if reason.is_empty() {
        "it gives no reason; see its standard error"
    } else {
        reason
    }
}

fn seconds(timeout: Duration) -> String {
    format!("{} s", timeout.as_secs_f64())
}

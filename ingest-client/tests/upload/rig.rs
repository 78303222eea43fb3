//! A spool with a running uploader.
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Sender, bounded, unbounded};
use ingest_client::{
    Command, Endpoint, FlushReport, ProfileMetadata, Spool, SpoolLimits, UPLOADER_STACK_BYTES,
    UploadCounter, UploadCounters, Uploader, UploaderConfig,
};
use tempfile::TempDir;

/// Longer than any test lasts: what is bounded by this and ends was ended by something else.
pub(crate) const FOREVER: Duration = Duration::from_secs(3600);

/// After this, what should have come does not come.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Rig {
    pub(crate) root: PathBuf,
    /// Removed with the rig, when the root is its own.
    own_root: Option<TempDir>,
    pub(crate) spool: Arc<Spool>,
    pub(crate) counters: Arc<UploadCounters>,
    commands: Sender<Command>,
    thread: Option<JoinHandle<()>>,
}

/// Short pauses between tries, and no bound on a try.
pub(crate) fn hasty() -> UploaderConfig {
    let mut config = UploaderConfig::default();
    config.connect_timeout = FOREVER;
    config.response_timeout = FOREVER;
    config.try_timeout = FOREVER;
    config.refusal_pause = FOREVER;
    config.backoff_base = Duration::from_millis(1);
    config.backoff_cap = Duration::from_millis(20);
    config
}

impl Rig {
    pub(crate) fn start(url: &str, config: UploaderConfig) -> Rig {
        let root = tempfile::tempdir().unwrap();
        let mut rig = Rig::start_in(root.path(), url, config);
        rig.own_root = Some(root);
        rig
    }

    pub(crate) fn start_in(root: &Path, url: &str, config: UploaderConfig) -> Rig {
        let spool = Arc::new(Spool::open(root, SpoolLimits::default()).unwrap());
        let endpoint = Endpoint::parse(url).unwrap();
        let uploader = Uploader::new(Arc::clone(&spool), endpoint, config);
        let counters = uploader.counters();
        let (commands, received) = unbounded();
        // Debug builds use several times the stack of release builds.
        let stack = UPLOADER_STACK_BYTES * if cfg!(debug_assertions) { 4 } else { 1 };
        let thread = thread::Builder::new()
            .stack_size(stack)
            .spawn(move || uploader.run(received));
        Rig {
            root: root.to_owned(),
            own_root: None,
            spool,
            counters,
            commands,
            thread: Some(thread.unwrap()),
        }
    }

    /// Commits a profile without waking the uploader.
    pub(crate) fn commit(&self, start_unix_nanos: u64, profile: &[u8]) {
        commit(&self.spool, start_unix_nanos, profile);
    }

    /// Commits a profile and wakes the uploader.
    pub(crate) fn submit(&self, start_unix_nanos: u64, profile: &[u8]) {
        self.commit(start_unix_nanos, profile);
        self.commands.send(Command::Wake).unwrap();
    }

    pub(crate) fn ask_flush(&self, within: Duration) -> Receiver<FlushReport> {
        let (done, report) = bounded(1);
        let deadline = Instant::now() + within;
        self.commands
            .send(Command::Flush { deadline, done })
            .unwrap();
        report
    }

    pub(crate) fn flush(&self, within: Duration) -> FlushReport {
        self.ask_flush(within)
            .recv_timeout(PATIENCE)
            .expect("the flush reports")
    }

    pub(crate) fn count(&self, counter: UploadCounter) -> u64 {
        self.counters.get(counter)
    }

    pub(crate) fn wait_for(&self, counter: UploadCounter, value: u64) {
        wait_until(
            || self.count(counter) >= value,
            &format!("{} {value}", counter.name()),
        );
    }

    /// Ends the thread; its end is the proof that it obeys.
    pub(crate) fn stop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.commands.send(Command::Stop).unwrap();
            wait_until(|| thread.is_finished(), "the thread's end");
            thread.join().unwrap();
        }
    }

    /// Files left below the root, but for locks.
    pub(crate) fn files(&self) -> Vec<String> {
        files(&self.root)
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.stop();
        }
    }
}

pub(crate) fn metadata(start_unix_nanos: u64) -> ProfileMetadata {
    ProfileMetadata {
        start_unix_nanos,
        end_unix_nanos: start_unix_nanos + 1,
        tags: vec![("service".to_owned(), "demo".to_owned())],
        custom_tags: Vec::new(),
    }
}

pub(crate) fn commit(spool: &Spool, start_unix_nanos: u64, profile: &[u8]) {
    let (part, mut file) = spool.new_part().unwrap();
    file.write_all(profile).unwrap();
    spool.commit(&part, &metadata(start_unix_nanos)).unwrap();
}

pub(crate) fn wait_until(mut is_so: impl FnMut() -> bool, what: &str) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

pub(crate) fn files(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_none_or(|extension| extension != "lock") {
            found.push(path.file_name().unwrap().to_str().unwrap().to_owned());
        }
    }
    found.sort();
    found
}

/// Bytes that gzip cannot shrink.
pub(crate) fn noise(bytes: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(1);
    (0..bytes).map(|_| random.u8(..)).collect()
}

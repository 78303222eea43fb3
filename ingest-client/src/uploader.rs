//! The thread that sends what the spool holds.
use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::channel::Receiver;

use crate::backoff::Backoff;
use crate::client::{Answer, Client, Failure};
use crate::compress::{CompressError, gzip};
use crate::orders::{Command, Orders};
use crate::spool::Waiting;
use crate::verdict::{self, Verdict};
use crate::{Endpoint, Spool, UploadCounter, UploadCounters, UploaderConfig};

/// Stack that [`Uploader::run`] needs, with a TLS handshake and a margin of four.
pub const UPLOADER_STACK_BYTES: usize = 256 * 1024;

/// Time between two looks at the spool's bounds and at what dead processes left.
const CARE_INTERVAL: Duration = Duration::from_secs(60);

/// After a try that a flush's deadline cut off: whoever asked for the flush usually ends the thread now.
const PAUSE_AFTER_CUT: Duration = Duration::from_secs(1);

/// event.json holds tags; a larger file is none of ours.
const MAX_EVENT_BYTES: u64 = 1024 * 1024;

/// Sends what the spool holds, oldest first, one at a time.
#[derive(Debug)]
pub struct Uploader {
    spool: Arc<Spool>,
    endpoint: Endpoint,
    config: UploaderConfig,
}

impl Uploader {
    /// An uploader for one spool and one endpoint; it touches no network before [`Self::run`].
    pub fn new(spool: Arc<Spool>, endpoint: Endpoint, config: UploaderConfig) -> Uploader {
        spool.set_address(endpoint.to_string(), config.service.clone());
        Uploader {
            spool,
            endpoint,
            config,
        }
    }

    /// The thread's body; returns after [`Command::Stop`], or when every sender is gone.
    ///
    /// It sleeps until a command comes, but for a look at the spool once a minute, and needs
    /// [`UPLOADER_STACK_BYTES`] of stack. Whatever the server does, it obeys a command within 50 ms.
    pub fn run(self, commands: Receiver<Command>) {
        let orders = Arc::new(Orders::new(commands));
        let seed = seed();
        let config = self.config;
        let now = Instant::now();
        let worker = Worker {
            client: Client::new(self.endpoint, &config, Arc::clone(&orders), seed),
            backoff: Backoff::new(config.backoff_base, config.backoff_cap, seed),
            counters: self.spool.counters(),
            spool: self.spool,
            config,
            orders,
            pause: None,
            next_care: now,
            told: Vec::new(),
            dropped_told: 0,
            datakit_told: false,
        };
        worker.run();
    }

    /// The counters of this uploader and its spool.
    pub fn counters(&self) -> Arc<UploadCounters> {
        self.spool.counters()
    }
}

/// Differs between the processes of a fleet that start at the same moment.
pub(crate) fn seed() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Why nothing is tried now.
#[derive(Debug, Clone, Copy)]
struct Pause {
    until: Instant,
    /// Whether a flush ends it: so a pause of our own making, not one that the server asked for.
    ends_for_flush: bool,
}

struct Worker {
    spool: Arc<Spool>,
    config: UploaderConfig,
    counters: Arc<UploadCounters>,
    client: Client,
    orders: Arc<Orders>,
    backoff: Backoff,
    pause: Option<Pause>,
    next_care: Instant,
    /// When each kind of trouble was told last.
    told: Vec<(UploadCounter, Instant)>,
    dropped_told: u64,
    datakit_told: bool,
}

impl Worker {
    fn run(mut self) {
        loop {
            self.orders.attend(Duration::ZERO);
            if self.orders.is_stopped() {
                self.orders.report(self.spool.waiting(), true);
                return;
            }
            let now = Instant::now();
            if now >= self.next_care {
                self.care(now);
            }
            self.orders.report(self.spool.waiting(), false);
            if self.orders.take_new_flush() {
                self.pause.take_if(|pause| pause.ends_for_flush);
            }
            if self.spool.waiting() == 0 {
                self.orders.report(0, true);
                self.sleep_until(self.next_care);
                continue;
            }
            if let Some(pause) = self.pause
                && pause.until > now
            {
                match self.orders.flush_deadline() {
                    // Nothing will be tried before the deadline: say so now.
                    Some(deadline) if deadline <= pause.until => {
                        self.orders.report(self.spool.waiting(), true);
                    }
                    _ => self.sleep_until(pause.until.min(self.next_care)),
                }
                continue;
            }
            if let Some(profile) = self.spool.claim_oldest() {
                self.handle(profile);
            }
        }
    }

    fn sleep_until(&self, until: Instant) {
        let mut wait = until.saturating_duration_since(Instant::now());
        if let Some(deadline) = self.orders.flush_deadline() {
            wait = wait.min(deadline.saturating_duration_since(Instant::now()));
        }
        self.orders.attend(wait);
    }

    /// What has to be looked at from time to time, whether profiles come or not.
    fn care(&mut self, now: Instant) {
        self.next_care = now + CARE_INTERVAL;
        self.spool.take_over_the_dead();
        self.spool.enforce_limits(now);
        let dropped: u64 = [
            UploadCounter::DroppedAge,
            UploadCounter::DroppedBytes,
            UploadCounter::DroppedFiles,
        ]
        .iter()
        .map(|&counter| self.counters.get(counter))
        .sum();
        if dropped > self.dropped_told {
            log::warn!(
                "{} profiles were dropped unsent: the spool {} holds no more, or they were too old",
                dropped - self.dropped_told,
                self.spool.root().display()
            );
            self.dropped_told = dropped;
        }
    }

    /// Tries one profile and does what follows from the outcome.
    fn handle(&mut self, mut profile: Waiting) {
        let result = self.send(&mut profile);
        let now = Instant::now();
        let (verdict, retry_after) = match &result {
            Ok(answer) => (verdict::of_status(answer.status), answer.retry_after),
            Err(Trouble::Unsendable(counter)) => (Verdict::Drop(*counter), None),
            Err(Trouble::Failed(failure)) => (verdict::of_failure(failure), None),
        };
        match verdict {
            Verdict::Taken => {
                self.counters.add(UploadCounter::Sent, 1);
                self.counters.add(UploadCounter::SentBytes, profile.bytes());
                self.spool.remove(&profile);
                self.orders.note_sent();
            }
            Verdict::Drop(counter) | Verdict::DropAndPause(counter) => {
                self.counters.add(counter, 1);
                self.spool.remove(&profile);
            }
            Verdict::Retry(counter) | Verdict::RetryLater(counter) => {
                self.counters.add(counter, 1);
                self.spool.release(&profile);
            }
        }
        self.pause = match verdict {
            Verdict::Taken | Verdict::Drop(_) => None,
            Verdict::Retry(UploadCounter::RetriedCut) => Some(Pause {
                until: now + PAUSE_AFTER_CUT,
                ends_for_flush: true,
            }),
            Verdict::Retry(_) => Some(Pause {
                until: self.backoff.failed(now, retry_after),
                ends_for_flush: retry_after.is_none(),
            }),
            Verdict::RetryLater(_) | Verdict::DropAndPause(_) => Some(Pause {
                until: now + self.config.refusal_pause,
                ends_for_flush: false,
            }),
        };
        self.tell(verdict, &result, now);
        if let Err(Trouble::Failed(Failure::Connect(_))) = result {
            // Nobody listens: the end of the process need not wait for that.
            self.orders.report(self.spool.waiting(), true);
        }
        self.spool.enforce_limits(now);
    }

    /// One line for each kind of trouble, at most once per `silence`.
    fn tell(&mut self, verdict: Verdict, result: &Result<Answer, Trouble>, now: Instant) {
        let endpoint = self.client.endpoint();
        let counter = match verdict {
            Verdict::Taken => {
                if let (Ok(answer), false) = (result, self.datakit_told) {
                    let datakit = answer
                        .datakit
                        .as_deref()
                        .unwrap_or("a server that names no version");
                    log::info!("profiles reach {endpoint} ({datakit})");
                } else if self.backoff.failures() > 0 {
                    log::info!("profiles reach {endpoint} again");
                }
                self.datakit_told = true;
                self.backoff.succeeded();
                self.told.clear();
                return;
            }
            Verdict::Retry(UploadCounter::RetriedCut) => return,
            Verdict::Retry(counter)
            | Verdict::RetryLater(counter)
            | Verdict::Drop(counter)
            | Verdict::DropAndPause(counter) => counter,
        };
        let silence = self.config.silence;
        self.told
            .retain(|(_, at)| now.saturating_duration_since(*at) < silence);
        if self.told.iter().any(|(told, _)| *told == counter) {
            return;
        }
        self.told.push((counter, now));
        let what = match result {
            Ok(answer) => format!("answer {}", verdict::advice(answer)),
            Err(Trouble::Failed(failure)) => failure.to_string(),
            Err(Trouble::Unsendable(UploadCounter::DroppedTooLarge)) => format!(
                "a profile is larger than {} bytes after gzip: shorten period=",
                self.config.max_profile_bytes
            ),
            Err(Trouble::Unsendable(_)) => "a profile's file is gone or torn".to_owned(),
        };
        match verdict {
            Verdict::Drop(_) | Verdict::DropAndPause(_) => {
                log::warn!("a profile for {endpoint} is dropped: {what}");
            }
            _ => {
                let waiting = self.spool.waiting();
                let root = self.spool.root().display();
                log::warn!(
                    "profiles do not reach {endpoint}: {what}; {waiting} wait in {root}, trying again"
                );
            }
        }
    }

    fn send(&mut self, profile: &mut Waiting) -> Result<Answer, Trouble> {
        let gone = |_| Trouble::Unsendable(UploadCounter::DroppedUnreadable);
        let mut event_json = String::new();
        let event = File::open(profile.event_json()).map_err(gone)?;
        event
            .take(MAX_EVENT_BYTES)
            .read_to_string(&mut event_json)
            .map_err(gone)?;
        if !profile.is_gzip() {
            self.pack(profile)?;
        }
        let mut data = File::open(profile.data()).map_err(gone)?;
        let bytes = data.metadata().map_err(gone)?.len();
        if bytes > self.config.max_profile_bytes {
            return Err(Trouble::Unsendable(UploadCounter::DroppedTooLarge));
        }
        let answer = self.client.post(&event_json, &mut data, bytes);
        answer.map_err(Trouble::Failed)
    }

    /// Replaces a profile by its gzip file. Where there is no room for one, the profile is sent as it is: DataKit tells
    /// by the first bytes.
    fn pack(&self, profile: &mut Waiting) -> Result<(), Trouble> {
        let part = profile.gzip_part();
        let packed = self.pack_into(profile, &part);
        if packed.is_err() {
            // It is not there when it could not be created.
            let _ = fs::remove_file(&part);
        }
        match packed {
            Ok(bytes) => match self.spool.replace_with_gzip(profile, bytes) {
                Ok(()) => Ok(()),
                Err(_) => Err(Trouble::Unsendable(UploadCounter::DroppedUnreadable)),
            },
            Err(CompressError::TooLarge) => {
                Err(Trouble::Unsendable(UploadCounter::DroppedTooLarge))
            }
            Err(CompressError::Source(_)) => {
                Err(Trouble::Unsendable(UploadCounter::DroppedUnreadable))
            }
            Err(CompressError::GivenUp) => Err(Trouble::Failed(Failure::GivenUp)),
            Err(CompressError::Sink(error)) => {
                log::debug!(
                    "cannot write {}: {error}; sending without gzip",
                    part.display()
                );
                Ok(())
            }
        }
    }

    fn pack_into(&self, profile: &Waiting, part: &Path) -> Result<u64, CompressError> {
        let mut source = File::open(profile.data()).map_err(CompressError::Source)?;
        let mut options = OpenOptions::new();
        let options = options.create(true).truncate(true).write(true).mode(0o600);
        let mut sink = options.open(part).map_err(CompressError::Sink)?;
        gzip(
            &mut source,
            &mut sink,
            self.config.gzip_level,
            self.config.max_profile_bytes,
            &|| self.orders.must_give_up(),
        )
    }
}

/// Why a try came to no answer.
enum Trouble {
    /// There is nothing that could be sent.
    Unsendable(UploadCounter),
    Failed(Failure),
}

//! What the uploader is asked to do, heard also while a try is under way.
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, TryRecvError};

/// What one can ask of a running [`Uploader`](crate::Uploader).
#[derive(Debug)]
pub enum Command {
    /// A profile was committed.
    Wake,
    /// Send what waits, now, and report by the deadline.
    ///
    /// A pause after failures ends, and a try that is under way at the deadline is cut off; its profile stays. The
    /// report comes earlier when nothing is left, or when nobody listens at the endpoint.
    Flush {
        /// When the report is due at the latest.
        deadline: Instant,
        /// Where the report goes. It is never waited for: give the channel a capacity of one.
        done: Sender<FlushReport>,
    },
    /// End the thread, at once; a try that is under way is cut off. What waits stays in the spool.
    Stop,
}

/// What a flush came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FlushReport {
    /// Profiles sent since the flush was asked for.
    pub sent: usize,
    /// Profiles that still wait in the spool.
    pub left: usize,
}

/// The commands that came in. The connection looks at them each time it waits, so that the end of the process never
/// waits for a server.
#[derive(Debug)]
pub(crate) struct Orders {
    commands: Option<Receiver<Command>>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    stop: bool,
    flushes: Vec<Flush>,
    /// A flush that nothing was tried for yet.
    flush_is_new: bool,
}

#[derive(Debug)]
struct Flush {
    deadline: Instant,
    done: Sender<FlushReport>,
    sent: usize,
}

impl Orders {
    pub(crate) fn new(commands: Receiver<Command>) -> Orders {
        Orders {
            commands: Some(commands),
            state: Mutex::default(),
        }
    }

    /// For a try that nobody commands.
    pub(crate) fn none() -> Orders {
        Orders {
            commands: None,
            state: Mutex::default(),
        }
    }

    /// Takes in what was ordered; waits for the first order at most `wait`.
    pub(crate) fn attend(&self, wait: Duration) {
        let Some(commands) = &self.commands else {
            thread::sleep(wait);
            return;
        };
        if !wait.is_zero() {
            match commands.recv_timeout(wait) {
                Ok(command) => self.take_in(command),
                Err(RecvTimeoutError::Timeout) => return,
                Err(RecvTimeoutError::Disconnected) => self.state().stop = true,
            }
        }
        loop {
            match commands.try_recv() {
                Ok(command) => self.take_in(command),
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => {
                    self.state().stop = true;
                    return;
                }
            }
        }
    }

    fn take_in(&self, command: Command) {
        let mut state = self.state();
        match command {
            Command::Wake => {}
            Command::Flush { deadline, done } => {
                state.flush_is_new = true;
                state.flushes.push(Flush {
                    deadline,
                    done,
                    sent: 0,
                });
            }
            Command::Stop => state.stop = true,
        }
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.state().stop
    }

    /// How long what is under way may last, when an order bounds it.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        let state = self.state();
        if state.stop {
            return Some(Duration::ZERO);
        }
        let deadlines = state.flushes.iter().map(|flush| flush.deadline);
        deadlines
            .min()
            .map(|first| first.saturating_duration_since(Instant::now()))
    }

    /// Whether what is under way must end now.
    pub(crate) fn must_give_up(&self) -> bool {
        self.attend(Duration::ZERO);
        self.time_left().is_some_and(|left| left.is_zero())
    }

    /// The end of the flush that is due first, if one is under way.
    pub(crate) fn flush_deadline(&self) -> Option<Instant> {
        self.state()
            .flushes
            .iter()
            .map(|flush| flush.deadline)
            .min()
    }

    /// Whether a flush came in since this was asked last.
    pub(crate) fn take_new_flush(&self) -> bool {
        std::mem::take(&mut self.state().flush_is_new)
    }

    /// Counts a sent profile for the flushes under way.
    pub(crate) fn note_sent(&self) {
        self.state()
            .flushes
            .iter_mut()
            .for_each(|flush| flush.sent += 1);
    }

    /// Reports the flushes whose deadline has passed, or all of them.
    pub(crate) fn report(&self, left: usize, all: bool) {
        let now = Instant::now();
        self.state().flushes.retain(|flush| {
            let is_over = all || flush.deadline <= now;
            if is_over {
                let report = FlushReport {
                    sent: flush.sent,
                    left,
                };
                // Whoever asked may have stopped waiting.
                let _ = flush.done.try_send(report);
            }
            !is_over
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! The CPU engine: what makes threads tick.
//!
//! Two sources, tried in this order: a perf event on the CPU clock of each thread, and a timer on
//! the CPU clock of each thread. Where the kernel does not give a perf event ticks in kernel mode
//! (`perf_event_paranoid` 2 without CAP_PERFMON), timers come first: perf would put all kernel
//! time on the wrong stacks. A thread for which no descriptor is left gets a timer.

mod cpu_timer;
mod perf_events;
mod signal;

use std::io;

use jprof_signal_safe::threads::{ThreadKey, ThreadTable, TickSource};
use jprof_signal_safe::tick::{TICK_OVERHEAD_NANOS, shortest_period_nanos};

pub use cpu_timer::CpuTimers;
pub use perf_events::PerfEvents;
pub use signal::{Installed, TICK_SIGNAL, block_all_signals, current, install};

use crate::options::Event;

/// The engine in force.
#[derive(Debug)]
pub struct Engine {
    perf: Option<PerfEvents>,
    timers: CpuTimers,
    name: &'static str,
}

/// An engine and why it was chosen.
#[derive(Debug)]
pub struct Choice {
    /// What samples, `None` when nothing can or shall.
    pub engine: Option<Engine>,
    /// One line for the log.
    pub reason: String,
    /// Whether an event asked for by name could not be had.
    pub refused: bool,
}

/// The distance between ticks that leaves the application at least half of its time whatever
/// interval is asked for.
#[must_use]
pub fn base_period_nanos(interval_nanos: u64) -> u64 {
    interval_nanos.max(shortest_period_nanos(TICK_OVERHEAD_NANOS / 10))
}

/// Chooses by trying on the calling thread.
#[must_use]
pub fn choose(event: &Event, period_nanos: u64) -> Choice {
    match event {
        Event::None => Choice {
            engine: None,
            reason: "no CPU samples: event=none".to_owned(),
            refused: false,
        },
        Event::Cpu => choose_for_cpu(period_nanos),
        Event::CpuTimer => match CpuTimers::new(period_nanos).try_out() {
            Ok(()) => chosen(
                None,
                period_nanos,
                "ctimer",
                "CPU timers, as asked".to_owned(),
            ),
            Err(error) => refused(&format!(
                "event=ctimer cannot be had: timer_create: {error}"
            )),
        },
        Event::Perf(name) => match PerfEvents::by_name(name, period_nanos) {
            Some(perf) => match perf.try_out() {
                Ok(()) => {
                    let reason = format!("perf event {name}, as asked");
                    chosen(Some(perf), period_nanos, "perf_events", reason)
                }
                Err(error) => refused(&format!(
                    "event={name} cannot be opened: {}; no CPU samples are taken. Try event=cpu",
                    perf_events::explain(&error)
                )),
            },
            None => refused(&format!(
                "event={name} is not known to this version; no CPU samples are taken. Try event=cpu"
            )),
        },
    }
}

fn choose_for_cpu(period_nanos: u64) -> Choice {
    let perf = PerfEvents::cpu_clock(period_nanos, true);
    let refusal = match perf.try_out() {
        Ok(()) => {
            return chosen(
                Some(perf),
                period_nanos,
                "perf_events",
                "perf events (cpu-clock, user and kernel)".to_owned(),
            );
        }
        Err(error) => perf_events::explain(&error),
    };
    let timers = CpuTimers::new(period_nanos);
    let timer_error = match timers.try_out() {
        Ok(()) => {
            let reason =
                format!("CPU timers, since perf events with kernel ticks are refused: {refusal}");
            return chosen(None, period_nanos, "ctimer", reason);
        }
        Err(error) => error,
    };
    let perf = PerfEvents::cpu_clock(period_nanos, false);
    match perf.try_out() {
        Ok(()) => {
            let reason = format!(
                "perf events (cpu-clock, user only: time in the kernel is seen at the next user instruction), \
                 since kernel ticks are refused ({refusal}) and so are CPU timers ({timer_error})"
            );
            chosen(Some(perf), period_nanos, "perf_events", reason)
        }
        Err(error) => refused(&format!(
            "no CPU samples: perf events are refused ({}) and so are CPU timers ({timer_error})",
            perf_events::explain(&error)
        )),
    }
}

fn chosen(
    perf: Option<PerfEvents>,
    period_nanos: u64,
    name: &'static str,
    reason: String,
) -> Choice {
    let engine = Engine {
        perf,
        timers: CpuTimers::new(period_nanos),
        name,
    };
    Choice {
        engine: Some(engine),
        reason: format!("CPU engine: {reason}"),
        refused: false,
    }
}

fn refused(reason: &str) -> Choice {
    Choice {
        engine: None,
        reason: reason.to_owned(),
        refused: true,
    }
}

impl Engine {
    /// The engine's name in recordings.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Makes the thread tick.
    ///
    /// # Errors
    /// The kernel gives neither an event nor a timer (any more): descriptors or pending signals
    /// have run out, or the thread has ended.
    pub fn open(&self, table: &ThreadTable, key: ThreadKey, tid: u32) -> io::Result<()> {
        if let Some(perf) = &self.perf {
            match perf.open(table, key, tid) {
                Err(error) if error.raw_os_error() != Some(libc::ESRCH) => {}
                done => return done,
            }
        }
        self.timers.open(table, key, tid)
    }

    /// Stops a thread's ticks and gives everything back.
    pub fn close(&self, source: TickSource) {
        match source {
            TickSource::None => {}
            TickSource::Perf(fd) => {
                if let Some(perf) = &self.perf {
                    perf.close(fd);
                }
            }
            TickSource::Timer(id) => CpuTimers::close(id),
        }
    }
}

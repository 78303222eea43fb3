//! The CPU engine: what makes threads tick.
//!
//! Two sources, tried in this order: a perf event on the CPU clock of each thread, and a timer on
//! the CPU clock of each thread. Where the kernel does not give a perf event ticks in kernel mode
//! (`perf_event_paranoid` 2 without CAP_PERFMON), timers come first: perf would put all kernel
//! time on the wrong stacks. A thread for which no descriptor is left gets a timer.

mod cpu_timer;
#[cfg_attr(not(target_arch = "x86_64"), path = "no_faults.rs")]
mod faults;
mod perf_events;
mod random;
mod signal;

use std::io;

use jprof_signal_safe::threads::{ThreadKey, ThreadTable, TickSource};
use jprof_signal_safe::tick::{TICK_OVERHEAD_NANOS, shortest_period_nanos};

pub use cpu_timer::CpuTimers;
pub use faults::FaultHandlers;
pub use perf_events::PerfEvents;
pub use signal::{TICK_SIGNAL, block_all_signals, install, renew};

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
    /// Whether it is less than what was asked for: a warning.
    pub second_best: bool,
}

/// The distance between ticks that leaves the application at least half of its time whatever
/// interval is asked for.
#[must_use]
pub fn base_period_nanos(interval_nanos: u64) -> u64 {
    interval_nanos.max(shortest_period_nanos(TICK_OVERHEAD_NANOS / 10))
}

/// The distance to a thread's first tick: a random part of the period, so that short threads have
/// their fair chance of a sample and threads do not tick in step.
fn first_period_nanos(period_nanos: u64) -> u64 {
    // A shorter one would come again before the handler of the first has set the full period.
    const SHORTEST: u64 = 2 * TICK_OVERHEAD_NANOS;
    SHORTEST + random::below(period_nanos)
}

/// Chooses by trying on the calling thread.
#[must_use]
pub fn choose(event: &Event, period_nanos: u64) -> Choice {
    match event {
        Event::None => Choice {
            engine: None,
            reason: "no CPU samples: event=none".to_owned(),
            second_best: false,
        },
        Event::Cpu => choose_for_cpu(period_nanos),
        Event::CpuTimer => match CpuTimers::new(period_nanos).try_out() {
            Ok(()) => Engine::timers(period_nanos).chosen("CPU timers, as asked"),
            Err(error) => none(&format!(
                "event=ctimer cannot be had: timer_create: {error}"
            )),
        },
        Event::Perf(name) => choose_by_name(name, period_nanos),
    }
}

fn choose_for_cpu(period_nanos: u64) -> Choice {
    let perf = PerfEvents::cpu_clock(period_nanos, true);
    let refusal = match perf.try_out() {
        Ok(()) => {
            return Engine::perf(perf, period_nanos)
                .chosen("perf events (cpu-clock, user and kernel)");
        }
        Err(error) => perf_events::explain(&error),
    };
    let timer_refusal = match CpuTimers::new(period_nanos).try_out() {
        Ok(()) => {
            return Engine::timers(period_nanos).second_best(&format!(
                "CPU timers, since perf events with kernel ticks are refused: {refusal}"
            ));
        }
        Err(error) => error,
    };
    let perf = PerfEvents::cpu_clock(period_nanos, false);
    match perf.try_out() {
        Ok(()) => Engine::perf(perf, period_nanos).second_best(&format!(
            "perf events (cpu-clock, user only: time in the kernel is seen at the next user instruction), since \
             kernel ticks are refused ({refusal}) and so are CPU timers ({timer_refusal})"
        )),
        Err(error) => none(&format!(
            "perf events are refused ({}) and so are CPU timers ({timer_refusal})",
            perf_events::explain(&error)
        )),
    }
}

fn choose_by_name(name: &str, period_nanos: u64) -> Choice {
    if let Some(perf) = PerfEvents::clock_by_name(name, period_nanos) {
        return match perf.try_out() {
            Ok(()) => {
                Engine::perf(perf, period_nanos).chosen(&format!("perf event {name}, as asked"))
            }
            Err(error) => none(&format!(
                "event={name} cannot be opened: {}. Try event=cpu",
                perf_events::explain(&error)
            )),
        };
    }
    match perf_events::try_counter(name) {
        Some(Err(error)) => none(&format!(
            "event={name} cannot be opened: {}. Try event=cpu",
            perf_events::explain(&error)
        )),
        Some(Ok(())) => none(&format!(
            "event={name}: only clocks are sampled by this version. Try event=cpu"
        )),
        None => none(&format!(
            "event={name} is not known to this version. Try event=cpu"
        )),
    }
}

fn none(reason: &str) -> Choice {
    Choice {
        engine: None,
        reason: format!("no CPU samples: {reason}"),
        second_best: true,
    }
}

impl Engine {
    fn perf(perf: PerfEvents, period_nanos: u64) -> Self {
        Self {
            perf: Some(perf),
            timers: CpuTimers::new(period_nanos),
            name: "perf_events",
        }
    }

    fn timers(period_nanos: u64) -> Self {
        Self {
            perf: None,
            timers: CpuTimers::new(period_nanos),
            name: "ctimer",
        }
    }

    fn chosen(self, reason: &str) -> Choice {
        Choice {
            engine: Some(self),
            reason: format!("CPU engine: {reason}"),
            second_best: false,
        }
    }

    fn second_best(self, reason: &str) -> Choice {
        Choice {
            second_best: true,
            ..self.chosen(reason)
        }
    }

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
    pub fn close(source: TickSource) {
        match source {
            TickSource::None => {}
            TickSource::Perf(fd) => PerfEvents::close(fd),
            TickSource::Timer(id) => CpuTimers::close(id),
        }
    }

    /// Makes a source go on that another handler of our signal may have stopped: async-profiler's lets an event that it takes
    /// for its own fire once more only. A timer goes on by itself.
    pub fn go_on(source: TickSource) {
        if let TickSource::Perf(fd) = source {
            PerfEvents::go_on(fd);
        }
    }
}

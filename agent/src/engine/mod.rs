//! The CPU engine: what makes threads tick.
//!
//! Three sources, tried in this order: a perf event on the CPU clock of each thread, a timer on the
//! CPU clock of each thread, and the one profiling timer of the process. Where the kernel does not
//! give a perf event ticks in kernel mode (`perf_event_paranoid` 2 without CAP_PERFMON), timers come
//! first: perf would put all kernel time on the wrong stacks. A thread for which no descriptor is left
//! gets a timer. An event that is asked for by name is never replaced by another.

mod cpu_timer;
#[cfg_attr(not(target_arch = "x86_64"), path = "no_faults.rs")]
mod faults;
mod perf_events;
mod process_timer;
mod random;
mod signal;
mod tracepoints;
#[cfg_attr(not(target_arch = "x86_64"), path = "no_trap_signal.rs")]
pub(crate) mod trap_signal;

use std::io;

use jprof_signal_safe::threads::{ThreadKey, ThreadTable, TickSource};
use jprof_signal_safe::tick::{TICK_OVERHEAD_NANOS, Unit, shortest_period_nanos};

pub use cpu_timer::CpuTimers;
pub use faults::FaultHandlers;
pub use perf_events::PerfEvents;
pub use process_timer::ProcessTimer;
pub use signal::{block_all_signals, install, renew};

use crate::options::{Event, PerfEvent};

/// The engine in force: what a thread is given, the first that it can have.
#[derive(Debug)]
pub struct Engine {
    perf: Option<PerfEvents>,
    timers: Option<CpuTimers>,
    process: Option<ProcessTimer>,
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
/// interval is asked for. How fast events come that count something else shows at the ticks only.
#[must_use]
pub fn base_period(unit: Unit, interval: u64) -> u64 {
    match unit {
        Unit::CpuNanos => interval.max(shortest_period_nanos(TICK_OVERHEAD_NANOS / 10)),
        Unit::Events => interval,
    }
}

/// The distance to a thread's first tick: a random part of the period, so that short threads have
/// their fair chance of a sample and threads do not tick in step.
fn first_period_nanos(period_nanos: u64) -> u64 {
    // A shorter one would come again before the handler of the first has set the full period.
    const SHORTEST: u64 = 2 * TICK_OVERHEAD_NANOS;
    SHORTEST + random::below(period_nanos)
}

/// As [`first_period_nanos`], of an event that counts something else.
fn first_count(period: u64) -> u64 {
    1 + random::below(period)
}

/// Chooses by trying on the calling thread. `period` is in nanoseconds, or in events for an event that counts these.
#[must_use]
pub fn choose(event: &Event, period: u64) -> Choice {
    match event {
        Event::None => Choice {
            engine: None,
            reason: "no CPU samples: event=none".to_owned(),
            second_best: false,
        },
        Event::Cpu => choose_for_cpu(period),
        Event::CpuTimer => match CpuTimers::new(period).try_out() {
            Ok(()) => Engine::timers(period).chosen("CPU timers, as asked"),
            Err(error) => none(&format!(
                "event=ctimer cannot be had: timer_create: {error}"
            )),
        },
        Event::ProcessTimer => match ProcessTimer::new(period).try_out() {
            Ok(()) => Engine::process_timer(period).chosen("the process's timer, as asked"),
            Err(error) => none(&format!(
                "event=itimer cannot be had: {}",
                explain_process_timer(&error)
            )),
        },
        Event::Perf(name) => choose_by_name(name, period),
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
    let refusal = match perf.try_out() {
        Ok(()) => {
            return Engine::perf(perf, period_nanos).second_best(&format!(
                "perf events (cpu-clock, user only: time in the kernel is seen at the next user instruction), since \
                 kernel ticks are refused ({refusal}) and so are CPU timers ({timer_refusal})"
            ));
        }
        Err(error) => perf_events::explain(&error),
    };
    let refusals =
        format!("perf events are refused ({refusal}) and so are CPU timers ({timer_refusal})");
    match ProcessTimer::new(period_nanos).try_out() {
        Ok(()) => Engine::process_timer(period_nanos).second_best(&format!(
            "the process's timer (setitimer: fewer samples, the sum stays right), since {refusals}"
        )),
        Err(error) => none(&format!("{refusals}; {}", explain_process_timer(&error))),
    }
}

fn choose_by_name(name: &str, period: u64) -> Choice {
    let refused = |reason: &str| {
        none(&format!(
            "event={name} cannot be opened: {reason}. Try event=cpu"
        ))
    };
    let as_asked = format!("perf event {name}, as asked");
    if let Some(perf) = PerfEvents::clock_by_name(name, period) {
        return match perf.try_out() {
            Ok(()) => Engine::perf(perf, period).chosen(&as_asked),
            Err(error) => refused(&perf_events::explain(&error)),
        };
    }
    let Some(event) = PerfEvent::named(name) else {
        return none(&format!("event={name} is not known. Try event=cpu"));
    };
    let perf = match PerfEvents::counting(&event, period, true) {
        Ok(perf) => perf,
        Err(reason) => return refused(&reason),
    };
    let error = match perf.try_out() {
        Ok(()) => return Engine::counting(perf).chosen(&as_asked),
        Err(error) => error,
    };
    let is_forbidden = matches!(error.raw_os_error(), Some(libc::EACCES | libc::EPERM));
    let in_user_mode = (is_forbidden && !event.in_kernel)
        .then(|| PerfEvents::counting(&event, period, false).ok())
        .flatten()
        .filter(|perf| perf.try_out().is_ok());
    match in_user_mode {
        Some(perf) => Engine::counting(perf).second_best(&format!(
            "{as_asked}, but in user mode only, since the kernel's are refused: {}",
            perf_events::explain(&error)
        )),
        None => refused(&perf_events::explain(&error)),
    }
}

/// What the log says when threads get no ticks.
#[must_use]
pub fn explain_shortage(error: &io::Error) -> String {
    let hint = match error.raw_os_error() {
        Some(libc::EAGAIN) => {
            "pending signals have run out, of which jprof takes a half at most: ulimit -i"
        }
        Some(libc::EMFILE | libc::ENFILE) => {
            "file descriptors have run out, of which jprof takes a half at most: ulimit -n"
        }
        _ => "their tick could not be set up",
    };
    format!("some threads are not sampled: {error}; {hint}")
}

fn explain_process_timer(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EBUSY) => {
            "the process's profiling timer (ITIMER_PROF) is in use, by the application or another profiler".to_owned()
        }
        _ => format!("setitimer: {error}"),
    }
}

fn none(reason: &str) -> Choice {
    Choice {
        engine: None,
        reason: format!("no samples: {reason}"),
        second_best: true,
    }
}

impl Engine {
    fn perf(perf: PerfEvents, period_nanos: u64) -> Self {
        Self {
            perf: Some(perf),
            timers: Some(CpuTimers::new(period_nanos)),
            process: None,
            name: "perf_events",
        }
    }

    /// No timer counts what these events do.
    fn counting(perf: PerfEvents) -> Self {
        Self {
            perf: Some(perf),
            timers: None,
            process: None,
            name: "perf_events",
        }
    }

    fn timers(period_nanos: u64) -> Self {
        Self {
            perf: None,
            timers: Some(CpuTimers::new(period_nanos)),
            process: None,
            name: "ctimer",
        }
    }

    fn process_timer(period_nanos: u64) -> Self {
        Self {
            perf: None,
            timers: None,
            process: Some(ProcessTimer::new(period_nanos)),
            name: "itimer",
        }
    }

    fn chosen(self, reason: &str) -> Choice {
        Choice {
            engine: Some(self),
            reason: format!("sampling by {reason}"),
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
                Err(error)
                    if self.timers.is_some() && error.raw_os_error() != Some(libc::ESRCH) => {}
                done => return done,
            }
        }
        match (&self.timers, &self.process) {
            (Some(timers), _) => timers.open(table, key, tid),
            (None, Some(timer)) => timer.open(table, key),
            (None, None) => Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP)),
        }
    }

    /// What a thread's event has counted so far; `None` where it has none.
    #[must_use]
    pub fn count(source: TickSource) -> Option<u64> {
        match source {
            TickSource::Perf(fd) => PerfEvents::count(fd).ok(),
            _ => None,
        }
    }

    /// Stops a thread's ticks and gives everything back.
    pub fn close(source: TickSource) {
        match source {
            TickSource::None => {}
            TickSource::Perf(fd) => PerfEvents::close(fd),
            TickSource::Timer(id) => CpuTimers::close(id),
            TickSource::Process => ProcessTimer::close(),
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

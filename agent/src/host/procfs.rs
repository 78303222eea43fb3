//! The process's numbers in `/proc`: CPU time, the machine's CPU time, limits, kernel settings.
//!
//! Formats: proc(5), `/proc/[pid]/stat` and `/proc/stat`; times there are in clock ticks
//! ([`ticks_per_second`], 100 on every Linux that a JVM runs on).
//!
//! # Safety
//!
//! The unsafe blocks are calls into libc with plain integers or with a pointer to a local that libc fills.

#![allow(unsafe_code)]

use std::fs;
use std::mem::MaybeUninit;

use super::tasks::Tid;

/// One line of `/proc/[pid]/stat` or `/proc/[pid]/task/[tid]/stat`, as far as it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// The state's letter: `R` runs or is runnable, `S` sleeps, `D` waits uninterruptibly, `Z` zombie, `T` stopped …
    pub state: char,
    /// CPU time in user mode, in clock ticks.
    pub user_ticks: u64,
    /// CPU time in kernel mode, in clock ticks.
    pub system_ticks: u64,
    /// When it started, in clock ticks since the machine booted.
    pub start_ticks: u64,
}

impl Stat {
    /// Reads the line. The name in parentheses may hold blanks and parentheses itself, so the last `)` ends it.
    pub fn parse(line: &str) -> Option<Stat> {
        let after_name = &line[line.rfind(')')? + 1..];
        // Field numbers of proc(5), of which the state is the third.
        let mut fields = after_name.split_ascii_whitespace();
        let state = fields.next()?.chars().next()?;
        let mut number = |skip: usize| fields.nth(skip)?.parse::<u64>().ok();
        Some(Stat {
            state,
            user_ticks: number(10)?,
            system_ticks: number(0)?,
            start_ticks: number(6)?,
        })
    }

    /// User and kernel time together, in clock ticks.
    pub fn cpu_ticks(&self) -> u64 {
        self.user_ticks.saturating_add(self.system_ticks)
    }
}

/// This process's `stat` line.
pub fn process_stat() -> Option<Stat> {
    Stat::parse(&fs::read_to_string("/proc/self/stat").ok()?)
}

/// A thread's `stat` line; `None` when the thread is gone.
pub fn thread_stat(tid: Tid) -> Option<Stat> {
    Stat::parse(&fs::read_to_string(format!("/proc/self/task/{tid}/stat")).ok()?)
}

/// A thread's current name (its `comm`: at most 15 bytes); `None` when the thread is gone.
pub fn thread_name(tid: Tid) -> Option<String> {
    let bytes = fs::read(format!("/proc/self/task/{tid}/comm")).ok()?;
    let name = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    Some(String::from_utf8_lossy(name).into_owned())
}

/// CPU time of the whole machine since it booted, from the `cpu` line of `/proc/stat`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MachineCpu {
    /// Clock ticks spent on something: user, nice, system, interrupts.
    pub busy_ticks: u64,
    /// All clock ticks: busy, idle, waiting for a disk, and stolen by the hypervisor.
    pub total_ticks: u64,
}

impl MachineCpu {
    /// Reads the first line of `/proc/stat`. Guest time is a part of user time and is not added again.
    pub fn parse(stat: &str) -> Option<MachineCpu> {
        let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
        let mut ticks = [0u64; 8];
        let mut count = 0;
        for (slot, field) in ticks.iter_mut().zip(line.split_ascii_whitespace()) {
            *slot = field.parse().ok()?;
            count += 1;
        }
        if count < 4 {
            return None;
        }
        let [user, nice, system, idle, iowait, irq, softirq, steal] = ticks;
        let sum = |ticks: &[u64]| {
            ticks
                .iter()
                .fold(0, |sum: u64, &ticks| sum.saturating_add(ticks))
        };
        let busy_ticks = sum(&[user, nice, system, irq, softirq]);
        Some(MachineCpu {
            busy_ticks,
            total_ticks: sum(&[busy_ticks, idle, iowait, steal]),
        })
    }
}

/// The machine's CPU time now.
pub fn machine_cpu() -> Option<MachineCpu> {
    MachineCpu::parse(&fs::read_to_string("/proc/stat").ok()?)
}

/// CPU time of this process, ended threads included, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessCpu {
    /// In user mode.
    pub user_nanos: u64,
    /// In kernel mode.
    pub system_nanos: u64,
}

/// The process's CPU time now, by getrusage(2): the same sums as in `/proc/self/stat`, to the microsecond.
pub fn process_cpu() -> Option<ProcessCpu> {
    let mut usage = MaybeUninit::<libc::rusage>::uninit();
    // SAFETY: getrusage fills the struct that it is given when it returns 0.
    let usage = unsafe {
        if libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()) != 0 {
            return None;
        }
        usage.assume_init()
    };
    let nanos =
        |time: libc::timeval| time.tv_sec as u64 * 1_000_000_000 + time.tv_usec as u64 * 1_000;
    Some(ProcessCpu {
        user_nanos: nanos(usage.ru_utime),
        system_nanos: nanos(usage.ru_stime),
    })
}

/// When this process started, in milliseconds of Unix time, to a clock tick (10 ms).
///
/// The start in `/proc` counts from the boot, suspended time included; so does CLOCK_BOOTTIME, and the difference
/// to now needs no boot time in whole seconds.
pub fn process_start_unix_millis() -> Option<i64> {
    let since_boot = clock_millis(libc::CLOCK_BOOTTIME)?;
    let now = clock_millis(libc::CLOCK_REALTIME)?;
    let start = process_stat()?.start_ticks as i64 * 1_000 / ticks_per_second() as i64;
    Some(now - (since_boot - start))
}

fn clock_millis(clock: libc::clockid_t) -> Option<i64> {
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: clock_gettime fills the struct that it is given when it returns 0.
    let time = unsafe {
        if libc::clock_gettime(clock, time.as_mut_ptr()) != 0 {
            return None;
        }
        time.assume_init()
    };
    Some(time.tv_sec * 1_000 + time.tv_nsec / 1_000_000)
}

/// Clock ticks in a second, in which `/proc` counts CPU time.
pub fn ticks_per_second() -> u64 {
    // SAFETY: sysconf takes a plain number.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    u64::try_from(ticks)
        .ok()
        .filter(|&ticks| ticks > 0)
        .unwrap_or(100)
}

/// A resource whose limit is of interest to a profiler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// Open file descriptors: a perf event takes one for each thread.
    OpenFiles,
    /// Pending signals: a CPU timer takes one for each thread.
    PendingSignals,
    /// Locked memory in bytes: ring buffers of perf events.
    LockedMemory,
}

/// The limits of a resource; `u64::MAX` is "unlimited".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What holds now.
    pub soft: u64,
    /// How far the process may raise it by itself.
    pub hard: u64,
}

/// The limit of a resource by getrlimit(2).
pub fn resource_limit(resource: Resource) -> Option<Limit> {
    let resource = match resource {
        Resource::OpenFiles => libc::RLIMIT_NOFILE,
        Resource::PendingSignals => libc::RLIMIT_SIGPENDING,
        Resource::LockedMemory => libc::RLIMIT_MEMLOCK,
    };
    let mut limit = MaybeUninit::<libc::rlimit>::uninit();
    // SAFETY: getrlimit fills the struct that it is given when it returns 0.
    let limit = unsafe {
        if libc::getrlimit(resource, limit.as_mut_ptr()) != 0 {
            return None;
        }
        limit.assume_init()
    };
    Some(Limit {
        soft: limit.rlim_cur,
        hard: limit.rlim_max,
    })
}

/// `kernel.perf_event_paranoid`: 2 and more refuse kernel ticks to a user without rights. `None`: no perf events at all.
pub fn perf_event_paranoid() -> Option<i32> {
    kernel_setting("perf_event_paranoid")
}

/// `kernel.perf_event_mlock_kb`: memory for ring buffers of a user without rights, in KiB.
pub fn perf_event_mlock_kib() -> Option<i32> {
    kernel_setting("perf_event_mlock_kb")
}

/// `kernel.perf_event_max_sample_rate`, in samples per second.
pub fn perf_event_max_sample_rate() -> Option<i32> {
    kernel_setting("perf_event_max_sample_rate")
}

fn kernel_setting(name: &str) -> Option<i32> {
    let text = fs::read_to_string(format!("/proc/sys/kernel/{name}")).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str =
        "4242 (a) b (c) S 1 4242 4242 0 -1 1077936384 51 0 3 0 812 97 5 6 20 0 31 0 123456 8 9\n";

    #[test]
    fn a_stat_line_is_read_after_the_last_parenthesis() {
        assert_eq!(
            Stat::parse(STAT),
            Some(Stat {
                state: 'S',
                user_ticks: 812,
                system_ticks: 97,
                start_ticks: 123_456
            })
        );
        assert_eq!(Stat::parse(STAT).unwrap().cpu_ticks(), 909);
    }

    #[test]
    fn a_cut_or_foreign_stat_line_is_refused() {
        assert_eq!(Stat::parse(""), None);
        assert_eq!(Stat::parse("1 (x"), None);
        assert_eq!(Stat::parse("1 (x)"), None);
        assert_eq!(Stat::parse("1 (x) S 1 2 3"), None);
        assert_eq!(
            Stat::parse("1 (x) S 1 2 3 4 5 6 7 8 9 10 eleven 12 13 14 15 16 17 18 19"),
            None
        );
    }

    #[test]
    fn the_machines_line_counts_guest_time_once() {
        let stat = "cpu  10 20 30 400 5 6 7 8 9000 9000\ncpu0 1 1 1 1 1 1 1 1 1 1\nintr 5\n";
        assert_eq!(
            MachineCpu::parse(stat),
            Some(MachineCpu {
                busy_ticks: 73,
                total_ticks: 486
            })
        );
    }

    #[test]
    fn an_old_kernels_short_line_is_read_and_a_cut_one_is_not() {
        assert_eq!(
            MachineCpu::parse("cpu 1 2 3 4\n"),
            Some(MachineCpu {
                busy_ticks: 6,
                total_ticks: 10
            })
        );
        let most = u64::MAX;
        let full = MachineCpu::parse(&format!("cpu {most} 1 1 1\n")).expect("a line");
        assert_eq!((full.busy_ticks, full.total_ticks), (most, most));
        assert_eq!(MachineCpu::parse("cpu 1 2 3\n"), None);
        assert_eq!(MachineCpu::parse("cpu 1 2 3 x\n"), None);
        assert_eq!(MachineCpu::parse("cpu0 1 2 3 4\n"), None);
    }

    #[test]
    fn the_live_process_agrees_with_itself() {
        // Some work, so that there is time to see.
        let mut sum = 0u64;
        while process_cpu().unwrap().user_nanos < 30_000_000 {
            sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(7));
        }
        let stat_before = process_stat().unwrap();
        let exact = process_cpu().unwrap();
        let stat_after = process_stat().unwrap();
        let tick_nanos = 1_000_000_000 / ticks_per_second();
        let ticks = (exact.user_nanos + exact.system_nanos) / tick_nanos;
        // Each of the two times is rounded down by itself.
        assert!(stat_before.cpu_ticks() <= ticks + 2 && ticks <= stat_after.cpu_ticks() + 2);
        let machine = machine_cpu().unwrap();
        assert!(machine.busy_ticks <= machine.total_ticks);
    }

    #[test]
    fn the_start_lies_between_the_boot_and_now() {
        let start = process_start_unix_millis().unwrap();
        let now = clock_millis(libc::CLOCK_REALTIME).unwrap();
        let boot = now - clock_millis(libc::CLOCK_BOOTTIME).unwrap();
        assert!(
            boot <= start && start <= now + 1,
            "{boot} <= {start} <= {now}"
        );
    }

    #[test]
    fn a_threads_name_and_state_are_read_by_its_id() {
        let (tid_sender, tid_receiver) = std::sync::mpsc::channel();
        let (end_sender, end_receiver) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::Builder::new()
            .name("a name too long for Linux".into())
            .spawn(move || {
                // SAFETY: gettid takes nothing and cannot fail.
                tid_sender.send(unsafe { libc::gettid() }).unwrap();
                let _ = end_receiver.recv();
            })
            .unwrap();
        let tid = tid_receiver.recv().unwrap();
        assert_eq!(thread_name(tid).as_deref(), Some("a name too long"));
        assert!(thread_stat(tid).is_some());
        drop(end_sender);
        thread.join().unwrap();
        assert_eq!(thread_name(-1), None);
        assert_eq!(thread_stat(-1), None);
    }

    #[test]
    fn limits_are_ordered() {
        for resource in [
            Resource::OpenFiles,
            Resource::PendingSignals,
            Resource::LockedMemory,
        ] {
            let limit = resource_limit(resource).unwrap();
            assert!(limit.soft <= limit.hard, "{resource:?}");
        }
    }
}

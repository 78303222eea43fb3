//! What only the system says: CPU clocks of other processes, signals, rights.
//!
//! # Safety
//! Plain system calls with arguments made here.
#![allow(unsafe_code)]

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;

use perf_event::Builder;
use perf_event::events::{Event, Software};

/// A signal that a test sends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Signal {
    Term,
    Kill,
    Stop,
    Continue,
}

/// Sends a signal to a child that has not been waited for.
pub(crate) fn send(pid: u32, signal: Signal) {
    let signal = match signal {
        Signal::Term => libc::SIGTERM,
        Signal::Kill => libc::SIGKILL,
        Signal::Stop => libc::SIGSTOP,
        Signal::Continue => libc::SIGCONT,
    };
    // SAFETY: kill(2) touches no memory; the process is an unreaped child.
    let result = unsafe { libc::kill(pid.cast_signed(), signal) };
    assert_eq!(result, 0, "kill {pid}: {}", std::io::Error::last_os_error());
}

/// CPU nanoseconds of a process, ended threads included: the clock behind utime and stime in /proc, without their
/// rounding to 10 ms. `None` once the process is gone.
pub(crate) fn process_cpu_nanos(pid: u32) -> Option<u64> {
    // clock_getcpuclockid(3): the process's id inverted, and CPUCLOCK_SCHED (2) in the low bits.
    let clock = (!pid.cast_signed() << 3) | 2;
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: clock_gettime(2) fills in `time`.
    let result = unsafe { libc::clock_gettime(clock, &raw mut time) };
    (result == 0)
        .then(|| time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned())
}

/// Whether the tests may become another user.
pub(crate) fn is_root() -> bool {
    std::fs::metadata("/proc/self").expect("/proc").uid() == 0
}

/// Whether perf events with ticks in the kernel may be opened here.
pub(crate) fn perf_ticks_in_kernel() -> bool {
    let mut builder = Builder::new().kind(Event::Software(Software::CPU_CLOCK));
    builder.exclude_kernel(false);
    builder.build().is_ok()
}

/// Lets the kernel queue as few connections as it can.
pub(crate) fn shrink_queue(listener: &TcpListener) {
    // SAFETY: listen(2) on an own, open descriptor; a second call changes the queue's length.
    let result = unsafe { libc::listen(listener.as_raw_fd(), 0) };
    assert_eq!(result, 0, "listen: {}", std::io::Error::last_os_error());
}

/// `VmRSS` of a process; none once it ends.
pub(crate) fn resident_mib(pid: u32) -> Option<f64> {
    memory_mib(pid, "VmRSS:")
}

/// `VmHWM` of a process, its resident memory at its peak so far; none once it ends.
pub(crate) fn peak_mib(pid: u32) -> Option<f64> {
    memory_mib(pid, "VmHWM:")
}

/// Memory that programs can still have, in MiB.
pub(crate) fn available_mib() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").expect("/proc");
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kib.and_then(|kib| kib.parse::<u64>().ok())
        .map_or(0, |kib| kib / 1024)
}

fn memory_mib(pid: u32, name: &str) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib / 1024.0)
}

/// Holds the whole file, in the way of fcntl(2), until [`unlock_file`] or the process's end.
pub(crate) fn lock_file(file: &File) {
    set_lock(file, libc::F_WRLCK);
}

/// Lets others have the file.
pub(crate) fn unlock_file(file: &File) {
    set_lock(file, libc::F_UNLCK);
}

fn set_lock(file: &File, kind: libc::c_int) {
    // SAFETY: zero is a valid value: from the file's start to its end.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = kind as libc::c_short;
    // SAFETY: fcntl(2) reads the structure.
    let result = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLK, &raw const lock) };
    assert_eq!(result, 0, "fcntl: {}", std::io::Error::last_os_error());
}

/// Sends SIGPROF to each thread of a child that has a handler for it.
pub(crate) fn signal_all_threads(pid: u32) {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
        return;
    };
    for task in tasks.flatten() {
        let Some(tid) = task.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let tid: libc::c_long = tid;
        // SAFETY: tgkill(2) touches no memory; a thread that has ended is none of the process's any more.
        unsafe {
            libc::syscall(
                libc::SYS_tgkill,
                libc::c_long::from(pid),
                tid,
                libc::SIGPROF,
            )
        };
    }
}

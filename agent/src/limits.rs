//! Every number of the agent that is a choice, with its reason.

use std::time::Duration;

/// Slots for threads. Linux's default `threads-max` on a 24 GiB machine is about 190,000, but no
/// JVM seen in practice passes 30,000; the table is untouched memory until it is used.
pub const MAX_THREADS: usize = 65_536;

/// Perf descriptors that the handler can look up. Above it a thread gets a timer instead.
pub const MAX_PERF_FD: usize = 65_536;

/// The part of the soft limit of open files that perf events may take: the rest is the
/// application's, whose own `open` must not begin to fail because of us.
pub const FD_SHARE: u64 = 2;

/// Perf events take no descriptor below this where the limit allows it: an application that uses select(2) needs those for
/// its own, since sets of descriptors end there (`FD_SETSIZE`).
pub const PERF_FD_FLOOR: i32 = 1_024;

/// The part of the limit of pending signals that CPU timers may take: the rest is for the application's own timers, and for
/// signals that carry a value.
pub const PENDING_SIGNAL_SHARE: u64 = 2;

/// Places for the ids of threads that the process's timer ticks for: twice as many as slots.
pub const TID_PLACES: usize = 2 * MAX_THREADS;

/// Stripes per processor, and the least and the most of them. As many handlers run at once as
/// there are processors; twice that makes a busy stripe rare.
pub const STRIPES_PER_CPU: usize = 2;
/// See `STRIPES_PER_CPU`.
pub const MIN_STRIPES: usize = 8;
/// See `STRIPES_PER_CPU`.
pub const MAX_STRIPES: usize = 64;

/// Words of a stripe's ring: 128 KiB. At 1 ms and 50 frames a processor fills 0.7 MB/s, and the
/// recorder is woken when half is used; one stack of 2,048 frames takes 25 KiB.
pub const RING_WORDS: usize = 16 * 1024;

/// Return addresses that a stripe keeps from one walk to the next, of 128 bytes each; a power of two. A program's hot stacks
/// have some hundred.
pub const CACHED_FRAMES: usize = 512;

/// The recorder drains at least this often. Names are read "soon after the sample": a class can
/// only be unloaded after a collection, which is seldom quicker.
pub const DRAIN_EVERY: Duration = Duration::from_millis(100);

/// In an application that unloads classes as fast as it makes them, names must be read sooner:
/// after a name that came too late, the recorder drains this often for a while.
pub const DRAIN_EVERY_IN_HASTE: Duration = Duration::from_millis(10);

/// That while.
pub const HASTE: Duration = Duration::from_secs(5);

/// How often /proc/self/task is compared with the table, for threads that no hook announced.
pub const SCAN_EVERY: Duration = Duration::from_secs(1);

/// Announcements of threads on their way to the recorder. At 8,000 thread starts a second (the
/// most that one JVM made in tests) and three announcements each, 100 ms need 2,400.
pub const THREAD_EVENTS: usize = 4_096;

/// A chunk is sealed at this raw size, so that one upload stays below DataKit's 20 MB for online
/// analysis even when it does not compress at all.
pub const MAX_CHUNK_BYTES: u64 = 16 * 1024 * 1024;

/// Distinct stacks kept per chunk by the raw key; above it the chunk is sealed.
pub const MAX_STACKS_PER_CHUNK: usize = 400_000;

/// Longest time that a seal waits for handlers that are at work: what they write later goes into the
/// next chunk.
pub const HANDLER_GRACE: Duration = Duration::from_millis(20);

/// Longest time that the end of sampling waits for them: what they write later is lost. Threads were
/// seen to wait for a processor for 200 ms on a machine that had twenty times too much to do.
pub const LAST_HANDLER_GRACE: Duration = Duration::from_millis(250);

/// Stack of the recorder thread. It resolves names and writes files, without deep recursion.
pub const RECORDER_STACK_BYTES: usize = 512 * 1024;

/// A thread with a tick source whose CPU clock is this many ticks ahead of its samples does not get
/// its signals (it blocks them): its time is shown as `[unsampled]`.
pub const UNSAMPLED_AFTER_TICKS: u64 = 16;

/// The longest tick of the kernels in use (HZ=100). CPU timers fire no more often, whatever their
/// interval, so one signal may stand for this much.
pub const KERNEL_TICK_NANOS: u64 = 10_000_000;

//! The registry: which threads there are, and who they are.
//!
//! Threads come to it in three ways: those that exist at the start are found in /proc/self/task,
//! new ones announce themselves before their first instruction of their own (`creation`), and a
//! scan once a second finds what neither saw. Java threads announce themselves by JVMTI besides,
//! with their names. The recorder gets all of it through a bounded queue.

mod creation;
#[cfg(test)]
mod tests;

pub use creation::{CreationHook, ThreadObserver, current_name, current_tid, watch_current};

use std::io;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam::queue::ArrayQueue;
use jprof_signal_safe::clock;
use jprof_signal_safe::record::RecordKind;
use jprof_signal_safe::threads::{ThreadKey, TickSource};
use jprof_signal_safe::tick::Sampler;
use once_cell::sync::OnceCell;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::allocation::Allocated;
use crate::engine::{self, Engine};
use crate::host;
use crate::hotspot::AllocatedBytes;
use crate::limits;

/// A Java thread's identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JavaIdentity {
    /// `Thread.getName()`.
    pub name: String,
    /// `Thread.getId()`.
    pub id: u64,
    /// The name of its group; an ended thread is in none.
    pub group: Option<Box<str>>,
}

/// News of a thread for the recorder.
#[derive(Debug)]
pub enum ThreadEvent {
    /// A Java thread began (or an existing one was found, `begins` false).
    Java {
        /// The thread.
        key: ThreadKey,
        /// CLOCK_MONOTONIC nanoseconds.
        nanos: u64,
        /// Who it is.
        identity: JavaIdentity,
        /// Whether it began just now.
        begins: bool,
        /// The thread that started it, where known.
        parent: Option<ThreadKey>,
    },
    /// A Java thread ended; its native thread may live on.
    JavaEnd {
        /// The thread.
        key: ThreadKey,
        /// CLOCK_MONOTONIC nanoseconds.
        nanos: u64,
        /// Who it was in the end: its name may have changed.
        identity: Option<JavaIdentity>,
    },
    /// The native thread ended.
    End {
        /// The thread.
        key: ThreadKey,
        /// The kernel's thread id.
        tid: u32,
        /// The name that the kernel had, where it could still be read.
        native_name: Option<String>,
    },
}

/// What the registry lost or could not do.
#[derive(Debug, Default)]
pub struct RegistryCounters {
    /// Announcements that found the queue full: names may be missing.
    pub events_lost: AtomicU64,
    /// Threads that got no tick source: their time is shown as `[unsampled]`.
    pub threads_without_ticks: AtomicU64,
    /// Threads beyond the table's end: their time is shown as that of ended threads.
    pub threads_without_slot: AtomicU64,
    /// Threads that only the scan found.
    pub threads_found_by_scan: AtomicU64,
}

/// What holds for one recording, beside the list of threads.
#[derive(Debug, Default)]
struct Inner {
    /// What makes threads tick, if anything does.
    engine: Option<Arc<Engine>>,
    by_tid: FxHashMap<u32, ThreadKey>,
    free: Vec<u32>,
    next: u32,
    own: Vec<ThreadKey>,
    open: bool,
    /// Threads that took leave since the last scan, and before it: the kernel lists them for a
    /// moment longer.
    left: FxHashSet<u32>,
    left_before: FxHashSet<u32>,
    /// Bytes that Java threads had allocated when they ended.
    allocated_by_ended: u64,
    /// Java threads that ended while the existing ones were being announced.
    java_ended: FxHashSet<u32>,
    existing_done: bool,
    /// The threads that existed at the start could not be listed: there is no /proc.
    unlisted: bool,
}

/// Reads what a Java thread has allocated.
#[derive(Debug)]
pub struct AllocationCounter {
    /// By the thread's `JavaThread`.
    pub bytes: AllocatedBytes,
    /// From a `JavaThread*` to its `JNIEnv*`.
    pub env_distance: usize,
}

impl AllocationCounter {
    fn of(&self, env: usize) -> Option<u64> {
        let java_thread = env.checked_sub(self.env_distance)?;
        (env != 0).then(|| self.bytes.of(java_thread as u64))?
    }
}

/// The registry: one in a process, for one recording after the other.
#[derive(Debug)]
pub struct Registry {
    sampler: &'static Sampler,
    inner: Mutex<Inner>,
    events: ArrayQueue<ThreadEvent>,
    /// Reads what a thread has allocated, from its `JNIEnv*`.
    allocation_counter: OnceCell<AllocationCounter>,
    /// The error number of the last thread that got no ticks, for the log; 0 for none.
    refusal: AtomicI32,
    /// What went wrong.
    pub counters: RegistryCounters,
}

impl Registry {
    /// An empty registry.
    #[must_use]
    pub fn new(sampler: &'static Sampler) -> Self {
        Self {
            sampler,
            inner: Mutex::default(),
            events: ArrayQueue::new(limits::THREAD_EVENTS),
            allocation_counter: OnceCell::new(),
            refusal: AtomicI32::new(0),
            counters: RegistryCounters::default(),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // A panic while the lock was held left the maps as they were: they stay usable.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins: finds the threads that exist, without claiming what they ran before, and lets in
    /// those that announce themselves. `engine` gives them their ticks. The handler must be installed.
    ///
    /// # Errors
    /// /proc/self/task cannot be read: then only threads that announce themselves are sampled.
    pub fn begin(&self, engine: Option<Engine>) -> io::Result<()> {
        {
            let mut inner = self.inner();
            inner.engine = engine.map(Arc::new);
            inner.open = true;
        }
        let tasks = host::tasks::tasks().inspect_err(|_| self.inner().unlisted = true)?;
        for tid in tasks.into_iter().map(i32::cast_unsigned) {
            if let Some(cpu) = clock::cpu_nanos_of(tid) {
                self.register_other(tid, cpu);
            }
        }
        Ok(())
    }

    /// Makes the calling thread `tid` known and lets it tick; the key it has if it is known already.
    /// All the CPU time that it has used is to be claimed: it was born a moment ago.
    pub fn register_current(&self, tid: u32) -> Option<ThreadKey> {
        if self.key_of(tid).is_some_and(|key| !self.is_current(key)) {
            // An ended thread's, whose number has come round before a scan missed it.
            self.retire(tid);
        }
        let (key, engine) = {
            let mut inner = self.inner();
            if !inner.open {
                return None;
            }
            if let Some(&key) = inner.by_tid.get(&tid) {
                return Some(key);
            }
            // It may be older than sampling; or it took leave, and runs on in the destructors of
            // other libraries: then what it used before has been claimed.
            let not_new = !inner.existing_done
                || inner.left.contains(&tid)
                || inner.left_before.contains(&tid);
            let claimed = if not_new {
                clock::thread_cpu_nanos()
            } else {
                0
            };
            (self.occupy(&mut inner, tid, claimed)?, inner.engine.clone())
        };
        // Without the lock, which all starting threads want: nobody else retires a living thread.
        self.open(engine.as_deref(), key, tid);
        if !self.inner().open {
            self.close(key);
        }
        Some(key)
    }

    /// Whether the slot is the calling thread's: as far as its thread pointer tells, and its CPU
    /// time, of which samples claim an interval or two too much at most.
    fn is_current(&self, key: ThreadKey) -> bool {
        let fits = |claimed: u64| {
            let too_much = 2 * self.sampler.interval();
            claimed <= clock::thread_cpu_nanos().saturating_add(too_much)
        };
        self.sampler.threads.get(key).is_some_and(|slot| {
            slot.is_current() && (!self.sampler.samples_cpu_time() || fits(slot.claimed()))
        })
    }

    /// Makes another thread known and lets it tick, unless it is known. With the lock held, so that
    /// its own end comes before or after, not in between.
    fn register_other(&self, tid: u32, claimed_nanos: u64) -> bool {
        let mut inner = self.inner();
        if !inner.open || inner.by_tid.contains_key(&tid) {
            return false;
        }
        let key = self.occupy(&mut inner, tid, claimed_nanos);
        if let Some(key) = key {
            self.open(inner.engine.as_deref(), key, tid);
        }
        key.is_some()
    }

    fn open(&self, engine: Option<&Engine>, key: ThreadKey, tid: u32) {
        if let Some(engine) = engine
            && let Err(error) = engine.open(&self.sampler.threads, key, tid)
        {
            self.counters
                .threads_without_ticks
                .fetch_add(1, Ordering::Relaxed);
            // A thread that has ended misses nothing.
            if let Some(number) = error.raw_os_error().filter(|&number| number != libc::ESRCH) {
                self.refusal.store(number, Ordering::Relaxed);
            }
        }
    }

    /// Why threads that began since the last call got no ticks; `None` when all of them did.
    #[must_use]
    pub fn take_refusal(&self) -> Option<io::Error> {
        let number = self.refusal.swap(0, Ordering::Relaxed);
        (number != 0).then(|| io::Error::from_raw_os_error(number))
    }

    /// Makes a thread of the agent known: it does not tick, its time is shown as `[jprof]`.
    pub fn register_own(&self, tid: u32) -> Option<ThreadKey> {
        loop {
            self.retire(tid);
            let mut inner = self.inner();
            if inner.by_tid.contains_key(&tid) {
                // A scan has found it in between.
                continue;
            }
            let key = self.occupy(&mut inner, tid, 0)?;
            inner.own.push(key);
            return Some(key);
        }
    }

    fn occupy(&self, inner: &mut Inner, tid: u32, claimed_nanos: u64) -> Option<ThreadKey> {
        // An event begins to count when it is opened.
        let claimed = if self.sampler.samples_cpu_time() {
            claimed_nanos
        } else {
            0
        };
        let index = inner.free.pop().or_else(|| {
            let next = inner.next;
            ((next as usize) < self.sampler.threads.capacity()).then(|| {
                inner.next += 1;
                next
            })
        });
        let key = index.and_then(|index| self.sampler.threads.occupy(index, tid, claimed));
        match key {
            Some(key) => {
                inner.by_tid.insert(tid, key);
            }
            None => {
                self.counters
                    .threads_without_slot
                    .fetch_add(1, Ordering::Relaxed);
            }
        }
        key
    }

    /// A Java thread that existed when sampling began. Its environment is taken only if it has
    /// not ended meanwhile.
    pub fn announce_existing_java(&self, tid: u32, env: usize, identity: JavaIdentity) {
        if self.inner().unlisted
            && let Some(cpu) = clock::cpu_nanos_of(tid)
        {
            self.register_other(tid, cpu);
        }
        let key = {
            let inner = self.inner();
            let Some(&key) = inner.by_tid.get(&tid) else {
                return;
            };
            if inner.java_ended.contains(&tid) {
                return;
            }
            // Under the lock, so that the thread's own end comes before or after, not in between.
            match self.sampler.threads.get(key) {
                Some(slot) if slot.jni_env() == 0 => slot.set_jni_env(env),
                // It began after the list was made, and has said so itself.
                _ => return,
            }
            key
        };
        let nanos = clock::monotonic_nanos();
        self.announce(ThreadEvent::Java {
            key,
            nanos,
            identity,
            begins: false,
            parent: None,
        });
    }

    /// The existing threads have all been announced.
    pub fn existing_java_done(&self) {
        let mut inner = self.inner();
        inner.existing_done = true;
        inner.java_ended = FxHashSet::default();
    }

    /// The calling thread is a Java thread with this `JNIEnv*` from now on.
    pub fn java_thread_starts(&self, tid: u32, env: usize) -> Option<ThreadKey> {
        let key = self.register_current(tid);
        let mut inner = self.inner();
        // It may be one that was a Java thread before and has become one anew.
        inner.java_ended.remove(&tid);
        let slot = self.sampler.threads.get(key?)?;
        slot.set_jni_env(env);
        key
    }

    /// The calling thread is no Java thread any more: its `JNIEnv*` must not be used again.
    pub fn java_thread_ends(&self, tid: u32) -> Option<ThreadKey> {
        let mut inner = self.inner();
        if !inner.existing_done {
            inner.java_ended.insert(tid);
        }
        let key = inner.by_tid.get(&tid).copied()?;
        if let Some(slot) = self.sampler.threads.get(key) {
            if let Some(counter) = self.allocation_counter.get() {
                let allocated = counter.of(slot.jni_env()).unwrap_or(0);
                inner.allocated_by_ended += allocated;
            }
            slot.set_jni_env(0);
        }
        Some(key)
    }

    /// From now on it is counted what threads allocate that end. The first counter stays.
    pub fn count_allocations(&self, counter: AllocationCounter) {
        let _ = self.allocation_counter.set(counter);
    }

    /// What the Java threads have allocated so far.
    #[must_use]
    pub fn allocated(&self) -> Allocated {
        let mut allocated = Allocated::default();
        let Some(counter) = self.allocation_counter.get() else {
            return allocated;
        };
        // With the lock, so that each thread is there while its counter is read.
        let inner = self.inner();
        allocated.total = inner.allocated_by_ended;
        for &key in inner.by_tid.values() {
            let env = self
                .sampler
                .threads
                .get(key)
                .map_or(0, |slot| slot.jni_env());
            if let Some(bytes) = counter.of(env) {
                allocated.total += bytes;
                allocated.threads.insert(key, bytes);
            }
        }
        allocated
    }

    /// Bytes that each thread has allocated outside of TLABs, as the traps count them.
    #[must_use]
    pub fn outside_bytes(&self) -> FxHashMap<ThreadKey, u64> {
        let inner = self.inner();
        let of = |&key| {
            Some((
                key,
                self.sampler.threads.get(key)?.allocating.outside_bytes(),
            ))
        };
        inner.by_tid.values().filter_map(of).collect()
    }

    /// The kernel's ids of the Java threads at this moment.
    #[must_use]
    pub fn java_threads(&self) -> Vec<u32> {
        let inner = self.inner();
        let is_java = |key| {
            let slot = self.sampler.threads.get(key);
            slot.is_some_and(|slot| slot.jni_env() != 0)
        };
        let java = inner.by_tid.iter().filter(|&(_, &key)| is_java(key));
        java.map(|(&tid, _)| tid).collect()
    }

    /// The key of a thread.
    #[must_use]
    pub fn key_of(&self, tid: u32) -> Option<ThreadKey> {
        self.inner().by_tid.get(&tid).copied()
    }

    /// Whether the thread is one of the agent's own.
    #[must_use]
    pub fn is_own(&self, key: ThreadKey) -> bool {
        self.inner().own.contains(&key)
    }

    /// All threads at this moment: (key, tid, whether it is the agent's own).
    #[must_use]
    pub fn threads(&self) -> Vec<(ThreadKey, u32, bool)> {
        let inner = self.inner();
        inner
            .by_tid
            .iter()
            .map(|(&tid, &key)| (key, tid, inner.own.contains(&key)))
            .collect()
    }

    /// The calling thread ends: stops its ticks, emits the rest of what it did, gives all back.
    pub fn retire_current(&self, tid: u32) {
        let (key, kind) = {
            let inner = self.inner();
            let Some(&key) = inner.by_tid.get(&tid) else {
                return;
            };
            let had_ticks = !inner.open
                || inner.own.contains(&key)
                || self
                    .sampler
                    .threads
                    .get(key)
                    .is_some_and(|slot| slot.source() != TickSource::None);
            let kind = if had_ticks {
                RecordKind::ThreadEnd
            } else {
                RecordKind::Unsampled
            };
            (key, kind)
        };
        self.close(key);
        if self.sampler.samples_cpu_time() {
            // Also while sampling ends: the recorder reads once more then, and would not find the thread any more.
            self.emit_rest(kind, key, clock::thread_cpu_nanos());
        }
        self.forget(key, tid, current_name());
    }

    /// The thread `tid` has ended, as seen from outside.
    pub fn retire(&self, tid: u32) {
        let Some(key) = self.inner().by_tid.get(&tid).copied() else {
            return;
        };
        self.close(key);
        self.forget(key, tid, None);
    }

    /// Ends a thread's ticks. An event that is no clock is asked for its last count.
    fn close(&self, key: ThreadKey) {
        let source = self.sampler.threads.take_source(key);
        if !self.sampler.samples_cpu_time()
            && let Some(count) = Engine::count(source)
        {
            self.emit_rest(RecordKind::ThreadEnd, key, count);
        }
        Engine::close(source);
    }

    /// Emits what the thread did and no sample stands for, given its clock or its count of events.
    fn emit_rest(&self, kind: RecordKind, key: ThreadKey, now: u64) {
        let Some(slot) = self.sampler.threads.get(key) else {
            return;
        };
        let weight = slot.claim_whole_intervals(now, self.sampler.interval());
        // Not stored: CPU time is claimed at the chunk's end as that of ended threads.
        let _ = weight == 0 || self.sampler.emit_rest(kind, key, slot, weight);
    }

    fn forget(&self, key: ThreadKey, tid: u32, native_name: Option<String>) {
        self.announce(ThreadEvent::End {
            key,
            tid,
            native_name,
        });
        let mut inner = self.inner();
        if inner.by_tid.get(&tid) == Some(&key) {
            inner.by_tid.remove(&tid);
        }
        inner.left.insert(tid);
        inner.own.retain(|&own| own != key);
        self.sampler.threads.release(key);
        inner.free.push(key.index());
    }

    /// Compares the table with /proc/self/task.
    pub fn scan(&self) {
        // Before the list is read: a thread born after it is not missing from it.
        let known: Vec<u32> = self.inner().by_tid.keys().copied().collect();
        let Ok(alive) = host::tasks::tasks() else {
            return;
        };
        let alive: FxHashSet<u32> = alive.into_iter().map(i32::cast_unsigned).collect();
        let unknown: Vec<u32> = {
            let mut inner = self.inner();
            let unknown = alive
                .iter()
                .filter(|tid| {
                    !inner.by_tid.contains_key(tid)
                        && !inner.left.contains(tid)
                        && !inner.left_before.contains(tid)
                })
                .copied()
                .collect();
            inner.left_before = std::mem::take(&mut inner.left);
            unknown
        };
        for tid in unknown {
            if self.register_other(tid, 0) {
                self.counters
                    .threads_found_by_scan
                    .fetch_add(1, Ordering::Relaxed);
            }
        }
        for tid in known {
            // The list may lack living threads when others end while it is read: see the kernel's
            // first_tid() in fs/proc/base.c. The thread's clock knows for sure.
            if !alive.contains(&tid) && clock::cpu_nanos_of(tid).is_none() {
                self.retire(tid);
            }
        }
    }

    /// Tells the recorder.
    pub fn announce(&self, event: ThreadEvent) {
        if self.events.push(event).is_err() {
            self.counters.events_lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The next announcement.
    #[must_use]
    pub fn next_event(&self) -> Option<ThreadEvent> {
        self.events.pop()
    }

    /// Ends all ticks; later threads are not registered any more.
    pub fn shut(&self) {
        let keys: Vec<ThreadKey> = {
            let mut inner = self.inner();
            inner.open = false;
            inner.by_tid.values().copied().collect()
        };
        keys.into_iter().for_each(|key| self.close(key));
    }

    /// Forgets the threads of a recording that has ended, so that another may begin. Nobody reads its rings any more.
    pub fn clear(&self) {
        let mut inner = self.inner();
        for (_, key) in std::mem::take(&mut inner.by_tid) {
            // One that was being registered while the ticks were ended.
            self.close(key);
            self.sampler.threads.release(key);
            inner.free.push(key.index());
        }
        let (free, next) = (std::mem::take(&mut inner.free), inner.next);
        *inner = Inner {
            free,
            next,
            ..Inner::default()
        };
        while self.events.pop().is_some() {}
    }

    /// Makes all threads' sources go on: somebody else's handler may have stopped them.
    pub fn keep_ticking(&self) {
        let inner = self.inner();
        for &key in inner.by_tid.values() {
            if let Some(slot) = self.sampler.threads.get(key) {
                Engine::go_on(slot.source());
            }
        }
    }
}

impl ThreadObserver for Registry {
    fn thread_starts(&self, tid: u32) {
        engine::trap_signal::unblock();
        self.register_current(tid);
    }

    fn thread_ends(&self, tid: u32) {
        self.retire_current(tid);
    }
}

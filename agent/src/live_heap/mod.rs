//! Live objects: sampled ones that are held weakly, until a garbage collection finds them dead.
//!
//! The allocation engine hands them over as they are sampled; the recorder asks which of them are alive.
//!
//! # Safety
//! Weak references are used with the environment of the thread that asks.
#![allow(unsafe_code)]

mod table;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jni_sys::{JNIEnv, jobject};
use jprof_signal_safe::clock::monotonic_nanos;
use once_cell::sync::OnceCell;
use rustc_hash::FxHashSet;

use crate::hotspot::{Collections, VmStructs};
use crate::java::{JavaHeap, WeakObject};
use crate::jvmti::{Jvmti, JvmtiError, sys};
use table::{Alive, Table};

pub(crate) use table::CAPACITY;

/// Two to four pauses make a collection of Shenandoah's.
const PAUSES_OF_A_COLLECTION: u64 = 4;
/// Objects that tell which collections have ended.
const MOST_WITNESSES: usize = 16;

/// An object that a collection has left alive, or that none has seen yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LiveOne {
    pub(crate) id: u32,
    /// Collections that it has survived; 0: none has seen it.
    pub(crate) age: u64,
    /// It stands for 2^halvings as many as its sample.
    pub(crate) halvings: u32,
}

/// The live heap; there is one in a process.
///
/// **Epochs**: collections that have begun, or, where the JVM does not count those, pauses. What was allocated in an epoch
/// has been seen by a collection that began in a later one and has ended. Where the program stands still meanwhile, that is
/// any. Else witnesses tell: objects that nobody holds, one for each epoch. Once one of them is dead, a collection has seen
/// all that was allocated in its epoch.
#[derive(Debug)]
pub(crate) struct LiveHeap {
    is_on: AtomicBool,
    table: Mutex<Table<WeakObject>>,
    collections: OnceCell<Collections>,
    java: OnceCell<JavaHeap>,
    /// Pauses that have begun.
    pauses: AtomicU64,
    /// Bytes that the last collection has left, and one more; 0: not known.
    used_after: AtomicU64,
    witnesses: Mutex<Witnesses>,
}

#[derive(Debug, Default)]
struct Witnesses {
    alive: Vec<(u64, WeakObject)>,
    /// All that was allocated in earlier epochs has been seen by a collection.
    seen: u64,
    /// The least that has been used of the heap since one was found dead: a collection frees as it goes.
    least_used: Option<u64>,
}

impl LiveHeap {
    pub(crate) fn new() -> Self {
        Self {
            is_on: AtomicBool::new(false),
            table: Mutex::new(Table::new(monotonic_nanos())),
            collections: OnceCell::new(),
            java: OnceCell::new(),
            pauses: AtomicU64::new(0),
            used_after: AtomicU64::new(0),
            witnesses: Mutex::default(),
        }
    }

    /// Begins to watch.
    ///
    /// # Errors
    /// In words: the JVM refuses.
    ///
    /// # Safety
    /// `env` is the calling thread's own, in the live phase.
    pub(crate) unsafe fn start(
        &self,
        jvmti: Jvmti,
        env: *mut JNIEnv,
        structs: Option<&VmStructs>,
    ) -> Result<(), String> {
        let refused = |error: JvmtiError| error.to_string();
        self.java
            .get_or_try_init(|| {
                // SAFETY: the caller vouches for the environment.
                unsafe { JavaHeap::learn(env) }.ok_or("java.lang.Runtime is not understood")
            })
            .map_err(str::to_owned)?;
        if let Some(Ok(collections)) = structs.map(Collections::find) {
            let _ = self.collections.set(collections);
        }
        // SAFETY: as above.
        unsafe { self.clear(env) };
        self.used_after.store(0, Ordering::Relaxed);
        jvmti.tell_of_collections(true).map_err(refused)?;
        for event in PAUSES {
            jvmti.notify(event, true).map_err(refused)?;
        }
        self.is_on.store(true, Ordering::Release);
        Ok(())
    }

    /// Watches nothing new any more.
    pub(crate) fn stop(&self, jvmti: Jvmti) {
        if self.is_on.swap(false, Ordering::AcqRel) {
            let ended = PAUSES
                .iter()
                .try_for_each(|&event| jvmti.notify(event, false))
                .and_then(|()| jvmti.tell_of_collections(false));
            if let Err(error) = ended {
                log::debug!("the JVM keeps telling of collections: {error}");
            }
        }
    }

    /// Gives all references back.
    ///
    /// # Safety
    /// `env` is the calling thread's own.
    pub(crate) unsafe fn clear(&self, env: *mut JNIEnv) {
        // SAFETY: the caller vouches for the environment.
        let give_back = |object: WeakObject| unsafe { object.delete(env) };
        self.table().clear(give_back);
        let witnesses = std::mem::take(&mut *self.witnesses());
        witnesses
            .alive
            .into_iter()
            .for_each(|(_, object)| give_back(object));
    }

    /// An object has been sampled: the number by which it is watched, if it is.
    ///
    /// # Safety
    /// `env` is the calling thread's own, `object` a valid reference on it.
    pub(crate) unsafe fn watch(&self, env: *mut JNIEnv, object: jobject) -> Option<u32> {
        if !self.is_on.load(Ordering::Acquire) || !self.table().admits() {
            return None;
        }
        // Before the object is held: it is seen by all collections of later epochs.
        let born = self.epoch();
        // SAFETY: the caller vouches for both; what is deleted was made by `WeakObject::new`.
        unsafe {
            let object = WeakObject::new(env, object)?;
            self.table().watch(
                object,
                born,
                |object| object.is_dead(env),
                |object| object.delete(env),
            )
        }
    }

    /// The sample of a watched object was lost.
    ///
    /// # Safety
    /// `env` is the calling thread's own.
    pub(crate) unsafe fn forget(&self, env: *mut JNIEnv, id: u32) {
        let object = self.table().forget(id);
        if let Some(object) = object {
            // SAFETY: the caller vouches for the environment.
            unsafe { object.delete(env) };
        }
    }

    /// The objects that are alive now, as far as collections have looked.
    ///
    /// # Safety
    /// `env` is the calling thread's own.
    pub(crate) unsafe fn alive(&self, env: *mut JNIEnv) -> Vec<LiveOne> {
        // Before the references are asked: what a collection has done by then, they show.
        // SAFETY: the caller vouches for the environment.
        let seen = unsafe { self.keep_witness(env) };
        let now = self.epoch();
        let mut table = self.table();
        // SAFETY: as above.
        table.sweep(
            now,
            |object| unsafe { object.is_dead(env) },
            |object| unsafe { object.delete(env) },
        );
        table.relax();
        table
            .all()
            .map(|alive| LiveOne {
                id: alive.id,
                age: self.age(&alive, seen, now),
                halvings: alive.halvings,
            })
            .collect()
    }

    /// The numbers of those that are watched, alive or not.
    pub(crate) fn watched(&self) -> FxHashSet<u32> {
        self.table().all().map(|watched| watched.id).collect()
    }

    /// Looks which collections have ended, and gives the epoch before which all has been seen by one. To be called often: where
    /// a collection goes on beside the program, this is how its end is known.
    ///
    /// # Safety
    /// `env` is the calling thread's own.
    pub(crate) unsafe fn keep_witness(&self, env: *mut JNIEnv) -> u64 {
        if self.is_stopping() {
            return self.epoch();
        }
        let mut witnesses = self.witnesses();
        // SAFETY: the caller vouches for the environment.
        let newest_dead = witnesses
            .alive
            .iter()
            .rposition(|(_, object)| unsafe { object.is_dead(env) });
        if let Some(newest_dead) = newest_dead {
            let seen = witnesses.alive[newest_dead].0 + 1;
            for (_, object) in witnesses.alive.drain(..=newest_dead) {
                // SAFETY: as above.
                unsafe { object.delete(env) };
            }
            witnesses.seen = seen;
            witnesses.least_used = None;
        }
        if witnesses.seen > 0 {
            // SAFETY: as above.
            let used = self.java.get().and_then(|java| unsafe { java.used(env) });
            witnesses.least_used = witnesses.least_used.into_iter().chain(used).min();
            self.note_used(witnesses.least_used);
        }
        let now = self.epoch();
        let is_there = witnesses
            .alive
            .last()
            .is_some_and(|&(epoch, _)| epoch == now);
        if !is_there && let Some(java) = self.java.get() {
            if witnesses.alive.len() == MOST_WITNESSES {
                let (_, oldest) = witnesses.alive.remove(0);
                // SAFETY: as above.
                unsafe { oldest.delete(env) };
            }
            // SAFETY: as above.
            let witness = unsafe { java.new_garbage(env) };
            // If a collection began meanwhile, it is a witness of the earlier epoch only.
            witnesses
                .alive
                .extend(witness.map(|witness| (now, witness)));
        }
        witnesses.seen
    }

    /// What is used of the heap: what the last collection has left and true, or where that is not known what is used now and
    /// false.
    ///
    /// # Safety
    /// `env` is the calling thread's own.
    pub(crate) unsafe fn used(&self, env: *mut JNIEnv) -> Option<(u64, bool)> {
        match self.used_after.load(Ordering::Acquire) {
            // SAFETY: the caller vouches for the environment.
            0 => Some((unsafe { self.java.get()?.used(env) }?, false)),
            after => Some((after - 1, true)),
        }
    }

    /// A pause of the collector begins. No thread of Java's runs, and nothing may be asked of the JVM.
    pub(crate) fn on_pause_start(&self) {
        self.pauses.fetch_add(1, Ordering::AcqRel);
    }

    /// A pause of the collector ends.
    pub(crate) fn on_pause_end(&self) {
        self.note_used(self.collections.get().and_then(Collections::used_after));
    }

    fn note_used(&self, bytes: Option<u64>) {
        if let Some(bytes) = bytes {
            self.used_after
                .store(bytes.saturating_add(1), Ordering::Release);
        }
    }

    fn age(&self, alive: &Alive, seen: u64, now: u64) -> u64 {
        if alive.born >= seen {
            return 0;
        }
        let epochs = now.saturating_sub(alive.born);
        let of_a_collection = if self.counts_collections() {
            1
        } else {
            PAUSES_OF_A_COLLECTION
        };
        (epochs / of_a_collection).max(1)
    }

    fn epoch(&self) -> u64 {
        self.collections
            .get()
            .and_then(Collections::begun)
            .unwrap_or_else(|| self.pauses.load(Ordering::Acquire))
    }

    fn counts_collections(&self) -> bool {
        self.collections
            .get()
            .is_some_and(|collections| collections.begun().is_some())
    }

    fn is_stopping(&self) -> bool {
        self.collections.get().is_some_and(Collections::is_stopping)
    }

    fn table(&self) -> MutexGuard<'_, Table<WeakObject>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn witnesses(&self) -> MutexGuard<'_, Witnesses> {
        self.witnesses
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

const PAUSES: [sys::jvmtiEvent; 2] = [
    sys::JVMTI_EVENT_GARBAGE_COLLECTION_START,
    sys::JVMTI_EVENT_GARBAGE_COLLECTION_FINISH,
];

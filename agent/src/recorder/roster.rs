//! Who the threads are, as the recorder knows them.

use jfr_writer::ThreadRef;
use jprof_signal_safe::threads::ThreadKey;
use rustc_hash::FxHashMap;

use crate::threads::JavaIdentity;

/// A thread's names and numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct ThreadFacts {
    pub(super) tid: u32,
    pub(super) native_name: String,
    pub(super) java: Option<JavaIdentity>,
}

impl ThreadFacts {
    pub(super) fn as_ref(&self) -> ThreadRef<'_> {
        let java_name = self.java.as_ref().map(|java| java.name.as_str());
        ThreadRef {
            os_id: u64::from(self.tid),
            // A reader shows the native name of a Java thread, which the kernel cuts at 15 bytes:
            // the whole one serves better.
            os_name: java_name.unwrap_or(&self.native_name),
            java_id: self.java.as_ref().map_or(0, |java| java.id),
            java_name,
        }
    }
}

/// The threads known by key.
#[derive(Debug, Default)]
pub(super) struct Roster {
    threads: FxHashMap<ThreadKey, ThreadFacts>,
    ended: Vec<ThreadKey>,
}

impl Roster {
    /// The facts of a thread; `find` asks the system about one that is new.
    pub(super) fn get_or_find(&mut self, key: ThreadKey, find: impl FnOnce() -> ThreadFacts) -> &mut ThreadFacts {
        self.threads.entry(key).or_insert_with(find)
    }

    pub(super) fn get(&self, key: ThreadKey) -> Option<&ThreadFacts> {
        self.threads.get(&key)
    }

    /// The thread has ended: it is forgotten by the next `forget_ended`.
    pub(super) fn ends(&mut self, key: ThreadKey) {
        self.ended.push(key);
    }

    /// Forgets ended threads whose records have all been read.
    pub(super) fn forget_ended(&mut self) {
        for key in self.ended.drain(..) {
            self.threads.remove(&key);
        }
    }
}

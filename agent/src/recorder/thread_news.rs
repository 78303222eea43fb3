//! What the recorder hears of threads, and their names as they are at the chunk's end.

use jfr_writer::{ThreadEnd, ThreadStart};
use jni_sys::JNIEnv;
use jprof_signal_safe::clock::monotonic_nanos;
use jprof_signal_safe::threads::ThreadKey;

use super::roster::ThreadFacts;
use super::{Recorder, Run};
use crate::host;
use crate::java::JavaThreads;
use crate::threads::ThreadEvent;

impl Run {
    /// Asks the names of the threads that are there: no hook tells of their end, and then the
    /// system has forgotten them.
    pub(super) fn meet_existing_threads(&mut self) {
        for (key, ..) in self.recorder.registry.threads() {
            self.roster
                .get_or_find(key, || find_thread(&self.recorder, key));
        }
    }

    /// Who a thread is. A thread that is not known yet, or that the system does not know any more,
    /// has announced itself before its records came: the announcement may only be unread.
    pub(super) fn facts_of(&mut self, key: ThreadKey) -> &ThreadFacts {
        if self.roster.get(key).is_none() {
            self.read_thread_events();
        }
        let found = self
            .roster
            .get_or_find(key, || find_thread(&self.recorder, key));
        if found.is_nameless() {
            self.read_thread_events();
        }
        self.roster
            .get_or_find(key, || find_thread(&self.recorder, key))
    }

    pub(super) fn read_thread_events(&mut self) {
        while let Some(event) = self.recorder.registry.next_event() {
            match event {
                ThreadEvent::Java {
                    key,
                    nanos,
                    identity,
                    begins,
                    parent,
                } => {
                    let facts = self
                        .roster
                        .get_or_find(key, || find_thread(&self.recorder, key));
                    facts.becomes(nanos, identity);
                    if begins {
                        self.write_thread_start(key, nanos, parent);
                    }
                }
                ThreadEvent::JavaEnd {
                    key,
                    nanos,
                    identity,
                } => {
                    let facts = self
                        .roster
                        .get_or_find(key, || find_thread(&self.recorder, key));
                    if let Some(identity) = identity {
                        facts.becomes(nanos, identity);
                    }
                    self.write_thread_end(key, nanos);
                }
                ThreadEvent::End {
                    key,
                    tid,
                    native_name,
                } => {
                    let facts = self.roster.get_or_find(key, ThreadFacts::default);
                    facts.tid = tid;
                    if let Some(name) = native_name {
                        facts.native_name = name;
                    }
                    self.roster.ends(key);
                }
            }
        }
    }

    fn write_thread_start(&mut self, key: ThreadKey, nanos: u64, parent: Option<ThreadKey>) {
        let ticks = self.clock.ticks(nanos);
        let facts = self
            .roster
            .get(key)
            .map(|facts| facts.at(nanos))
            .unwrap_or_default();
        let parent = parent.and_then(|parent| {
            self.roster
                .get(parent)
                .map(|facts| (parent, facts.at(nanos)))
        });
        let Some(chunk) = self.chunk.as_mut() else {
            return;
        };
        let thread = chunk.thread(key, &facts);
        let parent = parent.map_or(jfr_writer::ThreadId::NULL, |(key, facts)| {
            chunk.thread(key, &facts)
        });
        let event = ThreadStart {
            ticks,
            event_thread: thread,
            stack: jfr_writer::StackTraceId::NULL,
            thread,
            parent_thread: parent,
        };
        let result = chunk.write_counted(&event);
        self.check(result);
    }

    fn write_thread_end(&mut self, key: ThreadKey, nanos: u64) {
        let ticks = self.clock.ticks(nanos);
        let facts = self
            .roster
            .get_or_find(key, || find_thread(&self.recorder, key))
            .at(nanos);
        let Some(chunk) = self.chunk.as_mut() else {
            return;
        };
        let thread = chunk.thread(key, &facts);
        // Its last name is that of the whole chunk, as for a thread that lives on.
        chunk.rename_thread(key, &facts);
        let result = chunk.write_counted(&ThreadEnd { ticks, thread });
        self.check(result);
    }

    /// Threads may have been renamed since they were first seen.
    pub(super) fn refresh_names(&mut self) {
        if let (Some(java), Some(env), Some((reader, memory))) =
            (&self.recorder.java, self.env, &self.recorder.thread_reader)
        {
            for live in live_threads(java, env) {
                let Ok(tid) = reader.os_thread_id(memory, live.java_thread as u64) else {
                    continue;
                };
                if let Some(key) = self.recorder.registry.key_of(tid.cast_unsigned()) {
                    let facts = self
                        .roster
                        .get_or_find(key, || find_thread(&self.recorder, key));
                    facts.becomes(monotonic_nanos(), live.identity);
                }
            }
        }
        let Some(chunk) = self.chunk.as_mut() else {
            return;
        };
        for key in chunk.thread_keys() {
            let Some(slot) = self.recorder.sampler.threads.get(key) else {
                continue;
            };
            let facts = self
                .roster
                .get_or_find(key, || find_thread(&self.recorder, key));
            if facts.java.is_none()
                && let Some(name) = host::procfs::thread_name(slot.tid().cast_signed())
            {
                facts.native_name = name;
            }
            chunk.rename_thread(key, facts);
        }
    }
}

#[allow(unsafe_code)]
fn live_threads(java: &JavaThreads, env: *mut JNIEnv) -> Vec<crate::java::LiveThread> {
    // SAFETY: `env` belongs to the recorder thread, on which all of this runs: see `Recorder::run`.
    unsafe { java.live_threads(env) }
}

/// Asks the system about a thread that nobody announced.
fn find_thread(recorder: &Recorder, key: ThreadKey) -> ThreadFacts {
    let tid = recorder
        .sampler
        .threads
        .get(key)
        .map_or(0, jprof_signal_safe::threads::ThreadSlot::tid);
    let native_name = host::procfs::thread_name(tid.cast_signed()).unwrap_or_else(|| {
        // Without /proc there is nobody to ask.
        let own = recorder.registry.is_own(key);
        if own { "jprof" } else { "" }.to_owned()
    });
    ThreadFacts::new(tid, native_name)
}

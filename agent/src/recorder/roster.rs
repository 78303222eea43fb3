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
    /// Who it was before, and until when: a native thread may serve several Java threads one after
    /// the other (`main`, then `DestroyJavaVM`).
    earlier: Option<(u64, JavaIdentity)>,
    /// At the last sweep its slot had been given up.
    gone: bool,
}

impl ThreadFacts {
    pub(super) fn new(tid: u32, native_name: String) -> Self {
        Self {
            tid,
            native_name,
            java: None,
            earlier: None,
            gone: false,
        }
    }

    /// Whether nobody has said yet who this is.
    pub(super) const fn is_nameless(&self) -> bool {
        self.native_name.is_empty() && self.java.is_none()
    }

    /// From `nanos` on it is this Java thread, or has this name.
    pub(super) fn becomes(&mut self, nanos: u64, identity: JavaIdentity) {
        let before = self.java.take();
        let now = self.java.insert(identity);
        match before {
            Some(before) if before.id != now.id => self.earlier = Some((nanos, before)),
            // A thread that ends has left its group.
            Some(before) if now.group.is_none() => now.group = before.group,
            _ => {}
        }
    }

    /// The facts as they were at `nanos`.
    pub(super) fn at(&self, nanos: u64) -> Self {
        let java = match &self.earlier {
            Some((until, before)) if nanos < *until => Some(before.clone()),
            _ => self.java.clone(),
        };
        Self {
            tid: self.tid,
            native_name: self.native_name.clone(),
            java,
            earlier: None,
            gone: false,
        }
    }

    /// Tells the Java threads of one native thread apart; 0 for none.
    pub(super) fn java_id(&self) -> u64 {
        self.java.as_ref().map_or(0, |java| java.id)
    }

    pub(super) fn as_ref(&self) -> ThreadRef<'_> {
        let java_name = self.java.as_ref().map(|java| java.name.as_str());
        ThreadRef {
            os_id: u64::from(self.tid),
            // A reader shows the native name of a Java thread, which the kernel cuts at 15 bytes:
            // the whole one serves better.
            os_name: java_name.unwrap_or(&self.native_name),
            java_id: self.java_id(),
            java_name,
            group: self.java.as_ref().and_then(|java| java.group.as_deref()),
        }
    }
}

/// The threads known by key.
#[derive(Debug, Default)]
pub(super) struct Roster {
    threads: FxHashMap<ThreadKey, ThreadFacts>,
    ended: Vec<ThreadKey>,
    ended_before: Vec<ThreadKey>,
}

impl Roster {
    /// The facts of a thread; `find` asks the system about one that is new.
    pub(super) fn get_or_find(
        &mut self,
        key: ThreadKey,
        find: impl FnOnce() -> ThreadFacts,
    ) -> &mut ThreadFacts {
        self.threads.entry(key).or_insert_with(find)
    }

    pub(super) fn get(&self, key: ThreadKey) -> Option<&ThreadFacts> {
        self.threads.get(&key)
    }

    /// The thread has ended: it is forgotten by the next `forget_ended` but one.
    pub(super) fn ends(&mut self, key: ThreadKey) {
        self.ended.push(key);
    }

    /// Forgets threads that were gone at the last sweep already: the announcement of their end was
    /// lost. To be called after each reading of all records, which then hold none of theirs.
    pub(super) fn sweep(&mut self, lives: impl Fn(ThreadKey) -> bool) {
        self.threads
            .retain(|&key, facts| lives(key) || !std::mem::replace(&mut facts.gone, true));
    }

    /// All rings have been read: forgets the threads whose end was known before that began.
    pub(super) fn forget_ended(&mut self) {
        for key in self.ended_before.drain(..) {
            self.threads.remove(&key);
        }
        std::mem::swap(&mut self.ended, &mut self.ended_before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn java(name: &str, id: u64) -> JavaIdentity {
        JavaIdentity {
            name: name.to_owned(),
            id,
            group: Some("main".into()),
        }
    }

    #[test]
    fn a_thread_whose_end_was_not_announced_is_forgotten_a_sweep_later() {
        let mut roster = Roster::default();
        let (lost, alive) = (ThreadKey::from_bits(1), ThreadKey::from_bits(2));
        for key in [lost, alive] {
            roster.get_or_find(key, ThreadFacts::default);
        }
        for known in [true, false] {
            roster.sweep(|key| key == alive);
            assert_eq!(roster.get(lost).is_some(), known);
            assert!(roster.get(alive).is_some());
        }
    }

    #[test]
    fn a_thread_that_ends_keeps_the_group_that_it_was_in() {
        let mut facts = ThreadFacts::new(7, "java".to_owned());
        facts.becomes(10, java("worker", 9));
        let ending = JavaIdentity {
            group: None,
            ..java("renamed", 9)
        };
        facts.becomes(20, ending);
        let thread = facts.as_ref();
        assert_eq!(thread.java_name, Some("renamed"));
        assert_eq!(thread.group, Some("main"));
    }

    #[test]
    fn a_native_thread_keeps_its_java_threads_apart_by_time() {
        let mut facts = ThreadFacts::new(7, "java".to_owned());
        facts.becomes(10, java("main", 1));
        assert_eq!(facts.at(5).as_ref().java_name, Some("main"));
        facts.becomes(100, java("DestroyJavaVM", 22));
        assert_eq!(facts.at(99).as_ref().java_name, Some("main"));
        assert_eq!(facts.at(100).as_ref().java_name, Some("DestroyJavaVM"));
        facts.becomes(200, java("renamed", 22));
        assert_eq!(facts.at(150).as_ref().java_name, Some("renamed"));
        assert_eq!(facts.at(50).java_id(), 1);
    }
}

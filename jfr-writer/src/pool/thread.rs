//! Threads. Their names may change, so their entries stay open until the chunk ends.

use std::io;

use rustc_hash::FxHashMap;

use super::Pool;
use crate::chunk::Sink;
use crate::encode::{long_len, put_long, put_text};
use crate::metadata::{Member, Structure, Type};

/// A thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThreadRef<'a> {
    /// The kernel's id of it.
    pub os_id: u64,
    /// The kernel's name of it.
    pub os_name: &'a str,
    /// `Thread.getId()`; 0: no Java thread.
    pub java_id: u64,
    /// `Thread.getName()`; `None`: no Java thread, or not known.
    pub java_name: Option<&'a str>,
    /// Name of `Thread.getThreadGroup()`; `None`: in none, or not known.
    pub group: Option<&'a str>,
}

pub(crate) const THREAD: Structure = Structure::new(
    Type::Thread,
    "java.lang.Thread",
    "Thread",
    &[
        Member::new("osName", "OS Thread Name", Type::String),
        Member::new("osThreadId", "OS Thread Id", Type::Long),
        Member::new("javaName", "Java Thread Name", Type::String),
        Member::new("javaThreadId", "Java Thread Id", Type::Long),
        Member::new("group", "Java Thread Group", Type::ThreadGroup),
    ],
);

pub(crate) const THREAD_GROUP: Structure = Structure::new(
    Type::ThreadGroup,
    "jdk.types.ThreadGroup",
    "Thread Group",
    &[
        Member::new("parent", "Parent", Type::ThreadGroup),
        Member::new("name", "Name", Type::String),
    ],
);

/// A group, whose parent readers do not ask for.
pub(crate) fn put_thread_group(out: &mut Vec<u8>, name: &str) {
    let no_parent = 0;
    put_long(out, no_parent);
    put_text(out, Some(name));
}

/// Every thread that the chunk knows.
#[derive(Debug, Default)]
pub(crate) struct Threads {
    count: u32,
    /// Threads whose entry may still change.
    open: FxHashMap<u32, Box<[u8]>>,
    /// Entries, with their keys, of threads that will not change.
    closed: Vec<u8>,
    open_len: u64,
}

impl Threads {
    /// `group` is the key of the thread's group.
    pub(crate) fn add(&mut self, thread: &ThreadRef<'_>, group: u32) -> u32 {
        self.count += 1;
        self.put(self.count, thread, group);
        self.count
    }

    /// Does nothing to a thread that was closed.
    pub(crate) fn rename(&mut self, key: u32, thread: &ThreadRef<'_>, group: u32) {
        if self.open.contains_key(&key) {
            self.put(key, thread, group);
        }
    }

    /// The thread's entry is final: it is packed away.
    pub(crate) fn close(&mut self, key: u32) {
        if let Some(entry) = self.open.remove(&key) {
            self.open_len -= entry.len() as u64;
            self.closed.extend_from_slice(&entry);
        }
    }

    fn put(&mut self, key: u32, thread: &ThreadRef<'_>, group: u32) {
        let names = thread.os_name.len() + thread.java_name.map_or(0, str::len);
        let mut entry = Vec::with_capacity(names + 5 * long_len(u64::MAX));
        put_long(&mut entry, key.into());
        put_text(&mut entry, Some(thread.os_name));
        put_long(&mut entry, thread.os_id);
        put_text(&mut entry, thread.java_name);
        put_long(&mut entry, thread.java_id);
        put_long(&mut entry, group.into());
        self.open_len += entry.len() as u64;
        if let Some(old) = self.open.insert(key, entry.into_boxed_slice()) {
            self.open_len -= old.len() as u64;
        }
    }
}

impl Pool for Threads {
    fn len(&self) -> u32 {
        self.count
    }

    fn encoded_len(&self) -> u64 {
        self.closed.len() as u64 + self.open_len
    }

    fn write(&self, out: &mut dyn Sink) -> io::Result<()> {
        for piece in [&self.closed[..]]
            .into_iter()
            .chain(self.open.values().map(|entry| &entry[..]))
        {
            out.buffer().extend_from_slice(piece);
            out.spill()?;
        }
        Ok(())
    }
}

//! From HotSpot's thread object to the kernel's thread id.

use super::Declined;
use super::memory::{Inaccessible, SafeReader};
use super::vm_structs::VmStructs;

/// Reads the kernel's thread id out of a `JavaThread`, whose address Java keeps in `java.lang.Thread.eetop`.
#[derive(Clone, Copy, Debug)]
pub struct ThreadReader {
    os_thread_offset: u64,
    thread_id_offset: u64,
}

/// Why a thread id cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ThreadError {
    /// `eetop` is 0: the thread has not started, or it has ended.
    #[error("the thread does not run")]
    NotRunning,
    /// What the address points to is not mapped (any more).
    #[error("the thread object cannot be read: {0}")]
    Unreadable(#[from] Inaccessible),
    /// The thread object has no native thread: it is about to start, or it has ended.
    #[error("the thread has no native thread")]
    NoNativeThread,
    /// What stands there is no thread id.
    #[error("{0} is no thread id")]
    NotAThreadId(i32),
}

impl ThreadReader {
    /// Takes the offsets from the tables.
    ///
    /// # Errors
    ///
    /// [`Declined`] with the field that is missing, or that has another width than a thread id.
    pub fn new(vm: &VmStructs) -> Result<ThreadReader, Declined> {
        // JavaThread begins with its base class Thread, so that an offset in either is one in both.
        let os_thread_offset = vm
            .field_offset("JavaThread", "_osthread")
            .or_else(|_| vm.field_offset("Thread", "_osthread"))?;
        let thread_id_type = vm.field_type("OSThread", "_thread_id")?;
        if !matches!(thread_id_type, "OSThread::thread_id_t" | "pid_t") {
            return Err(Declined::FieldType(
                "OSThread",
                "_thread_id",
                thread_id_type.into(),
            ));
        }
        Ok(ThreadReader {
            os_thread_offset,
            thread_id_offset: vm.field_offset("OSThread", "_thread_id")?,
        })
    }

    /// The kernel's id of the thread behind a `JavaThread*` (the value of `eetop`).
    ///
    /// # Errors
    ///
    /// [`ThreadError`]: the thread may end, and its object go, at any moment.
    pub fn os_thread_id(&self, reader: &SafeReader, java_thread: u64) -> Result<i32, ThreadError> {
        if java_thread == 0 {
            return Err(ThreadError::NotRunning);
        }
        let os_thread = reader.read_u64(java_thread.wrapping_add(self.os_thread_offset))?;
        if os_thread == 0 {
            return Err(ThreadError::NoNativeThread);
        }
        let id = reader.read_u32(os_thread.wrapping_add(self.thread_id_offset))? as i32;
        match id {
            1.. => Ok(id),
            0 => Err(ThreadError::NoNativeThread),
            _ => Err(ThreadError::NotAThreadId(id)),
        }
    }

    /// Whether a `JavaThread*` is that of the thread with this id.
    pub fn is_thread(&self, reader: &SafeReader, java_thread: u64, tid: i32) -> bool {
        self.os_thread_id(reader, java_thread) == Ok(tid)
    }
}

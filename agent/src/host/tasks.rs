//! The threads of this process as the kernel lists them, in `/proc/self/task`.
//!
//! # Safety
//!
//! The unsafe blocks are opendir(3) and its kin on a stream that one [`TaskList`] owns and closes.

#![allow(unsafe_code)]

use std::io;
use std::ptr::NonNull;

/// A thread's id in the kernel, as gettid(2) gives it.
pub type Tid = i32;

/// The open folder `/proc/self/task`, read as often as asked without a new allocation.
#[derive(Debug)]
pub struct TaskList {
    folder: NonNull<libc::DIR>,
    tids: Vec<Tid>,
}

// SAFETY: a DIR may move between threads; it is used by one at a time, since `read` asks for `&mut self`.
unsafe impl Send for TaskList {}

impl TaskList {
    /// Opens the folder. It stays tied to this process: after a fork the child has to open its own.
    ///
    /// # Errors
    ///
    /// What opendir(3) says: no `/proc`, or no file descriptor left.
    pub fn open() -> io::Result<TaskList> {
        // SAFETY: the path is a C string; the result is checked.
        let folder = unsafe { libc::opendir(c"/proc/self/task".as_ptr()) };
        let folder = NonNull::new(folder).ok_or_else(io::Error::last_os_error)?;
        Ok(TaskList {
            folder,
            tids: Vec::new(),
        })
    }

    /// The ids of the threads that live now, in no order that may be relied on.
    /// A thread that starts or ends while the list is read may be in it or not.
    ///
    /// # Errors
    ///
    /// What readdir(3) says; the list is then empty.
    pub fn read(&mut self) -> io::Result<&[Tid]> {
        self.tids.clear();
        // SAFETY: the stream is open until drop.
        unsafe { libc::rewinddir(self.folder.as_ptr()) };
        loop {
            // SAFETY: errno tells an error from the end; the entry is valid until the next call on this stream.
            let name = unsafe {
                *libc::__errno_location() = 0;
                let entry = libc::readdir64(self.folder.as_ptr());
                if entry.is_null() {
                    break;
                }
                std::ffi::CStr::from_ptr((*entry).d_name.as_ptr())
            };
            // "." and ".." are no numbers.
            if let Some(tid) = name.to_str().ok().and_then(|name| name.parse().ok()) {
                self.tids.push(tid);
            }
        }
        match io::Error::last_os_error() {
            error if error.raw_os_error() == Some(0) => Ok(&self.tids),
            error => {
                self.tids.clear();
                Err(error)
            }
        }
    }
}

impl Drop for TaskList {
    fn drop(&mut self) {
        // SAFETY: opened in `open`, closed once.
        unsafe { libc::closedir(self.folder.as_ptr()) };
    }
}

/// The ids of the threads that live now, for a single look. Who looks often keeps a [`TaskList`].
///
/// # Errors
///
/// Those of [`TaskList::open`] and [`TaskList::read`].
pub fn tasks() -> io::Result<Vec<Tid>> {
    let mut list = TaskList::open()?;
    list.read()?;
    Ok(std::mem::take(&mut list.tids))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_follows_threads_that_come_and_go() {
        let mut list = TaskList::open().unwrap();
        // SAFETY: gettid takes nothing and cannot fail.
        let own = unsafe { libc::gettid() };
        assert!(list.read().unwrap().contains(&own));

        let (tid_sender, tid_receiver) = std::sync::mpsc::channel();
        let (end_sender, end_receiver) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            // SAFETY: as above.
            tid_sender.send(unsafe { libc::gettid() }).unwrap();
            let _ = end_receiver.recv();
        });
        let other = tid_receiver.recv().unwrap();
        assert!(list.read().unwrap().contains(&other));
        assert!(tasks().unwrap().contains(&other));

        drop(end_sender);
        thread.join().unwrap();
        // The kernel takes a thread out of the folder shortly after join has seen its end.
        while list.read().unwrap().contains(&other) {
            std::thread::yield_now();
        }
    }
}

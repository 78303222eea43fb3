//! The local time of file names.
//!
//! # Safety
//! localtime_r(3) writes only the structure handed to it.
#![allow(unsafe_code)]

use std::mem;
use std::ptr;

use crate::options::LocalTime;

/// Now, in the time zone of the process.
pub(super) fn now() -> LocalTime {
    // SAFETY: see the module; zero is a valid value of the plain C structure.
    let broken_down = unsafe {
        let seconds = libc::time(ptr::null_mut());
        let mut broken_down: libc::tm = mem::zeroed();
        libc::localtime_r(&raw const seconds, &raw mut broken_down);
        broken_down
    };
    LocalTime::from(&broken_down)
}

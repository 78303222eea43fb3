//! Where functions of the JVM are not trapped.

use std::path::PathBuf;

use jprof_signal_safe::levels::BINS;
use jprof_signal_safe::threads::{ThreadKey, ThreadSlot};
use jprof_signal_safe::tick::{Lies, Sampler};

use super::{Allocated, Need};
use crate::hotspot::VmStructs;
use crate::threads::Registry;

/// There are none.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Traps {}

impl Traps {
    /// Finds nothing.
    pub(crate) fn find(
        _: Need,
        _: &'static Sampler,
        _: &VmStructs,
        _: usize,
        _: &[PathBuf],
    ) -> Result<Self, String> {
        Err("jprof sets no breakpoints on this processor".to_owned())
    }

    /// Never called.
    pub(crate) const fn set(self, _: &Registry, _: u64) -> Result<(), String> {
        match self {}
    }

    /// Never called.
    pub(crate) const fn remove(self) {
        match self {}
    }

    /// Never called.
    pub(crate) const fn set_interval(self, _: u64) {
        match self {}
    }

    /// Never called.
    pub(crate) const fn counts(self) -> (u64, u64) {
        match self {}
    }

    /// Never called.
    #[allow(unsafe_code)]
    pub(crate) const unsafe fn lies(self, _: &ThreadSlot, _: u64) -> Lies {
        match self {}
    }

    /// Never called.
    pub(crate) const fn outside(self, _: &Registry) -> Allocated {
        match self {}
    }

    /// Never called.
    pub(crate) const fn levels(self, _: ThreadKey) -> Option<([[u32; BINS]; 2], u64)> {
        match self {}
    }

    /// Never called.
    pub(crate) const fn are_all(self) -> bool {
        match self {}
    }
}

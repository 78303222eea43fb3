//! The order of the sealed profiles, and the bounds on them. Names and sizes only; the profiles are on disk.
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::SpoolLimits;
use super::folder::Folder;
use crate::UploadCounter;

/// A sealed profile that waits.
#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    pub(super) id: u64,
    pub(super) folder: Arc<Folder>,
    pub(super) stem: String,
    pub(super) is_gzip: bool,
    pub(super) bytes: u64,
    /// How old it was at `since`. A monotonic clock counts on from there, so that no jump of the wall clock ages it.
    pub(super) age: Duration,
    pub(super) since: Instant,
}

impl Waiting {
    pub(crate) fn is_gzip(&self) -> bool {
        self.is_gzip
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The profile's file in its present form.
    pub(crate) fn data(&self) -> PathBuf {
        if self.is_gzip {
            self.gzip()
        } else {
            self.raw()
        }
    }

    pub(crate) fn raw(&self) -> PathBuf {
        self.file("jfr")
    }

    pub(crate) fn gzip(&self) -> PathBuf {
        self.file("jfr.gz")
    }

    pub(crate) fn gzip_part(&self) -> PathBuf {
        self.file("jfr.gz.part")
    }

    pub(crate) fn event_json(&self) -> PathBuf {
        self.file("json")
    }

    fn file(&self, extension: &str) -> PathBuf {
        self.folder
            .path()
            .join(format!("{}.{extension}", self.stem))
    }
}

/// The sealed profiles, oldest first.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: VecDeque<Waiting>,
    bytes: u64,
    in_flight: Option<u64>,
}

impl Queue {
    pub(super) fn push(&mut self, newest: Waiting) {
        self.bytes += newest.bytes;
        self.waiting.push_back(newest);
    }

    /// Puts what a dead process left before everything else.
    pub(super) fn push_leftovers(&mut self, leftovers: Vec<Waiting>) {
        for left in leftovers.into_iter().rev() {
            self.bytes += left.bytes;
            self.waiting.push_front(left);
        }
    }

    /// The oldest profile; no bound drops it until [`Self::release`] or [`Self::remove`].
    pub(super) fn claim_oldest(&mut self) -> Option<Waiting> {
        let oldest = self.waiting.front()?;
        self.in_flight = Some(oldest.id);
        Some(oldest.clone())
    }

    pub(super) fn release(&mut self, id: u64) {
        self.in_flight.take_if(|in_flight| *in_flight == id);
    }

    pub(super) fn remove(&mut self, id: u64) {
        self.release(id);
        if let Some(at) = self.waiting.iter().position(|waiting| waiting.id == id)
            && let Some(removed) = self.waiting.remove(at)
        {
            self.bytes -= removed.bytes;
        }
    }

    /// Notes that the profile is now a gzip file of `bytes`.
    pub(super) fn compressed(&mut self, id: u64, bytes: u64) {
        if let Some(waiting) = self.waiting.iter_mut().find(|waiting| waiting.id == id) {
            self.bytes = self.bytes - waiting.bytes + bytes;
            waiting.bytes = bytes;
            waiting.is_gzip = true;
        }
    }

    /// Takes out what the bounds do not allow, oldest first, with the reason for each.
    pub(super) fn over(
        &mut self,
        limits: &SpoolLimits,
        now: Instant,
    ) -> Vec<(Waiting, UploadCounter)> {
        let mut dropped = Vec::new();
        let mut at = 0;
        while let Some(waiting) = self.waiting.get(at) {
            let age = waiting.age + now.saturating_duration_since(waiting.since);
            let reason = if age > limits.max_age {
                UploadCounter::DroppedAge
            } else if self.bytes > limits.max_bytes {
                UploadCounter::DroppedBytes
            } else if self.waiting.len() > limits.max_files {
                UploadCounter::DroppedFiles
            } else {
                at += 1;
                continue;
            };
            if self.in_flight == Some(waiting.id) {
                at += 1;
            } else if let Some(removed) = self.waiting.remove(at) {
                self.bytes -= removed.bytes;
                dropped.push((removed, reason));
            }
        }
        dropped
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}

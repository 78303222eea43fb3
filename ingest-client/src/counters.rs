//! What became of the profiles, by name.
use std::sync::atomic::{AtomicU64, Ordering};

/// Declares the counters once: variant, stable name, meaning.
macro_rules! counters {
    ($($variant:ident = $name:literal: $meaning:literal,)+) => {
        /// One counter of [`UploadCounters`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum UploadCounter { $(#[doc = $meaning] $variant,)+ }

        impl UploadCounter {
            /// Every counter, in the order of [`UploadCounters::snapshot`].
            pub const ALL: &[UploadCounter] = &[$(UploadCounter::$variant,)+];

            /// The stable name.
            pub fn name(self) -> &'static str {
                match self { $(UploadCounter::$variant => $name,)+ }
            }
        }
    };
}

counters! {
    Sent = "upload_sent": "Profiles that DataKit took.",
    SentBytes = "upload_sent_bytes": "Bytes of those profiles, as sent (after gzip).",
    RetriedConnect = "upload_retried_connect": "Tries that found nobody: refused, unreachable, name unknown.",
    RetriedTimeout = "upload_retried_timeout": "Tries that took too long.",
    RetriedReset = "upload_retried_reset": "Tries that broke off, or whose answer was no HTTP.",
    RetriedTls = "upload_retried_tls": "Tries that failed in the TLS handshake.",
    RetriedBusy = "upload_retried_busy": "Tries answered 408, 425 or 429.",
    RetriedServerError = "upload_retried_server_error": "Tries answered 5xx.",
    RetriedRedirect = "upload_retried_redirect": "Tries answered 3xx: redirects are not followed.",
    RetriedCut = "upload_retried_cut": "Tries cut off by a flush's deadline or the end of the thread.",
    RetriedLocal = "upload_retried_local": "Tries that failed before the network, for want of threads, descriptors or rights.",
    DroppedAge = "upload_dropped_age": "Profiles dropped since they waited too long.",
    DroppedBytes = "upload_dropped_bytes": "Profiles dropped since the spool held too many bytes.",
    DroppedFiles = "upload_dropped_files": "Profiles dropped since the spool held too many files.",
    DroppedTooLarge = "upload_dropped_too_large": "Profiles dropped since they are too large to send.",
    DroppedUnreadable = "upload_dropped_unreadable": "Profiles dropped since their files are gone or torn.",
    DroppedDiskFull = "upload_dropped_disk_full": "Profiles that could not be spooled since the disk is full.",
    DroppedSpoolError = "upload_dropped_spool_error": "Profiles that could not be spooled for another reason.",
    Rejected400 = "upload_rejected_400": "Profiles dropped since DataKit answered 400.",
    Rejected401 = "upload_rejected_401": "Profiles dropped since DataKit answered 401.",
    Rejected403 = "upload_rejected_403": "Profiles dropped since DataKit answered 403.",
    Rejected404 = "upload_rejected_404": "Profiles dropped since DataKit answered 404.",
    Rejected413 = "upload_rejected_413": "Profiles dropped since DataKit answered 413.",
    RejectedOther = "upload_rejected_other": "Profiles dropped since DataKit answered another 4xx.",
    SpoolFiles = "spool_files": "Profiles that wait now.",
    SpoolBytes = "spool_bytes": "Bytes of the profiles that wait now.",
}

/// Counters of one [`Spool`](crate::Spool) and of the [`Uploader`](crate::Uploader) that sends from it.
#[derive(Debug, Default)]
pub struct UploadCounters {
    values: [AtomicU64; UploadCounter::ALL.len()],
}

impl UploadCounters {
    /// The present value of one counter.
    pub fn get(&self, counter: UploadCounter) -> u64 {
        self.values[counter as usize].load(Ordering::Relaxed)
    }

    /// Every counter by its stable name, in a fixed order.
    pub fn snapshot(&self) -> Vec<(&'static str, u64)> {
        let all = UploadCounter::ALL.iter();
        all.map(|&counter| (counter.name(), self.get(counter)))
            .collect()
    }

    pub(crate) fn add(&self, counter: UploadCounter, amount: u64) {
        self.values[counter as usize].fetch_add(amount, Ordering::Relaxed);
    }

    pub(crate) fn set(&self, counter: UploadCounter, value: u64) {
        self.values[counter as usize].store(value, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_unique_and_values_are_found_under_them() {
        let counters = UploadCounters::default();
        for (value, &counter) in UploadCounter::ALL.iter().enumerate() {
            counters.add(counter, value as u64 + 1);
        }
        let snapshot = counters.snapshot();
        let names: HashSet<_> = snapshot.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), UploadCounter::ALL.len());
        assert_eq!(snapshot[0], ("upload_sent", 1));
        assert_eq!(
            snapshot.last(),
            Some(&("spool_bytes", UploadCounter::ALL.len() as u64))
        );
    }
}

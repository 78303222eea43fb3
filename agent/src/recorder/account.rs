//! CPU time: what the samples stand for must add up to what the process used.
//!
//! The process's CPU clock counts all threads, ended ones included. What remains of it after the
//! samples and after what living threads have not yet claimed is the time of threads that ended
//! (their last moments, and threads too short to be seen). It is shown as `[thread_end]`.

/// The account of a session, in CPU nanoseconds.
#[derive(Debug)]
pub(super) struct CpuAccount {
    /// The process's clock when sampling began.
    start: u64,
    /// What samples stand for so far.
    claimed: u64,
    interval_nanos: u64,
}

impl CpuAccount {
    pub(super) const fn new(process_cpu_nanos: u64, interval_nanos: u64) -> Self {
        Self {
            start: process_cpu_nanos,
            claimed: 0,
            interval_nanos,
        }
    }

    /// A sample of this weight was seen.
    pub(super) const fn claim(&mut self, weight: u64) {
        self.claimed = self
            .claimed
            .saturating_add(weight.saturating_mul(self.interval_nanos));
    }

    /// The weight that nobody living will claim, given the process's clock now and what living
    /// threads have used beyond their samples (negative where a sample was rounded up).
    pub(super) fn unattributed(&self, process_cpu_nanos: u64, unclaimed_by_living: i64) -> u64 {
        let used = process_cpu_nanos.saturating_sub(self.start).cast_signed();
        let rest = used - self.claimed.cast_signed() - unclaimed_by_living;
        let interval = self.interval_nanos.max(1).cast_signed();
        u64::try_from((rest + interval / 2) / interval).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::CpuAccount;

    #[test]
    fn what_ended_threads_used_is_given_out_once() {
        let mut account = CpuAccount::new(1_000, 10);
        account.claim(7);
        // 100 used, 70 in samples, 12 still with living threads.
        assert_eq!(account.unattributed(1_100, 12), 2);
        account.claim(2);
        assert_eq!(account.unattributed(1_100, 12), 0);
        assert_eq!(account.unattributed(1_100, -3), 1);
    }

    #[test]
    fn clocks_that_disagree_give_nothing_rather_than_too_much() {
        let mut account = CpuAccount::new(0, 10);
        account.claim(50);
        assert_eq!(account.unattributed(100, 0), 0);
    }
}

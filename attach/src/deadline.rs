use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::AttachError;

/// Until when a call may take, and whether somebody has given up on it.
#[derive(Clone, Debug)]
pub struct Deadline {
    end: Instant,
    timeout: Duration,
    cancelled: Arc<AtomicBool>,
}

impl Deadline {
    /// The longest time that any wait goes on without a look at [`Deadline::cancelled_by`]'s flag.
    pub(crate) const LONGEST_SLEEP: Duration = Duration::from_millis(50);

    /// That long from now.
    #[must_use]
    pub fn after(timeout: Duration) -> Deadline {
        let now = Instant::now();
        Deadline {
            // What lies beyond the clock's range is as good as never: a century.
            end: now
                .checked_add(timeout)
                .unwrap_or(now + Duration::from_secs(100 * 366 * 86_400)),
            timeout,
            cancelled: Arc::default(),
        }
    }

    /// Calls end with [`AttachError::Cancelled`] soon after `flag` is set, and leave nothing behind: for a handler of
    /// the signals that end a command.
    #[must_use]
    pub fn cancelled_by(self, flag: Arc<AtomicBool>) -> Deadline {
        Deadline {
            cancelled: flag,
            ..self
        }
    }

    /// The same with an earlier end, if `limit` from now is earlier.
    pub(crate) fn at_most(&self, limit: Duration) -> Deadline {
        let end = Instant::now().checked_add(limit);
        Deadline {
            end: end.map_or(self.end, |end| end.min(self.end)),
            ..self.clone()
        }
    }

    /// The whole length, for messages.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(crate) fn is_over(&self) -> bool {
        Instant::now() >= self.end
    }

    /// Pauses; `false` once the time is over.
    ///
    /// # Errors
    /// [`AttachError::Cancelled`].
    pub(crate) fn pause(&self, length: Duration) -> Result<bool, AttachError> {
        self.check_cancelled()?;
        let left = self.end.saturating_duration_since(Instant::now());
        thread::sleep(length.min(left).min(Deadline::LONGEST_SLEEP));
        self.check_cancelled()?;
        Ok(!self.is_over())
    }

    pub(crate) fn check_cancelled(&self) -> Result<(), AttachError> {
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(AttachError::Cancelled);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_ends() {
        let deadline = Deadline::after(Duration::ZERO);
        assert!(deadline.is_over());
        assert!(matches!(deadline.pause(Duration::MAX), Ok(false)));
        assert!(!Deadline::after(Duration::MAX).is_over());
    }

    #[test]
    fn a_part_never_outlives_the_whole() {
        let whole = Deadline::after(Duration::ZERO);
        assert!(whole.at_most(Duration::MAX).is_over());
        let whole = Deadline::after(Duration::MAX);
        assert!(whole.at_most(Duration::ZERO).is_over());
        assert_eq!(whole.at_most(Duration::ZERO).timeout(), Duration::MAX);
    }

    #[test]
    fn a_cancelled_wait_ends() {
        let flag = Arc::new(AtomicBool::new(false));
        let deadline = Deadline::after(Duration::MAX).cancelled_by(Arc::clone(&flag));
        assert!(matches!(deadline.pause(Duration::ZERO), Ok(true)));
        flag.store(true, Ordering::Relaxed);
        let cancelled = deadline.pause(Duration::MAX);
        assert!(matches!(cancelled, Err(AttachError::Cancelled)));
    }
}

//! What became of the profiles, by name.

/// Counters of one [`Spool`](crate::Spool) and of the [`Uploader`](crate::Uploader) that sends from it.
#[derive(Debug, Default)]
pub struct UploadCounters {}

impl UploadCounters {
    /// Every counter by its stable name, in a fixed order.
    pub fn snapshot(&self) -> Vec<(&'static str, u64)> {
        todo!()
    }
}

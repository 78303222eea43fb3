//! What a profile is, beside its bytes.

/// What a profile is, beside its bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProfileMetadata {
    /// When the profile begins, nanoseconds since 1970-01-01 UTC.
    pub start_unix_nanos: u64,
    /// When the profile ends, nanoseconds since 1970-01-01 UTC.
    pub end_unix_nanos: u64,
    /// Tags of the profile, in the order they are sent.
    pub tags: Vec<(String, String)>,
    /// Tags that DataKit puts on the metrics it derives (`sub_custom_tags`).
    pub custom_tags: Vec<(String, String)>,
}

/// Why a text is no event.json.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MetadataError {}

impl ProfileMetadata {
    /// The text of event.json.
    pub fn to_event_json(&self) -> String {
        todo!()
    }

    /// Reads an event.json.
    pub fn from_event_json(_text: &str) -> Result<ProfileMetadata, MetadataError> {
        todo!()
    }
}

//! Where profiles go.
use std::fmt;

/// Where profiles go: scheme, host, port and path of DataKit's profile input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {}

/// Why a text is no [`Endpoint`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {}

impl Endpoint {
    /// Reads a base (`http://host:9529`) or a full path (`http://host:9529/profiling/v1/input`).
    pub fn parse(_url: &str) -> Result<Endpoint, EndpointError> {
        todo!()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
    }
}

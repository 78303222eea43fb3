//! How the uploader goes about it.
use std::path::PathBuf;
use std::time::Duration;

/// How the [`Uploader`](crate::Uploader) goes about it. Begin with `UploaderConfig::default()`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct UploaderConfig {
    /// The service that is profiled. What an earlier process of the same service left in the spool is sent even when
    /// it was meant for another address; empty: only what was meant for the same address is.
    pub service: String,
    /// Certificates to trust for `https`, as PEM, in place of the built-in ones. DataKit's own certificate is seldom
    /// signed by a public authority.
    pub trusted_certificates: Option<PathBuf>,
    /// Bound of looking the host's name up.
    pub resolve_timeout: Duration,
    /// Bound of connecting, TLS included.
    pub connect_timeout: Duration,
    /// Bound of waiting for the answer's head once the body is sent.
    pub response_timeout: Duration,
    /// Bound of one whole try.
    pub try_timeout: Duration,
    /// Longest pause after the first failure; it doubles with each further one.
    pub backoff_base: Duration,
    /// Longest pause after any failure, also when the server asks for more.
    pub backoff_cap: Duration,
    /// Pause after 401, 403, 404 and redirects: somebody has to change a setting first.
    pub refusal_pause: Duration,
    /// Longest that one and the same trouble is kept from the log after it was told.
    pub silence: Duration,
    /// A profile that is larger than this after gzip is dropped.
    pub max_profile_bytes: u64,
    /// gzip's level: 0 (stored) to 9.
    pub gzip_level: u32,
}

impl Default for UploaderConfig {
    fn default() -> UploaderConfig {
        UploaderConfig {
            service: String::new(),
            trusted_certificates: None,
            // The C library's resolver asks again after five seconds.
            resolve_timeout: Duration::from_secs(6),
            // Two lost SYNs (one and two seconds later) do not fail it.
            connect_timeout: Duration::from_secs(5),
            // DataKit answers 408 after 30 s by itself.
            response_timeout: Duration::from_secs(35),
            // 20 MB in one minute are 2.7 Mbit/s: slower lines do not carry continuous profiles.
            try_timeout: Duration::from_secs(60),
            backoff_base: Duration::from_secs(1),
            backoff_cap: Duration::from_secs(300),
            refusal_pause: Duration::from_secs(600),
            silence: Duration::from_secs(600),
            // DataKit analyses profiles up to 20 MB; its body limit is 32 MiB.
            max_profile_bytes: 20_000_000,
            // Measured on recordings of 0.4 to 16 MB: level 5 packs to 0.30 to 0.36 at 9 to 27 ms per MB. Level 1
            // takes a sixth to two fifths of the time for a fifth to two fifths more bytes; level 6 takes 1.1 to 1.4
            // times the time for at most 1.3 % fewer, level 9 three to five times for 4 %.
            gzip_level: 5,
        }
    }
}

//! What an upload says of the process.

use std::fs::File;
use std::io::Read;

use crate::host;
use crate::hotspot::{JavaVersion, JvmInfo};
use crate::options::{Options, default_service_name};
use crate::recorder::VERSION;

/// The tags of all uploads of a session, in DataKit's names.
pub(super) fn of_session(
    options: &Options,
    jvm: &JvmInfo,
    java_version: Option<JavaVersion>,
) -> Vec<(String, String)> {
    let process_name = default_service_name(&jvm.java_arguments);
    let host = options
        .host
        .clone()
        .or_else(host::hostname)
        .unwrap_or_default();
    let mut tags = vec![
        ("host".to_owned(), host),
        (
            "service".to_owned(),
            options
                .service
                .clone()
                .unwrap_or_else(|| process_name.to_owned()),
        ),
    ];
    for (name, value) in [("env", &options.env), ("version", &options.version)] {
        if let Some(value) = value {
            tags.push((name.to_owned(), value.clone()));
        }
    }
    let fixed = [
        ("language", "java".to_owned()),
        ("runtime", "jvm".to_owned()),
        (
            "runtime_version",
            java_version.map_or_else(String::new, |version| version.to_string()),
        ),
        ("runtime_os", std::env::consts::OS.to_owned()),
        ("runtime_arch", std::env::consts::ARCH.to_owned()),
        ("runtime-id", random_id()),
        ("process_id", jvm.pid.to_string()),
        ("process_name", process_name.to_owned()),
        ("library_type", options.library_type.clone()),
        ("library_version", VERSION.to_owned()),
        ("profiler_version", VERSION.to_owned()),
    ];
    tags.extend(fixed.map(|(name, value)| (name.to_owned(), value)));
    for (name, value) in &options.tags {
        if !tags.iter().any(|(known, _)| known == name) {
            tags.push((name.clone(), value.clone()));
        }
    }
    tags.retain(|(_, value)| !value.is_empty());
    tags
}

/// A random UUID, version 4 (RFC 9562, section 5.4); empty where the system has no randomness.
fn random_id() -> String {
    let mut bytes = [0_u8; 16];
    if File::open("/dev/urandom")
        .and_then(|mut random| random.read_exact(&mut bytes))
        .is_err()
    {
        return String::new();
    }
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let mut text = String::with_capacity(36);
    for (place, byte) in bytes.iter().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::random_id;

    #[test]
    fn runtime_ids_are_uuids_of_version_4_and_differ() {
        let (first, second) = (random_id(), random_id());
        assert_eq!(first.len(), 36);
        assert_eq!(first.as_bytes()[14], b'4');
        assert!(matches!(first.as_bytes()[19], b'8' | b'9' | b'a' | b'b'));
        assert_ne!(first, second);
    }
}

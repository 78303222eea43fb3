//! Numbers of tracepoints, as tracefs has them.

use std::fs;
use std::io;

/// Where tracefs is mounted: its own place, and that of older kernels.
const FOLDERS: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// The number of the tracepoint `group:name`.
///
/// # Errors
/// In words: there is no such tracepoint, or tracefs does not say.
pub(super) fn number(group: &str, name: &str) -> Result<u64, String> {
    let mut refusal = None;
    for folder in FOLDERS {
        match fs::read_to_string(format!("{folder}/events/{group}/{name}/id")) {
            Ok(text) => {
                return text
                    .trim()
                    .parse()
                    .map_err(|_| format!("its number in {folder} is {:?}", text.trim()));
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                refusal = Some(format!("{folder} cannot be read: {error}; root can"));
            }
            Err(_) => {}
        }
    }
    Err(refusal.unwrap_or_else(|| {
        if FOLDERS.iter().any(|folder| fs::exists(format!("{folder}/events")).unwrap_or(false)) {
            "this kernel has no such tracepoint".to_owned()
        } else {
            "tracefs, where the numbers of tracepoints stand, is not mounted: mount -t tracefs tracefs /sys/kernel/tracing"
                .to_owned()
        }
    }))
}

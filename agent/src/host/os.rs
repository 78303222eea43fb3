//! The operating system's name and the host's, as text.
//!
//! # Safety
//!
//! The unsafe blocks are uname(2), gethostname(2) and gnu_get_libc_version(3), which fill a local or give a static string.

#![allow(unsafe_code)]

use std::ffi::{CStr, c_char};
use std::fs;
use std::mem::MaybeUninit;

/// What JFR's `jdk.OSInformation` holds as `osVersion`: the distribution, the kernel and the C library, a line each.
pub fn os_description() -> String {
    let mut lines = Vec::new();
    lines.extend(distribution());
    lines.extend(kernel());
    lines.extend(c_library());
    lines.join("\n")
}

/// The host's name, as gethostname(2) gives it; `None` when it has none.
pub fn hostname() -> Option<String> {
    // HOST_NAME_MAX is 64 on Linux; longer names are cut, and a cut one need not end in a zero.
    let mut buffer = [0 as c_char; 256];
    // SAFETY: the length given leaves the last byte, which stays zero.
    let name = unsafe {
        if libc::gethostname(buffer.as_mut_ptr(), buffer.len() - 1) != 0 {
            return None;
        }
        CStr::from_ptr(buffer.as_ptr())
    };
    let name = name.to_string_lossy().into_owned();
    (!name.is_empty()).then_some(name)
}

fn distribution() -> Option<String> {
    let text = ["/etc/os-release", "/usr/lib/os-release"]
        .iter()
        .find_map(|path| fs::read_to_string(path).ok())?;
    distribution_name(&text)
}

/// The distribution's name in the text of an os-release(5) file.
pub(crate) fn distribution_name(os_release: &str) -> Option<String> {
    let value = |key: &str| {
        let line = os_release
            .lines()
            .find_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='))?;
        let line = line.trim();
        let unquote = |quote: char| line.strip_prefix(quote)?.strip_suffix(quote);
        let value = unquote('"').or_else(|| unquote('\'')).unwrap_or(line);
        (!value.is_empty()).then(|| value.replace("\\\"", "\"").replace("\\$", "$"))
    };
    value("PRETTY_NAME").or_else(|| match (value("NAME")?, value("VERSION")) {
        (name, Some(version)) => Some(format!("{name} {version}")),
        (name, None) => Some(name),
    })
}

fn kernel() -> Option<String> {
    let mut names = MaybeUninit::<libc::utsname>::uninit();
    // SAFETY: uname fills the struct that it is given when it returns 0.
    let names = unsafe {
        if libc::uname(names.as_mut_ptr()) != 0 {
            return None;
        }
        names.assume_init()
    };
    let text = |field: &[c_char]| {
        // SAFETY: the kernel ends each of these arrays with a zero.
        let text = unsafe { CStr::from_ptr(field.as_ptr()) };
        text.to_string_lossy().into_owned()
    };
    Some(format!(
        "uname: {} {} {} {}",
        text(&names.sysname),
        text(&names.release),
        text(&names.version),
        text(&names.machine)
    ))
}

#[cfg(target_env = "gnu")]
fn c_library() -> Option<String> {
    // SAFETY: a static string.
    let version = unsafe { CStr::from_ptr(libc::gnu_get_libc_version()) };
    Some(format!("libc: glibc {}", version.to_string_lossy()))
}

#[cfg(not(target_env = "gnu"))]
fn c_library() -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pretty_name_is_taken_without_its_quotes() {
        let text = "NAME=\"Debian GNU/Linux\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\n";
        assert_eq!(
            distribution_name(text).as_deref(),
            Some("Debian GNU/Linux 12 (bookworm)")
        );
    }

    #[test]
    fn without_a_pretty_name_the_name_and_version_serve() {
        assert_eq!(
            distribution_name("NAME=Foo\nVERSION='3 \\\"x\\\"'\n").as_deref(),
            Some("Foo 3 \"x\"")
        );
        assert_eq!(
            distribution_name("NAME=Foo\nPRETTY_NAME=\"\"\n").as_deref(),
            Some("Foo")
        );
        assert_eq!(distribution_name("ID=foo\n"), None);
    }

    #[test]
    fn this_machine_has_a_description_and_a_name() {
        let description = os_description();
        assert!(description.contains("uname: Linux "), "{description}");
        let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        assert_eq!(hostname().as_deref(), Some(name.trim_end()));
    }
}

//! `/proc/PID/mountinfo` (proc_pid_mountinfo(5)): where a process's file systems are mounted.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// The mount points, as paths of the process's own.
pub(crate) fn parse(text: &[u8]) -> Vec<PathBuf> {
    let lines = text.split(|&byte| byte == b'\n');
    let points = lines.filter_map(|line| line.split(|&byte| byte == b' ').nth(4));
    points.map(unescape).collect()
}

/// A blank, a tab, a line's end and a backslash are written as three octal digits behind a backslash.
fn unescape(point: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(point.len());
    let mut rest = point;
    while let Some((&first, after)) = rest.split_first() {
        let digits = after
            .get(..3)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let escaped = digits.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match escaped.filter(|_| first == b'\\') {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[3..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    PathBuf::from(OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_with_and_without_escapes() {
        let text =
            br"36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
37 35 0:5 / /with\040blank\134and\011tab rw - tmpfs tmpfs rw
38 35 0:6 / /odd\99 rw - tmpfs tmpfs rw
short line
";
        let expected = ["/mnt2", "/with blank\\and\ttab", r"/odd\99"];
        assert_eq!(parse(text), expected.map(PathBuf::from));
        assert_eq!(parse(b""), Vec::<PathBuf>::new());
    }
}

//! Whether a process is frozen by its control group (cgroups(7)): such a process looks alive and never answers.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// Where systemd mounts the hierarchies; elsewhere nothing is known of them.
const MOUNTS: &str = "/sys/fs/cgroup";

/// Whether the process of this `/proc/PID/cgroup` is frozen, as far as that can be seen from here.
pub(crate) fn is_frozen(groups: &str) -> bool {
    looks_frozen(groups, &|path| fs::read_to_string(path))
}

pub(crate) fn looks_frozen(groups: &str, read: &dyn Fn(&Path) -> io::Result<String>) -> bool {
    let file = |folder: &str, group: &str, name: &str| {
        let mut path = PathBuf::from(MOUNTS);
        path.extend([folder, group.trim_start_matches('/'), name]);
        read(&path).unwrap_or_default()
    };
    groups.lines().any(|line| {
        // The hierarchy's number, the controllers, the group.
        let mut fields = line.splitn(3, ':').skip(1);
        match (fields.next(), fields.next()) {
            // Version 2, alone or beside version 1.
            (Some(""), Some(group)) => ["", "unified"].into_iter().any(|folder| {
                let events = file(folder, group, "cgroup.events");
                events.lines().any(|line| line == "frozen 1")
            }),
            (Some("freezer"), Some(group)) => {
                // FREEZING is on its way there.
                file("freezer", group, "freezer.state").starts_with("FR")
            }
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frozen(groups: &str, path: &str, text: &str) -> bool {
        looks_frozen(groups, &|asked| {
            if asked == Path::new(path) {
                Ok(text.to_owned())
            } else {
                Err(io::ErrorKind::NotFound.into())
            }
        })
    }

    #[test]
    fn version_2() {
        let events = "/sys/fs/cgroup/pods/a/cgroup.events";
        assert!(frozen("0::/pods/a\n", events, "populated 1\nfrozen 1\n"));
        assert!(!frozen("0::/pods/a\n", events, "populated 1\nfrozen 0\n"));
        assert!(!frozen("0::/pods/b\n", events, "populated 1\nfrozen 1\n"));
    }

    #[test]
    fn version_1_and_both() {
        let groups = "6:freezer:/pods/a\n0::/\n";
        let state = "/sys/fs/cgroup/freezer/pods/a/freezer.state";
        assert!(frozen(groups, state, "FROZEN\n"));
        assert!(frozen(groups, state, "FREEZING\n"));
        assert!(!frozen(groups, state, "THAWED\n"));
        let events = "/sys/fs/cgroup/unified/cgroup.events";
        assert!(frozen(groups, events, "frozen 1\n"));
    }

    #[test]
    fn nothing_known_is_not_frozen() {
        assert!(!frozen("", "", ""));
        assert!(!frozen("no groups\n3:freezer\n", "", ""));
    }
}

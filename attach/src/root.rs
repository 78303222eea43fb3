//! A process's own file system, seen from outside.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{self, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

/// The most links in one path, as the kernel has it (path_resolution(7)).
const MOST_LINKS: u32 = 40;
/// openat2(2) gives up and asks for another try when a folder is moved meanwhile.
const TRIES: u32 = 16;

/// The root folder of a process: of its mount namespace, its chroot, or simply the system's.
///
/// `/proc/PID/root/tmp/x` must not be opened as such: a link at any of its places is followed from the *opener's* root,
/// so that who writes to the folder decides which of the host's files is opened.
#[derive(Debug)]
pub(crate) struct Root {
    folder: OwnedFd,
    /// Where the root lies in its mount namespace, `/` unless the process has called chroot(2).
    place: PathBuf,
}

impl Root {
    /// The root of the process whose folder in `/proc` is `process`. Its user's or root's rights are needed.
    pub(crate) fn open(process: impl AsFd) -> rustix::io::Result<Root> {
        Ok(Root {
            folder: fs::openat(
                &process,
                "root",
                OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
                Mode::empty(),
            )?,
            place: read_link(process, "root")?,
        })
    }

    /// Opens an existing file. Links, absolute ones too, are followed inside the root.
    pub(crate) fn open_at(&self, path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        let flags = flags | OFlags::CLOEXEC;
        for _ in 0..TRIES {
            let opened = fs::openat2(
                &self.folder,
                path,
                flags,
                Mode::empty(),
                ResolveFlags::IN_ROOT,
            );
            match opened {
                Err(Errno::AGAIN) => {}
                // Before Linux 5.6, or under a seccomp filter that does not know the call.
                Err(Errno::NOSYS | Errno::PERM) => return self.walk(path, flags),
                other => return other,
            }
        }
        Err(Errno::AGAIN)
    }

    /// [`Root::open_at`] by single steps, none of which follows a link.
    fn walk(&self, path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        // The folders from the root to where the walk is, and the names ahead, the next one last.
        let mut trail: Vec<OwnedFd> = Vec::new();
        let mut ahead = names(path);
        let mut links = 0;
        while let Some(name) = ahead.pop() {
            if name == ".." {
                trail.pop();
                continue;
            }
            let folder = trail.last().map_or(self.folder.as_fd(), AsFd::as_fd);
            let step = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let place = fs::openat(folder, &name, step, Mode::empty())?;
            if is_link(&fs::fstat(&place)?)
                && !(ahead.is_empty() && flags.contains(OFlags::NOFOLLOW))
            {
                links += 1;
                if links > MOST_LINKS {
                    return Err(Errno::LOOP);
                }
                let target = read_link(&place, "")?;
                if target.is_absolute() {
                    trail.clear();
                }
                ahead.extend(names(&target));
            } else if ahead.is_empty() && !flags.contains(OFlags::PATH) {
                return fs::openat(folder, &name, flags | OFlags::NOFOLLOW, Mode::empty());
            } else {
                trail.push(place);
            }
        }
        match trail.pop() {
            Some(place) if flags.contains(OFlags::DIRECTORY) && !is_folder(&fs::fstat(&place)?) => {
                Err(Errno::NOTDIR)
            }
            Some(place) => Ok(place),
            None => fs::openat(&self.folder, ".", flags, Mode::empty()),
        }
    }

    /// The path under which the process itself finds an open file, if it still has one that leads there.
    pub(crate) fn path_of(&self, file: BorrowedFd<'_>) -> Option<PathBuf> {
        let seen = self.inside(&path_from_here(file).ok()?)?;
        let again = self.open_at(&seen, OFlags::PATH | OFlags::NOFOLLOW).ok()?;
        is_same(&fs::fstat(file).ok()?, &fs::fstat(&again).ok()?).then_some(seen)
    }

    /// A path as the kernel shows it to us, in the process's own words.
    pub(crate) fn inside(&self, path: &Path) -> Option<PathBuf> {
        let below = path.strip_prefix(&self.place);
        // In another mount namespace, the kernel shows paths from that one's root.
        let below = below.or_else(|_| path.strip_prefix("/")).ok()?;
        Some(Path::new("/").join(below))
    }
}

/// The names in a path, the first one last.
fn names(path: &Path) -> Vec<OsString> {
    let names = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        _ => None,
    });
    let mut names: Vec<OsString> = names.collect();
    names.reverse();
    names
}

/// Where a link leads.
pub(crate) fn read_link(folder: impl AsFd, name: &str) -> rustix::io::Result<PathBuf> {
    let target = fs::readlinkat(folder, name, Vec::new())?;
    Ok(PathBuf::from(OsString::from_vec(target.into_bytes())))
}

/// A path to an open file that works in this process, whatever happens to its name.
pub(crate) fn path_by_descriptor(file: BorrowedFd<'_>) -> PathBuf {
    use std::os::fd::AsRawFd;
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

fn path_from_here(file: BorrowedFd<'_>) -> io::Result<PathBuf> {
    std::fs::read_link(path_by_descriptor(file))
}

/// Whether two descriptions are of one file.
pub(crate) fn is_same(one: &Stat, other: &Stat) -> bool {
    (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
}

/// Whether it is a link.
fn is_link(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Symlink
}

fn is_folder(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}

/// The last name of a path that has one.
pub(crate) fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(OsStr::new(""));
    name.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A root with `tmp/file`, and links of all kinds.
    fn root() -> (tempfile::TempDir, Root) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path();
        std::fs::create_dir_all(path.join("var/tmp")).expect("a folder");
        std::fs::create_dir(path.join("etc")).expect("a folder");
        std::fs::write(path.join("var/tmp/file"), "inside").expect("a file");
        std::fs::write(path.join("etc/hostname"), "inside").expect("a file");
        for (target, link) in [
            ("/var/tmp", "tmp"),
            ("../../../../../../etc", "up"),
            ("/etc/hostname", "var/tmp/absolute"),
            ("loop", "loop"),
            ("/nowhere", "dangling"),
        ] {
            symlink(target, path.join(link)).expect("a link");
        }
        let open = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = Root {
            folder: fs::open(path, open, Mode::empty()).expect("a root"),
            place: path.to_owned(),
        };
        (folder, root)
    }

    fn read(file: OwnedFd) -> String {
        std::io::read_to_string(std::fs::File::from(file)).expect("a text")
    }

    #[test]
    fn links_never_leave_the_root() {
        let (_folder, root) = root();
        let read_only = OFlags::RDONLY | OFlags::CLOEXEC;
        for path in [
            "/tmp/file",
            "/tmp/absolute",
            "/up/hostname",
            "/../../etc/hostname",
            "/tmp/../../etc/hostname",
            "etc/./hostname",
        ] {
            let path = Path::new(path);
            for opened in [root.open_at(path, read_only), root.walk(path, read_only)] {
                assert_eq!(
                    opened.map(read),
                    Ok("inside".to_owned()),
                    "{}",
                    path.display()
                );
            }
        }
    }

    #[test]
    fn both_ways_fail_alike() {
        let (_folder, root) = root();
        for (path, flags, error) in [
            ("/loop", OFlags::RDONLY, Errno::LOOP),
            ("/dangling", OFlags::RDONLY, Errno::NOENT),
            ("/etc/nothing", OFlags::PATH, Errno::NOENT),
            ("/etc/hostname/x", OFlags::PATH, Errno::NOTDIR),
            (
                "/etc/hostname",
                OFlags::PATH | OFlags::DIRECTORY,
                Errno::NOTDIR,
            ),
            ("/tmp/absolute", OFlags::NOFOLLOW, Errno::LOOP),
        ] {
            let path = Path::new(path);
            assert_eq!(
                root.open_at(path, flags).map(read),
                Err(error),
                "{}",
                path.display()
            );
            assert_eq!(
                root.walk(path, flags).map(read),
                Err(error),
                "{}",
                path.display()
            );
        }
    }

    #[test]
    fn the_root_itself_is_found() {
        let (_folder, root) = root();
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        for path in ["/", "/..", "/tmp/../.."] {
            let path = Path::new(path);
            for opened in [root.open_at(path, flags), root.walk(path, flags)] {
                let opened = fs::fstat(opened.expect("a folder")).expect("a folder");
                assert!(is_same(
                    &opened,
                    &fs::fstat(&root.folder).expect("a folder")
                ));
            }
        }
    }

    #[test]
    fn a_file_is_called_what_the_process_calls_it() {
        let (folder, root) = root();
        let file = std::fs::File::open(folder.path().join("tmp/../etc/hostname"));
        let file = file.or_else(|_| std::fs::File::open(folder.path().join("etc/hostname")));
        let file = file.expect("a file");
        let path = root.path_of(file.as_fd());
        assert_eq!(path, Some(PathBuf::from("/etc/hostname")));
        std::fs::remove_file(folder.path().join("etc/hostname")).expect("removed");
        assert_eq!(root.path_of(file.as_fd()), None);
    }
}

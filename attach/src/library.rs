//! Puts the library where the target can map it.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, Mode, OFlags, StatVfsMountFlags};
use rustix::io::Errno;

use crate::maps::copy_name;
use crate::target::Target;
use crate::{AttachError, Deadline, root};

/// Folders for a copy, the likeliest first. `/dev` comes after the target's own mounts: it is there and may be written to
/// where all else is read-only, but is no place for files.
const USUAL_FOLDERS: [&str; 4] = ["/tmp", "/var/tmp", "/dev/shm", "/run"];
const LAST_FOLDER: &str = "/dev";
/// As many refusals are told as fit into a message.
const MOST_REFUSALS: usize = 6;

/// A shared library, open.
#[derive(Debug)]
pub(crate) struct Library {
    path: PathBuf,
    file: File,
}

impl Library {
    /// # Errors
    /// [`AttachError::Library`]: it cannot be read, or is no shared library.
    pub(crate) fn open(path: &Path) -> Result<Library, AttachError> {
        let open = || {
            let path = path.canonicalize()?;
            let mut file = File::open(&path)?;
            let mut magic = [0; 4];
            file.read_exact(&mut magic)?;
            if magic != *b"\x7fELF" {
                let error = "it is no shared library";
                return Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
            Ok(Library { path, file })
        };
        open().map_err(|source| AttachError::Library {
            path: path.to_owned(),
            source,
        })
    }

    /// Where the target finds it: at the same path if it is the same file there, else in a copy that lasts as long as
    /// the result. To be called with the target's identity.
    pub(crate) fn place(
        &self,
        target: &Target,
        deadline: &Deadline,
    ) -> Result<Placed, AttachError> {
        if self.is_seen_by(target) {
            return Ok(Placed::Seen(self.path.clone()));
        }
        let mut refusals = Vec::new();
        for (folder, opened) in folders(target) {
            deadline.check_cancelled()?;
            match opened.and_then(|opened| self.copy_to(target, opened)) {
                Ok(copy) => return Ok(Placed::Copy(copy)),
                Err(refusal) => refusals.push(format!("{} ({refusal})", folder.display())),
            }
        }
        refusals.truncate(MOST_REFUSALS);
        Err(AttachError::NoPlace {
            pid: target.process.pid,
            library: self.path.clone(),
            tried: refusals.join(", "),
        })
    }

    fn is_seen_by(&self, target: &Target) -> bool {
        let seen = || {
            let seen = target.root.open_at(&self.path, OFlags::RDONLY)?;
            let same = root::is_same(&fs::fstat(&self.file)?, &fs::fstat(&seen)?);
            rustix::io::Result::Ok(same && !is_flagged(&seen, StatVfsMountFlags::NOEXEC)?)
        };
        seen().unwrap_or(false)
    }

    fn copy_to(&self, target: &Target, folder: OwnedFd) -> io::Result<Copy> {
        for (flag, refusal) in [
            (StatVfsMountFlags::NOEXEC, "is mounted noexec"),
            (StatVfsMountFlags::RDONLY, "is read-only"),
        ] {
            if is_flagged(&folder, flag)? {
                return Err(io::Error::other(refusal));
            }
        }
        let unique = format!("{}-{:016x}", std::process::id(), fastrand::u64(..));
        let name = copy_name(&unique);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let file = fs::openat(&folder, &name, flags | OFlags::CLOEXEC, Mode::RUSR)?;
        // From here on the file is removed in any case.
        let mut copy = Copy {
            path: PathBuf::new(),
            folder,
            name,
        };
        // What is in the library is no secret, and its user may be another than ours.
        fs::fchmod(
            &file,
            Mode::RUSR | Mode::XUSR | Mode::RGRP | Mode::XGRP | Mode::ROTH | Mode::XOTH,
        )?;
        let mut file = File::from(file);
        (&self.file).rewind()?;
        io::copy(&mut &self.file, &mut file)?;
        copy.path = target
            .root
            .path_of(file.as_fd())
            .ok_or_else(|| io::Error::other("has no path that leads there"))?;
        Ok(copy)
    }
}

/// The folders in which a copy may be put, in the order in which they are tried.
fn folders(target: &Target) -> impl Iterator<Item = (PathBuf, io::Result<OwnedFd>)> {
    let open = |path: &Path| {
        let opened = target.root.open_at(path, OFlags::PATH | OFlags::DIRECTORY);
        opened.map_err(io::Error::from)
    };
    let working_directory = (
        PathBuf::from("its working directory"),
        target.working_directory.try_clone(),
    );
    let temporary = target.temporary.iter().filter(|path| path.is_absolute());
    let early = temporary.cloned().chain(USUAL_FOLDERS.map(PathBuf::from));
    let late = target.mounts.iter().cloned();
    let late = late.chain([PathBuf::from(LAST_FOLDER)]);
    let opened = move |path: PathBuf| {
        let opened = open(&path);
        (path, opened)
    };
    early
        .map(opened)
        .chain([working_directory])
        .chain(late.map(opened))
}

fn is_flagged(file: impl AsFd, flag: StatVfsMountFlags) -> rustix::io::Result<bool> {
    match fs::fstatvfs(file) {
        Ok(stat) => Ok(stat.f_flag.contains(flag)),
        // Not every file system knows the call; then the next step shows.
        Err(Errno::NOSYS) => Ok(false),
        Err(error) => Err(error),
    }
}

/// A library as the target finds it.
#[derive(Debug)]
pub(crate) enum Placed {
    /// At a path that stays.
    Seen(PathBuf),
    /// In a copy that is removed with this value: what is mapped needs no name.
    Copy(Copy),
}

impl Placed {
    /// The path in the target's own words.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Placed::Seen(path) => path,
            Placed::Copy(copy) => &copy.path,
        }
    }
}

/// A copy in one of the target's folders.
#[derive(Debug)]
pub(crate) struct Copy {
    path: PathBuf,
    folder: OwnedFd,
    name: String,
}

impl Drop for Copy {
    fn drop(&mut self) {
        // Somebody may have been faster.
        let _ = fs::unlinkat(&self.folder, &self.name, AtFlags::empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_shared_library_is_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("libjprof.so");
        let missing = Library::open(&path);
        assert!(matches!(missing, Err(AttachError::Library { .. })));
        for (bytes, good) in [
            (&b"#!/bin/sh\n"[..], false),
            (b"\x7fE", false),
            (b"\x7fELF\x02", true),
        ] {
            std::fs::write(&path, bytes).expect("a file");
            assert_eq!(Library::open(&path).is_ok(), good, "{bytes:?}");
        }
    }
}

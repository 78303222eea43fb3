//! What can go wrong with the spool.
use std::io;
use std::path::{Path, PathBuf};

/// Why the spool could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpoolError {
    /// The root is a symbolic link, or no folder.
    #[error("the spool {0} is no folder but a link or a file: name another one")]
    NotAFolder(PathBuf),
    /// The root belongs to another user.
    #[error("the spool {path} belongs to user {owner}: name a folder of user {own}")]
    ForeignOwner {
        /// The root.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who we are.
        own: u32,
    },
    /// Others may write in the root.
    #[error(
        "others may write in the spool {path} (mode {mode:o}): run chmod 700 on it, or name another folder"
    )]
    OpenToOthers {
        /// The root.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file system is full.
    #[error("no space is left for the spool at {0}")]
    DiskFull(PathBuf),
    /// A part that this spool has not given out, or one committed or discarded before.
    #[error("{0} is no part of this spool")]
    UnknownPart(PathBuf),
    /// Another failure of the file system.
    #[error("the spool cannot use {path}: {source}")]
    Io {
        /// What was touched.
        path: PathBuf,
        /// How it failed.
        source: io::Error,
    },
}

impl SpoolError {
    /// Names the path of a file system's error.
    pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> SpoolError {
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                SpoolError::DiskFull(path.to_owned())
            }
            _ => SpoolError::Io {
                path: path.to_owned(),
                source,
            },
        }
    }
}

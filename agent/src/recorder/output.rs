//! Where sealed chunks go: the spool, from which they are uploaded, and the user's file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam::channel::Sender;
use ingest_client::{Command, ProfileMetadata, Spool, SpoolError};
use jfr_writer::{ChunkEnd, WriteError};

use super::chunk::OpenChunk;
use super::local_time;
use crate::options::{FilePattern, PatternValues};

/// Why a chunk is lost.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutputError {
    /// The chunk cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The spool does not take it.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The user's file cannot be written.
    #[error("cannot write {path}: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// There is neither an upload nor a file.
    #[error("neither an upload nor a file is set")]
    Nowhere,
}

/// The user's file or files.
#[derive(Debug)]
struct UserFile {
    pattern: FilePattern,
    progress: Progress,
}

/// How far the chunks of a pattern have come.
#[derive(Clone, Debug)]
struct Progress {
    /// The one file of all chunks, once it has begun.
    single: Option<PathBuf>,
    sequence: u64,
}

/// By the pattern's text, of all recordings of this process: one that begins anew goes on where the last one ended, and
/// overwrites nothing.
static PROGRESS: Mutex<Vec<(String, Progress)>> = Mutex::new(Vec::new());

/// Where sealed chunks go.
#[derive(Debug)]
pub struct Output {
    spool: Option<(Arc<Spool>, Sender<Command>)>,
    file: Option<UserFile>,
    tags: Vec<(String, String)>,
    custom_tags: Vec<(String, String)>,
    part: Option<PathBuf>,
}

impl Output {
    /// An output to the spool, to a file, or to both. `custom_tags` are those of the user's own,
    /// which DataKit also puts on the metrics that it derives.
    #[must_use]
    pub fn new(
        spool: Option<(Arc<Spool>, Sender<Command>)>,
        file: Option<FilePattern>,
        tags: Vec<(String, String)>,
        custom_tags: Vec<(String, String)>,
    ) -> Self {
        let file = file.map(UserFile::new);
        Self {
            spool,
            file,
            tags,
            custom_tags,
            part: None,
        }
    }

    /// A file for the next chunk.
    pub(super) fn new_part(&mut self) -> Result<File, OutputError> {
        let (path, file) = match (&self.spool, &mut self.file) {
            (Some((spool, _)), _) => spool.new_part()?,
            (None, Some(user)) => user.new_part()?,
            (None, None) => return Err(OutputError::Nowhere),
        };
        self.part = Some(path);
        Ok(file)
    }

    /// The chunk is not wanted.
    pub(super) fn discard(&mut self) {
        let Some(part) = self.part.take() else { return };
        match &self.spool {
            Some((spool, _)) => spool.discard(&part),
            // A leftover is removed by the next start; nothing else can be done about it.
            None => drop(fs::remove_file(part)),
        }
    }

    /// Seals the chunk and hands it on: to the user's file first, since the spool takes the part
    /// away. A failure of the one does not keep it from the other.
    pub(super) fn keep(&mut self, chunk: OpenChunk, end: ChunkEnd) -> Result<(), OutputError> {
        let start_unix_nanos = chunk.start_unix_nanos;
        let mut file = chunk.finish(end)?;
        let Some(part) = self.part.take() else {
            return Err(OutputError::Nowhere);
        };
        let spooled = self.spool.is_some();
        let to_file = self
            .file
            .as_mut()
            .map_or(Ok(()), |user| user.keep(&part, &mut file, spooled));
        if let Some((spool, uploader)) = &self.spool {
            let metadata = ProfileMetadata {
                start_unix_nanos,
                end_unix_nanos: end.unix_nanos,
                tags: self.tags.clone(),
                custom_tags: self.custom_tags.clone(),
            };
            spool.commit(&part, &metadata)?;
            // The uploader may be gone already at the JVM's end: the spool keeps the profile.
            let _ = uploader.try_send(Command::Wake);
        }
        to_file
    }
}

impl UserFile {
    fn new(pattern: FilePattern) -> Self {
        let known = PROGRESS.lock().unwrap_or_else(PoisonError::into_inner);
        let progress = known.iter().find(|(text, _)| text == pattern.as_str());
        let progress = progress.map_or(
            Progress {
                single: None,
                sequence: 1,
            },
            |(_, progress)| progress.clone(),
        );
        Self { pattern, progress }
    }

    fn note_progress(&self) {
        let mut known = PROGRESS.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|(text, _)| text != self.pattern.as_str());
        known.push((self.pattern.as_str().to_owned(), self.progress.clone()));
    }

    fn path(&self) -> PathBuf {
        if let Some(single) = &self.progress.single {
            return single.clone();
        }
        let values = PatternValues {
            pid: std::process::id(),
            time: local_time::now(),
            sequence: self.progress.sequence,
        };
        self.pattern
            .expand(&values, &|name| std::env::var(name).ok())
    }

    fn new_part(&self) -> Result<(PathBuf, File), OutputError> {
        let path = part_path(&self.path());
        create_parent(&path)
            .and_then(|()| {
                OpenOptions::new()
                    .read(true)
                    .write(true)
                    .create(true)
                    .truncate(true)
                    .open(&path)
            })
            .map(|file| (path.clone(), file))
            .map_err(|error| OutputError::File { path, error })
    }

    fn keep(&mut self, part: &Path, chunk: &mut File, copy: bool) -> Result<(), OutputError> {
        let path = self.path();
        let result = if self.pattern.has_sequence() {
            self.progress.sequence += 1;
            if copy {
                replace_by_copy(&path, chunk)
            } else {
                fs::rename(part, &path)
            }
        } else {
            let first = self.progress.single.is_none();
            let appended = append(&path, chunk, first);
            self.progress.single = Some(path.clone());
            if !copy {
                // The chunk stands in the user's file now, or could not be put there.
                let _ = fs::remove_file(part);
            }
            appended
        };
        self.note_progress();
        result.map_err(|error| OutputError::File { path, error })
    }
}

fn part_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    PathBuf::from(name)
}

fn create_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => fs::create_dir_all(parent),
        _ => Ok(()),
    }
}

/// The whole file or none of it.
fn replace_by_copy(path: &Path, chunk: &mut File) -> io::Result<()> {
    create_parent(path)?;
    let part = part_path(path);
    let mut target = File::create(&part)?;
    chunk.seek(SeekFrom::Start(0))?;
    io::copy(chunk, &mut target)?;
    fs::rename(&part, path)
}

/// Appends a chunk, or cuts the file back to what it was: readers refuse a file with a torn chunk.
fn append(path: &Path, chunk: &mut File, first: bool) -> io::Result<()> {
    create_parent(path)?;
    let mut target = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(first)
        .open(path)?;
    let before = target.seek(SeekFrom::End(0))?;
    chunk.seek(SeekFrom::Start(0))?;
    let result = io::copy(chunk, &mut target).map(drop);
    if result.is_err() {
        target.set_len(before)?;
    }
    result
}

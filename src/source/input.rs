//! The bytes of a source: a regular file, or standard input in a spool.
//!
//! Each pass reads from the first byte through a reader of its own. It must
//! never open anything that can block or never end (a FIFO, a device), and a
//! spool must never be readable by others or outlive the process.

use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::SourceError;
use crate::core::Problem;

/// The most that is spooled of standard input: an endless pipe must end.
const MAX_SPOOL: u64 = 8 << 30;

/// Where the source's bytes come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A regular file.
    File(PathBuf),
    /// Standard input, spooled to a private temporary file.
    Stdin,
}

/// An input that has been opened once.
#[derive(Debug)]
pub(super) enum Opened {
    Path { path: PathBuf, identity: Identity },
    Spool(Arc<File>),
}

/// What tells a file from another one under the same name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
}

/// Reads a file from its first byte, at a position of its own.
#[derive(Debug)]
pub(super) struct RawReader {
    file: Arc<File>,
    at: u64,
}

impl Opened {
    /// Checks that the path is a regular file that can be read.
    pub(super) fn file(path: &Path) -> Result<Self, SourceError> {
        let metadata = fs::metadata(path).map_err(|error| cannot_open(path, &error))?;
        if metadata.is_dir() {
            return Err(refused(path, "is a directory, not a file"));
        }
        if !metadata.is_file() {
            let reason = "is not a regular file; to read a pipe, set `path = \"-\"`";
            return Err(refused(path, reason));
        }
        let file = File::open(path).map_err(|error| cannot_open(path, &error))?;
        // The identity of what was opened, not of what stood there before.
        let metadata = file.metadata().map_err(|error| cannot_open(path, &error))?;
        Ok(Self::Path {
            path: path.to_owned(),
            identity: Identity::of(&metadata),
        })
    }

    /// Copies a stream into a nameless temporary file (mode 0600).
    pub(super) fn spool(stream: impl Read) -> Result<Self, SourceError> {
        let io = |source| SourceError::Io {
            action: "spool standard input to a temporary file",
            source,
        };
        let mut file = tempfile::tempfile().map_err(io)?;
        // It has no name, but its mode is that of the umask until it is set.
        let private = Permissions::from_mode(0o600);
        file.set_permissions(private).map_err(io)?;
        let copied = io::copy(&mut stream.take(MAX_SPOOL + 1), &mut file).map_err(io)?;
        if copied > MAX_SPOOL {
            let message = "standard input is larger than 8 GiB";
            return Err(SourceError::one(Problem::new("E_TOO_LARGE", message)));
        }
        file.flush().map_err(io)?;
        Ok(Self::Spool(Arc::new(file)))
    }

    /// A reader that begins at the first byte.
    pub(super) fn reader(&self) -> Result<RawReader, SourceError> {
        let file = match self {
            Self::Spool(file) => Arc::clone(file),
            Self::Path { path, .. } => {
                self.check_unchanged()?;
                Arc::new(File::open(path).map_err(|error| cannot_open(path, &error))?)
            }
        };
        Ok(RawReader { file, at: 0 })
    }

    /// Refuses a path that no longer leads to the file that was opened first.
    pub(super) fn check_unchanged(&self) -> Result<(), SourceError> {
        match self {
            Self::Spool(_) => Ok(()),
            Self::Path { path, identity } => match fs::metadata(path) {
                Ok(now) if Identity::of(&now) == *identity => Ok(()),
                _ => Err(changed()),
            },
        }
    }
}

impl Identity {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

impl Read for RawReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// The file was not the same from the first look to the last.
pub(super) fn changed() -> SourceError {
    SourceError::one(Problem::new(
        "E_INPUT_CHANGED",
        "the file changed while it was read; write exports to another name and rename them when they are complete",
    ))
}

fn cannot_open(path: &Path, error: &io::Error) -> SourceError {
    refused(path, &format!("cannot be opened: {error}"))
}

fn refused(path: &Path, reason: &str) -> SourceError {
    // Escaped, because a path may hold control characters and bytes that are no text.
    let path = path.to_string_lossy();
    let path = path.escape_debug();
    SourceError::one(Problem::new("E_INPUT", format!("`{path}` {reason}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spool_is_private_and_each_reader_starts_at_its_beginning() {
        let opened = Opened::spool(b"id\n1\n".as_slice()).unwrap();
        let Opened::Spool(file) = &opened else {
            panic!("not a spool")
        };
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        for _ in 0..2 {
            let mut text = String::new();
            opened.reader().unwrap().read_to_string(&mut text).unwrap();
            assert_eq!(text, "id\n1\n");
        }
    }
}

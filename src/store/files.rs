//! The files of the state: made 0600 before anything is written to them, and
//! refused when they are links or open to others. Nothing here speaks SQL.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::error::StoreError;

/// File systems on which neither our lock nor `SQLite`'s can be trusted.
const NETWORK: [&str; 10] = [
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "afs",
    "ceph",
    "fuse.sshfs",
    "fuse.s3fs",
];

/// A file beside the state, named after it: `beside("a.db", ".lock")` is
/// `a.db.lock`.
pub(super) fn beside(state: &Path, suffix: &str) -> PathBuf {
    let mut name = state.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Makes the parent directory (0700) where it is missing.
pub(super) fn prepare_parent(path: &Path) -> Result<(), StoreError> {
    let parent = parent(path);
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(parent)
        .map_err(StoreError::io(parent))
}

/// The path with its directory resolved: only the last name is ours to judge.
pub(super) fn resolved(path: &Path) -> Result<PathBuf, StoreError> {
    let parent = parent(path);
    let name = path.file_name().ok_or_else(|| StoreError::NotAFile {
        path: path.to_owned(),
    })?;
    Ok(parent
        .canonicalize()
        .map_err(StoreError::io(parent))?
        .join(name))
}

/// Refuses a link, anything that is no regular file, and a mode wider than
/// 0600. `None` where nothing is there.
pub(super) fn private(path: &Path) -> Result<Option<fs::Metadata>, StoreError> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StoreError::io(path)(error)),
    };
    if !found.is_file() {
        return Err(StoreError::NotAFile {
            path: path.to_owned(),
        });
    }
    let mode = found.mode() & 0o7777;
    if mode & 0o177 != 0 {
        return Err(StoreError::Mode {
            path: path.to_owned(),
            mode,
        });
    }
    Ok(Some(found))
}

/// Makes a new file of mode 0600; an existing file or link is an error.
pub(super) fn create(path: &Path) -> Result<File, StoreError> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(StoreError::io(path))
}

/// Opens a private file for reading and writing, making it where it is missing.
pub(super) fn open_private(path: &Path) -> Result<File, StoreError> {
    if private(path)?.is_none() {
        match create(path) {
            Err(StoreError::Io { why, .. }) if why.kind() == io::ErrorKind::AlreadyExists => {}
            other => return other,
        }
    }
    open_checked(path, OpenOptions::new().read(true).write(true))
}

/// Opens a private file for reading; `None` where there is none.
pub(super) fn read_private(path: &Path) -> Result<Option<File>, StoreError> {
    if private(path)?.is_none() {
        return Ok(None);
    }
    open_checked(path, OpenOptions::new().read(true)).map(Some)
}

/// Opens a file and sees to it that no link was put in its place meanwhile.
fn open_checked(path: &Path, how: &OpenOptions) -> Result<File, StoreError> {
    let file = how.open(path).map_err(StoreError::io(path))?;
    let opened = file.metadata().map_err(StoreError::io(path))?;
    match private(path)? {
        Some(named) if (named.dev(), named.ino()) == (opened.dev(), opened.ino()) => Ok(file),
        _ => Err(StoreError::NotAFile {
            path: path.to_owned(),
        }),
    }
}

/// Gives a finished file its name, durably; callers hold the lock, so nobody
/// else makes the same name meanwhile.
pub(super) fn publish(from: &Path, to: &Path) -> Result<(), StoreError> {
    fs::rename(from, to).map_err(StoreError::io(to))?;
    let parent = parent(to);
    File::open(parent)
        .and_then(|directory| directory.sync_all())
        .map_err(StoreError::io(parent))
}

/// Removes what an interrupted creation may have left.
pub(super) fn remove_leftover(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::io(path)(error)),
        _ => Ok(()),
    }
}

/// The length of a file; 0 where there is none.
pub(super) fn length(path: &Path) -> u64 {
    fs::symlink_metadata(path).map_or(0, |found| found.len())
}

/// Refuses a network file system, where the system tells (Linux does).
pub(super) fn refuse_network(path: &Path) -> Result<(), StoreError> {
    let Ok(mounts) = fs::read_to_string("/proc/self/mounts") else {
        return Ok(());
    };
    match filesystem(&mounts, path) {
        Some(kind) if NETWORK.contains(&kind) => Err(StoreError::NetworkFilesystem {
            path: path.to_owned(),
            kind: kind.to_owned(),
        }),
        _ => Ok(()),
    }
}

/// The type of the file system that holds an absolute path: that of the
/// deepest mount point above it, the last one where several share it.
fn filesystem<'a>(mounts: &'a str, path: &Path) -> Option<&'a str> {
    mounts
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ').skip(1);
            let point = words.next()?.replace("\\040", " ");
            let kind = words.next()?;
            path.starts_with(&point)
                .then(|| (Path::new(&point).components().count(), kind))
        })
        .max_by_key(|(depth, _)| *depth)
        .map(|(_, kind)| kind)
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deepest_mount_decides_the_file_system() {
        let mounts = "/dev/sda / ext4 rw 0 0\nsrv:/x /mnt/my\\040share nfs4 rw 0 0\n/dev/sdb /mnt/my\\040share/local xfs rw 0 0\n";
        let kind = |path: &str| filesystem(mounts, Path::new(path));
        assert_eq!(kind("/var/state.db"), Some("ext4"));
        assert_eq!(kind("/mnt/my share/state.db"), Some("nfs4"));
        assert_eq!(kind("/mnt/my share/local/state.db"), Some("xfs"));
        assert_eq!(kind("/mnt/my sharehouse/state.db"), Some("ext4"));
    }
}

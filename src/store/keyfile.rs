//! The key of the digests: 32 random bytes in a file of their own, 0600.
//! It must never be made by a command that only reads.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use super::error::StoreError;
use super::files;
use crate::core::Key;

/// The key file of a state, where the configuration names no other.
#[must_use]
pub fn key_path(state: &Path) -> PathBuf {
    files::beside(state, ".key")
}

/// The key in a key file; `None` where there is no file.
pub fn existing_key(path: &Path) -> Result<Option<Key>, StoreError> {
    let Some(file) = files::read_private(path)? else {
        return Ok(None);
    };
    let mut bytes = Vec::new();
    file.take(64)
        .read_to_end(&mut bytes)
        .map_err(StoreError::io(path))?;
    let bytes = <[u8; 32]>::try_from(bytes)
        .map_err(|_| StoreError::corrupt("the key file does not hold 32 bytes"))?;
    Ok(Some(Key::new(bytes)))
}

/// The key in a key file, which is made where it is missing; callers hold the
/// lock. Without the old key every digest is unknown, so values are sent
/// again: never the other way round.
pub fn digest_key(path: &Path) -> Result<Key, StoreError> {
    if let Some(key) = existing_key(path)? {
        return Ok(key);
    }
    files::prepare_parent(path)?;
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| StoreError::Io {
        path: path.to_owned(),
        why: std::io::Error::other(error.to_string()),
    })?;
    // Written under another name first, so that a kill leaves no half key.
    let unfinished = files::beside(path, ".new");
    files::remove_leftover(&unfinished)?;
    let mut file = files::create(&unfinished)?;
    file.write_all(&bytes)
        .and_then(|()| file.sync_all())
        .map_err(StoreError::io(&unfinished))?;
    files::publish(&unfinished, path)?;
    Ok(Key::new(bytes))
}

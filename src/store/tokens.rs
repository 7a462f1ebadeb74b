//! Refresh tokens between runs: a file beside the state, 0600, each token sealed
//! under the state's key.
//!
//! A token that is lost costs a login, no more: a file that cannot be understood
//! counts as empty. It must never hold a token in clear.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::error::StoreError;
use super::files;
use crate::core::{Key, Secret};

/// The most that is read of a token file, in bytes.
const CAP: u64 = 1024 * 1024;

/// The token file of a state. Writers hold the lock.
#[derive(Debug)]
pub struct TokenFile {
    path: PathBuf,
    key: Key,
    sealed: Mutex<BTreeMap<String, String>>,
}

impl TokenFile {
    /// Opens the token file of a state; none is made before there is a token.
    pub fn open(state: &Path, key: Key) -> Result<Self, StoreError> {
        let path = files::beside(state, ".tokens");
        let mut bytes = Vec::new();
        if let Some(file) = files::read_private(&path)? {
            file.take(CAP)
                .read_to_end(&mut bytes)
                .map_err(StoreError::io(&path))?;
        }
        let sealed = serde_json::from_slice(&bytes).unwrap_or_default();
        Ok(Self {
            path,
            key,
            sealed: Mutex::new(sealed),
        })
    }

    /// The token that was kept last for an account.
    #[must_use]
    pub fn kept(&self, account: &str) -> Option<Secret> {
        let sealed = self.sealed.lock().unwrap_or_else(PoisonError::into_inner);
        let text = self.key.open(sealed.get(account)?).ok()?;
        Some(Secret::new(text))
    }

    /// Keeps an account's newest token, or forgets it; durable on return.
    pub fn keep(&self, account: &str, token: Option<&Secret>) -> Result<(), StoreError> {
        let mut sealed = self.sealed.lock().unwrap_or_else(PoisonError::into_inner);
        match token {
            None => {
                if sealed.remove(account).is_none() {
                    return Ok(());
                }
            }
            Some(token) => {
                let mut nonce = [0; 24];
                getrandom::fill(&mut nonce).map_err(|error| StoreError::Io {
                    path: self.path.clone(),
                    why: std::io::Error::other(error.to_string()),
                })?;
                let text = self
                    .key
                    .seal(&nonce, token.expose())
                    .map_err(|_| StoreError::Unstorable("a token does not seal"))?;
                sealed.insert(account.to_owned(), text);
            }
        }
        let text = super::convert::to_json(&*sealed)?;
        let unfinished = files::beside(&self.path, ".new");
        files::remove_leftover(&unfinished)?;
        let mut file = files::create(&unfinished)?;
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(StoreError::io(&unfinished))?;
        files::publish(&unfinished, &self.path)
    }
}

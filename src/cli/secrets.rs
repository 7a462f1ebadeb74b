//! Secrets: from a reference in the configuration to the credential.
//!
//! A message names the reference and what to do. It must never hold a byte of
//! the credential, and what a command writes to its stderr is never shown.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use thiserror::Error;

use super::exit::ExitCode;
use crate::core::Secret;

/// Where a credential is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretRef {
    /// In an environment variable.
    Env(String),
    /// In a file of ours that nobody else can read.
    File(PathBuf),
    /// In what a shell command prints.
    Command(String),
}

/// The references of one lane: those that its provider asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecretRefs {
    /// Of the token.
    pub token: Option<SecretRef>,
    /// Of the user name.
    pub username: Option<SecretRef>,
    /// Of the password.
    pub password: Option<SecretRef>,
}

/// The credentials of one lane.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Secrets {
    /// The token.
    pub token: Option<Secret>,
    /// The user name.
    pub username: Option<Secret>,
    /// The password.
    pub password: Option<Secret>,
}

/// Why a credential cannot be had.
#[derive(Debug, Error)]
pub enum SecretError {
    /// The variable is not set, or holds nothing.
    #[error("the variable {0} is not set or empty; set {0}")]
    Unset(String),
    /// The place holds nothing.
    #[error("{0} holds no secret: it is empty")]
    Empty(String),
    /// What is there cannot be sent.
    #[error(
        "{0} holds a control character or one outside of ASCII (a line break inside, perhaps); store the bare secret"
    )]
    Characters(String),
    /// The file cannot be read.
    #[error("the secret file {path} cannot be read")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// Others can read the file.
    #[error(
        "the secret file {path} can be read by others (mode {mode:04o}); run: chmod 600 {path}"
    )]
    Mode {
        /// The file.
        path: String,
        /// Its permission bits.
        mode: u32,
    },
    /// The file is not one that a secret may be kept in.
    #[error("the secret file {path} {why}")]
    File {
        /// The file.
        path: String,
        /// What is wrong and what to do.
        why: &'static str,
    },
    /// The command failed.
    #[error("the secret command {0}; its stderr is not shown, run it by hand to see why")]
    Command(String),
}

/// More than any credential: what is longer is some other file.
const MAX_BYTES: u64 = 64 * 1024;

/// How long a command may take.
const TIME_LIMIT: Duration = Duration::from_secs(10);
const TICK: Duration = Duration::from_millis(50);

impl SecretError {
    /// The exit code that it means: unsafe files are 77, the rest is 78.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Mode { .. } | Self::File { .. } => ExitCode::Auth,
            Self::Unreadable { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                ExitCode::Auth
            }
            _ => ExitCode::Config,
        }
    }

    /// The stable code of the problem: `E_SECRET_MODE` for an unsafe file,
    /// `E_SECRET` for the rest.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self.exit_code() {
            ExitCode::Auth => "E_SECRET_MODE",
            _ => "E_SECRET",
        }
    }
}

impl SecretRefs {
    /// Fetches every credential; all problems at once, each with the name of
    /// its secret (`token`, `username`, `password`). `lookup` reads the
    /// environment ([`super::config::variable`]).
    pub fn fetch(
        &self,
        lookup: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Secrets, Vec<(&'static str, SecretError)>> {
        let mut errors = Vec::new();
        let mut fetch = |name, reference: Option<&SecretRef>| match reference?.fetch(&lookup) {
            Ok(secret) => Some(secret),
            Err(error) => {
                errors.push((name, error));
                None
            }
        };
        let secrets = Secrets {
            token: fetch("token", self.token.as_ref()),
            username: fetch("username", self.username.as_ref()),
            password: fetch("password", self.password.as_ref()),
        };
        if errors.is_empty() {
            Ok(secrets)
        } else {
            Err(errors)
        }
    }
}

impl SecretRef {
    /// Fetches the credential. One line break at its end is left out.
    pub fn fetch(&self, lookup: impl Fn(&str) -> Option<OsString>) -> Result<Secret, SecretError> {
        match self {
            Self::Env(name) => {
                let raw = lookup(name).unwrap_or_default();
                let found = clean(raw.into_encoded_bytes(), &format!("the variable {name}"));
                found.map_err(|error| match error {
                    SecretError::Empty(_) => SecretError::Unset(name.clone()),
                    other => other,
                })
            }
            Self::File(path) => clean(
                read_file(path)?,
                &format!("the secret file {}", path.display()),
            ),
            Self::Command(line) => clean(run(line, TIME_LIMIT)?, "the secret command's output"),
        }
    }
}

/// Takes one final line break away and judges the rest.
fn clean(bytes: Vec<u8>, place: &str) -> Result<Secret, SecretError> {
    let characters = || SecretError::Characters(place.to_owned());
    let text = String::from_utf8(bytes).map_err(|_| characters())?;
    let text = text.strip_suffix('\n').map_or(text.as_str(), |line| {
        line.strip_suffix('\r').unwrap_or(line)
    });
    if text.is_empty() {
        return Err(SecretError::Empty(place.to_owned()));
    }
    if !text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Err(characters());
    }
    Ok(Secret::new(text.to_owned()))
}

fn read_file(path: &Path) -> Result<Vec<u8>, SecretError> {
    let shown = path.display().to_string();
    let unreadable = |source| SecretError::Unreadable {
        path: shown.clone(),
        source,
    };
    let refuse = |why| SecretError::File {
        path: shown.clone(),
        why,
    };
    // Opening a pipe would wait for its writer, so the kind is known first.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(refuse("is not a regular file"));
    }
    let file = File::open(path).map_err(unreadable)?;
    // The open file is judged, not the path: it cannot be exchanged meanwhile.
    let facts = file.metadata().map_err(unreadable)?;
    if !facts.is_file() {
        return Err(refuse("is not a regular file"));
    }
    if facts.mode() & 0o077 != 0 {
        return Err(SecretError::Mode {
            path: shown,
            mode: facts.mode() & 0o7777,
        });
    }
    if facts.uid() != our_user().map_err(unreadable)? {
        return Err(refuse(
            "belongs to another user; it must belong to the one that runs this",
        ));
    }
    match read_capped(file).map_err(unreadable)? {
        Some(bytes) => Ok(bytes),
        None => Err(refuse("is longer than 64 KiB: it holds something else")),
    }
}

/// The user that files of this process belong to. A new pipe belongs to its
/// maker, and asking it needs neither unsafe code nor a place to write.
fn our_user() -> io::Result<u32> {
    let (reader, _) = io::pipe()?;
    Ok(File::from(OwnedFd::from(reader)).metadata()?.uid())
}

/// All bytes; `None` where there are too many.
fn read_capped(source: impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    source.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    let fits = u64::try_from(bytes.len()).is_ok_and(|length| length <= MAX_BYTES);
    Ok(fits.then_some(bytes))
}

/// Runs a shell command without stdin and takes its stdout.
fn run(line: &str, limit: Duration) -> Result<Vec<u8>, SecretError> {
    let failed = |why: &str| SecretError::Command(why.to_owned());
    let mut child = Command::new("sh")
        .args(["-c", line])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|_| failed("could not be started"))?;
    let Some(stdout) = child.stdout.take() else {
        return Err(failed("could not be read"));
    };
    // A child of the command may hold stdout open for ever, so it is read
    // aside; the thread then ends with the process at the latest.
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(read_capped(stdout)));
    let output = wait(&mut child, &receiver, limit);
    if output.is_err() {
        // It may have ended by itself; either way it is gone afterwards.
        let _ = child.kill();
        let _ = child.wait();
    }
    output.map_err(|why| failed(&why))
}

/// Waits for the output and the end of a child, both within the limit.
fn wait(
    child: &mut Child,
    receiver: &mpsc::Receiver<io::Result<Option<Vec<u8>>>>,
    limit: Duration,
) -> Result<Vec<u8>, String> {
    let mut output = None;
    let mut left = limit;
    while !left.is_zero() {
        if output.is_none() {
            match receiver.recv_timeout(TICK) {
                Ok(Ok(Some(bytes))) => output = Some(bytes),
                Ok(Ok(None)) => return Err("prints more than 64 KiB".to_owned()),
                Ok(Err(_)) | Err(RecvTimeoutError::Disconnected) => {
                    return Err("could not be read".to_owned());
                }
                Err(RecvTimeoutError::Timeout) => left = left.saturating_sub(TICK),
            }
            continue;
        }
        match (child.try_wait(), &mut output) {
            (Ok(Some(status)), Some(bytes)) if status.success() => {
                return Ok(std::mem::take(bytes));
            }
            (Ok(Some(status)), _) => return Err(format!("failed ({status})")),
            (Ok(None), _) => {
                thread::sleep(TICK);
                left = left.saturating_sub(TICK);
            }
            (Err(_), _) => return Err("could not be waited for".to_owned()),
        }
    }
    Err(format!("took longer than {} s", limit.as_secs_f32()))
}

#[cfg(test)]
mod tests;

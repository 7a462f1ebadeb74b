//! Writing and reading plan files: JSON Lines, hashed as they are written.
//!
//! A line is written once and never held: memory does not grow with the plan.
//! A sensitive value never reaches the file in clear; it is sealed under the
//! state's key, and without a key it is left out and the plan cannot be
//! applied.

use std::io::{self, BufRead, Write};

use serde_json::Value;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::core::{
    Drift, Header, Json, Key, LeftOut, Note, Overlay, PLAN_FORMAT, PlanLine, PlannedUpdate,
    SealError, Shown, Trailer, hex,
};

/// Why a plan file cannot be written or read.
#[derive(Debug, Error)]
pub enum PlanFileError {
    /// The file system said no.
    #[error("the plan file cannot be used: {0}")]
    Io(io::Error),
    /// A line is not of this format.
    #[error("the plan file is damaged at line {line}: {why}")]
    Damaged {
        /// The line, from 1.
        line: u64,
        /// What is wrong there.
        why: String,
    },
    /// A sealed value does not open.
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// How sensitive values are kept in a plan file.
pub enum Sealing<'a> {
    /// Sealed under this key, with nonces that never come twice.
    Under(&'a Key, &'a mut dyn FnMut() -> [u8; 24]),
    /// Left out: there is no key, and the plan is only to be shown.
    LeaveOut,
}

impl From<io::Error> for PlanFileError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl std::fmt::Debug for Sealing<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Under(..) => "Under",
            Self::LeaveOut => "LeaveOut",
        })
    }
}

/// Writes a plan file from its header to its trailer.
#[derive(Debug)]
pub struct PlanWriter<'a, W: Write> {
    out: W,
    hash: Sha256,
    sealing: Sealing<'a>,
}

impl<'a, W: Write> PlanWriter<'a, W> {
    /// Begins a plan file.
    pub fn begin(out: W, header: &Header, sealing: Sealing<'a>) -> Result<Self, PlanFileError> {
        let mut writer = Self {
            out,
            hash: Sha256::new(),
            sealing,
        };
        writer.line(&PlanLine::Header(header.clone()))?;
        Ok(writer)
    }

    fn line(&mut self, line: &PlanLine) -> Result<(), PlanFileError> {
        let mut text = serde_json::to_vec(line).map_err(io::Error::from)?;
        text.push(b'\n');
        self.hash.update(&text);
        self.out.write_all(&text)?;
        Ok(())
    }

    /// Writes an update.
    pub fn update(&mut self, mut update: PlannedUpdate) -> Result<(), PlanFileError> {
        self.seal(&mut update)?;
        self.line(&PlanLine::Update(Box::new(update)))
    }

    /// Writes a row that is left out.
    pub fn left_out(&mut self, left_out: LeftOut) -> Result<(), PlanFileError> {
        self.line(&PlanLine::LeftOut(left_out))
    }

    /// Writes a problem that is told beside the rows.
    pub fn note(&mut self, note: Note) -> Result<(), PlanFileError> {
        self.line(&PlanLine::Note(note))
    }

    /// Writes a record that drifted. Its values are those that may be shown.
    pub fn drift(&mut self, drift: Drift) -> Result<(), PlanFileError> {
        self.line(&PlanLine::Drift(Box::new(drift)))
    }

    /// Ends the file; returns the trailer with the hash of all before it.
    pub fn finish(mut self, mut trailer: Trailer) -> Result<(Trailer, W), PlanFileError> {
        trailer.sha256 = hex(&self.hash.clone().finalize());
        self.line(&PlanLine::Trailer(trailer.clone()))?;
        self.out.flush()?;
        Ok((trailer, self.out))
    }

    fn seal(&mut self, update: &mut PlannedUpdate) -> Result<(), PlanFileError> {
        let draft = &mut update.draft;
        let changes = draft.changes.iter_mut().map(|c| (&c.shown, &mut c.after));
        let extras = draft.extras.iter_mut().map(|e| (&e.shown, &mut e.value));
        let mut sealed_any = false;
        for (_, value) in changes
            .chain(extras)
            .filter(|(shown, _)| **shown == Shown::Masked)
        {
            sealed_any = true;
            *value = match &mut self.sealing {
                Sealing::Under(key, nonce) => Value::from(key.seal(&nonce(), &value.to_string())?),
                Sealing::LeaveOut => Value::Null,
            };
        }
        if sealed_any && let Overlay::Clear(json) = &update.overlay {
            update.overlay = Overlay::Sealed(match &mut self.sealing {
                Sealing::Under(key, nonce) => key.seal(&nonce(), &json.to_text())?,
                Sealing::LeaveOut => String::new(),
            });
        }
        Ok(())
    }
}

/// Opens the sealed values of an update, as [`PlanWriter`] sealed them.
pub fn open_update(update: &mut PlannedUpdate, key: &Key) -> Result<(), SealError> {
    let changes = update
        .draft
        .changes
        .iter_mut()
        .map(|c| (&c.shown, &mut c.after));
    let extras = update
        .draft
        .extras
        .iter_mut()
        .map(|e| (&e.shown, &mut e.value));
    for (_, value) in changes
        .chain(extras)
        .filter(|(shown, _)| **shown == Shown::Masked)
    {
        let text = key.open(value.as_str().unwrap_or_default())?;
        *value = serde_json::from_str(&text).map_err(|_| SealError)?;
    }
    if let Overlay::Sealed(sealed) = &update.overlay {
        update.overlay =
            Overlay::Clear(Json::parse(key.open(sealed)?.as_bytes()).map_err(|_| SealError)?);
    }
    Ok(())
}

/// Reads a plan file line by line.
#[derive(Debug)]
pub struct PlanReader<R> {
    input: R,
    text: String,
    line: u64,
}

impl<R: BufRead> PlanReader<R> {
    /// Reads from the file's beginning.
    pub fn new(input: R) -> Self {
        Self {
            input,
            text: String::new(),
            line: 0,
        }
    }

    /// The next line, or `None` at the end.
    pub fn next_line(&mut self) -> Result<Option<PlanLine>, PlanFileError> {
        if !self.advance()? {
            return Ok(None);
        }
        let damaged = |error: serde_json::Error| PlanFileError::Damaged {
            line: self.line,
            why: error.to_string(),
        };
        serde_json::from_str(&self.text).map(Some).map_err(damaged)
    }

    /// The next update of one lane; lines of others are passed over unparsed.
    pub fn next_update(&mut self, lane: &str) -> Result<Option<PlannedUpdate>, PlanFileError> {
        let wanted = format!("{{\"update\":{{\"lane\":{},", Value::from(lane));
        while self.advance()? {
            if !self.text.starts_with(&wanted) {
                continue;
            }
            let damaged = |error: serde_json::Error| PlanFileError::Damaged {
                line: self.line,
                why: error.to_string(),
            };
            if let PlanLine::Update(update) = serde_json::from_str(&self.text).map_err(damaged)? {
                return Ok(Some(*update));
            }
        }
        Ok(None)
    }

    fn advance(&mut self) -> Result<bool, PlanFileError> {
        self.text.clear();
        self.line += 1;
        Ok(self.input.read_line(&mut self.text)? > 0)
    }
}

/// The ends of a plan file that was read through.
#[derive(Debug)]
pub struct PlanEnds {
    /// The first line.
    pub header: Header,
    /// The last line.
    pub trailer: Trailer,
}

/// Reads a whole plan file and checks that no byte of it has changed.
pub fn verify(mut input: impl BufRead) -> Result<PlanEnds, PlanFileError> {
    let mut hash = Sha256::new();
    let mut header = None;
    let mut text = Vec::new();
    for line in 1u64.. {
        text.clear();
        if input.read_until(b'\n', &mut text)? == 0 {
            return Err(PlanFileError::Damaged {
                line,
                why: "it ends before its trailer".to_owned(),
            });
        }
        let damaged = |why: String| PlanFileError::Damaged { line, why };
        if line > 1 && !text.starts_with(b"{\"trailer\":") {
            hash.update(&text);
            continue;
        }
        match serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))? {
            PlanLine::Header(first) if line == 1 && first.format == PLAN_FORMAT => {
                hash.update(&text);
                header = Some(first);
            }
            PlanLine::Trailer(trailer) => {
                let header = header.ok_or_else(|| damaged("it has no header".to_owned()))?;
                if trailer.sha256 != hex(&hash.finalize()) {
                    return Err(damaged(
                        "its checksum does not fit; it was changed after it was made".to_owned(),
                    ));
                }
                return Ok(PlanEnds { header, trailer });
            }
            _ => {
                return Err(damaged(
                    "it does not begin with a header of format 1".to_owned(),
                ));
            }
        }
    }
    Err(PlanFileError::Damaged {
        line: 0,
        why: "it is empty".to_owned(),
    })
}

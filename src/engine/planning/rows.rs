//! Rows as lanes see them: their keys, their links to remote records.
//!
//! A link is never guessed: it stands in the row or in the state, and where
//! the two disagree the row is invalid.

use crate::core::{Problem, RecordKey, Row};
use crate::engine::lane::Lane;
use crate::store::{SnapshotReader, SnapshotRow, Store, StoreError};

/// What the planner asks of the source beside its rows.
pub struct SourceView<'a, S> {
    /// Reads the next row into the buffer; false at the end.
    pub next: &'a mut dyn FnMut(&mut Row) -> Result<bool, S>,
    /// The key of a row.
    pub key: &'a dyn Fn(&Row) -> Result<RecordKey, Problem>,
    /// The lines of a key that stands on several different rows.
    pub key_lines: &'a dyn Fn(&RecordKey) -> Option<Vec<u64>>,
    /// Whether a line repeats an earlier row to the letter.
    pub is_repeat: &'a dyn Fn(u64) -> bool,
    /// The lines of a remote id that stands on rows of several keys.
    pub id_lines: &'a dyn Fn(usize, &str) -> Option<Vec<u64>>,
}

impl<S> std::fmt::Debug for SourceView<'_, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SourceView")
    }
}

/// The row's key, unless it has none or shares it with another row.
pub(in crate::engine) fn identify<S>(
    row: &Row,
    source: &SourceView<'_, S>,
) -> Result<RecordKey, Problem> {
    let key = (source.key)(row).map_err(|problem| problem.line(row.line()))?;
    match (source.key_lines)(&key) {
        None => Ok(key),
        Some(lines) => Err(Problem::new(
            "E_DUPLICATE_KEY",
            format!(
                "the key stands on lines {} with different cells; keep one of them",
                listed(&lines)
            ),
        )
        .line(row.line())
        .key(&key)),
    }
}

fn listed(lines: &[u64]) -> String {
    let mut texts: Vec<String> = lines.iter().take(10).map(u64::to_string).collect();
    if lines.len() > 10 {
        texts.push(format!("and {} more", lines.len() - 10));
    }
    texts.join(", ")
}

/// A row's link to a remote record.
#[derive(Debug)]
pub(in crate::engine) struct Link {
    /// The remote id; `None` where neither the row nor the state has one.
    pub(in crate::engine) remote_id: Option<String>,
    /// What the snapshot holds of the record.
    pub(in crate::engine) known: Option<SnapshotRow>,
    /// What is wrong with the link.
    pub(in crate::engine) problems: Vec<Problem>,
}

/// Finds the links of one lane's rows.
pub(in crate::engine) struct Links<'a> {
    lane: &'a Lane,
    store: Option<(&'a Store, SnapshotReader<'a>)>,
}

impl<'a> Links<'a> {
    /// `store` is the state, where it knows the lane.
    pub(in crate::engine) fn new(
        lane: &'a Lane,
        store: Option<&'a Store>,
    ) -> Result<Self, StoreError> {
        let store = store
            .map(|store| Ok::<_, StoreError>((store, store.snapshot(&lane.name)?)))
            .transpose()?;
        Ok(Self { lane, store })
    }

    /// Links that know nothing.
    pub(in crate::engine) fn unknown(lane: &'a Lane) -> Self {
        Self { lane, store: None }
    }

    /// A key that stands in the file, although its row cannot be used.
    pub(in crate::engine) fn stands(&mut self, key: &RecordKey) -> Result<(), StoreError> {
        if let Some((_, snapshot)) = &mut self.store {
            snapshot.get(key)?;
        }
        Ok(())
    }

    /// Gives the records that the state knows and whose keys were not asked for.
    pub(in crate::engine) fn each_other<E: From<StoreError>>(
        self,
        each: impl FnMut(RecordKey, SnapshotRow) -> Result<(), E>,
    ) -> Result<(), E> {
        match self.store {
            Some((_, snapshot)) => snapshot.each_other(each),
            None => Ok(()),
        }
    }

    /// The link of a row. A remote id must have the provider's form, belong to
    /// one row, and agree with the link that the state holds.
    pub(in crate::engine) fn of<S>(
        &mut self,
        row: &Row,
        key: &RecordKey,
        source: &SourceView<'_, S>,
    ) -> Result<Link, StoreError> {
        let known = match &mut self.store {
            Some((_, snapshot)) => snapshot.get(key)?,
            None => None,
        };
        let mut problems = Vec::new();
        let cell = self.lane.id.as_ref();
        let cell = cell.and_then(|column| Some((column, row.cell(column.index)?)));
        let Some((column, id)) = cell.filter(|(_, id)| !id.is_empty()) else {
            let remote_id = known.as_ref().map(|known| known.remote_id.clone());
            return Ok(Link {
                remote_id,
                known,
                problems,
            });
        };
        if let Err(problem) = self.lane.provider.check_id(id) {
            problems.push(problem);
        } else {
            if let Some(lines) = (source.id_lines)(column.index, id) {
                let message = format!(
                    "the remote id stands on lines {}; each record belongs to one row",
                    listed(&lines)
                );
                problems.push(Problem::new("E_DUPLICATE_ID", message));
            }
            let elsewhere = match (&known, &self.store) {
                (Some(known), _) => known.remote_id != id,
                (None, Some((store, _))) => store
                    .link_of(&self.lane.name, id)?
                    .is_some_and(|other| other != *key),
                (None, None) => false,
            };
            if elsewhere {
                let message = "the remote id contradicts the link that the state holds; correct the cell, or unlink the key";
                problems.push(Problem::new("E_LINK", message));
            }
        }
        for problem in &mut problems {
            problem.column = Some(column.name.clone());
        }
        Ok(Link {
            remote_id: Some(id.to_owned()),
            known,
            problems,
        })
    }
}

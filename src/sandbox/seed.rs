//! The seed file: what the lanes hold at the start, by lane, each record in the
//! form in which its provider answers a read.
//!
//! A record without an id of the right form is an error: it could never be
//! reached, and a seed that is silently short would mislead.

use std::collections::{BTreeMap, BTreeSet};

use super::SandboxError;
use super::answer::{id_place, id_text};
use crate::core::Json;
use crate::provider::Provider;

/// Records by lane.
#[derive(Debug)]
pub struct Seed(BTreeMap<String, Vec<Json>>);

impl Seed {
    /// Reads `{ "<lane>": [record, ...] }`.
    pub fn parse(text: &[u8]) -> Result<Self, SandboxError> {
        let json = Json::parse(text).map_err(|error| SandboxError::Seed(format!("is {error}")))?;
        let Json::Object(lanes) = json else {
            return Err(SandboxError::Seed(
                "must hold an object of lanes to lists of records".to_owned(),
            ));
        };
        lanes
            .into_iter()
            .map(|(lane, records)| match records {
                Json::Array(records) => Ok((lane, records)),
                _ => Err(SandboxError::Seed(format!(
                    "must hold a list of records under `{lane}`"
                ))),
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Takes out the records of a lane with their ids, in the order of the file.
    pub(super) fn take(
        &mut self,
        lane: &str,
        provider: &Provider,
    ) -> Result<Vec<(String, Json)>, SandboxError> {
        let mut ids = BTreeSet::new();
        let mut records = Vec::new();
        for (index, record) in self.0.remove(lane).into_iter().flatten().enumerate() {
            let wrong = |why: &str| {
                SandboxError::Seed(format!("has at `{lane}`, record {}, {why}", index + 1))
            };
            let id = record
                .pointer(&id_place(provider))
                .and_then(id_text)
                .filter(|id| provider.check_id(id).is_ok())
                .ok_or_else(|| wrong("no id of the provider's form"))?;
            if !ids.insert(id.clone()) {
                return Err(wrong("an id that another record has already"));
            }
            records.push((id, record));
        }
        Ok(records)
    }
}

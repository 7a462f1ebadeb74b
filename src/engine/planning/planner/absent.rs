//! Clients that a whole file does not have: counted, and set as `absent` says.
//!
//! Only keys that the state knows can be absent, and only a whole file can say
//! so. A client is set once: when its provider has acknowledged the values, it
//! holds what it should. Nothing is ever deleted.

use super::{LanePlanner, Left, PlanError, PlanWriter, Settled};
use crate::core::{Desired, LeftOutReason, Mapping, NOT_IN_FILE, RecordKey};
use crate::engine::lane::Lane;
use crate::engine::planning::rows::Links;
use crate::store::SnapshotRow;

/// What `absent` says of each mapped field of a lane.
fn absent(lane: &Lane) -> Vec<Desired> {
    let said = |mapping: &Mapping| {
        let mut said = lane.absent.iter();
        let (_, value) = said.find(|(path, _)| *path == mapping.field.path)?;
        Some(Desired::Set(value.clone()))
    };
    let mappings = lane.mappings.iter();
    mappings
        .map(|mapping| said(mapping).unwrap_or(Desired::Keep))
        .collect()
}

impl LanePlanner<'_> {
    /// Plans for the records of keys that no row had.
    pub(super) fn absent<S: std::error::Error, W: std::io::Write>(
        &mut self,
        out: &mut PlanWriter<'_, W>,
    ) -> Result<(), PlanError<S>> {
        let links = std::mem::replace(&mut self.links, Links::unknown(self.lane));
        let desired = absent(self.lane);
        links.each_other(|key, known| {
            self.counts.absent += 1;
            if self.lane.absent.is_empty() {
                return Ok(());
            }
            let line = NOT_IN_FILE + self.counts.absent;
            let settled = match self.leave(line, &key, &known, &desired) {
                Ok(Settled::Unchanged) => return Ok(()),
                Ok(settled) => settled,
                Err(Left::Store(error)) => return Err(error.into()),
                Err(Left::Invalid(problems)) => Settled::LeftOut(LeftOutReason::Invalid, problems),
            };
            Ok(self.write(line, Some(&key), settled, out)?)
        })
    }

    fn leave(
        &mut self,
        line: u64,
        key: &RecordKey,
        known: &SnapshotRow,
        desired: &[Desired],
    ) -> Result<Settled, Left> {
        let changes = self.changes(desired, &known.values)?;
        self.update(
            line,
            key,
            known.remote_id.clone(),
            Some(known),
            desired,
            changes,
        )
    }
}

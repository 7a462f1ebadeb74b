//! `adopt --from source`: declares that the providers hold what the file says.
//!
//! Nothing is sent and nobody is asked.

use std::collections::BTreeMap;

use super::{Adopted, Adopting, Writer};
use crate::cli::clock;
use crate::cli::failure::Failure;
use crate::cli::planning::with_source;
use crate::core::{LaneCounts, LeftOut, LeftOutReason};
use crate::engine::{Lane, LaneEnd, PlanError, Takers, declare};
use crate::source::SourceError;
use crate::store::{self, Entry, OpenRun, Store};

/// Takes over the rows of every lane.
pub(super) fn adopt(
    adopting: &Adopting<'_>,
    lanes: &[Lane],
    mut store: Store,
    writer: &mut Writer<'_>,
) -> Result<Adopted, Failure> {
    let nothing = |lane: &Lane| (lane.name.clone(), LaneCounts::default());
    let run = adopting.begin(&mut store, lanes.iter().map(nothing).collect())?;
    let mut ends = BTreeMap::new();
    for lane in lanes {
        let counts = take_over(adopting, lane, &mut store, run, writer)?;
        let end = LaneEnd {
            counts,
            ..LaneEnd::default()
        };
        ends.insert(lane.name.clone(), end);
    }
    Ok(Adopted {
        store,
        run,
        ends,
        codes: Vec::new(),
    })
}

fn take_over(
    adopting: &Adopting<'_>,
    lane: &Lane,
    store: &mut Store,
    run: OpenRun,
    writer: &mut Writer<'_>,
) -> Result<LaneCounts, Failure> {
    let only = adopting.session.only()?;
    // The rows are judged against the state as it was when they began: a row's
    // own link never changes while it is adopted.
    let before = Store::open_read_only(&adopting.session.state_path())?;
    let mut invalid: Vec<Entry> = Vec::new();
    let mut records = |records: Vec<store::Adopted>| {
        Ok::<_, PlanError<SourceError>>(store.adopt(run, &lane.name, &records)?)
    };
    let mut left_out = |row: LeftOut| {
        if row.reason == LeftOutReason::Invalid {
            invalid.push(Entry::LeftOut(row.clone(), clock::now()));
        }
        Ok(writer.left_out(row)?)
    };
    let mut takers = Takers {
        records: &mut records,
        left_out: &mut left_out,
    };
    let counts = with_source(adopting.opened, |source| {
        declare(lane, source, before.as_ref(), only.as_ref(), &mut takers)
    })??;
    store.record(run, &invalid)?;
    Ok(counts)
}

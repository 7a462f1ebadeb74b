//! Planning a session: source, lanes, snapshot and guards to a plan file.
//!
//! No transport is in reach here, and the state is only read.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufWriter;

use tracing::{debug, info};

use super::clock;
use super::failure::Failure;
use super::session::{Opened, Session};
use crate::core::{GuardVerdict, Header, Key, LaneHeader, PLAN_FORMAT, Scope, Trailer};
use crate::engine::{
    Lane, Periods, PlanWriter, Rows, Sealing, Selection, SourceView, judge_rows, plan,
};
use crate::source::{SourceError, key_of};
use crate::store::Store;

/// A plan that was written.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) header: Header,
    pub(super) trailer: Trailer,
    pub(super) file: File,
}

/// Plans into a file, which is read again from its beginning by whoever needs
/// it. Without a key, sensitive values are left out of the file.
pub(super) fn plan_into(
    file: File,
    session: &Session,
    opened: &Opened,
    lanes: &[Lane],
    store: Option<&Store>,
    key: Option<&Key>,
) -> Result<Planned, Failure> {
    let header = header(session, lanes, store)?;
    let mut failed = None;
    let mut nonce = || {
        clock::random::<24>().unwrap_or_else(|failure| {
            failed = Some(failure);
            [0; 24]
        })
    };
    let sealing = match key {
        Some(key) => Sealing::Under(key, &mut nonce),
        None => Sealing::LeaveOut,
    };
    let mut writer = PlanWriter::begin(BufWriter::new(file), &header, sealing)?;
    let selection = Selection {
        only: session.only()?,
        limit: session.asked.portion.limit,
        is_whole: session.scope() == Scope::Whole,
        judge_unlinked: session.asked.judge_unlinked,
    };
    info!(rows = opened.survey.rows, lanes = lanes.len(), "Planning.");
    let periods = if Periods::are_needed(lanes) {
        with_source(opened, |view| {
            Periods::gather(lanes, view, store, &selection)
        })??
    } else {
        Periods::default()
    };
    let mut trailer = with_source(opened, |view| {
        plan(lanes, view, &periods, store, &selection, &mut writer)
    })??;
    trailer.source_sha256 = crate::core::hex(&opened.survey.sha256);
    trailer.source_rows = opened.survey.rows;
    trailer.warnings.clone_from(&opened.warnings);
    trailer.guards = guards(session, opened, store)?;
    let (trailer, out) = writer.finish(trailer)?;
    if let Some(failure) = failed {
        return Err(failure);
    }
    let file = out
        .into_inner()
        .map_err(|error| crate::engine::PlanFileError::Io(error.into_error()))?;
    debug!(plan = header.plan_id, "Planned.");
    Ok(Planned {
        header,
        trailer,
        file,
    })
}

/// Gives the rows of a surveyed source to a reader, and checks at the end that
/// the file is still the one that was surveyed.
pub(super) fn with_source<T>(
    opened: &Opened,
    read: impl FnOnce(&mut SourceView<'_, SourceError>) -> T,
) -> Result<T, Failure> {
    let Opened {
        source,
        survey,
        trim,
        ..
    } = opened;
    let mut rows = source.rows(survey)?;
    let done = read(&mut SourceView {
        next: &mut |row| rows.read(row),
        key: &|row| key_of(row, source.key_columns(), *trim),
        key_lines: &|key| survey.key_lines(key).map(<[u64]>::to_vec),
        is_repeat: &|line| survey.is_repeat(line),
        id_lines: &|column, id| survey.id_lines(column, id).map(<[u64]>::to_vec),
    });
    rows.finish()?;
    Ok(done)
}

pub(super) fn header(
    session: &Session,
    lanes: &[Lane],
    store: Option<&Store>,
) -> Result<Header, Failure> {
    let now = clock::now();
    let mut headers = Vec::new();
    for lane in lanes {
        let header = lane_header(lane, store)?;
        if let Some(store) = store {
            store.check_target(&header)?;
        }
        headers.push(header);
    }
    Ok(Header {
        format: PLAN_FORMAT,
        plan_id: clock::new_id(now)?,
        created: clock::text(now),
        config_sha256: session.config.sha256.clone(),
        scope: session.scope(),
        lanes: headers,
    })
}

/// What a lane's plan and state are bound to.
pub(super) fn lane_header(lane: &Lane, store: Option<&Store>) -> Result<LaneHeader, Failure> {
    let before = store
        .map(|store| store.mapped_fields(&lane.name))
        .transpose()?
        .flatten();
    let mapped: BTreeSet<_> = lane
        .mappings
        .iter()
        .map(|mapping| mapping.field.path.clone())
        .collect();
    let new_fields = before
        .map(|before| mapped.difference(&before).cloned().collect())
        .unwrap_or_default();
    Ok(LaneHeader {
        lane: lane.name.clone(),
        kind: lane.provider.name().to_owned(),
        target: lane.target.clone(),
        manifest_sha256: lane.provider.manifest_sha256.clone(),
        contract_sha256: lane.provider.contract_sha256.clone(),
        new_fields,
    })
}

/// The row guards: once for all lanes, and again for a lane with its own.
pub(super) fn guards(
    session: &Session,
    opened: &Opened,
    store: Option<&Store>,
) -> Result<Vec<GuardVerdict>, Failure> {
    let last_good = store
        .map(Store::last_good)
        .transpose()?
        .flatten()
        .map(|run| run.rows);
    let rows = Rows {
        now: opened.survey.rows,
        last_good,
        scope: session.scope(),
    };
    let mut verdicts = judge_rows(&session.config.guards, rows, None);
    for lane in session
        .config
        .lanes
        .iter()
        .filter(|lane| lane.guards != session.config.guards)
    {
        verdicts.extend(judge_rows(&lane.guards, rows, Some(&lane.name)));
    }
    Ok(verdicts)
}

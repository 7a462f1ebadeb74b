//! The state that a case begins with.

use std::collections::BTreeMap;

use clientsync::core::{RecordKey, Scope};
use clientsync::engine::Lane;
use clientsync::store::{Adopted, OpenRun, RunStart, SnapshotWrite, Store};

use super::expected::Snapshot;

/// Begins the run in which a case is remembered.
pub(super) fn begin(store: &mut Store) -> OpenRun {
    let start = RunStart {
        run_id: "run-1".to_owned(),
        command: "adopt".to_owned(),
        scope: Scope::Partial,
        started: "2026-01-01T00:00:00Z".parse().unwrap(),
        plan_sha256: None,
        plan_path: None,
        source_sha256: None,
        source_rows: None,
        tool_version: "0".to_owned(),
        guards: Vec::new(),
        allowed: Vec::new(),
        lanes: BTreeMap::new(),
    };
    store.begin(&start).unwrap()
}

/// Puts what a case says that the provider acknowledged into the state.
pub(super) fn remember(store: &mut Store, run: OpenRun, lane: &Lane, snapshot: Snapshot) {
    if let Some(mapped) = &snapshot.mapped_before {
        store.set_mapped_fields(&lane.name, mapped).unwrap();
    }
    for record in snapshot.records {
        let values: Vec<_> = record
            .acknowledged
            .into_iter()
            .map(|(path, value)| (path, Some(value)))
            .collect();
        let settled = lane.settled(&values);
        assert_eq!(
            settled.len(),
            values.len(),
            "snapshot.json: mapped fields only"
        );
        let snapshot = SnapshotWrite {
            remote_id: record.remote_id,
            settled,
        };
        let key = RecordKey::from_cells([record.key.as_str()]);
        store
            .adopt(run, &lane.name, &[Adopted { key, snapshot }])
            .unwrap();
    }
}

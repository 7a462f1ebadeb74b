//! The snapshot and its reader.

use clientsync::core::{Outcome, RecordKey};
use clientsync::store::{Adopted, AttemptResult, Entry, Store, StoreError};
use proptest::prelude::*;

use super::{LANE, answer, bound, intent, key, known, lane, pairs, settled, start, update, write};

fn adopted(who: &str) -> Adopted {
    Adopted {
        key: key(who),
        snapshot: write(&format!("r-{who}"), &[("name", Some(who))]),
    }
}

fn filled(keys: impl IntoIterator<Item = String>) -> Store {
    let mut store = bound();
    let run = store.begin(&start("adopt", 0)).unwrap();
    let records: Vec<Adopted> = keys.into_iter().map(|who| adopted(&who)).collect();
    store.adopt(run, LANE, &records).unwrap();
    store
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_reader_gives_what_the_index_gives_in_whatever_order(
        stored in 0_usize..900,
        asked in proptest::collection::vec((0_usize..1000, 1_usize..300), 0..6),
        shuffled in proptest::collection::vec(0_usize..1000, 0..300),
    ) {
        let store = filled((0..stored).map(|n| format!("k{n}")));
        let mut reader = store.snapshot(LANE).unwrap();
        // Stretches in the stored order, from anywhere, then single jumps.
        let stretches = asked.into_iter().flat_map(|(from, length)| from..from + length);
        for n in stretches.chain(shuffled) {
            let who = key(&format!("k{n}"));
            let found = reader.get(&who).unwrap();
            prop_assert_eq!(found.is_some(), n < stored);
            prop_assert_eq!(found, store.acknowledged(LANE, &who).unwrap());
        }
    }
}

#[test]
fn the_stored_order_is_the_order_of_appending_per_lane() {
    let mut store = bound();
    store.bind(&[lane("beta", "https://b.example")]).unwrap();
    let run = store.begin(&start("adopt", 0)).unwrap();
    for who in ["z", "a", "m"] {
        store.adopt(run, "beta", &[adopted(who)]).unwrap();
        store.adopt(run, LANE, &[adopted(who)]).unwrap();
    }
    store.adopt(run, LANE, &[adopted("a")]).unwrap();
    let mut order = Vec::new();
    store
        .each_record(LANE, |key: RecordKey, _| {
            order.push(key.as_str().to_owned());
            Ok::<_, StoreError>(())
        })
        .unwrap();
    assert_eq!(order, ["z", "a", "m"]);
    assert_eq!(
        (store.records(LANE).unwrap(), store.records("beta").unwrap()),
        (3, 3)
    );
}

#[test]
fn a_hundred_thousand_records_are_adopted_in_chunks() {
    let store = filled((0..100_000).map(|n| n.to_string()));
    assert_eq!(store.records(LANE).unwrap(), 100_000);
    let mut reader = store.snapshot(LANE).unwrap();
    for n in 0..100_000 {
        assert!(reader.get(&key(&n.to_string())).unwrap().is_some());
    }
    assert_eq!(store.link_of(LANE, "r-77777").unwrap(), Some(key("77777")));
}

#[test]
fn a_lane_without_a_history_is_an_empty_snapshot() {
    let store = Store::open_in_memory().unwrap();
    assert_eq!(store.records("nobody").unwrap(), 0);
    assert_eq!(store.mapped_fields("nobody").unwrap(), None);
    assert_eq!(store.link_of("nobody", "1").unwrap(), None);
    assert_eq!(
        store.snapshot("nobody").unwrap().get(&key("a")).unwrap(),
        None
    );
}

#[test]
fn an_acknowledgement_merges_and_a_none_becomes_unknown() {
    let mut store = bound();
    let run = store.begin(&start("r1", 2)).unwrap();
    update(
        &mut store,
        run,
        1,
        "ann",
        &[("name", Some("Ann")), ("city", Some("Rome"))],
    );
    update(
        &mut store,
        run,
        2,
        "ann",
        &[("name", Some("Anna")), ("city", None)],
    );
    assert_eq!(known(&store, "ann"), pairs(&[("name", "Anna")]));
}

#[test]
fn under_another_remote_id_nothing_old_is_known() {
    let mut store = filled(["ann".to_owned()]);
    let run = store.begin(&start("r2", 1)).unwrap();
    let moved = Adopted {
        key: key("ann"),
        snapshot: write("r-other", &[("city", Some("Rome"))]),
    };
    store.adopt(run, LANE, &[moved]).unwrap();
    assert_eq!(known(&store, "ann"), pairs(&[("city", "Rome")]));
    assert_eq!(store.link_of(LANE, "r-ann").unwrap(), None);
    assert_eq!(store.link_of(LANE, "r-other").unwrap(), Some(key("ann")));
}

#[test]
fn an_open_attempt_hides_its_fields_until_a_later_acceptance() {
    let mut store = bound();
    let run = store.begin(&start("r1", 1)).unwrap();
    update(
        &mut store,
        run,
        1,
        "ann",
        &[("name", Some("Ann")), ("city", Some("Rome"))],
    );
    let before = store.acknowledged(LANE, &key("ann")).unwrap().unwrap();
    assert!(store.in_doubt(LANE).unwrap().is_empty());
    store.record(run, &[intent(2, "ann", &["city"])]).unwrap();
    for result in [None, Some(AttemptResult::InDoubt)] {
        if let Some(result) = result {
            let doubt = settled(2, "ann", Outcome::InDoubt, Some(answer(2, result)), None);
            store.record(run, &[doubt]).unwrap();
        }
        assert_eq!(known(&store, "ann"), pairs(&[("name", "Ann")]));
        let row = store
            .snapshot(LANE)
            .unwrap()
            .get(&key("ann"))
            .unwrap()
            .unwrap();
        assert_eq!(row, store.acknowledged(LANE, &key("ann")).unwrap().unwrap());
        assert_ne!(row.basis(), before.basis());
    }
    let doubtful: Vec<_> = store.in_doubt(LANE).unwrap().into_keys().collect();
    assert_eq!(doubtful, [key("ann")]);
    let run = store.begin(&start("r2", 1)).unwrap();
    update(&mut store, run, 3, "ann", &[("city", Some("Oslo"))]);
    assert_eq!(
        known(&store, "ann"),
        pairs(&[("city", "Oslo"), ("name", "Ann")])
    );
}

#[test]
fn a_field_in_doubt_that_a_later_acceptance_does_not_settle_stays_unknown() {
    let mut store = bound();
    let run = store.begin(&start("r1", 1)).unwrap();
    update(
        &mut store,
        run,
        1,
        "ann",
        &[("name", Some("Ann")), ("city", Some("Rome"))],
    );
    store.record(run, &[intent(2, "ann", &["city"])]).unwrap();
    update(&mut store, run, 3, "ann", &[("name", Some("Anna"))]);
    assert_eq!(known(&store, "ann"), pairs(&[("name", "Anna")]));
}

#[test]
fn definite_answers_without_change_leave_the_snapshot_known() {
    for result in [AttemptResult::Rejected, AttemptResult::NotApplied] {
        let mut store = bound();
        let run = store.begin(&start("r1", 1)).unwrap();
        update(&mut store, run, 1, "ann", &[("name", Some("Ann"))]);
        let before = store.acknowledged(LANE, &key("ann")).unwrap();
        store.record(run, &[intent(2, "ann", &["name"])]).unwrap();
        let rejected = settled(2, "ann", Outcome::Rejected, Some(answer(2, result)), None);
        store.record(run, &[rejected]).unwrap();
        assert_eq!(store.acknowledged(LANE, &key("ann")).unwrap(), before);
    }
}

#[test]
fn an_accepted_answer_alone_keeps_its_fields_unknown() {
    let mut store = bound();
    let run = store.begin(&start("r1", 1)).unwrap();
    update(&mut store, run, 1, "ann", &[("name", Some("Ann"))]);
    store.record(run, &[intent(2, "ann", &["name"])]).unwrap();
    let entry = Entry::Answer(answer(2, AttemptResult::Accepted));
    store.record(run, &[entry]).unwrap();
    assert_eq!(known(&store, "ann"), pairs(&[]));
}

#[test]
fn the_snapshot_moves_with_an_acknowledgement_only() {
    for outcome in [
        Outcome::Rejected,
        Outcome::Failed,
        Outcome::InDoubt,
        Outcome::Invalid,
    ] {
        let mut store = bound();
        let run = store.begin(&start("r1", 1)).unwrap();
        let entry = settled(
            1,
            "ann",
            outcome,
            None,
            Some(write("r-ann", &[("name", Some("Ann"))])),
        );
        let error = store.record(run, &[entry]).unwrap_err();
        assert!(matches!(error, StoreError::Journal(_)));
        assert_eq!(store.records(LANE).unwrap(), 0);
    }
}

//! Runs, attempts, outcomes: what adds up, what counts, what goes.

use std::collections::BTreeSet;

use clientsync::core::{LaneCounts, LeftOut, LeftOutReason, Outcome, Problem, Scope, SkipReason};
use clientsync::store::{
    Answer, AttemptResult, Counted, Entry, Erase, LastGood, RunStart, Store, StoreError,
};

use jiff::Timestamp;

use super::{
    LANE, answer, at, bound, end, intent, key, known, lane, path, planned, read, settled, start,
    update,
};

fn outcomes(store: &Store, run_id: &str) -> Vec<(u64, String)> {
    let mut found = Vec::new();
    store
        .outcomes(run_id, |row| {
            found.push((row.line, row.outcome.to_string()));
            Ok::<_, StoreError>(())
        })
        .unwrap();
    found
}

fn left_out(line: u64, reason: LeftOutReason) -> Entry {
    let row = LeftOut {
        lane: LANE.to_owned(),
        key: None,
        line,
        reason,
        problems: vec![Problem::new("E_TYPE", "is not a date").line(line)],
    };
    Entry::LeftOut(row, at(1))
}

/// Seven rows: one unchanged, one invalid, five planned of which one is
/// updated, one rejected, one sent without an answer, one only read.
fn killed(store: &mut Store) {
    let mut begin = start("r1", 7);
    begin.lanes.insert(
        LANE.to_owned(),
        LaneCounts {
            rows: 7,
            unchanged: 1,
            invalid: 1,
            planned: 5,
            ..LaneCounts::default()
        },
    );
    let run = store.begin(&begin).unwrap();
    store
        .record(run, &[left_out(9, LeftOutReason::Invalid)])
        .unwrap();
    update(store, run, 1, "ann", &[("name", Some("Ann"))]);
    let rejected = answer(2, AttemptResult::Rejected);
    store
        .record(
            run,
            &[
                intent(2, "bob", &["name"]),
                settled(2, "bob", Outcome::Rejected, Some(rejected), None),
                intent(3, "cy", &["name"]),
                read(4, "dan"),
            ],
        )
        .unwrap();
}

#[test]
fn the_counts_of_a_killed_run_add_up() {
    let mut store = bound();
    killed(&mut store);
    let run = store.run("r1").unwrap().unwrap();
    assert_eq!((run.ended, run.exit), (None, None));
    let counts = &run.lanes[LANE];
    assert!(counts.adds_up(), "{counts:?}");
    let expected = LaneCounts {
        rows: 7,
        unchanged: 1,
        planned: 2,
        updated: 1,
        rejected: 1,
        in_doubt: 1,
        invalid: 1,
        requests: 4,
        ..LaneCounts::default()
    };
    assert_eq!(*counts, expected);
    assert_eq!(
        outcomes(&store, "r1"),
        [
            (9, "invalid".to_owned()),
            (1, "updated".to_owned()),
            (2, "rejected".to_owned()),
            (3, "in_doubt".to_owned())
        ]
    );
}

#[test]
fn a_later_acceptance_does_not_rewrite_the_killed_run() {
    let mut store = bound();
    killed(&mut store);
    let before = store.run("r1").unwrap();
    let run = store.begin(&start("r2", 1)).unwrap();
    update(&mut store, run, 3, "cy", &[("name", Some("Cy"))]);
    assert_eq!(store.run("r1").unwrap(), before);
}

#[test]
fn the_last_word_about_a_row_counts() {
    let mut store = bound();
    let run = store.begin(&start("r1", 1)).unwrap();
    let doubt = answer(1, AttemptResult::InDoubt);
    store
        .record(
            run,
            &[
                intent(1, "ann", &["name"]),
                settled(1, "ann", Outcome::InDoubt, Some(doubt), None),
                settled(
                    1,
                    "ann",
                    Outcome::Skipped(SkipReason::Superseded),
                    None,
                    None,
                ),
            ],
        )
        .unwrap();
    let counts = store
        .run("r1")
        .unwrap()
        .unwrap()
        .lanes
        .remove(LANE)
        .unwrap();
    assert_eq!((counts.in_doubt, counts.skipped_total()), (0, 1));
    assert!(counts.adds_up());
    assert_eq!(
        outcomes(&store, "r1"),
        [(1, "skipped(superseded)".to_owned())]
    );
}

#[test]
fn a_batch_is_recorded_whole_or_not_at_all() {
    let mut store = bound();
    let run = store.begin(&start("r1", 1)).unwrap();
    let stray = Entry::Answer(answer(7, AttemptResult::Accepted));
    let error = store
        .record(run, &[intent(1, "ann", &["name"]), stray])
        .unwrap_err();
    assert!(matches!(error, StoreError::Journal(_)));
    let mut attempts = 0;
    store
        .attempts("r1", |_| {
            attempts += 1;
            Ok::<_, StoreError>(())
        })
        .unwrap();
    assert_eq!(attempts, 0);
}

#[test]
fn an_ended_run_keeps_its_final_counts_and_ends_once() {
    let mut store = bound();
    let run = store.begin(&start("r1", 3)).unwrap();
    let counts = LaneCounts {
        updated: 3,
        planned: 0,
        ..planned(3)
    };
    store.end(run, &end(0, "ok", counts.clone())).unwrap();
    let ended = store.run("r1").unwrap().unwrap();
    assert_eq!(ended.lanes[LANE], counts);
    assert_eq!(ended.exit.as_ref().map(|e| e.name.as_str()), Some("ok"));
    assert_eq!(store.runs_of_plan("ab12").unwrap(), [ended]);
    assert!(matches!(
        store.end(run, &end(1, "error", counts)),
        Err(StoreError::Journal(_))
    ));
}

#[test]
fn the_last_good_run_is_whole_sent_and_ended() {
    let mut store = bound();
    let mut run = |run_id: &str, scope, rows: u64, exit: Option<u8>| {
        let begin = RunStart {
            scope,
            ..start(run_id, rows)
        };
        let open = store.begin(&begin).unwrap();
        if let Some(code) = exit {
            store.end(open, &end(code, "any", planned(rows))).unwrap();
        }
        store.last_good().unwrap()
    };
    let good = |run_id: &str, rows| {
        Some(LastGood {
            run_id: run_id.to_owned(),
            rows,
        })
    };
    assert_eq!(run("a", Scope::Whole, 1, Some(4)), None);
    assert_eq!(run("b", Scope::Whole, 2, Some(0)), good("b", 2));
    assert_eq!(run("c", Scope::Partial, 3, Some(0)), good("b", 2));
    assert_eq!(run("d", Scope::Whole, 4, Some(3)), good("d", 4));
    assert_eq!(run("e", Scope::Whole, 5, Some(65)), good("d", 4));
    assert_eq!(run("f", Scope::Whole, 6, None), good("d", 4));
    assert_eq!(run("g", Scope::Whole, 7, Some(6)), good("g", 7));
    assert_eq!(run("h", Scope::Whole, 8, Some(5)), good("g", 7));
    let newest: Vec<String> = store
        .runs(2)
        .unwrap()
        .into_iter()
        .map(|r| r.run_id)
        .collect();
    assert_eq!(newest, ["h", "g"]);
}

fn begun(run_id: &str, seconds: i64) -> RunStart {
    RunStart {
        started: at(seconds),
        ..start(run_id, 1)
    }
}

/// What the ledger tells at a time, newest first, as seconds.
fn told(store: &Store, since: i64, now: i64, counted: Counted, at_most: u32) -> Vec<f64> {
    let times = (at(since), at(now));
    let sent = store.requests_since(LANE, times, counted, at_most).unwrap();
    let seconds = |sent: &Timestamp| sent.duration_since(at(0)).as_secs_f64();
    sent.iter().map(seconds).collect()
}

#[test]
fn the_ledger_tells_until_when_requests_of_every_run_may_have_arrived() {
    let mut store = bound();
    let run = store.begin(&start("r1", 1)).unwrap();
    let entries = [read(1, "ann"), intent(2, "ann", &["name"])];
    store.record(run, &entries).unwrap();
    let answers = [
        answer(1, AttemptResult::Accepted),
        Answer {
            // Its intent was written at 2; it waited, and left at 3.
            sent: at(3),
            ..answer(2, AttemptResult::NotApplied)
        },
    ];
    store.record(run, &answers.map(Entry::Answer)).unwrap();
    // The next run was killed; the one after it began at 8.
    let run = store.begin(&begun("r2", 4)).unwrap();
    store.record(run, &[read(5, "bob")]).unwrap();
    let run = store.begin(&begun("r3", 8)).unwrap();
    let open = [read(9, "bob"), intent(10, "cyd", &["name"])];
    store.record(run, &open).unwrap();
    let all = [20.0, 20.0, 8.0, 3.021, 1.021];
    assert_eq!(told(&store, 0, 20, Counted::Requests, 9), all);
    assert_eq!(told(&store, 0, 20, Counted::Writes, 9), [20.0, 3.021]);
    assert_eq!(told(&store, 3, 20, Counted::Requests, 9), all[..4]);
    assert_eq!(told(&store, 4, 20, Counted::Requests, 9), all[..3]);
    assert_eq!(told(&store, 0, 20, Counted::Requests, 2), all[..2]);
    let nobody = store.requests_since("nobody", (at(0), at(20)), Counted::Requests, 9);
    assert!(nobody.unwrap().is_empty());
}

#[test]
fn times_of_a_clock_that_was_ahead_are_never_later_than_what_came_after_them() {
    let mut store = bound();
    let run = store.begin(&begun("r1", 900)).unwrap();
    store
        .record(run, &[read(901, "ann"), read(902, "ann")])
        .unwrap();
    let answered = [901, 902].map(|n| Entry::Answer(answer(n, AttemptResult::Accepted)));
    store.record(run, &answered).unwrap();
    // Set right, the clock says 20: they were sent just now, at the latest.
    assert_eq!(told(&store, 10, 20, Counted::Requests, 9), [20.0, 20.0]);
    // A run that began at 21 shows that they were sent before that.
    store.begin(&begun("r2", 21)).unwrap();
    assert_eq!(told(&store, 15, 30, Counted::Requests, 9), [21.0, 21.0]);
    assert!(told(&store, 22, 30, Counted::Requests, 9).is_empty());
}

#[test]
fn lanes_are_bound_to_their_target() {
    let mut store = bound();
    let fields = BTreeSet::from([path("name"), path("/metadata/a.b")]);
    store.set_mapped_fields(LANE, &fields).unwrap();
    store.bind(&[lane(LANE, "https://a.example")]).unwrap();
    assert_eq!(store.mapped_fields(LANE).unwrap(), Some(fields));
    let error = store
        .bind(&[
            lane("new", "https://n.example"),
            lane(LANE, "https://b.example"),
        ])
        .unwrap_err();
    assert!(matches!(error, StoreError::OtherTarget { .. }));
    assert_eq!(store.lanes().collect::<Vec<_>>(), [LANE]);
    assert_eq!(store.reset(LANE).unwrap(), 0);
    store.bind(&[lane(LANE, "https://b.example")]).unwrap();
    assert_eq!(store.mapped_fields(LANE).unwrap(), None);
}

#[test]
fn a_lane_is_left_alone_for_as_long_as_its_provider_asked() {
    let mut store = bound();
    assert_eq!(store.blocked_until(LANE).unwrap(), None);
    store.set_blocked_until(LANE, Some(at(7))).unwrap();
    assert_eq!(store.blocked_until(LANE).unwrap(), Some(at(7)));
    store.set_blocked_until(LANE, None).unwrap();
    assert_eq!(store.blocked_until(LANE).unwrap(), None);
}

#[test]
fn the_history_of_a_client_spans_runs() {
    let mut store = bound();
    for (run_id, outcome) in [("r1", Outcome::Failed), ("r2", Outcome::Updated)] {
        let run = store.begin(&start(run_id, 2)).unwrap();
        let other = settled(2, "bob", Outcome::Updated, None, None);
        store
            .record(run, &[settled(1, "ann", outcome, None, None), other])
            .unwrap();
    }
    let mut found = Vec::new();
    store
        .outcomes_of(&key("ann"), |row| {
            found.push((row.run_id, row.outcome));
            Ok::<_, StoreError>(())
        })
        .unwrap();
    let expected = [("r1", Outcome::Failed), ("r2", Outcome::Updated)];
    assert_eq!(
        found,
        expected.map(|(run, outcome)| (run.to_owned(), outcome))
    );
}

#[test]
fn retention_keeps_open_attempts_and_the_last_good_run() {
    let mut store = bound();
    let run = store.begin(&start("good", 1)).unwrap();
    update(&mut store, run, 1, "ann", &[("name", Some("Ann"))]);
    store.end(run, &end(0, "ok", planned(1))).unwrap();
    let run = store.begin(&start("refused", 1)).unwrap();
    store.end(run, &end(4, "guard", planned(1))).unwrap();
    let run = store.begin(&start("doubt", 1)).unwrap();
    store.record(run, &[intent(1, "ann", &["name"])]).unwrap();
    assert_eq!(store.purge_older_than(at(-9)).unwrap(), 0);
    assert_eq!(store.purge_older_than(at(1000)).unwrap(), 1);
    let left: Vec<String> = store
        .runs(9)
        .unwrap()
        .into_iter()
        .map(|r| r.run_id)
        .collect();
    assert_eq!(left, ["doubt", "good"]);
    assert_eq!(outcomes(&store, "good"), []);
    assert_eq!(store.last_good().unwrap().unwrap().rows, 1);
    assert_eq!(
        known(&store, "ann"),
        [],
        "the open attempt still hides the field"
    );
    assert_eq!(store.verify().unwrap(), Vec::<String>::new());
}

#[test]
fn retention_keeps_what_a_long_run_sent_of_late() {
    let mut store = bound();
    let run = store.begin(&start("long", 1)).unwrap();
    update(&mut store, run, 7, "ann", &[("name", Some("Ann"))]);
    store.end(run, &end(0, "ok", planned(1))).unwrap();
    let counted = |store: &Store| {
        let sent = store.requests_since(LANE, (at(0), at(100)), Counted::Requests, 9);
        sent.unwrap().len()
    };
    // It began before, and its request still counts against the quota.
    store.purge_older_than(at(5)).unwrap();
    assert_eq!(counted(&store), 1);
    store.purge_older_than(at(8)).unwrap();
    assert_eq!(counted(&store), 0);
}

#[test]
fn an_unlinked_key_is_unknown() {
    let mut store = bound();
    let run = store.begin(&start("r1", 1)).unwrap();
    update(&mut store, run, 1, "ann", &[("name", Some("Ann"))]);
    assert!(store.unlink(LANE, &key("ann")).unwrap());
    assert!(!store.unlink(LANE, &key("ann")).unwrap());
    assert_eq!(store.link_of(LANE, "r-ann").unwrap(), None);
}

#[test]
fn erasing_a_client_keeps_the_counts_and_the_ledger() {
    let mut store = bound();
    killed(&mut store);
    let before = store.run("r1").unwrap();
    assert_eq!(store.erase(Erase::Key(&key("ann"))).unwrap(), 1);
    assert_eq!(store.run("r1").unwrap(), before);
    let sent = store.requests_since(LANE, (at(0), at(90)), Counted::Requests, 9);
    assert_eq!(sent.unwrap().len(), 4);
    let mut keys = Vec::new();
    store
        .attempts("r1", |row| {
            keys.push(row.key.map(|k| k.as_str().to_owned()));
            Ok::<_, StoreError>(())
        })
        .unwrap();
    assert_eq!(keys[0], None);
    assert_eq!(keys[1].as_deref(), Some("bob"));
}

//! Refusals that are everyone's: a wrong workspace, a missing right, a wrong
//! mapping. No row is marked for what is not its fault.

use super::world::{Ask, Does, Provider, World};
use super::*;
use clientsync::core::Outcome;
use clientsync::store::{OutcomeRow, StoreError};

fn refusing(status: u16) -> Provider {
    Provider::new(move |_| Does::says(status))
}

/// The next run, against a provider that works, does all of it.
async fn assert_all_is_left(world: &mut World, provider: &Provider, rows: u64) {
    let provider = provider.judged(|_| Does::Works);
    let end = world.sync_one(&provider).await;
    assert_eq!((end.stopped, end.counts.updated), (None, rows));
}

#[tokio::test(start_paused = true)]
async fn a_workspace_that_knows_nobody_ends_the_lane_and_rejects_nothing() {
    let mut world = World::new(&["crm"], 100, FAST, 1);
    let provider = refusing(404);
    let end = world.sync_one(&provider).await;
    let Some(Stopped::Provider(Stop::Unusable, why)) = &end.stopped else {
        panic!("{:?}", end.stopped)
    };
    assert!(why.contains("none of the first 20 records"), "{why}");
    assert_eq!((end.counts.planned, end.counts.rejected), (100, 0));
    assert!(provider.requests() <= 24, "{}", provider.requests());
    assert_all_is_left(&mut world, &provider, 100).await;
}

#[tokio::test(start_paused = true)]
async fn one_known_row_makes_the_unknown_ones_their_own_fault() {
    let mut world = World::new(&["crm"], 100, FAST, 1);
    let provider = Provider::new(|ask| match ask.id {
        "r18" => Does::Works,
        id if id.len() < 3 => Does::says(404),
        _ => Does::Works,
    });
    let end = world.sync_one(&provider).await;
    assert_eq!(end.stopped, None);
    assert_eq!((end.counts.updated, end.counts.rejected), (90, 10));
}

#[tokio::test(start_paused = true)]
async fn fewer_unknown_rows_than_twenty_are_rejected_at_the_end() {
    let mut world = World::new(&["crm"], 5, FAST, 1);
    let end = world.sync_one(&refusing(404)).await;
    assert_eq!((end.stopped, end.counts.rejected), (None, 5));
}

#[tokio::test(start_paused = true)]
async fn the_last_refusal_of_a_lane_counts_once_also_as_a_last_chance() {
    let mut world = World::new(&["crm"], 20, FAST, 1);
    let provider = Provider::new(|ask| match (ask.id, ask.nth) {
        ("r19", 0..4) => Does::Nothing(NoResponse::NotSent),
        _ => Does::says(422),
    });
    let end = world.sync_one(&provider).await;
    assert!(matches!(
        end.stopped,
        Some(Stopped::Provider(Stop::Deferred, _))
    ));
    assert_eq!((end.counts.rejected, end.counts.failed), (20, 0));
    let mut outcomes = Vec::new();
    let each = |row: OutcomeRow| -> Result<(), StoreError> {
        outcomes.push(row.outcome);
        Ok(())
    };
    world.store().outcomes("run-1", each).unwrap();
    assert_eq!(outcomes, [Outcome::Rejected; 20]);
}

#[tokio::test(start_paused = true)]
async fn five_rows_that_may_not_be_written_end_the_lane_and_reject_nothing() {
    let mut world = World::new(&["crm"], 100, FAST, 1);
    let provider = refusing(403);
    let end = world.sync_one(&provider).await;
    assert!(matches!(
        end.stopped,
        Some(Stopped::Provider(Stop::Credentials, _))
    ));
    assert_eq!((end.counts.planned, end.counts.rejected), (100, 0));
    assert!(provider.requests() <= 9, "{}", provider.requests());
    assert_all_is_left(&mut world, &provider, 100).await;
}

#[tokio::test(start_paused = true)]
async fn a_row_here_and_there_that_may_not_be_written_is_rejected() {
    let mut world = World::new(&["crm"], 100, FAST, 1);
    let provider = Provider::new(|ask| {
        if ask.id.ends_with('3') {
            Does::says(403)
        } else {
            Does::Works
        }
    });
    let end = world.sync_one(&provider).await;
    assert_eq!(end.stopped, None);
    assert_eq!((end.counts.updated, end.counts.rejected), (90, 10));
}

#[tokio::test(start_paused = true)]
async fn a_403_that_names_a_used_up_limit_is_a_pause() {
    let mut world = World::new(&["crm"], 20, FAST, 1);
    let provider = Provider::new(|ask| match ask.number {
        5 => Does::Says(
            403,
            vec![
                ("x-ratelimit-remaining".to_owned(), "0".to_owned()),
                ("x-ratelimit-reset".to_owned(), "50".to_owned()),
            ],
        ),
        _ => Does::Works,
    });
    let end = world.sync_one(&provider).await;
    assert_eq!((end.counts.updated, end.counts.rejected), (20, 0));
    let log = provider.log();
    let asked = log[5].answered.unwrap();
    let first = log.iter().map(|l| l.at).filter(|at| *at > asked).min();
    assert!(first >= Some(asked + Duration::from_secs(50)), "{first:?}");
}

#[tokio::test(start_paused = true)]
async fn too_many_rejects_end_the_lane_and_nothing_more_is_rejected() {
    let mut world = World::new(&["crm"], 500, FAST, 1);
    let provider = refusing(422);
    let end = world.sync_one(&provider).await;
    let Some(Stopped::Provider(Stop::Deferred, why)) = &end.stopped else {
        panic!("{:?}", end.stopped)
    };
    assert!(why.contains("too many rejects: 20 of 20"), "{why}");
    assert_eq!((end.counts.planned, end.counts.rejected), (480, 20));
    assert!(provider.requests() <= 24, "{}", provider.requests());
}

#[tokio::test(start_paused = true)]
async fn rejects_that_are_a_part_of_the_rows_end_nothing() {
    let mut world = World::new(&["crm"], 500, FAST, 1);
    let provider = Provider::new(|ask| {
        if ask.id.ends_with(['1', '4', '7', '9']) {
            Does::says(422)
        } else {
            Does::Works
        }
    });
    let end = world.sync_one(&provider).await;
    assert_eq!(end.stopped, None);
    assert_eq!((end.counts.updated, end.counts.rejected), (300, 200));
}

#[tokio::test(start_paused = true)]
async fn wrong_credentials_are_seen_by_as_many_requests_as_are_open_and_no_more() {
    for concurrency in [1, 2, 4, 8] {
        let limits =
            format!("quota = [{{ calls = 1000, per = \"second\" }}], concurrency = {concurrency}");
        let mut world = World::new(&["crm"], 200, &limits, 1);
        let provider = refusing(401);
        let end = world.sync_one(&provider).await;
        assert!(matches!(
            end.stopped,
            Some(Stopped::Provider(Stop::Credentials, _))
        ));
        assert_eq!((end.counts.planned, end.counts.rejected), (200, 0));
        assert!(
            provider.requests() <= concurrency,
            "{}",
            provider.requests()
        );
        assert_all_is_left(&mut world, &provider, 200).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_last_chance_that_shows_another_record_is_recorded_once_as_in_doubt() {
    let folder = Folder::new(&["crm"], 5, FAST);
    let failed = AtomicUsize::new(0);
    let transport = Scripted::new(move |_, request| {
        if !request.url.ends_with("/r3") {
            return status(200);
        }
        match failed.fetch_add(1, Ordering::SeqCst) {
            0..4 => status(503),
            _ => Play::Answer(200, r#"{"id":"someone"}"#, Vec::new(), Duration::ZERO),
        }
    });
    let ends = folder.sync("run-1", vec![transport.clone()]).await;
    let counts = &ends["crm"].counts;
    assert_eq!(
        (counts.updated, counts.in_doubt, counts.failed),
        (4, 1, 0),
        "{counts:?}"
    );
    assert_eq!(transport.seen().len(), 4 + 4 + 1);
    let mut codes = Vec::new();
    let each = |row: OutcomeRow| -> Result<(), StoreError> {
        codes.extend(row.code);
        Ok(())
    };
    let store = Store::open(&folder.state()).unwrap();
    store.outcomes("run-1", each).unwrap();
    assert_eq!(codes, ["E_ID_MISMATCH"]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_shows_another_record_ends_the_lane() {
    let folder = Folder::new(&["crm"], 50, FAST);
    let transport = Scripted::new(|number, _| match number {
        10 => Play::Answer(
            200,
            r#"{"id":"someone"}"#,
            Vec::new(),
            Duration::from_millis(20),
        ),
        _ => status(200),
    });
    let ends = folder.sync("run-1", vec![transport.clone()]).await;
    let end = &ends["crm"];
    assert!(matches!(
        end.stopped,
        Some(Stopped::Provider(Stop::Unusable, _))
    ));
    assert_eq!(end.counts.in_doubt, 1);
    assert!(transport.seen().len() <= 14);
    assert_eq!(in_doubt(&folder.state()).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn rows_that_are_rejected_every_night_keep_no_other_back() {
    // One row in sixteen, each refused for itself; then the same with rows that
    // nobody knows, and with rows that may not be written.
    for status in [422, 404, 403] {
        let mut world = World::new(&["crm"], 400, FAST, 1);
        let poisoned = |id: &str| id[1..].parse::<u32>().unwrap() % 16 == 3;
        let judge = move |ask: &Ask<'_>| {
            if poisoned(ask.id) {
                Does::says(status)
            } else {
                Does::Works
            }
        };
        let provider = Provider::new(judge);
        let end = world.sync_one(&provider).await;
        assert_eq!((end.stopped, end.counts.rejected), (None, 25), "{status}");
        for night in ["one", "two"] {
            // A few good rows change, behind most of the others.
            let text = fs::read_to_string(world.source()).unwrap();
            let changed = text.lines().map(|line| {
                let fresh = format!("fresh-{night}");
                let is_late = line.starts_with("c35") && !line.contains(",r355");
                let line = if is_late {
                    line.replace("person", &fresh).replace("fresh-one", &fresh)
                } else {
                    line.to_owned()
                };
                line + "\n"
            });
            let changed: String = changed.collect();
            fs::write(world.source(), changed).unwrap();
            let provider = provider.judged(judge);
            let end = world.sync_one(&provider).await;
            assert_eq!(end.stopped, None, "{status}");
            // c35, c350 to c359 but c355, which is rejected like c35.
            assert_eq!(
                (end.counts.updated, end.counts.rejected),
                (9, 25),
                "{status} {night}: {:?}",
                end.counts
            );
            let log = provider.log();
            let first_refused = log.iter().position(|l| poisoned(&l.id)).unwrap();
            assert_eq!(first_refused, 9, "those that were rejected come last");
        }
        // Once they are accepted they are rows like any other.
        let provider = provider.judged(|_| Does::Works);
        let end = world.sync_one(&provider).await;
        assert_eq!((end.stopped, end.counts.updated), (None, 25), "{status}");
        world.rewrite(400, "all");
        let provider = provider.judged(|_| Does::Works);
        world.sync_one(&provider).await;
        let log = provider.log();
        let place = log.iter().position(|l| l.id == "r3").unwrap();
        assert!(place < 20, "{status}: {place}");
    }
}

//! The budget of requests and the time of a run: what is over is left planned.

use super::*;
use clientsync::engine::Bound;

fn budget(requests: u64) -> Bounds {
    Bounds {
        budget: Some(requests),
        ..Bounds::default()
    }
}

fn time(seconds: u64) -> Bounds {
    Bounds {
        deadline: Some(Instant::now() + Duration::from_secs(seconds)),
        ..Bounds::default()
    }
}

#[tokio::test(start_paused = true)]
async fn a_budget_is_used_to_its_last_request_and_the_rest_stays_planned() {
    let mut folder = Folder::new(&["crm"], 40, FAST);
    folder.bounds = budget(10);
    let transport = Scripted::new(|_, _| status(200));
    let ends = folder.sync("run-1", vec![transport.clone()]).await;
    let end = &ends["crm"];
    assert_eq!(end.stopped, Some(Stopped::Bound(Bound::Budget(10))));
    assert_eq!((end.counts.updated, end.counts.planned), (10, 30));
    assert_eq!(transport.seen().len(), 10);
    folder.bounds = budget(30);
    let transport = Scripted::new(|_, _| status(200));
    let ends = folder.sync("run-2", vec![transport.clone()]).await;
    assert_eq!(
        ends["crm"].stopped, None,
        "a budget that suffices is no stop"
    );
    assert_eq!(
        (ends["crm"].counts.updated, transport.seen().len()),
        (30, 30)
    );
}

#[tokio::test(start_paused = true)]
async fn a_budget_counts_retries_too() {
    let mut folder = Folder::new(&["crm"], 40, FAST);
    folder.bounds = budget(13);
    // Every second request fails, and is sent again.
    let transport = Scripted::new(|number, _| status(if number % 2 == 0 { 503 } else { 200 }));
    let ends = folder.sync("run-1", vec![transport.clone()]).await;
    assert_eq!(ends["crm"].stopped, Some(Stopped::Bound(Bound::Budget(13))));
    assert_eq!(transport.seen().len(), 13);
    assert_eq!(
        (ends["crm"].counts.requests, ends["crm"].counts.updated),
        (13, 6)
    );
}

#[tokio::test(start_paused = true)]
async fn each_lane_has_its_own_budget() {
    let mut folder = Folder::new(&["one", "two"], 20, FAST);
    folder.bounds = budget(5);
    let transports = [(); 2].map(|()| Scripted::new(|_, _| status(200)));
    folder.sync("run-1", transports.to_vec()).await;
    assert_eq!(transports.map(|t| t.seen().len()), [5, 5]);
}

#[tokio::test(start_paused = true)]
async fn no_request_begins_after_the_time_of_the_run() {
    let limits = "quota = [{ calls = 60, per = \"minute\" }], concurrency = 4";
    let mut folder = Folder::new(&["crm"], 40, limits);
    folder.bounds = time(10);
    let transport = Scripted::new(|_, _| status(200));
    let ends = folder.sync("run-1", vec![transport.clone()]).await;
    let end = &ends["crm"];
    assert_eq!(end.stopped, Some(Stopped::Bound(Bound::Time)));
    assert!(end.counts.updated >= 8, "{:?}", end.counts);
    assert_eq!(end.counts.updated + end.counts.planned, 40);
    let seen = transport.seen();
    assert!(seen.iter().all(|s| s.began < Duration::from_secs(10)));
    assert!(
        seen.iter().all(|s| s.ended.is_some()),
        "what was under way is finished"
    );
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_the_time_of_the_run_cannot_hold_is_not_begun() {
    let mut folder = Folder::new(&["crm"], 40, FAST);
    folder.bounds = time(30);
    let asked = || {
        let headers = vec![("retry-after", "60")];
        Play::Answer(429, "{}", headers, Duration::from_millis(20))
    };
    let transport = Scripted::new(move |number, _| match number {
        5 => asked(),
        _ => status(200),
    });
    let began = Instant::now();
    let ends = folder.sync("run-1", vec![transport.clone()]).await;
    assert!(ends["crm"].stopped.is_some());
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );
    assert!(transport.seen().len() <= 9);
}

/// Whoever finds out whether a failing provider works again must not wait for
/// what those who wait for that hold: a place in the budget, room in a window.
#[tokio::test(start_paused = true)]
async fn a_lane_that_fails_comes_to_its_end_whatever_its_requests_hold() {
    for (calls, concurrency) in [(1, 2), (1, 4), (2, 2), (2, 4), (1000, 2), (1000, 4)] {
        let limits = format!(
            "quota = [{{ calls = {calls}, per = \"second\" }}], concurrency = {concurrency}"
        );
        let mut folder = Folder::new(&["crm"], 30, &limits);
        for requests in [None].into_iter().chain((9..=20).map(Some)) {
            folder.bounds.budget = requests;
            let transport = Scripted::new(|_, _| status(503));
            let run = folder.run(
                Store::open_in_memory().unwrap(),
                "run-1",
                vec![transport.clone()],
            );
            let case = format!("{calls} a second, {concurrency} at once, {requests:?}");
            let ended = tokio::time::timeout(Duration::from_secs(3600), run).await;
            let (ends, _) = ended.unwrap_or_else(|_| panic!("it hangs: {case}"));
            assert!(ends["crm"].stopped.is_some(), "{case}");
            let budget = requests.unwrap_or(u64::MAX);
            assert!(ends["crm"].counts.requests <= budget, "{case}");
        }
    }
}

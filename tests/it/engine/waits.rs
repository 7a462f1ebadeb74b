//! Waits that a provider asks for: none is undercut, in this run or the next.

use super::world::{Does, EPOCH, Provider, World, drawn};
use super::*;
use crate::support::campaign::times;

/// One way to ask for a wait, and what it asks for.
struct Asked {
    status: u16,
    headers: Vec<(String, String)>,
    /// `None` where nothing can be read: then the provider's own usual wait.
    seconds: Option<u64>,
    /// Whether it names a moment of our clock, and no time from the answer on.
    is_moment: bool,
}

/// A date as HTTP spells it, in one of its three forms.
fn date(at: Timestamp, form: u64) -> String {
    let form = match form % 3 {
        0 => "%a, %d %b %Y %H:%M:%S GMT",
        1 => "%A, %d-%b-%y %H:%M:%S GMT",
        _ => "%a %b %e %H:%M:%S %Y",
    };
    at.strftime(form).to_string()
}

/// The n-th way to ask.
fn asked(n: u64) -> Asked {
    let now: Timestamp = EPOCH.parse().unwrap();
    let draw = |what: &str, below: u64| drawn(7, &[what, &n.to_string()]) % below;
    let seconds = match draw("size", 4) {
        0 => draw("seconds", 3),
        1 => draw("seconds", 60),
        2 => draw("seconds", 301),
        _ => draw("seconds", 100_000),
    };
    let header = |name: &str, value: String| (name.to_owned(), value);
    let later = |clock: Timestamp| clock + Duration::from_secs(seconds);
    let status = if draw("status", 4) == 0 { 503 } else { 429 };
    let after = |value: String| vec![header("Retry-After", value)];
    let (headers, asked) = match draw("form", 8) {
        0 | 1 => (after(seconds.to_string()), Some(seconds)),
        2 => (after(date(later(now), draw("date", 3))), Some(seconds)),
        3 => {
            // A server whose clock is hours away says so.
            let skew = Duration::from_secs(draw("skew", 100_000));
            let clock = if draw("ahead", 2) == 0 {
                now + skew
            } else {
                now - skew
            };
            let mut headers = after(date(later(clock), draw("date", 3)));
            headers.push(header("Date", date(clock, 0)));
            (headers, Some(seconds))
        }
        4 => {
            let less = seconds / 2;
            let values = if draw("one", 2) == 0 {
                after(format!("{less}, {seconds}"))
            } else {
                [after(seconds.to_string()), after(less.to_string())].concat()
            };
            (values, Some(seconds))
        }
        5 => {
            let garbage = [
                "-5",
                "1.5",
                "abc",
                "",
                "soon",
                "2026-01-01T00:01:00Z",
                "1e3",
            ];
            let which = usize::try_from(draw("garbage", 7)).unwrap();
            return Asked {
                status: 429,
                headers: after(garbage[which].to_owned()),
                seconds: None,
                is_moment: false,
            };
        }
        6 => {
            let past = now - Duration::from_secs(1 + draw("past", 1_000_000));
            return Asked {
                status: 429,
                headers: after(date(past, draw("date", 3))),
                seconds: None,
                is_moment: false,
            };
        }
        _ => (
            after(format!("{}000000", 1 + seconds)),
            Some((1 + seconds) * 1_000_000),
        ),
    };
    // A date that asks for nothing is one that has passed.
    let is_now = asked == Some(0) && headers[0].1.contains(':');
    Asked {
        status: if is_now { 429 } else { status },
        seconds: asked.filter(|_| !is_now),
        is_moment: draw("form", 8) == 2,
        headers,
    }
}

#[tokio::test(start_paused = true)]
async fn no_wait_that_a_provider_asks_for_is_undercut() {
    /// What the vendor of this provider asks for where an answer names no time.
    const USUAL: u64 = 30;
    let (mut waited, mut deferred) = (0, 0);
    for n in 0..times(200, 1000) {
        let Asked {
            status,
            headers,
            seconds,
            is_moment,
        } = asked(n);
        let said = format!("{n}: {status} {headers:?}");
        let mut world = World::new(&["crm"], 6, FAST, n);
        let provider = Provider::new(move |ask| match ask.number {
            2 => Does::Says(status, headers.clone()),
            _ => Does::Works,
        });
        let end = world.sync_one(&provider).await;
        let log = provider.log();
        let answered = log[2].answered.unwrap();
        let next = log.iter().map(|l| l.at).filter(|at| *at > answered).min();
        let wait = Duration::from_secs(seconds.unwrap_or(USUAL));
        let is_moment = is_moment && seconds.is_some();
        let from = if is_moment { Duration::ZERO } else { answered };
        if wait > Duration::from_secs(300) {
            assert!(
                matches!(end.stopped, Some(Stopped::Provider(Stop::Deferred, _))),
                "{said}: {:?}",
                end.stopped
            );
            assert_eq!(next, None, "{said}");
            let resume = end.resume.unwrap();
            assert!(
                resume >= EPOCH.parse::<Timestamp>().unwrap() + wait,
                "{said}"
            );
            assert_eq!(world.store().blocked_until("crm").unwrap(), Some(resume));
            deferred += 1;
        } else {
            assert_eq!((end.stopped, end.counts.updated), (None, 6), "{said}");
            let next = next.unwrap();
            assert!(next >= from + wait, "{said}: {next:?}");
            // A time of our own is longer by a share of it, so that many clients
            // do not return at once.
            let share = seconds.map_or(wait / 10, |_| Duration::ZERO);
            let latest = answered + wait + share + Duration::from_secs(2);
            assert!(next <= latest, "{said}");
            // It was recorded with the answer, for a run that is killed meanwhile.
            let kept = world.store().blocked_until("crm").unwrap().unwrap();
            let asked = EPOCH.parse::<Timestamp>().unwrap() + from + wait;
            assert!(kept >= asked, "{said}: {kept}");
            waited += 1;
        }
    }
    assert!(waited > 20 && deferred > 20, "{waited} {deferred}");
}

#[tokio::test(start_paused = true)]
async fn a_wait_beyond_all_times_leaves_a_state_that_can_be_read() {
    for wait in [
        "1795168830000",
        "99999999999999999999999",
        "Fri, 31 Dec 9999 23:59:59 GMT",
    ] {
        let mut world = World::new(&["crm"], 6, FAST, 1);
        let header = vec![("Retry-After".to_owned(), wait.to_owned())];
        let provider = Provider::new(move |_| Does::Says(429, header.clone()));
        for _ in 0..2 {
            let end = world.sync_one(&provider).await;
            assert!(
                matches!(end.stopped, Some(Stopped::Provider(Stop::Deferred, _))),
                "{wait}: {:?}",
                end.stopped
            );
            let kept = world.store().blocked_until("crm").unwrap().unwrap();
            let far: Timestamp = "9000-01-01T00:00:00Z".parse().unwrap();
            assert!(kept > far, "{wait}: {kept}");
        }
        assert!(provider.requests() <= 4, "the second run asks nobody");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_nobody_can_read_is_warned_of() {
    let mut world = World::new(&["crm"], 3, FAST, 1);
    let provider = Provider::new(|ask| match ask.number {
        0 => Does::Says(429, vec![("retry-after".to_owned(), "soon".to_owned())]),
        _ => Does::Works,
    });
    world.sync_one(&provider).await;
    let mut warned = Vec::new();
    world
        .store()
        .outcomes::<clientsync::store::StoreError>("run-1", |row| {
            warned.extend(row.problems.into_iter().map(|problem| problem.code));
            Ok(())
        })
        .unwrap();
    assert_eq!(warned, ["W_RETRY_AFTER"]);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_throttles_for_ever_is_left_alone_after_half_an_hour() {
    let mut world = World::new(&["crm"], 100, FAST, 1);
    let provider = Provider::new(|_| Does::says(429));
    let began = Instant::now();
    let end = world.sync_one(&provider).await;
    assert!(matches!(
        end.stopped,
        Some(Stopped::Provider(Stop::Deferred, _))
    ));
    assert!(
        began.elapsed() <= Duration::from_secs(1830),
        "{:?}",
        began.elapsed()
    );
    assert_eq!((end.counts.planned, end.counts.retries > 0), (100, true));
    // One more pause would be too much; what four are asked at once counts once.
    assert!(
        began.elapsed() >= Duration::from_secs(1470),
        "{:?}",
        began.elapsed()
    );
    // 30 s as the vendor asks, then doubling to 300 s; as many as are open see each.
    assert!(provider.requests() <= 4 * 10, "{}", provider.requests());
    assert!(end.waited <= Duration::from_secs(1800));
}

#[tokio::test(start_paused = true)]
async fn twenty_short_waits_in_a_row_are_enough() {
    let mut world = World::new(
        &["crm"],
        100,
        "quota = [{ calls = 1000, per = \"second\" }], concurrency = 1",
        1,
    );
    let headers = || vec![("retry-after".to_owned(), "1".to_owned())];
    let provider = Provider::new(move |_| Does::Says(429, headers()));
    let end = world.sync_one(&provider).await;
    assert_eq!(provider.requests(), 21);
    assert!(end.resume.is_some());
    assert_eq!(end.counts.planned, 100);
}

#[tokio::test(start_paused = true)]
async fn the_next_run_leaves_a_provider_alone_for_as_long_as_it_asked() {
    let mut world = World::new(&["crm"], 10, FAST, 1);
    let headers = || vec![("retry-after".to_owned(), "4000".to_owned())];
    let provider = Provider::new(move |_| Does::Says(429, headers()));
    let end = world.sync_one(&provider).await;
    let until = end.resume.unwrap();
    // At once, and once more an hour later: nothing is sent, and it says why.
    for hour in 0..2 {
        let provider = provider.judged(|_| Does::Works);
        let end = world.sync_one(&provider).await;
        assert_eq!((provider.requests(), end.counts.planned), (0, 10), "{hour}");
        assert_eq!(end.resume, Some(until));
        tokio::time::sleep(Duration::from_secs(3600)).await;
    }
    let provider = provider.judged(|_| Does::Works);
    let end = world.sync_one(&provider).await;
    assert_eq!((end.stopped, end.counts.updated), (None, 10));
}

#[tokio::test(start_paused = true)]
async fn a_short_rest_that_a_dead_run_left_is_waited_out() {
    let mut world = World::new(&["crm"], 10, FAST, 1);
    let headers = || vec![("retry-after".to_owned(), "200".to_owned())];
    let provider = Provider::new(move |_| Does::Says(429, headers()));
    // A run that ends before the wait does: its time is up.
    world.bounds(Bounds {
        deadline: Some(Instant::now() + Duration::from_secs(100)),
        ..Bounds::default()
    });
    let end = world.sync_one(&provider).await;
    assert!(end.stopped.is_some());
    let asked = Instant::now();
    world.bounds(Bounds::default());
    let provider = provider.judged(|_| Does::Works);
    let end = world.sync_one(&provider).await;
    assert_eq!((end.stopped, end.counts.updated), (None, 10));
    assert!(
        asked.elapsed() >= Duration::from_secs(199),
        "{:?}",
        asked.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn of_two_waits_that_are_asked_at_once_the_longer_one_holds() {
    for asked in [["3000", "3"], ["3", "3000"]] {
        let mut world = World::new(&["crm"], 10, FAST, 1);
        let provider = Provider::new(move |ask| {
            let wait = asked[ask.number % 2].to_owned();
            Does::Says(429, vec![("retry-after".to_owned(), wait)])
        });
        let end = world.sync_one(&provider).await;
        let asked_for = EPOCH.parse::<Timestamp>().unwrap() + Duration::from_secs(3000);
        assert!(end.resume.is_some_and(|resume| resume >= asked_for));
        assert_eq!(world.store().blocked_until("crm").unwrap(), end.resume);
        // The next run comes too early.
        let provider = provider.judged(|_| Does::Works);
        tokio::time::advance(Duration::from_secs(700)).await;
        let end = world.sync_one(&provider).await;
        assert!(matches!(
            end.stopped,
            Some(Stopped::Provider(Stop::Deferred, _))
        ));
        assert_eq!(provider.requests(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn rows_in_doubt_come_first_and_the_newer_value_wins() {
    let mut world = World::new(&["crm"], 60, FAST, 1);
    world.rewrite(60, "old");
    let doubtful = |id: &str| matches!(id, "r20" | "r40" | "r59");
    let provider = Provider::new(move |ask| {
        if doubtful(ask.id) {
            Does::AppliesAndResets
        } else {
            Does::Works
        }
    });
    let end = world.sync_one(&provider).await;
    assert_eq!((end.counts.updated, end.counts.in_doubt), (57, 3));
    // One of them says something new by now, and so does a row before it.
    let mut desired = world.rewrite(60, "old");
    let path = world.source();
    let mut text = fs::read_to_string(&path).unwrap();
    for n in [5, 40] {
        text = text.replace(&format!("old{n}@"), &format!("new{n}@"));
        desired.insert(format!("r{n}"), format!("new{n}@example.com"));
    }
    fs::write(&path, text).unwrap();
    let provider = provider.judged(|_| Does::Works);
    let end = world.sync_one(&provider).await;
    assert_eq!((end.counts.updated, end.counts.unchanged), (4, 56));
    let log = provider.log();
    let seen: Vec<(&str, bool)> = log.iter().map(|l| (l.id.as_str(), l.is_write)).collect();
    let reads: BTreeSet<&str> = seen[..3].iter().map(|(id, _)| *id).collect();
    assert_eq!(reads, BTreeSet::from(["r20", "r40", "r59"]));
    assert_eq!(
        seen[3..],
        [("r40", true), ("r5", true)],
        "what was applied is not sent again, and the doubtful come first"
    );
    assert_eq!(provider.emails(), desired);
}

//! Slower than the limits: after throttle answers, and where headers say that
//! little is left.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// Reads so many records at ten a second, where the other side answers as scripted.
async fn scripted(
    records: usize,
    script: impl Fn(usize) -> (u16, Vec<(&'static str, &'static str)>) + Send + Sync + 'static,
) -> Vec<Duration> {
    let remote = Remote {
        script: Arc::new(script),
        ..Remote::new(records, steady(20))
    };
    let limits = Limits {
        concurrency: 4,
        ..limits(&[(10, Window::Second)])
    };
    let end = read_all(remote.clone(), limits, None).await;
    assert_eq!(end.stopped, None);
    remote.reads()
}

fn between(reads: &[Duration], from: Duration, to: Duration) -> usize {
    reads.iter().filter(|at| **at >= from && **at < to).count()
}

#[tokio::test(start_paused = true)]
async fn a_throttle_answer_lowers_the_rate_which_climbs_back_to_the_ceiling() {
    let reads = scripted(6_000, |number| match number {
        50 => (429, vec![("retry-after", "2")]),
        _ => (200, Vec::new()),
    })
    .await;
    let minute = 60 * SECOND;
    let again = reads.iter().find(|at| **at >= reads[50] + 2 * SECOND);
    let again = *again.unwrap();
    // 7 a second at first, and half a request a second more every minute.
    let minutes: Vec<usize> = (0..8)
        .map(|n| between(&reads, again + n * minute, again + (n + 1) * minute))
        .collect();
    for (minute, share) in [0.725, 0.775, 0.825, 0.875, 0.925, 0.975]
        .into_iter()
        .enumerate()
    {
        let expected = 600.0 * share;
        let counted = f64::from(u32::try_from(minutes[minute]).unwrap());
        assert!((counted - expected).abs() <= 8.0, "{minutes:?}");
    }
    assert!(
        minutes[6..].iter().all(|count| (594..=600).contains(count)),
        "{minutes:?}"
    );
    assert_eq!(windows_over(&reads, 10, Window::Second), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_together_lowers_the_rate_once() {
    let pacer = Pacer::new(
        &limits(&[(10, Window::Second)]),
        None,
        &Ledger::empty(now()),
    );
    let mut together = Vec::new();
    for _ in 0..4 {
        together.push(pacer.admit(Asked::Write).await.unwrap());
    }
    let rate = async || {
        let start = Instant::now();
        for _ in 0..8 {
            pacer
                .admit(Asked::Write)
                .await
                .unwrap()
                .end(Ending::Answered);
        }
        8.0 / start.elapsed().as_secs_f64()
    };
    for turn in together {
        turn.end(Ending::Throttled);
    }
    let once = rate().await;
    assert!((6.9..7.2).contains(&once), "{once}");
    pacer
        .admit(Asked::Write)
        .await
        .unwrap()
        .end(Ending::Throttled);
    let twice = rate().await;
    assert!((4.8..5.1).contains(&twice), "{twice}");
    for _ in 0..40 {
        pacer
            .admit(Asked::Write)
            .await
            .unwrap()
            .end(Ending::Throttled);
    }
    let least = rate().await;
    assert!((0.49..0.55).contains(&least), "{least}");
    // An hour is more than it takes to climb; the next fall begins at the ceiling.
    tokio::time::advance(Duration::from_secs(3_600)).await;
    let ceiling = rate().await;
    assert!((9.9..11.8).contains(&ceiling), "{ceiling}");
    pacer
        .admit(Asked::Write)
        .await
        .unwrap()
        .end(Ending::Throttled);
    let again = rate().await;
    assert!((6.9..7.2).contains(&again), "{again}");
}

#[tokio::test(start_paused = true)]
async fn a_rate_of_the_user_is_the_ceiling_that_falls() {
    let limits = limits(&[(100, Window::Second)]);
    let pacer = Pacer::new(&limits, Some(10.0), &Ledger::empty(now()));
    pacer
        .admit(Asked::Write)
        .await
        .unwrap()
        .end(Ending::Throttled);
    let start = Instant::now();
    for _ in 0..7 {
        pacer
            .admit(Asked::Write)
            .await
            .unwrap()
            .end(Ending::Answered);
    }
    assert!((millis(980)..millis(1_020)).contains(&start.elapsed()));
}

/// The gap that a header makes after the fifth read, when four were answered.
async fn gap_after(headers: &'static [(&'static str, &'static str)]) -> Duration {
    let reads = scripted(20, move |number| {
        let headers = if number == 4 { headers } else { &[] };
        (200, headers.to_vec())
    })
    .await;
    assert_eq!(reads.len(), 20);
    widest(&reads)
}

#[tokio::test(start_paused = true)]
async fn nothing_left_pauses_the_lane_until_there_is_more() {
    let gap = gap_after(&[("RateLimit", "\"default\";r=0;t=50")]).await;
    assert!((50 * SECOND..51 * SECOND).contains(&gap), "{gap:?}");
    let older = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "30")];
    let gap = gap_after(older.to_vec().leak()).await;
    assert!((30 * SECOND..31 * SECOND).contains(&gap), "{gap:?}");
    // A date is as far ahead as it is from the answer's own: 42 seconds.
    let dated = [
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset", "1795168842"),
        ("date", "Fri, 20 Nov 2026 10:00:00 GMT"),
    ];
    let gap = gap_after(dated.to_vec().leak()).await;
    assert!((42 * SECOND..43 * SECOND).contains(&gap), "{gap:?}");
}

#[tokio::test(start_paused = true)]
async fn no_header_makes_a_run_wait_longer_than_its_cap() {
    for headers in [
        &[("RateLimit", "\"default\";r=0;t=1000000")][..],
        &[
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "99999999999"),
        ],
        &[
            ("RateLimit", "\"a\";r=1;t=1000000"),
            ("RateLimit-Policy", "\"a\";q=100"),
        ],
    ] {
        let gap = gap_after(headers.to_vec().leak()).await;
        assert!((299 * SECOND..301 * SECOND).contains(&gap), "{gap:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_nearly_used_up_is_spread() {
    let headers = |number| match number {
        4 => vec![
            ("RateLimit-Policy", "\"default\";q=100;w=60"),
            ("RateLimit", "\"default\";r=5;t=50"),
        ],
        _ => Vec::new(),
    };
    let reads = scripted(60, move |number| (200, headers(number))).await;
    let told = reads[4];
    assert_eq!(between(&reads, told + millis(150), told + 50 * SECOND), 4);
    let after = told + 51 * SECOND;
    assert!((29..=30).contains(&between(&reads, after, after + 3 * SECOND)));
    // Ten of a hundred are not few, and more than the limits is never sent.
    for plenty in ["\"default\";r=10;t=50", "\"default\";r=9999;t=1"] {
        let policy = ("RateLimit-Policy", "\"default\";q=100;w=60");
        let headers = vec![policy, ("RateLimit", plenty)];
        let gap = gap_after(headers.leak()).await;
        assert!(gap <= millis(150), "{plenty}: {gap:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_latest_word_counts() {
    let policy = ("RateLimit-Policy", "\"default\";q=100;w=60");
    let reads = scripted(30, move |number| match number {
        4 => (200, vec![policy, ("RateLimit", "\"default\";r=5;t=50")]),
        5 => (200, vec![policy, ("RateLimit", "\"default\";r=90;t=60")]),
        _ => (200, Vec::new()),
    })
    .await;
    let wide = gaps(&reads).filter(|gap| *gap > SECOND).count();
    assert_eq!(wide, 1, "{reads:?}");
}

#[tokio::test(start_paused = true)]
async fn without_a_quota_in_the_header_ours_for_such_a_time_is_meant() {
    let low = gap_after(&[("x-ratelimit-remaining", "1"), ("x-ratelimit-reset", "1")]).await;
    assert!(low <= millis(150), "one of ten is a tenth: {low:?}");
    let limits = limits(&[(10, Window::Second), (60, Window::Minute)]);
    for (left, expected) in [("5", 6 * SECOND), ("6", SECOND)] {
        let remote = Remote {
            script: Arc::new(move |number| {
                let told = vec![("x-ratelimit-remaining", left), ("x-ratelimit-reset", "30")];
                (200, if number == 4 { told } else { Vec::new() })
            }),
            ..Remote::new(10, steady(20))
        };
        read_all(remote.clone(), limits.clone(), None).await;
        let reads = remote.reads();
        let gap = reads[6].abs_diff(reads[5]);
        assert!(gap.abs_diff(expected) <= millis(5), "{left}: {gap:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn malformed_headers_change_nothing() {
    for headers in [
        &[("RateLimit", "\"default\";r=zero;t=50")][..],
        &[("RateLimit", "\"default;r=0;t=50")],
        &[("RateLimit", "limit=10, remaining=0, reset=50")],
        &[
            ("x-ratelimit-remaining", "none"),
            ("x-ratelimit-reset", "50"),
        ],
        &[
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "soon"),
        ],
    ] {
        let gap = gap_after(headers.to_vec().leak()).await;
        assert!(gap <= millis(150), "{headers:?}: {gap:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_with_nothing_left_is_a_throttle_until_the_reset() {
    let reads = scripted(20, |number| match number {
        4 => (
            403,
            vec![("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "40")],
        ),
        _ => (200, Vec::new()),
    })
    .await;
    assert_eq!(reads.len(), 21, "the refused one is sent again");
    assert!(widest(&reads) >= 40 * SECOND);
}

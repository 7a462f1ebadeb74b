//! Every rate that is promised, through the engine, on a paused clock.

use std::sync::atomic::{AtomicUsize, Ordering};

use clientsync::engine::DayUsedUp;

use super::*;

#[test]
fn the_judge_sees_one_request_too_many() {
    let arrivals = [0, 300, 600, 999, 1_000, 1_500].map(millis);
    assert_eq!(windows_over(&arrivals, 4, Window::Second), 0);
    assert_eq!(windows_over(&arrivals, 3, Window::Second), 3);
    assert_eq!(windows_over(&arrivals, 1, Window::Second), 5);
    let even: Vec<Duration> = (0..=100).map(|n| millis(n * 100)).collect();
    assert!((used(&even, 10, Window::Second) - 1.0).abs() < 1e-9);
}

async fn run(calls: u32, per: Window, records: usize, trip: Trip) -> (usize, f64) {
    let remote = Remote::new(records, trip);
    let end = read_all(remote.clone(), limits(&[(calls, per)]), None).await;
    assert_eq!((end.stopped, end.retries), (None, 0));
    let reads = remote.reads();
    assert_eq!(reads.len(), records);
    (
        windows_over(&remote.arrivals(), calls, per),
        used(&reads, calls, per),
    )
}

#[tokio::test(start_paused = true)]
async fn no_window_is_ever_over_and_99_percent_are_used() {
    for (calls, per, records) in RATES {
        for latency in [20, 200] {
            let (over, used) = run(calls, per, records, steady(latency)).await;
            assert_eq!(over, 0, "{calls} per {per:?} at {latency} ms");
            assert!(used >= 0.99, "{calls} per {per:?} at {latency} ms: {used}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn travel_times_that_differ_by_50_ms_let_no_window_be_over() {
    for (calls, per, records) in RATES {
        for (latency, seed) in [(0, 1), (20, 2), (200, 3)] {
            let (over, used) = run(calls, per, records, jittery(latency, 50, seed)).await;
            assert_eq!(over, 0, "{calls} per {per:?} at {latency} ms");
            assert!(used >= 0.85, "{calls} per {per:?} at {latency} ms: {used}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_travels_a_little_faster_than_all_before_is_not_too_early() {
    let travelled = AtomicUsize::new(0);
    let trip: Trip = Arc::new(move || {
        let before = travelled.fetch_add(1, Ordering::Relaxed);
        let there = if before < 300 { 100 } else { 96 };
        (millis(there), millis(100))
    });
    let (over, used) = run(50, Window::Second, 600, trip).await;
    assert_eq!(over, 0);
    assert!(used >= 0.98, "{used}");
}

#[tokio::test(start_paused = true)]
async fn five_lanes_at_once_each_keep_their_own_pace() {
    let mut lanes = JoinSet::new();
    for (lane, latency) in [20, 50, 100, 150, 200].into_iter().enumerate() {
        let (calls, per, records) = RATES[lane % RATES.len()];
        lanes.spawn(async move {
            let (over, used) = run(calls, per, records, steady(latency)).await;
            assert_eq!(over, 0, "{calls} per {per:?} at {latency} ms");
            assert!(used >= 0.99, "{calls} per {per:?} at {latency} ms: {used}");
        });
    }
    while let Some(ended) = lanes.join_next().await {
        ended.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn all_windows_hold_at_once() {
    let quotas = [
        (9, Window::Second),
        (108, Window::Minute),
        (4_500, Window::Hour),
    ];
    let remote = Remote::new(6_000, jittery(20, 50, 4));
    read_all(remote.clone(), limits(&quotas), None).await;
    for (calls, per) in quotas {
        assert_eq!(windows_over(&remote.arrivals(), calls, per), 0, "{per:?}");
    }
    assert!(used(&remote.reads(), 4_500, Window::Hour) >= 0.99);
}

#[tokio::test(start_paused = true)]
async fn below_twenty_a_second_requests_never_leave_together() {
    let remote = Remote::new(100, steady(20));
    read_all(remote.clone(), limits(&[(9, Window::Second)]), None).await;
    let reads = remote.reads();
    assert!(narrowest(&reads) >= millis(107));
}

#[tokio::test(start_paused = true)]
async fn a_lower_rate_of_the_user_holds_too() {
    let remote = Remote::new(100, steady(20));
    read_all(remote.clone(), limits(&[(100, Window::Second)]), Some(2.5)).await;
    let reads = remote.reads();
    assert!(narrowest(&reads) >= millis(400));
    assert!(reads[99].abs_diff(reads[0]) <= millis(99 * 402));
}

#[tokio::test(start_paused = true)]
async fn an_exchange_that_hangs_keeps_its_place_and_no_more() {
    let limits = limits(&[(4, Window::Second)]);
    let pacer = Arc::new(Pacer::new(&limits, None, &Ledger::empty(now())));
    let hanging = pacer.admit(Asked::Read).await.unwrap();
    let arrivals = drive(&pacer, Asked::Read, 300, &steady(20)).await;
    assert_eq!(windows_over(&arrivals, 3, Window::Second), 0);
    assert!(used(&arrivals, 3, Window::Second) >= 0.98);
    drop(hanging);
    let arrivals = drive(&pacer, Asked::Read, 400, &steady(20)).await;
    assert_eq!(windows_over(&arrivals, 4, Window::Second), 0);
    assert!(used(&arrivals, 4, Window::Second) >= 0.98);
}

#[tokio::test(start_paused = true)]
async fn windows_of_writes_let_reads_pass() {
    let mut limits = limits(&[(1, Window::Minute)]);
    limits.quota[0].writes_only = true;
    let pacer = Arc::new(Pacer::new(&limits, None, &Ledger::empty(now())));
    let start = Instant::now();
    drive(&pacer, Asked::Read, 100, &steady(0)).await;
    assert_eq!(start.elapsed(), Duration::ZERO);
    let writes = drive(&pacer, Asked::Write, 3, &steady(0)).await;
    assert_eq!(windows_over(&writes, 1, Window::Minute), 0);
    assert!(writes[2] >= Duration::from_secs(120));
}

/// A pacer with so many requests a day, at a time of the first of January.
fn daily(calls: u32, time: &str) -> Arc<Pacer> {
    let began = format!("2026-01-01T{time}Z").parse().unwrap();
    let limits = limits(&[(calls, Window::Day)]);
    Arc::new(Pacer::new(&limits, None, &Ledger::empty(began)))
}

#[tokio::test(start_paused = true)]
async fn a_day_that_is_used_up_says_when_the_next_begins() {
    let pacer = daily(5, "23:54:59");
    drive(&pacer, Asked::Write, 5, &steady(0)).await;
    let until = "2026-01-02T00:00:00Z".parse().unwrap();
    let refused = pacer.admit(Asked::Read).await.map(drop);
    assert_eq!(refused, Err(DayUsedUp { until }));
}

#[tokio::test(start_paused = true)]
async fn a_run_through_midnight_gets_the_new_days_quota() {
    let pacer = daily(5, "23:55:00");
    let under_way = pacer.admit(Asked::Read).await.unwrap();
    let arrivals = drive(&pacer, Asked::Read, 8, &steady(0)).await;
    let midnight = Duration::from_secs(300);
    // What was under way at midnight may have arrived on either day.
    assert_eq!(arrivals.iter().filter(|at| **at < midnight).count(), 4);
    assert_eq!(arrivals.iter().filter(|at| **at == midnight).count(), 4);
    drop(under_way);
    let until = "2026-01-03T00:00:00Z".parse().unwrap();
    let refused = pacer.admit(Asked::Read).await.map(drop);
    assert_eq!(refused, Err(DayUsedUp { until }));
}

#[tokio::test(start_paused = true)]
async fn midnight_comes_when_it_does_however_long_a_run_took_to_begin() {
    let read = Instant::now();
    let ledger = Ledger::empty("2026-01-01T23:55:00Z".parse().unwrap());
    // Between the ledger and the first request lies what a run does before.
    tokio::time::advance(Duration::from_secs(20)).await;
    let pacer = Pacer::new(&limits(&[(5, Window::Day)]), None, &ledger);
    for _ in 0..5 {
        drop(pacer.admit(Asked::Read).await.unwrap());
    }
    assert_eq!(read.elapsed(), Duration::from_secs(20));
    drop(pacer.admit(Asked::Read).await.unwrap());
    assert_eq!(read.elapsed(), Duration::from_secs(300));
}

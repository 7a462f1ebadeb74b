//! Whole runs in virtual time, chosen by a seed: plans, faults and crashes, and
//! at the end every provider holds what the file says.
//!
//! One thread, one paused clock: nothing here waits for real, and a seed gives
//! the same requests in the same order. The judge is what the providers in
//! memory hold and what they were asked, never our own database.

mod fate;
mod judge;
mod outside;
mod run;
mod time;
mod town;
mod wire;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fate::Weather;
use run::{Ended, Site};
use town::Town;

use crate::support::campaign::{Chance, say, times};

/// Longer than any update is late: what the file says next meets no update of
/// what it said before. Nobody can tell a provider to forget one.
const ALL_LANDED: Duration = Duration::from_secs(700);
/// Longer than any provider asks to be left alone.
const NO_LONGER_ALONE: Duration = Duration::from_secs(3_600);
/// How many runs without faults may be needed until nothing is planned.
const SETTLING: usize = 3;

/// What a simulation came to.
struct Story {
    log: Vec<String>,
    runs: usize,
    crashes: usize,
}

/// One seed from its first run to the last, which has nothing to do.
fn simulate(seed: u64) -> Story {
    let mut chance = Chance::of(seed);
    time::begin(chance.next());
    let town = Town::draw(&mut chance);
    let mut site = Site::build(town, &mut chance);
    let mut crashes = 0;
    for round in 0..2 + chance.below(3) {
        if round > 0 {
            if chance.percent(60) {
                time::pass(ALL_LANDED + Duration::from_secs(chance.below(86_400)));
                site.change(&mut chance);
            } else {
                let most = *chance.one(&[500, 20_000, 2_000_000]);
                time::pass(Duration::from_millis(chance.below(most)));
            }
        }
        let weather = Weather::draw(&mut chance);
        let crash = chance
            .percent(60)
            .then(|| run::Crash::draw(&mut chance, site.busy()));
        let budget = chance.percent(25).then(|| 1 + chance.below(site.busy()));
        if site.run(weather, crash, budget) == Ended::Killed {
            crashes += 1;
        }
    }
    time::pass(NO_LONGER_ALONE);
    let settled = (0..=SETTLING).any(|_| {
        let ended = site.run(Weather::fine(), None, None);
        time::pass(Duration::from_secs(60));
        ended == Ended::NothingPlanned
    });
    assert!(
        settled,
        "after {SETTLING} runs without faults updates are planned"
    );
    site.judge_end();
    Story {
        log: site.log(),
        runs: site.runs(),
        crashes,
    }
}

/// A simulation; its seed is told where it fails.
fn tried(seed: u64) -> Story {
    catch_unwind(AssertUnwindSafe(|| simulate(seed))).unwrap_or_else(|panic| {
        say(&format!(
            "simulation: CLIENTSYNC_SEED={seed} gives this failure again"
        ));
        resume_unwind(panic)
    })
}

#[test]
fn plans_faults_and_crashes_converge() {
    if let Some(seed) = std::env::var_os("CLIENTSYNC_SEED") {
        for line in tried(seed.to_str().unwrap().parse().unwrap()).log {
            say(&line);
        }
        return;
    }
    let seeds = times(200, 10_000);
    let next = AtomicU64::new(1);
    let sum = Mutex::new([0; 3]);
    let threads = std::thread::available_parallelism().unwrap().get();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed > seeds {
                        return;
                    }
                    let story = tried(seed);
                    let mut sum = sum.lock().unwrap();
                    for (sum, more) in
                        sum.iter_mut()
                            .zip([story.log.len(), story.runs, story.crashes])
                    {
                        *sum += more;
                    }
                }
            });
        }
    });
    let [requests, runs, crashes] = sum.into_inner().unwrap();
    assert!(crashes > 0 && runs > crashes && requests > runs);
    say(&format!(
        "simulation: {seeds} seeds, {runs} runs, {crashes} crashes, {requests} requests"
    ));
}

#[test]
fn a_seed_replays_byte_for_byte() {
    for seed in 1..=6 {
        let (first, second) = (tried(seed), tried(seed));
        let differs = first.log.iter().zip(&second.log).find(|(a, b)| a != b);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(first.log.len(), second.log.len(), "seed {seed}");
    }
}

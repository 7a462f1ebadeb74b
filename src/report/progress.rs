//! Progress of a run: bars on a terminal, a line now and then elsewhere.
//!
//! Both listen to the engine's events, which hold no cell values. Nothing here
//! finds out by itself whether there is a terminal or what time it is.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::core::Outcome;
use crate::engine::{Event, Observer, Work};

use super::escape::escape;
use super::words::{counted, duration, number};

/// What is known of a lane while it works.
#[derive(Clone, Debug, Default)]
struct Tally {
    rows: u64,
    done: u64,
    troubled: u64,
    retries: u64,
    waiting: Option<String>,
}

impl Tally {
    fn settle(&mut self, outcome: Outcome) {
        self.done += 1;
        if matches!(
            outcome,
            Outcome::Rejected | Outcome::Failed | Outcome::InDoubt | Outcome::Invalid
        ) {
            self.troubled += 1;
        }
    }

    fn template(&self) -> &'static str {
        if self.waiting.is_some() {
            WAITING
        } else {
            WORKING
        }
    }

    fn remarks(&self) -> Vec<String> {
        // First what fits on a narrow terminal and matters now.
        let mut remarks: Vec<String> = self.waiting.clone().into_iter().collect();
        if self.troubled > 0 {
            remarks.push(format!("{} troubled", number(self.troubled)));
        }
        if self.retries > 0 {
            remarks.push(counted(self.retries, "retry", "retries"));
        }
        remarks
    }
}

fn paused(wait: Duration, reason: &str) -> String {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    format!("paused {}: {}", duration(seconds), escape(reason))
}

/// A panic elsewhere must not take the progress with it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One bar per lane. For a terminal; see [`ProgressLog`] for elsewhere.
#[derive(Debug)]
pub struct Bars {
    all: MultiProgress,
    lanes: Mutex<BTreeMap<String, (ProgressBar, Tally)>>,
}

impl Bars {
    /// Bars that are drawn on this target.
    #[must_use]
    pub fn new(target: ProgressDrawTarget) -> Self {
        Self {
            all: MultiProgress::with_draw_target(target),
            lanes: Mutex::default(),
        }
    }

    /// Wraps a writer that shares the terminal with the bars, so that log
    /// lines stand above them.
    pub fn writer<W: Write>(&self, inner: W) -> BarWriter<W> {
        BarWriter {
            all: self.all.clone(),
            inner,
        }
    }

    fn start(&self, lane: String, rows: u64) {
        let bar = self.all.add(ProgressBar::new(rows));
        bar.set_style(style(WORKING));
        bar.set_prefix(escape(&lane).into_owned());
        bar.tick();
        let tally = Tally {
            rows,
            ..Tally::default()
        };
        lock(&self.lanes).insert(lane, (bar, tally));
    }

    fn change(&self, lane: &str, change: impl FnOnce(&ProgressBar, &mut Tally)) {
        if let Some((bar, tally)) = lock(&self.lanes).get_mut(lane) {
            let before = tally.template();
            change(bar, tally);
            if tally.template() != before {
                bar.set_style(style(tally.template()));
            }
            bar.set_message(tally.remarks().join(", "));
        }
    }
}

/// The bar of a lane at work.
const WORKING: &str =
    "{prefix:12} [{bar:24}] {human_pos}/{human_len}  {rate}  ETA {eta}  {wide_msg}";
/// The bar of one that waits or has ended: its rate says nothing, and the reason
/// must fit on a terminal of 80 columns.
const WAITING: &str = "{prefix:12} [{bar:20}] {human_pos}/{human_len}  {wide_msg}";

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
        .with_key("rate", |state: &ProgressState, out: &mut dyn fmt::Write| {
            // Nothing can be done where drawing fails.
            let _ = write!(out, "{:.1}/s", state.per_sec());
        })
}

impl Observer for Bars {
    fn observe(&self, event: Event) {
        match event {
            Event::LaneStarted { lane, rows, .. } => self.start(lane, rows),
            Event::Requested { lane, retry } => self.change(&lane, |_, tally| {
                tally.retries += u64::from(retry);
                tally.waiting = None;
            }),
            Event::Settled { lane, outcome, .. } => self.change(&lane, |bar, tally| {
                tally.settle(outcome);
                bar.inc(1);
            }),
            Event::Paused { lane, wait, reason } => self.change(&lane, |_, tally| {
                tally.waiting = Some(paused(wait, reason));
            }),
            Event::LaneEnded { lane, stopped } => {
                self.change(&lane, |_, tally| {
                    tally.waiting = stopped.map(|why| format!("stopped: {}", escape(&why)));
                });
                if let Some((bar, _)) = lock(&self.lanes).get(&lane) {
                    bar.abandon();
                }
            }
        }
    }
}

/// A writer that takes the bars away while it writes. Made by [`Bars::writer`];
/// a log subscriber gets one per line.
#[derive(Debug)]
pub struct BarWriter<W> {
    all: MultiProgress,
    inner: W,
}

impl<W: Write> Write for BarWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Self { all, inner } = self;
        // All of it at once: a line in two parts would have a bar between them.
        all.suspend(|| inner.write_all(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let Self { all, inner } = self;
        all.suspend(|| inner.flush())
    }
}

/// Tells the progress in lines: when a lane begins, at most once per interval
/// while it works, and when it ends.
pub struct ProgressLog {
    interval: Duration,
    clock: Box<dyn Fn() -> Duration + Send + Sync>,
    tell: Box<dyn Fn(&str) + Send + Sync>,
    lanes: Mutex<BTreeMap<String, Logged>>,
}

#[derive(Debug)]
struct Logged {
    tally: Tally,
    began: Duration,
    told: Duration,
}

impl fmt::Debug for ProgressLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProgressLog")
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}

impl ProgressLog {
    /// A log that tells a line at most every `interval` per lane. `clock` says
    /// how much time has passed since any fixed moment and never goes back;
    /// `tell` takes one line without its end and must not block.
    pub fn new(
        interval: Duration,
        clock: impl Fn() -> Duration + Send + Sync + 'static,
        tell: impl Fn(&str) + Send + Sync + 'static,
    ) -> Self {
        Self {
            interval,
            clock: Box::new(clock),
            tell: Box::new(tell),
            lanes: Mutex::default(),
        }
    }

    fn start(&self, lane: String, work: Work, rows: u64) {
        let now = (self.clock)();
        let work = match work {
            Work::Send => format!("{} to send", counted(rows, "update", "updates")),
            Work::Read => format!("{} to read", counted(rows, "record", "records")),
        };
        let told = format!("{}: {work}", escape(&lane));
        let logged = Logged {
            tally: Tally {
                rows,
                ..Tally::default()
            },
            began: now,
            told: now,
        };
        lock(&self.lanes).insert(lane, logged);
        (self.tell)(&told);
    }

    fn change(&self, lane: &str, change: impl FnOnce(&mut Tally)) {
        let now = (self.clock)();
        let due = match lock(&self.lanes).get_mut(lane) {
            Some(logged) => {
                change(&mut logged.tally);
                let due = now.saturating_sub(logged.told) >= self.interval;
                due.then(|| {
                    logged.told = now;
                    logged.line(lane, now)
                })
            }
            None => None,
        };
        // Told after the lock is gone: the listener may be slow.
        if let Some(told) = due {
            (self.tell)(&told);
        }
    }

    fn end(&self, lane: &str, stopped: Option<String>) {
        let now = (self.clock)();
        let Some(mut logged) = lock(&self.lanes).remove(lane) else {
            return;
        };
        logged.tally.waiting = stopped.map(|why| format!("stopped: {}", escape(&why)));
        (self.tell)(&logged.last_line(lane, now));
    }
}

impl Logged {
    fn done(&self, lane: &str) -> String {
        let Tally { done, rows, .. } = self.tally;
        format!(
            "{}: {} of {} done",
            escape(lane),
            number(done),
            number(rows)
        )
    }

    fn line(&self, lane: &str, now: Duration) -> String {
        let Tally { done, rows, .. } = self.tally;
        let passed = now.saturating_sub(self.began).as_secs();
        let mut parts = vec![self.done(lane)];
        if done > 0 && passed > 0 {
            parts.push(format!(
                "{} a minute",
                number(done.saturating_mul(60) / passed)
            ));
            let left = rows.saturating_sub(done).saturating_mul(passed) / done;
            if left > 0 {
                parts.push(format!("about {} left", duration(left)));
            }
        }
        parts.extend(self.tally.remarks());
        parts.join(", ")
    }

    fn last_line(&self, lane: &str, now: Duration) -> String {
        let passed = now.saturating_sub(self.began).as_secs();
        let mut parts = vec![format!("{} in {}", self.done(lane), duration(passed))];
        parts.extend(self.tally.remarks());
        parts.join(", ")
    }
}

impl Observer for ProgressLog {
    fn observe(&self, event: Event) {
        match event {
            Event::LaneStarted { lane, work, rows } => self.start(lane, work, rows),
            Event::Requested { lane, retry } => self.change(&lane, |tally| {
                tally.retries += u64::from(retry);
                tally.waiting = None;
            }),
            Event::Settled { lane, outcome, .. } => {
                self.change(&lane, |tally| tally.settle(outcome));
            }
            Event::Paused { lane, wait, reason } => self.change(&lane, |tally| {
                tally.waiting = Some(paused(wait, reason));
            }),
            Event::LaneEnded { lane, stopped } => self.end(&lane, stopped),
        }
    }
}

//! The progress of a run: on a terminal and in a log.

use std::fmt::Debug;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clientsync::core::Outcome;
use clientsync::engine::{Event, Observer, Work};
use clientsync::report::{Bars, ProgressLog, needs_escape};
use indicatif::{ProgressDrawTarget, TermLike};

use super::samples::key;

fn started(lane: &str, rows: u64) -> Event {
    Event::LaneStarted {
        lane: lane.to_owned(),
        work: Work::Send,
        rows,
    }
}

fn settled(outcome: Outcome) -> Event {
    Event::Settled {
        lane: "weel".to_owned(),
        key: key("C-1"),
        outcome,
    }
}

fn requested(retry: bool) -> Event {
    Event::Requested {
        lane: "weel".to_owned(),
        retry,
    }
}

fn paused(seconds: u64) -> Event {
    Event::Paused {
        lane: "weel".to_owned(),
        wait: Duration::from_secs(seconds),
        reason: "provider asked",
    }
}

fn ended(stopped: Option<&str>) -> Event {
    Event::LaneEnded {
        lane: "weel".to_owned(),
        stopped: stopped.map(str::to_owned),
    }
}

/// A log with a clock that the test sets, and the lines it told.
fn log() -> (ProgressLog, Arc<AtomicU64>, Arc<Mutex<Vec<String>>>) {
    let now = Arc::new(AtomicU64::new(0));
    let lines = Arc::new(Mutex::new(Vec::new()));
    let (clock, told) = (Arc::clone(&now), Arc::clone(&lines));
    let log = ProgressLog::new(
        Duration::from_secs(30),
        move || Duration::from_secs(clock.load(Ordering::SeqCst)),
        move |line| told.lock().unwrap().push(line.to_owned()),
    );
    (log, now, lines)
}

#[test]
fn the_log_says_whether_a_lane_sends_or_reads() {
    let (log, _, lines) = log();
    log.observe(started("weel", 2));
    log.observe(Event::LaneStarted {
        lane: "spp".to_owned(),
        work: Work::Read,
        rows: 1,
    });
    let told = ["weel: 2 updates to send", "spp: 1 record to read"];
    assert_eq!(*lines.lock().unwrap(), told);
}

#[test]
fn the_log_tells_a_line_per_interval_and_not_more() {
    let (log, now, lines) = log();
    log.observe(started("weel", 1_204));
    for second in 1..=70 {
        now.store(second, Ordering::SeqCst);
        log.observe(requested(second == 40));
        log.observe(settled(if second == 50 {
            Outcome::Rejected
        } else {
            Outcome::Updated
        }));
    }
    log.observe(paused(90));
    now.store(100, Ordering::SeqCst);
    log.observe(paused(60));
    log.observe(ended(Some("the budget is used up")));
    assert_eq!(
        *lines.lock().unwrap(),
        [
            "weel: 1,204 updates to send",
            "weel: 29 of 1,204 done, 58 a minute, about 20 min 15 s left",
            "weel: 59 of 1,204 done, 59 a minute, about 19 min 24 s left, 1 troubled, 1 retry",
            "weel: 70 of 1,204 done, 42 a minute, about 27 min left, paused 1 min: provider asked, 1 troubled, 1 retry",
            "weel: 70 of 1,204 done in 1 min 40 s, stopped: the budget is used up, 1 troubled, 1 retry",
        ]
    );
}

#[test]
fn one_update_is_singular_and_unknown_lanes_are_silent() {
    let (log, _, lines) = log();
    log.observe(settled(Outcome::Updated));
    log.observe(ended(None));
    assert!(lines.lock().unwrap().is_empty());
    log.observe(started("weel", 1));
    log.observe(ended(None));
    assert_eq!(
        *lines.lock().unwrap(),
        ["weel: 1 update to send", "weel: 0 of 1 done in 0 s"]
    );
}

/// A terminal that keeps what is drawn on it.
#[derive(Clone, Debug, Default)]
struct Screen(Arc<Mutex<Vec<String>>>);

impl Screen {
    fn drawn(&self) -> String {
        self.0.lock().unwrap().concat()
    }

    fn put(&self, what: &str) {
        self.0.lock().unwrap().push(what.to_owned());
    }
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        80
    }
    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn write_line(&self, text: &str) -> io::Result<()> {
        self.put(&format!("{text}\n"));
        Ok(())
    }
    fn write_str(&self, text: &str) -> io::Result<()> {
        self.put(text);
        Ok(())
    }
    fn clear_line(&self) -> io::Result<()> {
        self.put("<clear>");
        Ok(())
    }
    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.put(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn bars(screen: &Screen) -> Bars {
    Bars::new(ProgressDrawTarget::term_like(Box::new(screen.clone())))
}

#[test]
fn each_lane_has_a_bar_that_says_what_it_waits_for() {
    let screen = Screen::default();
    let bars = bars(&screen);
    bars.observe(started("weel", 1_204));
    bars.observe(requested(true));
    bars.observe(settled(Outcome::Rejected));
    bars.observe(paused(90));
    bars.observe(ended(Some("too many\u{1b}[2J rejects")));
    let drawn = screen.drawn();
    assert!(drawn.contains("weel         ["), "{drawn}");
    assert!(drawn.contains("1/1,204"), "{drawn}");
    // Both fit on a terminal of 80 columns.
    let wait = "paused 1 min 30 s: provider asked";
    assert!(drawn.contains(wait), "{drawn}");
    let last = "stopped: too many\\u{1b}[2J rejects";
    assert!(drawn.contains(last), "{drawn}");
    let foreign = |c| c != '\n' && c != '\u{1b}' && needs_escape(c);
    assert!(!drawn.contains(foreign), "{drawn:?}");
}

#[test]
fn a_log_line_stands_between_two_drawings() {
    let screen = Screen::default();
    let bars = bars(&screen);
    bars.observe(started("weel", 3));
    let before = screen.0.lock().unwrap().len();
    let mut writer = bars.writer(screen.clone());
    assert_eq!(writer.write(b"INFO one line\n").unwrap(), 14);
    writer.flush().unwrap();
    let after = screen.0.lock().unwrap()[before..].concat();
    let (cleared, redrawn) = after.split_once("INFO one line\n").unwrap();
    assert!(cleared.contains("<clear>"), "{after}");
    assert!(redrawn.contains("weel"), "{after}");
}

#[test]
fn a_hidden_target_draws_nothing_and_lets_lines_through() {
    let screen = Screen::default();
    let bars = Bars::new(ProgressDrawTarget::hidden());
    bars.observe(started("weel", 3));
    bars.observe(settled(Outcome::Updated));
    bars.writer(screen.clone())
        .write_all(b"one line\n")
        .unwrap();
    assert_eq!(screen.drawn(), "one line\n");
}

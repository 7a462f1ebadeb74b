//! `kill -9` at random points of a sync with five providers: nothing is lost,
//! and no more is sent again than was open.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::mpsc;

use clientsync::failpoint::{Point, VARIABLE};

use crate::cli::signals::NEVER;
use crate::support::campaign::{Chance, say, times};
use crate::support::judge::{self, Judge, READ_BACK};
use crate::support::workdir::Workdir;

/// How often a sync of one file is killed before it may end.
const KILLS: u64 = 10;
/// How many kills one state goes through.
const OF_ONE_STATE: u64 = 25;
/// Requests in flight per lane.
const OPEN: u32 = 4;
/// Requests for a row in all lanes together.
const REQUESTS: u64 = 7;
const SYNC: [&str; 4] = ["sync", "-q", "--report", "report.json"];

/// The places that a run comes by for every row.
const OFTEN: [Point; 11] = [
    Point::Intend,
    Point::Intended,
    Point::Send,
    Point::Sent,
    Point::Received,
    Point::Answer,
    Point::Answered,
    Point::Settle,
    Point::Settled,
    Point::Acknowledge,
    Point::Acknowledged,
];

struct Campaign {
    judge: Judge,
    workdir: Workdir,
    chance: Chance,
    rows: u64,
    /// The clients in doubt since the last kill, per lane.
    open: BTreeMap<String, u32>,
    killed: u64,
    in_doubt: u32,
    resent: u32,
}

impl Campaign {
    /// Runs a sync, which is killed at a random point of what is left to do;
    /// `false` where it came to its end before that.
    fn kill(&mut self, left: u64) -> bool {
        // A few kills shall fit into one file.
        let span = (2 * self.rows * REQUESTS / (KILLS + 1)).max(left);
        let at = 1 + self.chance.below(span);
        if self.chance.below(4) > 0 {
            return self.kill_from_outside(at);
        }
        let points = Point::ALL.len() as u64;
        let point = Point::ALL[usize::try_from(self.chance.below(points)).unwrap()];
        let at = if OFTEN.contains(&point) { at } else { 1 };
        let mut command = self.workdir.command(&SYNC);
        command.env(VARIABLE, format!("{}=kill@{at}", point.name()));
        command.output().unwrap().status.code().is_none()
    }

    /// While the n-th request is on its way.
    fn kill_from_outside(&self, at: u64) -> bool {
        let (ring, rings) = mpsc::channel();
        let ended = ring.clone();
        self.judge.after(at, move || {
            // Nobody listens where the run has ended before.
            let _ = ring.send(true);
        });
        let mut child = self.workdir.start(&SYNC);
        let mut stdout = child.stdout.take().unwrap();
        std::thread::spawn(move || {
            // Its end, not its content, tells that the program has ended.
            drop(stdout.read_to_end(&mut Vec::new()));
            let _ = ended.send(false);
        });
        let due = rings.recv_timeout(NEVER).unwrap();
        if due {
            child.kill().unwrap();
        }
        child.wait().unwrap().code().is_none()
    }

    /// Lets a run happen and judges what it sent and what it recorded.
    fn judged(&mut self, run: impl FnOnce(&mut Self) -> bool) -> bool {
        let before = self.judge.writes();
        let killed = run(self);
        for (lane, repeated) in self.judge.repeated_since(before) {
            let open = self.open.get(&lane).copied().unwrap_or_default();
            let allowed = if READ_BACK.contains(&&lane[..]) {
                0
            } else {
                open
            };
            assert!(
                repeated <= allowed,
                "{lane}: {repeated} resent, {open} were open"
            );
            self.resent += repeated;
        }
        self.open = self.judge.assert_recorded(&self.workdir.path("state.db"));
        killed
    }
}

impl Campaign {
    fn new(rows: u32, chance: Chance) -> Self {
        let judge = Judge::of(5);
        Self {
            workdir: judge.workdir(OPEN),
            judge,
            chance,
            rows: u64::from(rows),
            open: BTreeMap::new(),
            killed: 0,
            in_doubt: 0,
            resent: 0,
        }
    }

    /// Kills the sync of one file a few times, then lets it end.
    fn file(&mut self, rows: u32, version: u32) {
        self.workdir
            .write("clients.csv", judge::rows(rows, version));
        for left in (1..=KILLS.min(OF_ONE_STATE - self.killed)).rev() {
            if !self.judged(|campaign| campaign.kill(left)) {
                break;
            }
            self.killed += 1;
            for (lane, clients) in &self.open {
                // What an earlier kill left in doubt may wait for its turn still.
                let most = OPEN * u32::try_from(KILLS - left + 1).unwrap();
                assert!(*clients <= most, "{lane}: {clients} in doubt");
            }
            self.in_doubt += self.open.values().sum::<u32>();
        }
        self.judged(|campaign| {
            campaign.workdir.expect(0, &SYNC);
            false
        });
        assert_eq!(self.open, BTreeMap::new());
        self.judge.assert_holds(rows, version);
    }
}

#[test]
fn after_kills_at_random_points_every_record_is_right() {
    let rows = times(500, 2000);
    let mut chance = Chance::new("kills");
    for _ in 0..times(1, 20) {
        let mut campaign = Campaign::new(rows, chance);
        let mut version = 0;
        while campaign.killed < OF_ONE_STATE {
            version += 1;
            campaign.file(rows, version);
        }
        let before = campaign.judge.requests();
        campaign.workdir.expect(0, &SYNC);
        assert_eq!(
            campaign.judge.requests(),
            before,
            "a second run sends nothing"
        );
        say(&format!(
            "{} kills x {rows} rows x 5 lanes, {version} files: {before} requests, {} writes, {} in doubt, {} resent",
            campaign.killed,
            campaign.judge.writes(),
            campaign.in_doubt,
            campaign.resent
        ));
        chance = campaign.chance;
    }
}

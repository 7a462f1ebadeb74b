//! The other side: providers in memory with their records, and a log of all
//! that they were asked and what became of it.
//!
//! What happens late has no timer: it happens as soon as somebody looks after
//! its time has come. A request that has left arrives, whether its sender lives
//! or not.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clientsync::core::{Json, NoResponse, Request, sha256_hex};
use serde_json::Value;
use tokio::sync::Notify;

use super::fate::{Asking, Fate, Weather};
use super::run::Crash;
use super::time;
use super::town::Town;
use crate::properties::server::{Reading, Server};
use crate::properties::world::JUNK;
use crate::support::campaign::Chance;

/// A record, and what nobody but its provider's people may change of it.
pub(super) struct Record {
    pub(super) server: Server,
    /// The record as it began, with what people changed of it since.
    pub(super) began: Json,
}

/// One provider.
#[derive(Default)]
pub(super) struct Remote {
    pub(super) records: BTreeMap<String, Record>,
    /// Ids whose request is under way.
    open: BTreeSet<String>,
    /// When it asked to be left alone, and until when.
    alone: Option<(Duration, Duration)>,
    /// Per id and field what it answered that it holds.
    pub(super) told: BTreeMap<String, Vec<Json>>,
    /// When its requests arrived, and whether they were writes.
    pub(super) arrivals: Vec<(Duration, bool)>,
    /// Writes of this run by id and hash of the body.
    pub(super) writes: BTreeMap<(String, String), usize>,
}

/// A request on its way.
#[derive(Clone)]
pub(super) struct Letter {
    pub(super) lane: String,
    pub(super) id: String,
    pub(super) number: u64,
    /// The body of an update; nothing for a read.
    pub(super) body: Option<Json>,
}

/// Everything that is not the program.
pub(super) struct Outside {
    pub(super) remotes: BTreeMap<String, Remote>,
    pub(super) weather: Weather,
    pub(super) crash: Option<Crash>,
    pub(super) is_dead: bool,
    pub(super) log: Vec<String>,
    /// Requests of this run.
    pub(super) requests: u64,
    /// Requests of all runs.
    numbered: u64,
    due: BTreeMap<(Duration, u64), Letter>,
    /// What each request that was done shows: the record after it.
    shown: BTreeMap<u64, Json>,
}

impl Outside {
    pub(super) fn new(town: &Town, chance: &mut Chance) -> Self {
        let mut remotes: BTreeMap<String, Remote> = BTreeMap::new();
        for lane in &town.lanes {
            let remote = remotes.entry(lane.name().to_owned()).or_default();
            for client in &town.clients {
                let Some(id) = &client.lanes[lane.name()].id else {
                    continue;
                };
                let began = lane.record(id, chance);
                let server = Server::new(lane.world, Reading::Replacing, &began).of(id);
                remote.records.insert(id.clone(), Record { server, began });
            }
        }
        Self {
            remotes,
            weather: Weather::fine(),
            crash: None,
            is_dead: false,
            log: Vec::new(),
            requests: 0,
            numbered: 0,
            due: BTreeMap::new(),
            shown: BTreeMap::new(),
        }
    }

    /// A run begins.
    pub(super) fn begin(&mut self, weather: Weather, crash: Option<Crash>) {
        let now = time::now();
        let was_killed = std::mem::take(&mut self.is_dead);
        self.weather = weather;
        self.crash = crash;
        self.requests = 0;
        for remote in self.remotes.values_mut() {
            // Whoever asked is dead, or has its answer.
            remote.open.clear();
            // Who was killed may not have written it down.
            remote.alone = remote.alone.filter(|_| !was_killed);
            remote.writes.clear();
            // What a dead run sent, and what arrives in the middle of this one, no
            // ledger can know of.
            remote.arrivals.retain(|(at, _)| *at <= now);
        }
    }

    /// Whether the program is dead: this is where it is to be killed, or it was.
    pub(super) fn dies(&mut self, here: Crash, killed: &Notify) -> bool {
        if self.crash == Some(here) && !self.is_dead {
            self.is_dead = true;
            self.log.push(format!("{:?} killed: {here:?}", time::now()));
            killed.notify_one();
        }
        self.is_dead
    }

    /// People change what is theirs.
    pub(super) fn drift(&mut self, town: &Town, chance: &mut Chance) {
        for lane in &town.lanes {
            let remote = self.remotes.get_mut(lane.name()).unwrap();
            for record in remote.records.values_mut() {
                if chance.percent(20) {
                    let pointer = chance.one(lane.world.foreign);
                    let path = clientsync::core::FieldPath::parse(pointer).unwrap();
                    let value = crate::properties::world::json(chance.one::<&str>(&JUNK));
                    for state in [&mut record.began, &mut record.server.state] {
                        state.set_at(path.members(), value.clone());
                    }
                }
            }
        }
    }

    /// A request leaves: its number, its fate, and how long it takes both ways.
    pub(super) fn leaves(&mut self, lane: &str, request: &Request) -> (Letter, Fate, Duration) {
        let now = time::now();
        self.land(now);
        self.numbered += 1;
        let body = request
            .body
            .as_ref()
            .map(|body| Json::parse(body.as_bytes()).unwrap());
        let id = match &body {
            Some(body) if body.get("Id").is_some() => body.get("Id").unwrap().to_text(),
            _ => request.url.rsplit('/').next().unwrap().to_owned(),
        };
        let asking = Asking {
            is_write: body.is_some(),
            is_odd: lane == "nexudus",
        };
        let fate = self.weather.fate(asking);
        let (there, back) = self.weather.trip();
        self.log.push(format!(
            "{now:?} {} {} {} {fate:?}",
            request.method.as_str(),
            request.url,
            request.body.as_deref().unwrap_or("-"),
        ));
        let remote = self.remotes.get_mut(lane).unwrap();
        assert!(
            remote.records.contains_key(&id),
            "{lane}: {id} is nobody's record"
        );
        assert!(
            remote.open.insert(id.clone()),
            "{lane}: {id} has two requests open"
        );
        if let Some((since, until)) = remote.alone {
            assert!(
                now <= since || now >= until,
                "{lane}: asked at {since:?} to wait until {until:?}, and called at {now:?}"
            );
        }
        if let Some(body) = &request.body {
            let hash = sha256_hex(body.as_bytes());
            *remote.writes.entry((id.clone(), hash)).or_default() += 1;
        }
        let letter = Letter {
            lane: lane.to_owned(),
            id,
            number: self.numbered,
            body,
        };
        if fate != Fate::Lost(NoResponse::NotSent) {
            remote.arrivals.push((now + there, asking.is_write));
        }
        let arrives = match &fate {
            Fate::Lost(_) => None,
            Fate::Says { done, .. }
            | Fate::Garbled { done, .. }
            | Fate::Inner { done }
            | Fate::Mistaken { done } => done.then_some(now + there),
            Fate::Works | Fate::Unanswered(_) => Some(now + there),
            Fate::Late(late) => Some(now + there + *late),
        };
        if let Some(arrives) = arrives {
            self.due.insert((arrives, letter.number), letter.clone());
        }
        (letter, fate, there + back)
    }

    /// What was asked and whose time has come is done.
    pub(super) fn land(&mut self, now: Duration) {
        while let Some(first) = self.due.first_entry()
            && first.key().0 <= now
        {
            let letter = first.remove();
            let remote = self.remotes.get_mut(&letter.lane).unwrap();
            let record = remote.records.get_mut(&letter.id).unwrap();
            if let Some(body) = &letter.body {
                let done = record.server.apply(body);
                assert_eq!(
                    done,
                    Ok(()),
                    "{} {}: {}",
                    letter.lane,
                    letter.id,
                    body.to_text()
                );
            }
            self.shown
                .insert(letter.number, record.server.state.clone());
        }
    }

    /// The answer to a request comes, or the sender gives up: its record is free
    /// again.
    pub(super) fn is_over(&mut self, letter: &Letter) {
        self.land(time::now());
        let remote = self.remotes.get_mut(&letter.lane).unwrap();
        remote.open.remove(&letter.id);
    }

    /// A provider says that it is to be left alone until then.
    pub(super) fn leave_alone(&mut self, lane: &str, until: Duration) {
        let remote = self.remotes.get_mut(lane).unwrap();
        let now = time::now();
        let until = remote.alone.map_or(until, |(_, before)| before.max(until));
        remote.alone = Some((now, until));
    }

    /// The answer to a request that worked, as its provider words it. From now
    /// on the program may know what it shows.
    pub(super) fn answer(&mut self, letter: &Letter) -> Json {
        let state = self.shown.remove(&letter.number).unwrap();
        let remote = self.remotes.get_mut(&letter.lane).unwrap();
        remote
            .told
            .entry(letter.id.clone())
            .or_default()
            .push(state.clone());
        worded(letter, remote.records[&letter.id].server.showing(&state))
    }

    /// The record of somebody else than was asked for, as the answer to it.
    pub(super) fn mistaken(&self, letter: &Letter) -> Json {
        let records = &self.remotes[&letter.lane].records;
        let other = records.iter().find(|(id, _)| **id != letter.id).unwrap();
        worded(letter, other.1.server.read())
    }
}

/// A record in the words in which its provider answers a request.
fn worded(letter: &Letter, record: Json) -> Json {
    let mut answer = Json::object();
    match (letter.lane.as_str(), &letter.body) {
        ("nexudus", Some(_)) => {
            answer.set("Status", Json::from_value(&Value::from(200)));
            answer.set("Value", record.get("Id").unwrap().clone());
            answer.set("WasSuccessful", Json::from_value(&Value::Bool(true)));
        }
        ("placio", _) => answer.set("client", record),
        _ => return record,
    }
    answer
}

//! Five providers on one server that hold a record for each client and log
//! every write, and the judgement of a run by them.
//!
//! The records are kept by what came over the wire. The state is read only to
//! be held against that, never to learn what was sent.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::server::{Answer, Hit};
use super::workdir::{Remote, TOKEN_VARIABLE, Workdir};

/// The lanes: name, settings beside the base URL, column of the id, fields.
const LANES: [(&str, &str, &str, &str); 5] = [
    (
        "complycube",
        "",
        "cc_id",
        "email = \"email\"\n\"personDetails.firstName\" = \"first\"\n\"metadata.tier\" = \"tier\"",
    ),
    (
        "placio",
        ", workspace_id = \"ws_1\"",
        "placio_id",
        "name = \"first\"",
    ),
    ("spp", "", "number", "name_f = \"first\"\nemail = \"email\""),
    (
        "weel",
        ", business_id = 4711",
        "number",
        "role_id = \"role\"",
    ),
    (
        "nexudus",
        "",
        "number",
        "FullName = \"first\"\nEmail = \"email\"",
    ),
];

/// The lanes whose updates begin with a read, so that none is sent twice.
pub(crate) const READ_BACK: [&str; 2] = ["complycube", "nexudus"];

/// A write that was accepted.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    pub(crate) lane: String,
    pub(crate) id: String,
    /// SHA-256 of the body's bytes, in hex.
    pub(crate) sha256: String,
    /// The record as it was from then on.
    record: Value,
}

#[derive(Default)]
struct Seen {
    records: BTreeMap<(String, String), Value>,
    writes: Vec<Write>,
    requests: u64,
    /// Requests for tokens among them: no row's, and in no journal.
    tokens: u64,
    alarm: Option<(u64, Box<dyn FnOnce() + Send>)>,
}

/// The providers.
pub(crate) struct Judge {
    remote: Remote,
    seen: Arc<Mutex<Seen>>,
    lanes: usize,
}

impl Judge {
    /// The first so many providers, each with no client known.
    pub(crate) fn of(lanes: usize) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let remote = Remote::new({
            let seen = Arc::clone(&seen);
            move |hit| {
                let mut seen = lock(&seen);
                seen.requests += 1;
                let due = seen.requests;
                if seen.alarm.as_ref().is_some_and(|(at, _)| *at == due)
                    && let Some((_, ring)) = seen.alarm.take()
                {
                    ring();
                }
                seen.answer(hit)
            }
        });
        Self {
            remote,
            seen,
            lanes,
        }
    }

    /// The names of the lanes.
    pub(crate) fn lanes(&self) -> impl Iterator<Item = &'static str> + use<> {
        LANES.iter().take(self.lanes).map(|(name, ..)| *name)
    }

    /// A directory with a configuration for these providers.
    pub(crate) fn workdir(&self, concurrency: u32) -> Workdir {
        let mut config = "version = 1\n[source]\npath = \"clients.csv\"\nkey = \"no\"\n\
                          [state]\npath = \"state.db\"\n"
            .to_owned();
        for (name, settings, id, fields) in LANES.iter().take(self.lanes) {
            let secrets = match *name {
                "nexudus" => format!(
                    "username_env = \"{TOKEN_VARIABLE}\"\npassword_env = \"{TOKEN_VARIABLE}\""
                ),
                _ => format!("token_env = \"{TOKEN_VARIABLE}\""),
            };
            let lane = format!(
                "[providers.{name}]\n{secrets}\nid = \"{id}\"\n\
                 settings = {{ base_url = \"{}/{name}\"{settings} }}\n\
                 limits = {{ quota = [{{ calls = 10000, per = \"second\" }}], concurrency = {concurrency} }}\n\
                 [providers.{name}.fields]\n{fields}\n",
                self.remote.url()
            );
            config.push_str(&lane);
        }
        let workdir = Workdir::in_memory();
        workdir.write("clientsync.toml", config);
        workdir
    }

    /// How many requests came in.
    pub(crate) fn requests(&self) -> u64 {
        lock(&self.seen).requests
    }

    /// How many writes were accepted.
    pub(crate) fn writes(&self) -> usize {
        lock(&self.seen).writes.len()
    }

    /// Calls back when so many more requests have come in, before the last of
    /// them is answered.
    pub(crate) fn after(&self, requests: u64, ring: impl FnOnce() + Send + 'static) {
        let mut seen = lock(&self.seen);
        let at = seen.requests + requests;
        seen.alarm = Some((at, Box::new(ring)));
    }

    /// The writes per lane, from the n-th on, that repeat an earlier one.
    pub(crate) fn repeated_since(&self, n: usize) -> BTreeMap<String, u32> {
        let seen = lock(&self.seen);
        let mut known = BTreeSet::new();
        let mut repeated = BTreeMap::new();
        for (index, write) in seen.writes.iter().enumerate() {
            let is_new = known.insert((&write.lane, &write.id, &write.sha256));
            if index >= n && !is_new {
                *repeated.entry(write.lane.clone()).or_default() += 1;
            }
        }
        repeated
    }

    /// Every record holds what its row says, and what is not ours is there.
    pub(crate) fn assert_holds(&self, rows: u32, version: u32) {
        let seen = lock(&self.seen);
        for lane in self.lanes() {
            for row in 1..=rows {
                let id = remote_id(lane, row);
                let record = seen.records.get(&(lane.to_owned(), id.clone()));
                let record = record.unwrap_or_else(|| panic!("{lane}: nothing came for {id}"));
                for (place, value) in wanted(lane, row, version) {
                    assert_eq!(
                        record.pointer(place),
                        Some(&value),
                        "{lane} {id} {place}: {record:#}"
                    );
                }
                if let Some(place) = colleague(lane) {
                    assert_eq!(record.pointer(place), Some(&json!("keep")), "{record:#}");
                }
            }
        }
    }

    /// The journal and the snapshot are held against what came over the wire.
    /// Returns the clients in doubt per lane.
    pub(crate) fn assert_recorded(&self, state: &Path) -> BTreeMap<String, u32> {
        if !state.exists() {
            assert_eq!(self.writes(), 0, "nothing is sent without a state");
            return BTreeMap::new();
        }
        let state = open(state);
        let sound: String = state
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(sound, "ok");
        let seen = lock(&self.seen);
        seen.assert_intended(&state);
        seen.assert_not_ahead(&state);
        let mut statement = state
            .prepare(
                "SELECT name, count(DISTINCT key) FROM attempt JOIN lane USING (lane_id)
                 WHERE open = 1 AND method <> 'GET' GROUP BY name",
            )
            .unwrap();
        let rows = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        rows.map(Result::unwrap).collect()
    }
}

/// The state, read while nobody writes. It may still have a log.
fn open(state: &Path) -> Connection {
    Connection::open_with_flags(state, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap()
}

impl Seen {
    /// No request came and no write was accepted that was not intended, each
    /// as often at most.
    fn assert_intended(&self, state: &Connection) {
        let all: u32 = state
            .query_row("SELECT count(*) FROM attempt", [], |row| row.get(0))
            .unwrap();
        assert!(
            self.requests - self.tokens <= u64::from(all),
            "more came than was intended"
        );
        let mut intents: BTreeMap<(String, String, String), u64> = BTreeMap::new();
        let mut statement = state
            .prepare(
                "SELECT name, key, body_sha256 FROM attempt JOIN lane USING (lane_id)
                 WHERE method <> 'GET'",
            )
            .unwrap();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let lane: String = row.get(0).unwrap();
            let key: String = row.get(1).unwrap();
            let id = remote_id(&lane, key.parse().unwrap());
            *intents.entry((lane, id, row.get(2).unwrap())).or_default() += 1;
        }
        for write in &self.writes {
            let which = (write.lane.clone(), write.id.clone(), write.sha256.clone());
            let left = intents.get_mut(&which).filter(|left| **left > 0);
            *left.unwrap_or_else(|| panic!("{which:?} was accepted and not intended")) -= 1;
        }
    }

    /// Whatever the snapshot says, the provider has acknowledged once.
    fn assert_not_ahead(&self, state: &Connection) {
        let mut held: BTreeMap<(&str, &str), Vec<&Value>> = BTreeMap::new();
        for write in &self.writes {
            let record = held.entry((&write.lane, &write.id)).or_default();
            record.push(&write.record);
        }
        let mut statement = state
            .prepare("SELECT name, remote_id, fields FROM snapshot JOIN lane USING (lane_id)")
            .unwrap();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let lane: String = row.get(0).unwrap();
            let id: String = row.get(1).unwrap();
            let fields: Value = serde_json::from_str(&row.get::<_, String>(2).unwrap()).unwrap();
            let records = held.get(&(&lane[..], &id[..])).cloned().unwrap_or_default();
            for (path, known) in fields.as_object().unwrap() {
                let place = format!("/{}", path.replace('.', "/"));
                assert!(
                    records
                        .iter()
                        .any(|record| record.pointer(&place) == Some(&known["value"])),
                    "{lane} {id}: the snapshot says {path} = {known}, the provider held {records:?}"
                );
            }
        }
    }

    fn answer(&mut self, hit: &Hit) -> Answer {
        let mut parts = hit.target.trim_start_matches('/').splitn(2, '/');
        let lane = parts.next().unwrap_or_default().to_owned();
        let rest = parts.next().unwrap_or_default();
        if rest == "api/token" {
            self.tokens += 1;
            return json_reply(&json!({
                "access_token": "made-up", "token_type": "bearer",
                "expires_in": 604_799, "refresh_token": "made-up-too",
            }));
        }
        let body: Value = serde_json::from_slice(&hit.body).unwrap_or_default();
        let id = match body["Id"].as_u64() {
            Some(id) => id.to_string(),
            None => rest.rsplit('/').next().unwrap_or_default().to_owned(),
        };
        let record = self
            .records
            .entry((lane.clone(), id.clone()))
            .or_insert_with(|| first(&lane, &id));
        if hit.method == "GET" {
            return shown(&lane, record);
        }
        for (name, value) in body.as_object().unwrap() {
            match (record.get_mut(name), value) {
                // A unit is replaced, another object is merged.
                (Some(Value::Object(old)), Value::Object(new)) if name != "metadata" => {
                    old.extend(new.clone());
                }
                _ => record[name] = value.clone(),
            }
        }
        let record = record.clone();
        self.writes.push(Write {
            lane: lane.clone(),
            id,
            sha256: hex(&Sha256::digest(&hit.body)),
            record: record.clone(),
        });
        match &lane[..] {
            "nexudus" => json_reply(&json!({"Status": 200, "WasSuccessful": true})),
            _ => shown(&lane, &record),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

fn json_reply(body: &Value) -> Answer {
    Answer::reply(200, &body.to_string()).with("Content-Type", "application/json")
}

fn shown(lane: &str, record: &Value) -> Answer {
    match lane {
        "placio" => json_reply(&json!({ "client": record })),
        _ => json_reply(record),
    }
}

/// A record before anything was sent, with what a colleague keeps in it.
fn first(lane: &str, id: &str) -> Value {
    let number: u64 = id.parse().unwrap_or_default();
    match lane {
        "complycube" => json!({"id": id, "type": "person", "metadata": {"crm": "keep"}}),
        "nexudus" => json!({
            "Id": number, "FullName": "Old", "Email": "old@example.com", "Language": 1,
            "PasswordSalt": "keep", "LastHelpVisited": 0, "InvalidLoginAttempts": 0,
        }),
        "placio" => json!({"id": id, "name": "Old"}),
        _ => json!({"id": number, "company": "keep"}),
    }
}

/// Where a colleague keeps something in a lane's records.
fn colleague(lane: &str) -> Option<&'static str> {
    match lane {
        "complycube" => Some("/metadata/crm"),
        "nexudus" => Some("/PasswordSalt"),
        "spp" | "weel" => Some("/company"),
        _ => None,
    }
}

fn remote_id(lane: &str, row: u32) -> String {
    match lane {
        "complycube" => format!("cc{row:06}"),
        "placio" => format!("pl{row:06}"),
        _ => (100_000 + row).to_string(),
    }
}

/// What a lane's record of a row shall hold, by its place.
fn wanted(lane: &str, row: u32, version: u32) -> Vec<(&'static str, Value)> {
    let [first, email, tier, role] = cells(row, version).map(Value::from);
    match lane {
        "complycube" => vec![
            ("/email", email),
            ("/personDetails/firstName", first),
            ("/metadata/tier", tier),
        ],
        "placio" => vec![("/name", first)],
        "spp" => vec![("/name_f", first), ("/email", email)],
        "weel" => vec![("/role_id", role)],
        _ => vec![("/FullName", first), ("/Email", email)],
    }
}

fn cells(row: u32, version: u32) -> [String; 4] {
    [
        format!("Client {row} of {version}"),
        format!("c{row}.v{version}@example.com"),
        format!("tier {version}"),
        format!("00000000-0000-4000-8000-{version:06}{row:06}"),
    ]
}

/// The file: every cell of a version differs from that of every other.
pub(crate) fn rows(rows: u32, version: u32) -> String {
    let mut text = "no,cc_id,placio_id,number,first,email,tier,role\n".to_owned();
    for row in 1..=rows {
        let [first, email, tier, role] = cells(row, version);
        let line = format!(
            "{row},{},{},{},{first},{email},{tier},{role}\n",
            remote_id("complycube", row),
            remote_id("placio", row),
            remote_id("spp", row)
        );
        text.push_str(&line);
    }
    text
}

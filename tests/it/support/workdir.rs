//! A working directory of its own, the built program in it, and a provider on
//! loopback that records what it is sent.
//!
//! Nothing here uses the code under test: what was sent is read from the wire,
//! and what was said from the process. A test never waits for time to pass,
//! only for an event.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::server::{Answer, Hit, Server};

/// The variable with the token, and the token that is right.
pub(crate) const TOKEN_VARIABLE: &str = "E2E_TOKEN";
pub(crate) const TOKEN: &str = "test-token-1";

/// A directory that goes away with the test.
pub(crate) struct Workdir {
    dir: TempDir,
    token: Option<String>,
}

/// What a finished process said.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Workdir {
    /// An empty directory; its processes know the right token.
    pub(crate) fn new() -> Self {
        Self {
            dir: TempDir::new().unwrap(),
            token: Some(TOKEN.to_owned()),
        }
    }

    /// An empty directory in memory, where there is such a place: for runs whose
    /// time is the disk's, and that are killed, not cut off from power.
    pub(crate) fn in_memory() -> Self {
        let memory = Path::new("/dev/shm");
        Self {
            dir: TempDir::new_in(memory).or_else(|_| TempDir::new()).unwrap(),
            ..Self::new()
        }
    }

    /// A directory with a configuration of `fields` for this server, and rows.
    pub(crate) fn with(url: &str, fields: &str, rows: &str) -> Self {
        let workdir = Self::new();
        workdir.write("clientsync.toml", config(url, fields));
        workdir.write("clients.csv", rows);
        workdir
    }

    /// The same directory, whose processes get another token, or none.
    pub(crate) fn token(mut self, token: Option<&str>) -> Self {
        self.token = token.map(str::to_owned);
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Changes the text of a file; what is replaced must be there.
    pub(crate) fn edit(&self, name: &str, from: &str, to: &str) {
        let text = self.read(name);
        assert!(text.contains(from), "{name} holds no {from:?}:\n{text}");
        self.write(name, text.replace(from, to));
    }

    /// The permission bits of a file.
    pub(crate) fn mode(&self, name: &str) -> u32 {
        fs::metadata(self.path(name)).unwrap().permissions().mode() & 0o7777
    }

    pub(crate) fn set_mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// The program with these arguments, in this directory, with nothing of the
    /// environment of the tests.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_clientsync"));
        command
            .args(arguments)
            .current_dir(self.dir.path())
            .env_clear()
            .stdin(Stdio::null());
        if let Some(token) = &self.token {
            command.env(TOKEN_VARIABLE, token);
        }
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        let ran = Ran::from(self.command(arguments).output().unwrap());
        for bug in ["panicked", "internal error"] {
            assert!(!ran.stderr.contains(bug), "{}", ran.stderr);
        }
        ran
    }

    /// Runs the program, which must end with this code.
    pub(crate) fn expect(&self, code: i32, arguments: &[&str]) -> Ran {
        let ran = self.run(arguments);
        assert_eq!(ran.code, code, "{arguments:?}: {ran:#?}");
        ran
    }

    /// Runs the program with `--format json`; the report must end with this code.
    pub(crate) fn report(&self, code: i32, arguments: &[&str]) -> Value {
        let arguments = [arguments, &["--format", "json"]].concat();
        let report = self.expect(code, &arguments).json();
        assert_eq!(report["exit"]["code"], code, "{report:#}");
        assert_eq!(report["complete"], true, "{report:#}");
        assert_adds_up(&report["providers"]);
        report
    }

    /// Starts the program and lets it run.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// SHA-256 of every file below the directory, by its path.
    pub(crate) fn fingerprint(&self) -> BTreeMap<PathBuf, String> {
        let mut prints = BTreeMap::new();
        self.each_file(&mut |path, bytes| {
            let digest: Vec<String> = Sha256::digest(bytes)
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            prints.insert(path.to_owned(), digest.concat());
        });
        prints
    }

    /// The files that hold these bytes.
    pub(crate) fn files_with(&self, text: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        self.each_file(&mut |path, bytes| {
            if contains(bytes, text) {
                found.push(path.strip_prefix(self.dir.path()).unwrap().to_owned());
            }
        });
        found
    }

    pub(crate) fn each_file(&self, take: &mut dyn FnMut(&Path, &[u8])) {
        let mut folders = vec![self.dir.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    take(&path, &fs::read(&path).unwrap());
                }
            }
        }
    }
}

impl Ran {
    /// The program, which must have ended with this code.
    pub(crate) fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    /// Stdout as the JSON that it must be.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// Both streams, for what must be in one of them.
    pub(crate) fn said(&self) -> String {
        format!("{}\n{}", self.stdout, self.stderr)
    }

    /// Stderr must hold all of these.
    pub(crate) fn says(&self, parts: &[&str]) -> &Self {
        for part in parts {
            assert!(self.stderr.contains(part), "no {part:?} in {self:#?}");
        }
        self
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// A provider that runs beside the test, on a thread of its own.
pub(crate) struct Remote {
    server: Server,
    // Dropped after the server, which stops on it.
    _runtime: Runtime,
}

impl Remote {
    /// One that answers by a script.
    pub(crate) fn new(script: impl Fn(&Hit) -> Answer + Send + Sync + 'static) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let server = runtime.block_on(Server::new(script));
        Self {
            server,
            _runtime: runtime,
        }
    }

    /// One that accepts every update and shows the record as it then is.
    pub(crate) fn accepting() -> Self {
        Self::new(accepted())
    }

    /// One that answers like this so often, and then accepts.
    pub(crate) fn at_first(answers: Vec<Answer>) -> Self {
        let first = Mutex::new(answers.into_iter());
        let accept = accepted();
        Self::new(move |hit| {
            let next = first.lock().unwrap_or_else(PoisonError::into_inner).next();
            next.unwrap_or_else(|| accept(hit))
        })
    }

    /// One that answers updates of one record in its own way.
    pub(crate) fn except(id: &'static str, answer: Answer) -> Self {
        let accept = accepted();
        Self::new(move |hit| {
            if hit.target.ends_with(&format!("/{id}")) {
                answer.clone()
            } else {
                accept(hit)
            }
        })
    }

    pub(crate) fn url(&self) -> String {
        self.server.url("")
    }

    pub(crate) fn hits(&self) -> Vec<Hit> {
        self.server.hits()
    }

    /// How many requests have come in.
    pub(crate) fn count(&self) -> usize {
        self.hits().len()
    }

    /// Each request's record id and body, from the n-th on.
    pub(crate) fn sent_since(&self, n: usize) -> Vec<(String, String)> {
        let sent = |hit: &Hit| (record_id(hit), hit.text());
        self.hits().iter().skip(n).map(sent).collect()
    }
}

/// The record that a request is about.
pub(crate) fn record_id(hit: &Hit) -> String {
    hit.target.rsplit('/').next().unwrap_or_default().to_owned()
}

/// Accepts every update: members are merged, objects within too.
pub(crate) fn accepted() -> impl Fn(&Hit) -> Answer + Send + Sync + 'static {
    let records: Mutex<BTreeMap<String, Value>> = Mutex::default();
    move |hit| {
        let id = record_id(hit);
        let mut records = records.lock().unwrap_or_else(PoisonError::into_inner);
        let record = records
            .entry(id.clone())
            .or_insert_with(|| json!({ "id": id, "type": "person" }));
        if !hit.body.is_empty() {
            let body: Map<String, Value> = serde_json::from_slice(&hit.body).unwrap();
            for (name, value) in body {
                match (record.get_mut(&name), value) {
                    (Some(Value::Object(old)), Value::Object(new)) => old.extend(new),
                    (_, value) => record[name] = value,
                }
            }
        }
        Answer::reply(200, &record.to_string()).with("Content-Type", "application/json")
    }
}

/// A configuration of one `ComplyCube` lane at this address, one request at a
/// time and fast.
pub(crate) fn config(url: &str, fields: &str) -> String {
    format!(
        r#"version = 1
[source]
path = "clients.csv"
key = "no"
[state]
path = "state.db"
[providers.complycube]
token_env = "{TOKEN_VARIABLE}"
id = "cc_id"
settings = {{ base_url = "{url}" }}
limits = {{ quota = [{{ calls = 1000, per = "second" }}], concurrency = 1 }}
[providers.complycube.fields]
{fields}
"#
    )
}

/// The fields of most tests.
pub(crate) const FIELDS: &str = r#"email = "email"
joinedDate = "joined"
"personDetails.firstName" = "first""#;

/// Three rows for them.
pub(crate) const ROWS: &str = "no,cc_id,email,joined,first\n\
    1,aa,ann@example.com,2020-01-01,Ann\n\
    2,bb,bob@example.com,2020-01-02,Bob\n\
    3,cc,cyd@example.com,2020-01-03,Cyd\n";

/// The counts of a report's lane, without those that are zero.
pub(crate) fn counts(report: &Value) -> BTreeMap<String, u64> {
    let lane = report["providers"]["complycube"].as_object().unwrap();
    let mut counts = BTreeMap::new();
    let names = [
        "rows",
        "unchanged",
        "planned",
        "updated",
        "rejected",
        "failed",
        "in_doubt",
        "invalid",
        "requests",
        "retries",
    ];
    for name in names {
        counts.insert(name.to_owned(), lane[name].as_u64().unwrap());
    }
    for (reason, n) in lane["skipped"].as_object().unwrap() {
        counts.insert(format!("skipped({reason})"), n.as_u64().unwrap());
    }
    counts.retain(|_, n| *n > 0);
    counts
}

/// Counts as a test writes them.
pub(crate) fn expected<const N: usize>(counts: [(&str, u64); N]) -> BTreeMap<String, u64> {
    counts
        .into_iter()
        .map(|(name, n)| (name.to_owned(), n))
        .collect()
}

/// In every lane the outcomes make up the rows.
pub(crate) fn assert_adds_up(lanes: &Value) {
    for (name, lane) in lanes.as_object().unwrap() {
        let parts = [
            "unchanged",
            "planned",
            "updated",
            "rejected",
            "failed",
            "in_doubt",
            "invalid",
        ];
        let sum: u64 = parts.iter().map(|part| lane[part].as_u64().unwrap()).sum();
        let skipped = lane["skipped"].as_object().unwrap().values();
        let skipped: u64 = skipped.map(|n| n.as_u64().unwrap()).sum();
        assert_eq!(lane["rows"], sum + skipped, "{name}: {lane:#}");
    }
}

/// Whether bytes hold a text.
pub(crate) fn contains(bytes: &[u8], text: &str) -> bool {
    memchr::memmem::find(bytes, text.as_bytes()).is_some()
}

//! The sandbox, driven over real connections: it must behave like each
//! provider's server, in the pessimistic reading, whatever is sent.

mod access;
mod faults;
mod lists;
mod readings;
mod server;
mod updates;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use clientsync::provider::{Catalog, Limits, Provider, Quota};
use clientsync::sandbox::{
    Credentials, Faults, Running, Sandbox, SandboxLane, SandboxSettings, Seed, UnknownIds,
};

const SEED: &str = r#"{
  "cc": [
    {"id":"abc","type":"person","email":"a@example.com",
     "personDetails":{"firstName":"Ann","lastName":"Lee"},
     "metadata":{"tier":"gold","crm_owner":"front desk"},"createdAt":"2025-01-10T00:10:20.100Z"}
  ],
  "nx": [
    {"Id":7,"FullName":"Ann","Email":"a@example.com","Language":1,"PasswordSalt":"s",
     "LastHelpVisited":12345678901234567890123,"InvalidLoginAttempts":0,"NewPassword":null,
     "Devices":"tablet","Active":true,"LastAccess":null,"Businesses":[1,2],"PassportNumber":1.10,
     "CreatedOn":"2010-01-10T09:00:00Z"}
  ]
}"#;

/// A provider that uses what the built-in ones do not.
const MANIFEST: &str = r#"
format = 1
name = "made_up"
title = "Made-up CRM"
[settings]
base_url = { type = "url", default = "https://crm.example.com" }
workspace = { type = "string", default = "ws 1" }
[auth]
scheme = "bearer"
token = "MADE_UP_TOKEN"
[request.headers]
X-Version = "2"
[id]
type = "integer"
[update]
method = "PATCH"
url = "{base_url}/v1/{workspace}/clients/{id}"
mode = "merge"
repeatable = true
[read]
url = "{base_url}/v1/{workspace}/clients/{id}"
record = "/client"
[response]
message = "/message"
errors = { at = "/errors", shape = "map" }
echo = { record = "/client", omits = ["/tags", "/status"] }
[limits]
quota = [{ calls = 1000, per = "second" }]
concurrency = 1
"#;

const CONTRACT: &str = r#"{
  "type": "object", "additionalProperties": false,
  "required": ["name"],
  "properties": {
    "name": { "type": "string", "maxLength": 5 },
    "status_id": { "type": "integer", "enum": [4, 5], "x-read-as": "/status/id" },
    "managers": { "type": "array", "items": { "type": "integer" }, "x-compare": "set", "x-read-as": "/owners/*/id" },
    "tags": { "type": "array", "items": { "type": "string" } },
    "born": { "type": "string", "format": "date" },
    "kind": { "type": "string", "enum": ["a", "b"], "x-immutable": true },
    "password": { "type": "string", "writeOnly": true },
    "score": { "type": "integer", "readOnly": true },
    "address": { "type": "object", "additionalProperties": false,
      "properties": { "city": { "type": "string" }, "zip": { "type": "string" } } }
  }
}"#;

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// Sends bytes as they are; what comes back until the server ends.
fn raw(address: SocketAddr, bytes: &[u8]) -> Option<Answer> {
    let mut stream = TcpStream::connect(address).unwrap();
    // A server may refuse before it has read everything.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = text.split_once("\r\n\r\n")?;
    Some(Answer {
        status: head.split(' ').nth(1)?.parse().ok()?,
        head: head.to_owned(),
        body: body.to_owned(),
    })
}

fn send(at: &Running, method: &str, path: &str, headers: &[&str], body: &str) -> Answer {
    let mut text = format!(
        "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n",
        at.address(),
        body.len()
    );
    for header in headers {
        text += header;
        text += "\r\n";
    }
    text += "\r\n";
    text += body;
    raw(at.address(), text.as_bytes()).unwrap()
}

const JSON: &str = "Content-Type: application/json";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded";

fn lane(name: &str, provider: &Arc<Provider>, quota: Option<Quota>) -> SandboxLane {
    // What some providers demand and no request here depends on.
    let given = [
        ("base_url", "https://lane.example.com"),
        ("workspace_id", "ws_1"),
        ("business_id", "1"),
    ]
    .into_iter()
    .filter(|(name, _)| {
        let setting = provider.manifest.settings.get(*name);
        setting.is_some_and(|setting| setting.default.is_none())
    })
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    let settings = provider.resolve(&given).unwrap();
    SandboxLane {
        name: name.to_owned(),
        limits: quota.map_or_else(
            || Limits {
                quota: Vec::new(),
                concurrency: 1,
            },
            |quota| Limits {
                quota: vec![quota],
                concurrency: 1,
            },
        ),
        provider: Arc::clone(provider),
        settings,
    }
}

fn lanes(quota: Option<Quota>) -> Vec<SandboxLane> {
    let catalog = Catalog::load(&[]).unwrap();
    let made_up = Arc::new(Provider::new(MANIFEST, CONTRACT).unwrap());
    vec![
        lane("cc", &catalog.get("complycube").unwrap(), quota),
        lane("nx", &catalog.get("nexudus").unwrap(), quota),
        lane("my crm", &made_up, quota),
    ]
}

fn settings(quota: Option<Quota>) -> SandboxSettings {
    SandboxSettings {
        port: 0,
        lanes: lanes(quota),
        seed: Some(Seed::parse(SEED.as_bytes()).unwrap()),
        records_file: None,
        unknown_ids: UnknownIds::NotFound,
        faults: Faults::default(),
    }
}

async fn started() -> Running {
    Sandbox::start(settings(None)).await.unwrap()
}

async fn creating() -> Running {
    Sandbox::start(SandboxSettings {
        seed: None,
        unknown_ids: UnknownIds::Create,
        ..settings(None)
    })
    .await
    .unwrap()
}

fn raw_key(at: &Running) -> String {
    let Some(Credentials::Token(token)) = at.secrets("cc") else {
        panic!()
    };
    format!("Authorization: {}", token.expose())
}

fn crm_key(at: &Running) -> String {
    let Some(Credentials::Token(token)) = at.secrets("my crm") else {
        panic!()
    };
    format!("Authorization: Bearer {}", token.expose())
}

fn login_form(at: &Running) -> String {
    let Some(Credentials::Password { username, password }) = at.secrets("nx") else {
        panic!()
    };
    let username = username.expose().replace('@', "%40");
    format!(
        "grant_type=password&username={username}&password={}",
        password.expose()
    )
}

fn token(at: &Running, client: &str, form: &str) -> Answer {
    let client = format!("client_id: {client}");
    send(at, "POST", "/nx/api/token", &[FORM, &client], form)
}

fn text(answer: &Answer, name: &str) -> String {
    answer.json()[name].as_str().unwrap().to_owned()
}

fn login(at: &Running) -> String {
    let answer = token(at, "worker", &login_form(at));
    assert_eq!(answer.status, 200, "{}", answer.body);
    format!("Authorization: Bearer {}", text(&answer, "access_token"))
}

fn post_cc(at: &Running, body: &str) -> Answer {
    let key = raw_key(at);
    send(at, "POST", "/cc/v1/clients/abc", &[&key, JSON], body)
}

fn put_nx(at: &Running, access: &str, body: &str) -> Answer {
    send(at, "PUT", "/nx/api/sys/users", &[access, JSON], body)
}

fn patch_crm(at: &Running, id: &str, body: &str) -> Answer {
    let path = format!("/my%20crm/v1/ws%201/clients/{id}");
    send(
        at,
        "PATCH",
        &path,
        &[&crm_key(at), JSON, "X-Version: 2"],
        body,
    )
}

fn held(at: &Running, lane: &str, id: &str) -> String {
    at.record(lane, id).unwrap().to_text()
}

const NX_REQUIRED: &str = r#""Id":7,"FullName":"Ann","Email":"a@example.com","Language":1,"PasswordSalt":"s","LastHelpVisited":12345678901234567890123,"InvalidLoginAttempts":0"#;

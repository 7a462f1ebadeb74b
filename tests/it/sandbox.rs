//! The sandbox, driven over real connections: it must behave like each
//! provider's server, in the pessimistic reading, whatever is sent.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;

use clientsync::core::Json;
use clientsync::provider::{Catalog, Limits, Provider, Quota, Window};
use clientsync::sandbox::{
    Credentials, Running, Sandbox, SandboxError, SandboxLane, SandboxSettings, Seed, UnknownIds,
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
    let settings = provider.resolve(&BTreeMap::new()).unwrap();
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

#[tokio::test(flavor = "multi_thread")]
async fn each_scheme_lets_in_only_its_own_credential() {
    let at = started().await;
    let path = "/cc/v1/clients/abc";
    let key = raw_key(&at);
    assert_eq!(send(&at, "GET", path, &[&key], "").status, 200);
    let bearer = key.replace(": ", ": Bearer ");
    for wrong in [bearer.as_str(), "Authorization: x", "X: y"] {
        let answer = send(&at, "GET", path, &[wrong], "");
        assert_eq!(answer.status, 401);
        assert!(answer.json()["message"].is_string());
    }
    assert_eq!(send(&at, "GET", path, &[&key, &key], "").status, 401);

    let path = "/nx/api/sys/users/7";
    let access = login(&at);
    assert_eq!(send(&at, "GET", path, &[&access], "").status, 200);
    let answer = send(&at, "GET", path, &["Authorization: Bearer x"], "");
    assert_eq!(answer.status, 401);
    assert_eq!(answer.json()["WasSuccessful"], false);
    assert!(answer.header("www-authenticate").is_some());

    let path = "/my%20crm/v1/ws%201/clients/7";
    let key = crm_key(&at);
    let version = "X-Version: 2";
    assert_eq!(send(&at, "GET", path, &[&key, version], "").status, 404);
    assert_eq!(send(&at, "GET", path, &[&key], "").status, 400);
    let raw = key.replace("Bearer ", "");
    assert_eq!(send(&at, "GET", path, &[&raw, version], "").status, 401);
    at.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refresh_tokens_rotate_and_the_old_one_dies() {
    let at = started().await;
    let first = token(&at, "worker", &login_form(&at));
    let refresh = |token: &str| format!("grant_type=refresh_token&refresh_token={token}");
    let old = text(&first, "refresh_token");
    assert_eq!(token(&at, "another", &refresh(&old)).status, 400);
    let second = token(&at, "worker", &refresh(&old));
    assert_eq!(second.status, 200);
    let answer = token(&at, "worker", &refresh(&old));
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["error"], "invalid_grant");

    // A login under the same name ends the refresh token, not the access token.
    let live = text(&second, "refresh_token");
    login(&at);
    assert_eq!(token(&at, "worker", &refresh(&live)).status, 400);
    let access = format!("Authorization: Bearer {}", text(&first, "access_token"));
    let read = send(&at, "GET", "/nx/api/sys/users/7", &[&access], "");
    assert_eq!(read.status, 200);

    let form = login_form(&at);
    let without = send(&at, "POST", "/nx/api/token", &[FORM], &form);
    assert_eq!(without.json()["error"], "invalid_grant");
    let as_json = send(&at, "POST", "/nx/api/token", &[JSON, "client_id: x"], "{}");
    assert_eq!(as_json.json()["error"], "unsupported_grant_type");
    let wrong = token(&at, "worker", &form.replace("password-of", "x"));
    assert_eq!(wrong.json()["error"], "invalid_grant");
}

#[tokio::test(flavor = "multi_thread")]
async fn details_merge_and_metadata_is_replaced_as_a_unit() {
    let at = started().await;
    let body = r#"{"personDetails":{"lastName":"Ng"},"metadata":{"tier":"silver"}}"#;
    let answer = post_cc(&at, body);
    assert_eq!(answer.status, 200);
    let record = answer.json();
    assert_eq!(record["personDetails"]["firstName"], "Ann");
    assert_eq!(record["personDetails"]["lastName"], "Ng");
    assert_eq!(record["metadata"], serde_json::json!({"tier": "silver"}));
    assert_eq!(record["createdAt"], "2025-01-10T00:10:20.100Z");
    assert_eq!(held(&at, "cc", "abc"), answer.body);
    let key = raw_key(&at);
    let read = send(&at, "GET", "/cc/v1/clients/abc", &[&key], "");
    assert_eq!(read.body, answer.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_record_update_loses_what_it_omits_and_keeps_numbers() {
    let at = started().await;
    let access = login(&at);
    let answer = put_nx(
        &at,
        &access,
        &format!("{{{NX_REQUIRED},\"NewPassword\":\"x\"}}"),
    );
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.json()["WasSuccessful"], true);
    assert_eq!(answer.json()["Status"], 200);
    assert_eq!(answer.json()["Id"], 7);
    let record = held(&at, "nx", "7");
    assert!(record.contains(r#""Devices":null"#), "{record}");
    assert!(record.contains(r#""Businesses":null"#));
    assert!(record.contains(r#""LastHelpVisited":12345678901234567890123,"#));
    assert!(record.contains(r#""PassportNumber":1.10,"#));
    assert!(record.contains(r#""CreatedOn":"2010-01-10T09:00:00Z""#));
    // A command is counted and never shown.
    assert!(record.contains(r#""NewPassword":null"#));
    assert_eq!(at.commands("nx", "7")["NewPassword"], 1);
    let page = send(&at, "GET", "/_sandbox/records/nx/7", &[], "");
    assert_eq!(page.body, record);
}

#[tokio::test(flavor = "multi_thread")]
async fn nulls_that_stand_already_are_accepted_and_others_refused() {
    let at = started().await;
    let access = login(&at);
    let with = |more: &str| format!("{{{NX_REQUIRED},{more}}}");
    let standing = with(r#""LastAccess":null,"Devices":"tablet","SupportTeamUserEmail":null"#);
    assert_eq!(put_nx(&at, &access, &standing).status, 200);
    let clearing = put_nx(&at, &access, &with(r#""Devices":null"#));
    assert_eq!(clearing.status, 400);
    assert_eq!(clearing.json()["WasSuccessful"], false);
    assert_eq!(clearing.json()["Errors"][0]["PropertyName"], "Devices");
    assert!(held(&at, "nx", "7").contains(r#""Devices":"tablet""#));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_contract_does_not_allow_is_refused_in_the_providers_shape() {
    let at = started().await;
    let answer = post_cc(&at, r#"{"emial":"x@example.com"}"#);
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["param"], "emial");
    let answer = post_cc(&at, r#"{"personDetails":{"dob":"1.2.1990"}}"#);
    assert_eq!(answer.json()["param"], "personDetails.dob");
    let answer = post_cc(&at, r#"{"type":"person"}"#);
    assert_eq!(answer.json()["param"], "type");

    let access = login(&at);
    let answer = put_nx(&at, &access, r#"{"Id":7,"Nme":"x"}"#);
    let errors = answer.json()["Errors"].as_array().unwrap().clone();
    let names: Vec<&str> = errors
        .iter()
        .filter_map(|error| error["PropertyName"].as_str())
        .collect();
    assert!(
        names.contains(&"FullName") && names.contains(&"Nme"),
        "{names:?}"
    );
    for id in ["", r#""Id":"7x""#, r#""Id":-1"#, r#""Id":7.0"#] {
        let answer = put_nx(&at, &access, &format!("{{{id}}}"));
        assert_eq!(answer.json()["Errors"][0]["PropertyName"], "Id");
    }
    let gone = put_nx(
        &at,
        &access,
        &format!("{{{}}}", NX_REQUIRED.replace(":7,", ":8,")),
    );
    assert_eq!(gone.status, 404);
    assert_eq!(gone.json()["WasSuccessful"], false);
    assert!(held(&at, "nx", "7").contains(r#""Devices":"tablet""#));
}

#[tokio::test(flavor = "multi_thread")]
async fn write_names_go_to_their_read_places_and_echoes_omit() {
    let at = creating().await;
    let answer = patch_crm(
        &at,
        "9",
        r#"{"name":"Ann","status_id":5,"managers":[3,1],"tags":["x"],"password":"p","address":{"zip":"1"}}"#,
    );
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(
        answer.json()["client"],
        serde_json::json!({"id": 9, "name": "Ann", "kind": "a", "tags": [],
            "address": {"zip": "1"}, "status": {}, "owners": [{"id": 3}, {"id": 1}]})
    );
    let record = held(&at, "my crm", "9");
    assert!(record.contains(r#""status":{"id":5}"#), "{record}");
    assert!(!record.contains("password") && !record.contains("status_id"));
    let again = patch_crm(
        &at,
        "9",
        r#"{"name":"Ann","password":"p","address":{"city":"Rome"}}"#,
    );
    assert_eq!(again.status, 200);
    assert_eq!(at.commands("my crm", "9")["password"], 2);
    assert!(held(&at, "my crm", "9").contains(r#"{"zip":"1","city":"Rome"}"#));
}

#[tokio::test(flavor = "multi_thread")]
async fn read_only_and_immutable_members_are_refused_with_a_map_of_errors() {
    let at = creating().await;
    let answer = patch_crm(&at, "9", r#"{"name":"too long","score":3,"kind":"a"}"#);
    assert_eq!(answer.status, 400);
    let errors = answer.json()["errors"].clone();
    for field in ["name", "score", "kind"] {
        assert!(errors[field][0].is_string(), "{field}: {errors}");
    }
    assert!(!answer.body.contains("too long"));
    assert!(at.record("my crm", "9").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_provider_throttles_in_its_own_way() {
    for per in [Window::Hour, Window::Day] {
        let quota = Quota {
            calls: 1,
            per,
            writes_only: false,
        };
        let at = Sandbox::start(settings(Some(quota))).await.unwrap();
        let key = raw_key(&at);
        let access = login(&at);
        let calls = [
            ("/cc/v1/clients/abc", key.as_str(), 429),
            ("/nx/api/sys/users/7", access.as_str(), 409),
        ];
        for (path, credential, status) in calls {
            assert_eq!(send(&at, "GET", path, &[credential], "").status, 200);
            let answer = send(&at, "GET", path, &[credential], "");
            assert_eq!(answer.status, status);
            let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
            assert!(wait > per.seconds() / 2 && wait <= per.seconds());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_are_free_in_a_window_of_writes() {
    let quota = Quota {
        calls: 1,
        per: Window::Day,
        writes_only: true,
    };
    let at = Sandbox::start(settings(Some(quota))).await.unwrap();
    let key = raw_key(&at);
    let read = || send(&at, "GET", "/cc/v1/clients/abc", &[&key], "").status;
    assert_eq!([read(), read()], [200, 200]);
    assert_eq!(post_cc(&at, "{}").status, 200);
    assert_eq!(post_cc(&at, "{}").status, 429);
    assert_eq!(read(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn accepted_writes_outlive_the_sandbox_and_are_compacted() {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("records.jsonl");
    let start = || async {
        Sandbox::start(SandboxSettings {
            records_file: Some(path.clone()),
            ..settings(None)
        })
        .await
    };
    let lines = || std::fs::read_to_string(&path).unwrap().lines().count();
    let at = start().await.unwrap();
    for number in ["1", "2", "3"] {
        let body = format!(r#"{{"mobile":"{number}"}}"#);
        assert_eq!(post_cc(&at, &body).status, 200);
    }
    assert_eq!(post_cc(&at, r#"{"nope":1}"#).status, 400);
    let before = held(&at, "cc", "abc");
    assert_eq!(lines(), 3);
    at.stop().await;

    // A kill in the middle of a line loses nothing that was answered.
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(&path)
        .unwrap();
    file.write_all(br#"{"lane":"cc","id":"a"#).unwrap();
    let at = start().await.unwrap();
    assert_eq!(held(&at, "cc", "abc"), before);
    assert!(held(&at, "nx", "7").contains("tablet"));
    assert_eq!(lines(), 1);
    assert_eq!(post_cc(&at, r#"{"mobile":"4"}"#).status, 200);
    assert_eq!(lines(), 2);
    at.stop().await;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    file.write_all(b"not JSON\n").unwrap();
    std::fs::write(&path, "not JSON\n").unwrap();
    let error = start().await.unwrap_err();
    assert!(matches!(error, SandboxError::Records { .. }), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "not JSON\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_request_log_masks_credentials() {
    let at = started().await;
    let access = login(&at);
    post_cc(&at, r#"{"mobile":"1"}"#);
    put_nx(&at, &access, "{}");
    send(&at, "POST", "/nx/api/tokn", &[FORM], &login_form(&at));
    let page = send(&at, "GET", "/_sandbox/requests", &[], "");
    for secret in ["sandbox-token", "sandbox-password", "sandbox-access"] {
        assert!(!page.body.contains(secret), "{secret}");
        let all = format!(
            "{:?}",
            at.requests().iter().map(|r| &r.body).collect::<Vec<_>>()
        );
        assert!(!all.contains(secret));
    }
    let requests = at.requests();
    assert_eq!(page.json().as_array().unwrap().len(), requests.len());
    let cc = &requests[1];
    assert_eq!((cc.n, cc.lane.as_str(), cc.status), (2, "cc", 200));
    assert_eq!(cc.body, r#"{"mobile":"1"}"#);
    assert_eq!(cc.path, "/cc/v1/clients/abc");
    assert!(
        cc.headers
            .contains(&("authorization".to_owned(), "[redacted]".to_owned()))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_id_is_not_found_or_made_up_as_asked() {
    let at = started().await;
    let key = raw_key(&at);
    let read = |at: &Running, path: &str| send(at, "GET", path, &[&key], "");
    let answer = read(&at, "/cc/v1/clients/nobody");
    assert_eq!(answer.status, 404);
    assert!(answer.json()["message"].is_string());
    assert_eq!(read(&at, "/cc/v2/clients/abc").status, 404);
    assert_eq!(read(&at, "/none/v1").status, 404);
    assert_eq!(
        send(&at, "DELETE", "/cc/v1/clients/abc", &[&key], "").status,
        404
    );

    let at = creating().await;
    assert_eq!(
        read(&at, "/cc/v1/clients/nobody").body,
        r#"{"id":"nobody","type":"person"}"#
    );
    assert_eq!(read(&at, "/cc/v1/clients/a%20b").status, 404);
    let access = login(&at);
    let made_up = send(&at, "GET", "/nx/api/sys/users/41", &[&access], "");
    assert_eq!(made_up.status, 200);
    // What it shows is valid: it can be sent back as it is.
    assert_eq!(put_nx(&at, &access, &made_up.body).status, 200);
    let zero = send(&at, "GET", "/nx/api/sys/users/041", &[&access], "");
    assert_eq!(zero.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_index_page_lets_a_stranger_go_on() {
    let at = started().await;
    let page = send(&at, "GET", "/", &[], "").json();
    assert_eq!(page["lanes"]["cc"]["base_url"], at.base_url("cc"));
    let header = page["lanes"]["cc"]["header"].as_str().unwrap();
    let read = send(&at, "GET", "/cc/v1/clients/abc", &[header], "");
    assert_eq!(read.status, 200);
    assert!(at.base_url("my crm").ends_with("/my%20crm"));
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_input_gets_an_answer_and_the_sandbox_goes_on() {
    let at = started().await;
    let key = raw_key(&at);
    let deep = format!(
        "{{\"metadata\":{}1{}}}",
        "[".repeat(90_000),
        "]".repeat(90_000)
    );
    let nested = format!("{}1{}", "{\"a\":".repeat(100), "}".repeat(100));
    let many: Vec<String> = (0..60_000).map(|n| format!("\"m{n}\":1")).collect();
    let many = format!("{{{}}}", many.join(","));
    let bodies = [
        "",
        "null",
        "[]",
        "{",
        "{\"a\":1e999}",
        "\u{feff}{}",
        deep.as_str(),
        nested.as_str(),
        many.as_str(),
    ];
    for body in bodies {
        let answer = post_cc(&at, body);
        assert_eq!(answer.status, 400, "{}", answer.body);
        assert!(answer.json()["message"].is_string());
    }
    let not_json = send(&at, "POST", "/cc/v1/clients/abc", &[&key, FORM], "{}");
    assert_eq!(not_json.status, 415);

    let big = format!(
        "POST /cc/v1/clients/abc HTTP/1.1\r\nHost: localhost\r\n{key}\r\n{JSON}\r\nContent-Length: 9999999\r\n\r\n{{"
    );
    assert_eq!(raw(at.address(), big.as_bytes()).unwrap().status, 413);
    let chunked = format!(
        "POST /cc/v1/clients/abc HTTP/1.1\r\nHost: localhost\r\n{key}\r\n{JSON}\r\nTransfer-Encoding: chunked\r\n\r\n7fffffff\r\n{}",
        "x".repeat(1024 * 1024 + 1)
    );
    assert_eq!(raw(at.address(), chunked.as_bytes()).unwrap().status, 413);

    for path in ["/cc/v1/clients/%zz", "/cc/v1/clients/%ff", "/%"] {
        assert_eq!(send(&at, "GET", path, &[&key], "").status, 400, "{path}");
    }
    for path in [
        "//",
        "/cc",
        "/cc//v1",
        "/cc/v1/clients/",
        "/_sandbox/records/x/y",
    ] {
        assert_eq!(send(&at, "GET", path, &[&key], "").status, 404, "{path}");
    }
    let rebound = "GET / HTTP/1.1\r\nHost: evil.example:80\r\nConnection: close\r\n\r\n";
    assert_eq!(raw(at.address(), rebound.as_bytes()).unwrap().status, 403);
    for garbage in ["\0\0\0\0\r\n\r\n", "GET\r\n\r\n", "\u{16}\u{3}\u{1}"] {
        let mut stream = TcpStream::connect(at.address()).unwrap();
        stream.write_all(garbage.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    }
    let odd = b"GET /cc/v1/clients/abc HTTP/1.1\r\nHost: localhost\r\nAuthorization: \xff\r\nConnection: close\r\n\r\n";
    assert_eq!(raw(at.address(), odd).unwrap().status, 401);
    assert_eq!(post_cc(&at, "{}").status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_served_is_told_at_the_start() {
    let catalog = Catalog::load(&[]).unwrap();
    let provider = catalog.get("complycube").unwrap();
    for names in [["_sandbox", "a"], ["a", "a"], ["a", ""]] {
        let started = Sandbox::start(SandboxSettings {
            lanes: names.map(|name| lane(name, &provider, None)).into(),
            ..settings(None)
        });
        assert!(matches!(
            started.await.unwrap_err(),
            SandboxError::Lane { .. }
        ));
    }
    for text in ["[]", "{", r#"{"cc":1}"#] {
        assert!(Seed::parse(text.as_bytes()).is_err(), "{text}");
    }
    for text in [
        r#"{"cc":[{"id":"no good"}]}"#,
        r#"{"cc":[{}]}"#,
        r#"{"cc":[{"id":"a"},{"id":"a"}]}"#,
    ] {
        let started = Sandbox::start(SandboxSettings {
            seed: Some(Seed::parse(text.as_bytes()).unwrap()),
            ..settings(None)
        });
        let error = started.await.unwrap_err();
        assert!(matches!(error, SandboxError::Seed(_)), "{error}");
        assert!(!error.to_string().contains("no good"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_quick_start_seed_is_served_as_it_is_written() {
    let text = include_str!("../../samples/quickstart/sandbox.json");
    let catalog = Catalog::load(&[]).unwrap();
    let names = ["complycube", "nexudus"];
    let at = Sandbox::start(SandboxSettings {
        lanes: names
            .map(|name| lane(name, &catalog.get(name).unwrap(), None))
            .into(),
        seed: Some(Seed::parse(text.as_bytes()).unwrap()),
        ..settings(None)
    })
    .await
    .unwrap();
    let seed = Json::parse(text.as_bytes()).unwrap();
    for (lane, id) in [("complycube", "id"), ("nexudus", "Id")] {
        let Some(Json::Array(records)) = seed.get(lane) else {
            panic!()
        };
        for record in records {
            let id = record.get(id).unwrap().to_value();
            let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
            assert_eq!(at.record(lane, &id).as_ref(), Some(record));
        }
    }
}

//! An independent judge of what leaves the machine: real runs against a plain
//! recording server that knows nothing of manifests.
//!
//! Methods, paths, headers and bodies are literals typed from the vendors'
//! documents; the answers are the documents' example bodies. Nothing expected
//! here may be computed by the code under test.

use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use clientsync::core::{LaneCounts, Outcome, Scope};
use clientsync::engine::{
    ApplyLane, Clock, LaneEnd, Recorder, SentToday, Silent, Stop, Stopped, apply,
};
use clientsync::store::{OutcomeRow, RunStart, Store, StoreError};
use tempfile::TempDir;

use crate::support::lane::{Setup, transport};
use crate::support::server::{Answer, Hit, Server};

/// What a request carries beside its host, its length and our name.
type Headers<'a> = &'a [(&'a str, &'a str)];

const JSON: (&str, &str) = ("content-type", "application/json");
const ACCEPT: (&str, &str) = ("accept", "application/json");
const RAW_KEY: (&str, &str) = ("authorization", "test_key_1");

/// A user's folder: configuration, source and state.
struct Folder {
    directory: TempDir,
    config: String,
    runs: AtomicUsize,
}

impl Folder {
    fn new(kind: &str, server: &Server, fields: &str, source: &str) -> Self {
        let directory = TempDir::new().unwrap();
        fs::write(directory.path().join("clients.csv"), source).unwrap();
        let base_url = server.url("");
        let config = format!(
            "version = 1\n\
             [source]\npath = \"clients.csv\"\nkey = \"client_id\"\n\
             [providers.{kind}]\nid = \"remote\"\n\
             settings = {{ base_url = \"{base_url}\" }}\n\
             limits = {{ quota = [{{ calls = 1000, per = \"second\" }}], concurrency = 1 }}\n\
             [providers.{kind}.fields]\n{fields}\n"
        );
        Self {
            directory,
            config,
            runs: AtomicUsize::new(0),
        }
    }

    /// Plans, and applies what was planned.
    async fn sync(&self) -> (LaneEnd, Vec<OutcomeRow>) {
        let mut store = Store::open(&self.directory.path().join("state.db")).unwrap();
        let mut setup = Setup::read(&self.config, self.directory.path()).unwrap();
        setup.bind(&mut store);
        let plan = setup.plan(&store);
        let lane = Arc::new(setup.lanes.remove(0));
        let counts = plan.trailer.lanes[&lane.name].clone();
        let number = self.runs.fetch_add(1, Ordering::SeqCst);
        let run_id = format!("run-{number}");
        let run = store.begin(&start(&run_id, &lane.name, &counts)).unwrap();
        let (handle, recorder) = Recorder::start(store, run);
        let lanes = vec![ApplyLane {
            transport: transport(&lane),
            lane: Arc::clone(&lane),
            tps_limit: None,
            sent_today: SentToday::default(),
            counts,
            plan: Box::new(Cursor::new(plan.bytes)),
        }];
        let clock = Clock {
            now: || "2026-01-01T00:00:00Z".parse().unwrap(),
            share: || 0.0,
        };
        let ends = apply(lanes, handle, Arc::new(Silent), clock).await;
        let (store, ended) = recorder.finish().unwrap();
        ended.unwrap();
        let mut outcomes = Vec::new();
        store
            .outcomes::<StoreError>(&run_id, |row| {
                outcomes.push(row);
                Ok(())
            })
            .unwrap();
        (ends[&lane.name].clone(), outcomes)
    }
}

fn start(run_id: &str, lane: &str, counts: &LaneCounts) -> RunStart {
    RunStart {
        run_id: run_id.to_owned(),
        command: "sync".to_owned(),
        scope: Scope::Whole,
        started: "2026-01-01T00:00:00Z".parse().unwrap(),
        plan_sha256: None,
        plan_path: None,
        source_sha256: None,
        source_rows: Some(counts.rows),
        tool_version: "0".to_owned(),
        guards: Vec::new(),
        allowed: Vec::new(),
        lanes: BTreeMap::from([(lane.to_owned(), counts.clone())]),
    }
}

/// Asserts that a request is this one, with these headers and no others.
fn assert_sent(hit: &Hit, server: &Server, request: &str, headers: Headers<'_>, body: &str) {
    assert_eq!(format!("{} {}", hit.method, hit.target), request);
    assert_eq!(hit.text(), body, "{request}");
    let host = server.url("").replace("http://", "");
    let length = body.len().to_string();
    let agent = format!("clientsync/{}", env!("CARGO_PKG_VERSION"));
    let mut wanted: Vec<(String, String)> = headers
        .iter()
        .chain(&[("host", host.as_str()), ("user-agent", agent.as_str())])
        .chain(
            (!body.is_empty())
                .then_some(("content-length", length.as_str()))
                .as_ref(),
        )
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let mut sent: Vec<(String, String)> = hit
        .headers
        .iter()
        .map(|(name, value)| (name.to_lowercase(), value.clone()))
        .collect();
    wanted.sort();
    sent.sort();
    assert_eq!(sent, wanted, "{request}");
}

fn requests(server: &Server) -> Vec<String> {
    let hits = server.hits();
    let line = |hit: &Hit| format!("{} {}", hit.method, hit.target);
    hits.iter().map(line).collect()
}

mod complycube {
    use super::*;

    /// The document's example answer to an update.
    const UPDATED: &str = r#"{
    "id": "5eb04fcd0f3e360008035eb1",
    "type": "person",
    "email": "jane.doe@example.com",
    "mobile": "+12345678910",
    "telephone": "+12 345678910",
    "joinedDate": "2020-01-01",
    "personDetails": {
        "firstName": "Jane",
        "lastName": "Doe",
        "dob": "1995-12-20",
        "nationality": "US"
    },
    "createdAt": "2020-01-04T17:24:29.146Z",
    "updatedAt": "2020-01-04T17:13:10.712Z"
}"#;
    const UPDATE: &str = "POST /v1/clients/5eb04fcd0f3e360008035eb1";
    /// The document's example request, without its white space.
    const BODY: &str = r#"{"email":"jane.doe@example.com","personDetails":{"firstName":"Jane","lastName":"Doe","dob":"1995-12-20","nationality":"US"}}"#;

    fn folder(server: &Server) -> Folder {
        Folder::new(
            "complycube",
            server,
            "email = \"email\"\n\
             personDetails.firstName = \"first_name\"\n\
             personDetails.lastName = \"last_name\"\n\
             personDetails.dob = { column = \"born\", date = \"%d.%m.%Y\" }\n\
             personDetails.nationality = \"nationality\"",
            "client_id,remote,email,first_name,last_name,born,nationality\n\
             c1,5eb04fcd0f3e360008035eb1,jane.doe@example.com,Jane,Doe,20.12.1995,US\n",
        )
    }

    #[tokio::test]
    async fn the_documents_example_is_sent_once() {
        let server = Server::scripted(vec![Answer::reply(200, UPDATED)]).await;
        let folder = folder(&server);
        let (end, outcomes) = folder.sync().await;
        assert_eq!((end.counts.updated, end.stopped), (1, None));
        assert_eq!(outcomes[0].problems, []);
        let hits = server.hits();
        assert_eq!(hits.len(), 1);
        assert_sent(&hits[0], &server, UPDATE, &[RAW_KEY, JSON, ACCEPT], BODY);

        let (end, _) = folder.sync().await;
        assert_eq!((end.counts.unchanged, server.hits().len()), (1, 1));
    }

    #[tokio::test]
    async fn metadata_is_read_before_it_is_sent() {
        let server = Server::new(|hit| match hit.method.as_str() {
            "GET" => Answer::reply(200, r#"{"id":"abc","type":"person","metadata":{"vip":"y\u0065s","tier":"silver"},"updatedAt":"2020-01-04T17:13:10.712Z"}"#),
            _ => Answer::reply(200, r#"{"id":"abc","type":"person","metadata":{"vip":"yes","tier":"gold"}}"#),
        })
        .await;
        let source = "client_id,remote,tier\nc1,abc,gold\n";
        let folder = Folder::new("complycube", &server, "metadata.tier = \"tier\"", source);
        let (end, _) = folder.sync().await;
        assert_eq!((end.counts.updated, end.counts.requests), (1, 2));
        let hits = server.hits();
        assert_eq!(hits.len(), 2);
        assert_sent(
            &hits[0],
            &server,
            "GET /v1/clients/abc",
            &[RAW_KEY, ACCEPT],
            "",
        );
        assert_sent(
            &hits[1],
            &server,
            "POST /v1/clients/abc",
            &[RAW_KEY, JSON, ACCEPT],
            r#"{"metadata":{"vip":"y\u0065s","tier":"gold"}}"#,
        );
    }

    #[tokio::test]
    async fn a_throttled_update_is_sent_again() {
        let throttled = Answer::reply(
            429,
            r#"{"type":"rate_limit_exceeded","message":"You have exceeded the rate limit prescribed to your plan"}"#,
        );
        let server = Server::scripted(vec![
            throttled.with("Retry-After", "0"),
            Answer::reply(200, UPDATED),
        ])
        .await;
        let (end, outcomes) = folder(&server).sync().await;
        assert_eq!((end.counts.updated, end.counts.retries), (1, 1));
        assert_eq!((outcomes[0].attempts, outcomes[0].status), (2, Some(200)));
        let bodies: Vec<String> = server.hits().iter().map(Hit::text).collect();
        assert_eq!(bodies, [BODY, BODY]);
    }

    #[tokio::test]
    async fn a_refused_member_is_told_at_its_column() {
        let refused =
            r#"{"type":"invalid_request","message":"'dob' must be in the past","param":"dob"}"#;
        let server = Server::scripted(vec![Answer::reply(400, refused)]).await;
        let folder = folder(&server);
        let (end, outcomes) = folder.sync().await;
        assert_eq!((end.counts.rejected, server.hits().len()), (1, 1));
        let problem = &outcomes[0].problems[0];
        assert_eq!(problem.code, "E_REJECTED");
        assert_eq!(problem.column.as_deref(), Some("born"));

        let (end, _) = folder.sync().await;
        assert_eq!((end.counts.rejected, server.hits().len()), (1, 2));
    }

    #[tokio::test]
    async fn a_refused_key_ends_the_lane_after_one_request() {
        let refused =
            r#"{"type":"unauthorized","message":"The 'Authorization' header is invalid"}"#;
        let server = Server::scripted(vec![Answer::reply(401, refused)]).await;
        let (end, outcomes) = folder(&server).sync().await;
        assert!(matches!(
            end.stopped,
            Some(Stopped::Provider(Stop::Credentials, _))
        ));
        assert_eq!((end.counts.planned, outcomes.len()), (1, 0));
        assert_eq!(server.hits().len(), 1);
    }
}

mod nexudus {
    use super::*;

    const TOKEN: &str = "POST /api/token";
    const READ: &str = "GET /api/sys/users/87654321";
    const UPDATE: &str = "PUT /api/sys/users";
    const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
    const CLIENT_ID: (&str, &str) = ("client_id", "clientsync");
    const BY_PASSWORD: &str =
        "grant_type=password&username=ada.admin%40example.com&password=p%26w%3D1";
    const BY_REFRESH: &str = "grant_type=refresh_token&refresh_token=8xLOxBtZp8";
    const FIRST: (&str, &str) = ("authorization", "Bearer first-token");
    const SECOND: (&str, &str) = ("authorization", "Bearer second-token");

    const RECORD: &str = r#"{"FullName":"Ada","Email":"ada@example.com","AccessToken":null,"Language":1,"PreferredLanguageId":1.10,"NewPassword":null,"PasswordSalt":"s\/1","AvatarFileName":"a.png","Active":true,"LastAccess":"2025-01-15T10:30:00Z","Businesses":[31,7],"AddedBusinesses":null,"LastHelpVisited":0,"InvalidLoginAttempts":0,"Id":87654321,"UniqueId":"0b1c2d3e-0000-4000-8000-000000000001","CreatedOn":"2024-01-15T10:30:00Z","UpdatedBy":"admin@example.com"}"#;
    const BODY: &str = r#"{"FullName":"Ada Example","Email":"ada@example.com","AccessToken":null,"Language":1,"PreferredLanguageId":1.10,"PasswordSalt":"s\/1","Active":true,"LastAccess":"2025-01-15T10:30:00Z","Businesses":[31,7],"LastHelpVisited":0,"InvalidLoginAttempts":0,"Id":87654321}"#;
    /// The document's example answer to an update.
    const UPDATED: &str = r#"{
  "Status": 200,
  "Message": "User was successfully updated.",
  "Value": {
    "Id": 87654321
  },
  "OpenInDialog": false,
  "OpenInWindow": false,
  "RedirectURL": null,
  "JavaScript": null,
  "UpdatedOn": "2025-01-15T10:30:00Z",
  "UpdatedBy": "admin@example.com",
  "Errors": null,
  "WasSuccessful": true
}"#;
    /// The document's example of a refusal.
    const REFUSED: &str = r#"{
  "Message": "FullName: is a required field",
  "Value": null,
  "Errors": [
    {
      "AttemptedValue": null,
      "Message": "is a required field",
      "PropertyName": "FullName"
    }
  ],
  "WasSuccessful": false
}"#;

    fn tokens(hit: &Hit) -> Answer {
        let name = if hit.text().starts_with("grant_type=password") {
            "first-token"
        } else {
            "second-token"
        };
        Answer::reply(
            200,
            &format!(
                r#"{{"access_token":"{name}","token_type":"bearer","expires_in":604799,"refresh_token":"8xLOxBtZp8"}}"#
            ),
        )
    }

    /// Tokens and the record as documented; updates as the test says, by
    /// their number.
    async fn serve(update: impl Fn(usize, &Hit) -> Answer + Send + Sync + 'static) -> Server {
        let updates = AtomicUsize::new(0);
        Server::new(
            move |hit| match (hit.method.as_str(), hit.target.as_str()) {
                ("POST", "/api/token") => tokens(hit),
                ("GET", "/api/sys/users/87654321") => Answer::reply(200, RECORD),
                ("PUT", "/api/sys/users") => update(updates.fetch_add(1, Ordering::SeqCst), hit),
                _ => Answer::reply(404, "{}"),
            },
        )
        .await
    }

    fn folder(server: &Server) -> Folder {
        Folder::new(
            "nexudus",
            server,
            "FullName = \"name\"",
            "client_id,remote,name\nu1,87654321,Ada Example\n",
        )
    }

    #[tokio::test]
    async fn the_whole_record_is_read_and_sent_back_once() {
        let server = serve(|_, _| Answer::reply(200, UPDATED)).await;
        let folder = folder(&server);
        let (end, outcomes) = folder.sync().await;
        assert_eq!((end.counts.updated, end.stopped), (1, None));
        assert_eq!(outcomes[0].problems, []);
        let hits = server.hits();
        assert_eq!(hits.len(), 3);
        assert_sent(
            &hits[0],
            &server,
            TOKEN,
            &[FORM, ACCEPT, CLIENT_ID],
            BY_PASSWORD,
        );
        assert_sent(&hits[1], &server, READ, &[FIRST, ACCEPT], "");
        assert_sent(&hits[2], &server, UPDATE, &[FIRST, JSON, ACCEPT], BODY);

        let (end, _) = folder.sync().await;
        assert_eq!((end.counts.unchanged, server.hits().len()), (1, 3));
    }

    #[tokio::test]
    async fn a_token_that_ran_out_is_refreshed_and_the_row_begins_again() {
        let server = serve(|_, hit| match hit.header("authorization") {
            Some("Bearer second-token") => Answer::reply(200, UPDATED),
            _ => Answer::reply(401, ""),
        })
        .await;
        let (end, _) = folder(&server).sync().await;
        assert_eq!((end.counts.updated, end.stopped), (1, None));
        let hits = server.hits();
        assert_eq!(
            requests(&server),
            [TOKEN, READ, UPDATE, TOKEN, READ, UPDATE]
        );
        assert_sent(
            &hits[3],
            &server,
            TOKEN,
            &[FORM, ACCEPT, CLIENT_ID],
            BY_REFRESH,
        );
        assert_sent(&hits[4], &server, READ, &[SECOND, ACCEPT], "");
        assert_sent(&hits[5], &server, UPDATE, &[SECOND, JSON, ACCEPT], BODY);
    }

    #[tokio::test]
    async fn an_account_without_the_role_stops_after_one_renewal() {
        let server = serve(|_, _| Answer::reply(401, "")).await;
        let (end, _) = folder(&server).sync().await;
        assert!(matches!(
            end.stopped,
            Some(Stopped::Provider(Stop::Credentials, _))
        ));
        assert_eq!(end.counts.planned, 1);
        assert_eq!(
            requests(&server),
            [TOKEN, READ, UPDATE, TOKEN, READ, UPDATE]
        );
    }

    #[tokio::test]
    async fn a_conflict_with_retry_after_is_a_throttle() {
        // As documented, reason phrase and all.
        let wait = b"HTTP/1.1 409 You must wait before accessing this url again.\r\nCache-Control: no-cache\r\nPragma: no-cache\r\nExpires: -1\r\nRetry-After: 1\r\nDate: Wed, 21 May 2014 01:54:48 GMT\r\nContent-Length: 0\r\n\r\n";
        let server = serve(move |number, _| match number {
            0 => Answer::Raw(wait.to_vec()),
            _ => Answer::reply(200, UPDATED),
        })
        .await;
        let (end, _) = folder(&server).sync().await;
        assert_eq!((end.counts.updated, end.stopped), (1, None));
        assert_eq!(requests(&server), [TOKEN, READ, UPDATE, READ, UPDATE]);
        assert_eq!(server.hits()[4].text(), BODY);
    }

    #[tokio::test]
    async fn a_conflict_without_retry_after_is_a_refusal() {
        let server = serve(|_, _| Answer::reply(409, "")).await;
        let (end, _) = folder(&server).sync().await;
        assert_eq!(end.counts.rejected, 1);
        assert_eq!(requests(&server), [TOKEN, READ, UPDATE]);
    }

    #[tokio::test]
    async fn a_success_that_says_it_was_none_is_a_refusal() {
        let server = serve(|number, _| match number {
            0 => Answer::reply(200, REFUSED),
            _ => Answer::reply(200, UPDATED),
        })
        .await;
        let folder = folder(&server);
        let (end, outcomes) = folder.sync().await;
        assert_eq!(end.counts.rejected, 1);
        assert_eq!(requests(&server), [TOKEN, READ, UPDATE]);
        assert_eq!(outcomes[0].outcome, Outcome::Rejected);
        let problem = &outcomes[0].problems[0];
        assert_eq!(problem.message, "FullName: is a required field");
        assert_eq!(problem.column.as_deref(), Some("name"));

        // Nothing was acknowledged, so the next run sends it again.
        let (end, _) = folder.sync().await;
        assert_eq!(end.counts.updated, 1);
    }
}

//! What Nexudus receives, typed from its pages on users, tokens and limits.

use super::*;

const TOKEN: &str = "POST /api/token";
const READ: &str = "GET /api/sys/users/87654321";
const UPDATE: &str = "PUT /api/sys/users";
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const CLIENT_ID: (&str, &str) = ("client_id", "clientsync");
const BY_PASSWORD: &str = "grant_type=password&username=ada.admin%40example.com&password=p%26w%3D1";
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
            ("GET", "/api/sys/users/87654321") => {
                Answer::reply(200, RECORD).with("Set-Cookie", "session=1; Path=/")
            }
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

//! What `ComplyCube` receives, typed from its page "Update a client".

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
    let refused = r#"{"type":"unauthorized","message":"The 'Authorization' header is invalid"}"#;
    let server = Server::scripted(vec![Answer::reply(401, refused)]).await;
    let (end, outcomes) = folder(&server).sync().await;
    assert!(matches!(
        end.stopped,
        Some(Stopped::Provider(Stop::Credentials, _))
    ));
    assert_eq!((end.counts.planned, outcomes.len()), (1, 0));
    assert_eq!(server.hits().len(), 1);
}

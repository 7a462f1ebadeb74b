//! What Weel receives, typed from its page "Update user".

use super::*;

const READ: &str = "GET /v1/businesses/123/users/456";
const UPDATE: &str = "PATCH /v1/businesses/123/users/456";
/// The document's example record, with the id of the path.
const RECORD: &str = r#"{
  "id": 456,
  "first_name": "John",
  "last_name": "Doe",
  "name": "John Doe",
  "email": "john.doe@example.com",
  "role": "Team Member",
  "role_id": "a1b2c3d4-e5f6-7890-abcd-ef1234567890",
  "is_deleted": false,
  "created": "2024-01-01T00:00:00Z",
  "updated": "2024-01-01T00:00:00Z",
  "payment_types": [
    "cards"
  ],
  "out_of_office_mode": true,
  "out_of_office_start_date": "2026-06-01",
  "out_of_office_end_date": "2026-06-15",
  "delegate_approver": 789,
  "expense_delegate": [
    456,
    789
  ]
}"#;
const ABSENCE: &str = "out_of_office_mode = \"away\"\n\
                       out_of_office_start_date = { column = \"from\", date = \"%d.%m.%Y\" }\n\
                       out_of_office_end_date = { column = \"to\", date = \"%d.%m.%Y\" }";

fn folder(server: &Server, fields: &str, source: &str) -> Folder {
    Folder::with("weel", server, ", business_id = 123", fields, source)
}

#[tokio::test]
async fn an_absence_is_sent_with_both_dates_and_ended_by_the_mode_alone() {
    let ended = RECORD.replace(
        "\"out_of_office_mode\": true",
        "\"out_of_office_mode\": false",
    );
    let server =
        Server::scripted(vec![Answer::reply(200, RECORD), Answer::reply(200, &ended)]).await;
    let folder = folder(
        &server,
        &format!("role_id = \"role\"\n{ABSENCE}\ndelegate_approver = \"deputy\""),
        "client_id,remote,role,away,from,to,deputy\n\
         u1,456,a1b2c3d4-e5f6-7890-abcd-ef1234567890,true,01.06.2026,15.06.2026,789\n",
    );
    let (end, outcomes) = folder.sync().await;
    assert_eq!((end.counts.updated, end.stopped), (1, None));
    assert_eq!(outcomes[0].problems, []);
    assert_sent(
        &server.hits()[0],
        &server,
        UPDATE,
        &[BEARER, JSON, ACCEPT],
        r#"{"role_id":"a1b2c3d4-e5f6-7890-abcd-ef1234567890","out_of_office_mode":true,"out_of_office_start_date":"2026-06-01","out_of_office_end_date":"2026-06-15","delegate_approver":789}"#,
    );

    let source = folder.directory.path().join("clients.csv");
    let text = fs::read_to_string(&source).unwrap();
    fs::write(&source, text.replace("true", "false")).unwrap();
    let (end, outcomes) = folder.sync().await;
    assert_eq!((end.counts.updated, server.hits().len()), (1, 2));
    assert_eq!(outcomes[0].problems, []);
    assert_sent(
        &server.hits()[1],
        &server,
        UPDATE,
        &[BEARER, JSON, ACCEPT],
        r#"{"out_of_office_mode":false}"#,
    );

    let (end, _) = folder.sync().await;
    assert_eq!((end.counts.unchanged, server.hits().len()), (1, 2));
}

#[tokio::test]
async fn an_end_before_the_beginning_that_is_read_is_never_sent() {
    let server = Server::new(|_| Answer::reply(200, RECORD)).await;
    let fields = "out_of_office_end_date = { column = \"to\", date = \"%d.%m.%Y\" }";
    let source = "client_id,remote,to\nu1,456,31.05.2026\n";
    let (end, outcomes) = folder(&server, fields, source).sync().await;
    assert_eq!(end.counts.invalid, 1);
    assert_eq!(requests(&server), [READ]);
    let problem = &outcomes[0].problems[0];
    assert_eq!(
        (problem.column.as_deref(), problem.message.as_str()),
        (Some("to"), "is before `out_of_office_start_date`")
    );
}

#[tokio::test]
async fn a_refusal_is_told_at_its_column() {
    let refused = r#"{"role_id":["Role does not belong to this business."]}"#;
    let server = Server::scripted(vec![Answer::reply(400, refused)]).await;
    let source = "client_id,remote,role\nu1,456,a1b2c3d4-e5f6-7890-abcd-ef1234567890\n";
    let (end, outcomes) = folder(&server, "role_id = \"role\"", source).sync().await;
    assert_eq!((end.counts.rejected, server.hits().len()), (1, 1));
    let problem = &outcomes[0].problems[0];
    assert_eq!(problem.column.as_deref(), Some("role"));
    assert!(
        problem.message.contains("does not belong"),
        "{}",
        problem.message
    );
}

#[tokio::test]
async fn a_server_error_is_sent_again() {
    let server = Server::scripted(vec![
        Answer::reply(503, "").with("Retry-After", "0"),
        Answer::reply(200, RECORD),
    ])
    .await;
    let source = "client_id,remote,deputy\nu1,456,789\n";
    let folder = folder(&server, "delegate_approver = \"deputy\"", source);
    let (end, _) = folder.sync().await;
    assert_eq!((end.counts.updated, end.counts.retries), (1, 1));
    let bodies: Vec<String> = server.hits().iter().map(Hit::text).collect();
    let body = r#"{"delegate_approver":789}"#;
    assert_eq!(bodies, [body, body]);
}

//! What Placio receives, typed from its page "Update Client (v1)".

use super::*;

const READ: &str = "GET /v1/workspace/ws_1/clients/507f1f77bcf86cd799439011";
const UPDATE: &str = "PATCH /v1/workspace/ws_1/clients/507f1f77bcf86cd799439011";
/// The list's example record, as a read by id wraps it.
const RECORD: &str = r#"{
  "client": {
    "id": "507f1f77bcf86cd799439011",
    "name": "John Doe",
    "avatarUrl": "https://example.com/avatar.jpg",
    "contactMethods": [
      {
        "type": "phone",
        "value": "+1234567890",
        "isPreferred": true
      }
    ],
    "customFields": [],
    "createdAt": "2024-01-15T10:00:00Z"
  }
}"#;
/// An answer to the update below; its custom fields are empty, as in the document.
const UPDATED: &str = r#"{
  "client": {
    "id": "507f1f77bcf86cd799439011",
    "name": "Jane Doe",
    "avatarUrl": "https://example.com/new-avatar.jpg",
    "contactMethods": [
      {
        "type": "phone",
        "value": "+1234567890",
        "isPreferred": false
      },
      {
        "type": "email",
        "value": "jane@example.com",
        "isPreferred": true
      }
    ],
    "customFields": [],
    "createdAt": "2024-01-15T10:00:00Z",
    "updatedAt": "2024-01-15T11:00:00Z"
  }
}"#;

fn folder(server: &Server, fields: &str, source: &str) -> Folder {
    let workspace = ", workspace_id = \"ws_1\"";
    Folder::with("placio", server, workspace, fields, source)
}

#[tokio::test]
async fn both_lists_are_read_and_sent_whole() {
    let server = Server::new(|hit| match hit.method.as_str() {
        "GET" => Answer::reply(200, RECORD),
        _ => Answer::reply(200, UPDATED),
    })
    .await;
    let folder = folder(
        &server,
        "name = \"name\"\n\
         avatarUrl = \"avatar\"\n\
         contactMethods.email = \"email\"\n\
         contactMethods.preferred = { const = \"email\" }\n\
         customFields.notes = \"notes\"",
        "client_id,remote,name,avatar,email,notes\n\
         c1,507f1f77bcf86cd799439011,Jane Doe,https://example.com/new-avatar.jpg,jane@example.com,Updated notes\n",
    );
    let (end, outcomes) = folder.sync().await;
    assert_eq!((end.counts.updated, end.counts.requests), (1, 2));
    // The answer shows no custom fields, whatever was sent: nothing is said of them.
    assert_eq!(outcomes[0].problems, []);
    let hits = server.hits();
    assert_eq!(hits.len(), 2);
    assert_sent(&hits[0], &server, READ, &[BEARER, ACCEPT], "");
    assert_sent(
        &hits[1],
        &server,
        UPDATE,
        &[BEARER, JSON, ACCEPT],
        r#"{"contactMethods":[{"type":"phone","value":"+1234567890","isPreferred":false},{"type":"email","value":"jane@example.com","isPreferred":true}],"customFields":[{"fieldKey":"notes","value":"Updated notes"}],"name":"Jane Doe","avatarUrl":"https://example.com/new-avatar.jpg"}"#,
    );

    let (end, _) = folder.sync().await;
    assert_eq!((end.counts.unchanged, server.hits().len()), (1, 2));
}

#[tokio::test]
async fn a_name_needs_no_read() {
    let server = Server::scripted(vec![Answer::reply(200, UPDATED)]).await;
    let source = "client_id,remote,name\nc1,507f1f77bcf86cd799439011,Jane Doe\n";
    let (end, _) = folder(&server, "name = \"name\"", source).sync().await;
    assert_eq!((end.counts.updated, server.hits().len()), (1, 1));
    assert_sent(
        &server.hits()[0],
        &server,
        UPDATE,
        &[BEARER, JSON, ACCEPT],
        r#"{"name":"Jane Doe"}"#,
    );
}

#[tokio::test]
async fn a_client_that_is_not_there_is_rejected_before_anything_is_written() {
    let gone = r#"{"message":"Client not found"}"#;
    let server = Server::scripted(vec![Answer::reply(404, gone)]).await;
    let source = "client_id,remote,email\nc1,507f1f77bcf86cd799439011,jane@example.com\n";
    let folder = folder(&server, "contactMethods.email = \"email\"", source);
    let (end, outcomes) = folder.sync().await;
    assert_eq!(end.counts.rejected, 1);
    assert_eq!(requests(&server), [READ]);
    let message = outcomes[0].message.as_deref().unwrap_or_default();
    assert!(message.contains("Client not found"), "{message}");
}

#[tokio::test]
async fn a_token_that_ran_out_ends_the_lane_after_one_request() {
    let server = Server::scripted(vec![Answer::reply(401, "{}")]).await;
    let source = "client_id,remote,name\nc1,507f1f77bcf86cd799439011,Jane Doe\n";
    let (end, outcomes) = folder(&server, "name = \"name\"", source).sync().await;
    assert!(matches!(
        end.stopped,
        Some(Stopped::Provider(Stop::Credentials, _))
    ));
    assert_eq!((outcomes.len(), server.hits().len()), (0, 1));
}

//! What SPP receives, typed from its page "Update a client".

use super::*;

const UPDATE: &str = "PUT /api/clients/1";
const VERSION: (&str, &str) = ("x-api-version", "2024-03-05");
/// The documents' example record, without its roles.
const RECORD: &str = r#"{
    "id": 1,
    "aff_id": 1,
    "created_at": "2021-09-01T00:00:00+00:00",
    "name_f": "John",
    "name_l": "Doe",
    "email": "user@example.org",
    "address": {
        "line_1": "123 Main St",
        "line_2": "Suite 100",
        "city": "New York",
        "country": "US",
        "state": "NY",
        "postcode": "10001",
        "name_f": "John",
        "name_l": "Doe",
        "tax_id": "123456789",
        "company_name": "Acme Inc.",
        "company_vat": "123456789"
    },
    "balance": "10.00",
    "custom_fields": {},
    "status": 1,
    "employee_id": 2,
    "managers": [{"id": 25, "name": "John Doe", "role_id": 5}]
}"#;

fn folder_of_email(server: &Server) -> Folder {
    let source = "client_id,remote,email\nc1,1,user@example.org\n";
    Folder::new("spp", server, "email = \"email\"", source)
}

#[tokio::test]
async fn values_go_by_their_written_names_and_come_back_by_others() {
    let server = Server::scripted(vec![Answer::reply(200, RECORD)]).await;
    let folder = Folder::new(
        "spp",
        &server,
        "name_f = \"first_name\"\nemail = \"email\"\nbalance = \"balance\"\nstatus_id = \"status\"\n\
         employee_id = { column = \"managers\", separator = \";\" }\n\
         created_at = { column = \"added\", datetime = \"%d.%m.%Y %H:%M\", timezone = \"UTC\" }",
        "client_id,remote,first_name,email,balance,status,managers,added\n\
         c1,1,John,user@example.org,10.00,1,25,01.09.2021 00:00\n",
    );
    let (end, outcomes) = folder.sync().await;
    assert_eq!((end.counts.updated, end.stopped), (1, None));
    // Status, managers, a balance in quotes and another form of the moment are no difference.
    assert_eq!(outcomes[0].problems, []);
    let hits = server.hits();
    assert_eq!(hits.len(), 1);
    assert_sent(
        &hits[0],
        &server,
        UPDATE,
        &[BEARER, VERSION, JSON, ACCEPT],
        r#"{"name_f":"John","email":"user@example.org","balance":10.0,"status_id":1,"employee_id":[25],"created_at":"2021-09-01T00:00:00Z"}"#,
    );

    let (end, _) = folder.sync().await;
    assert_eq!((end.counts.unchanged, server.hits().len()), (1, 1));
}

#[tokio::test]
async fn an_address_is_read_and_goes_back_without_what_cannot_be_written() {
    let server = Server::new(|hit| match hit.method.as_str() {
        "GET" => Answer::reply(200, RECORD),
        _ => Answer::reply(200, &RECORD.replace("New York", "Albany")),
    })
    .await;
    let source = "client_id,remote,city\nc1,1,Albany\n";
    let folder = Folder::new("spp", &server, "address.city = \"city\"", source);
    let (end, outcomes) = folder.sync().await;
    assert_eq!((end.counts.updated, end.counts.requests), (1, 2));
    assert_eq!(outcomes[0].problems, []);
    let hits = server.hits();
    assert_eq!(hits.len(), 2);
    let read = "GET /api/clients/1";
    assert_sent(&hits[0], &server, read, &[BEARER, VERSION, ACCEPT], "");
    assert_sent(
        &hits[1],
        &server,
        UPDATE,
        &[BEARER, VERSION, JSON, ACCEPT],
        r#"{"address":{"line_1":"123 Main St","city":"Albany","country":"US","state":"NY","postcode":"10001"}}"#,
    );
}

#[tokio::test]
async fn a_refusal_in_the_shape_that_a_third_party_tells_is_told_at_its_column() {
    let refused = r#"{"message":"The given data was invalid.","errors":{"email":["The email has already been taken."]}}"#;
    let server = Server::scripted(vec![Answer::reply(422, refused)]).await;
    let (end, outcomes) = folder_of_email(&server).sync().await;
    assert_eq!((end.counts.rejected, server.hits().len()), (1, 1));
    let problem = &outcomes[0].problems[0];
    assert_eq!(problem.code, "E_REJECTED");
    assert_eq!(problem.column.as_deref(), Some("email"));
}

#[tokio::test]
async fn a_refused_token_ends_the_lane_after_one_request() {
    let server = Server::scripted(vec![Answer::reply(401, "Unauthorized")]).await;
    let (end, outcomes) = folder_of_email(&server).sync().await;
    assert!(matches!(
        end.stopped,
        Some(Stopped::Provider(Stop::Credentials, _))
    ));
    assert_eq!((end.counts.planned, outcomes.len()), (1, 0));
    assert_eq!(server.hits().len(), 1);
}

//! What an update does to a record, and what of it is refused.

use clientsync::core::{Json, Request, Response};
use clientsync::provider::{self, Asked, Provider};

use super::{
    Answer, JSON, NX_REQUIRED, creating, crm_key, held, lanes, login, patch_crm, post_cc, put_nx,
    raw_key, send, started,
};

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

/// What the provider's own reading makes of an answer.
fn meaning(provider: &Provider, answer: &Answer, asked: Asked) -> provider::Answer {
    let headers = answer
        .head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        .collect();
    let response = Response {
        status: answer.status,
        headers,
        body: answer.body.clone().into_bytes(),
    };
    provider.classify(&response, asked, "2026-11-20T10:00:00Z".parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_and_answers_mean_the_same_on_both_sides() {
    let at = creating().await;
    let login = login(&at);
    let json = |text: &str| Json::parse(text.as_bytes()).unwrap();
    for lane in lanes(None) {
        let (name, provider) = (lane.name.as_str(), &lane.provider);
        let settings = lane.settings.with("base_url", at.base_url(name));
        let (credential, id, bad) = match name {
            "cc" => (raw_key(&at), "abc", r#"{"email":"x"}"#),
            "nx" => (login.clone(), "7", r#"{"Id":7,"Language":9}"#),
            _ => (crm_key(&at), "7", r#"{"name":"too long"}"#),
        };
        let go = |request: &Request, credential: &str| {
            let path = request.url.split_once("//").unwrap().1;
            let path = &path[path.find('/').unwrap()..];
            let mut headers = vec![credential.to_owned(), JSON.to_owned()];
            headers.extend(request.headers.iter().map(|(n, v)| format!("{n}: {v}")));
            let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
            let body = request.body.as_deref().unwrap_or_default();
            send(&at, request.method.as_str(), path, &headers, body)
        };

        let request = provider.read_request(&settings, id).unwrap().unwrap();
        let read = go(&request, &credential);
        let meant = meaning(provider, &read, Asked::Read);
        assert_eq!(meant, provider::Answer::Accepted, "{name}: {}", read.body);

        let refused = go(&request, "Authorization: nobody");
        let meant = meaning(provider, &refused, Asked::Read);
        assert!(matches!(meant, provider::Answer::Unauthorized(_)), "{name}");

        let good = match name {
            "nx" => json(&read.body),
            "cc" => json(r#"{"email":"a@example.com"}"#),
            _ => json(r#"{"name":"Ann"}"#),
        };
        let request = provider.update_request(&settings, id, &good).unwrap();
        let answer = go(&request, &credential);
        let meant = meaning(provider, &answer, Asked::Write);
        assert_eq!(meant, provider::Answer::Accepted, "{name}: {}", answer.body);

        let request = provider.update_request(&settings, id, &json(bad)).unwrap();
        let answer = go(&request, &credential);
        let provider::Answer::Rejected(refusal) = meaning(provider, &answer, Asked::Write) else {
            panic!("{name}: {}", answer.body)
        };
        assert!(!refusal.fields.is_empty() && !refusal.message.is_empty());
    }
}

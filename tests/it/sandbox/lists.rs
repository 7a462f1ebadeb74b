//! Lists: pages, what they leave out, and what they answer to questions that
//! they do not understand.

use std::sync::Arc;

use clientsync::provider::{Provider, Quota, Window};
use clientsync::sandbox::{Running, Sandbox, SandboxSettings, Seed};
use serde_json::{Value, json};

use super::{
    Answer, CONTRACT, JSON, MANIFEST, crm_key, lane, login, post_cc, raw_key, send, settings,
};

/// Ids that are not in the order of their texts: the order is that of coming.
const SEED: &str = r#"{
  "cc": [{"id":"m","type":"person"}, {"id":"a","type":"person"}, {"id":"z","type":"person"},
         {"id":"b","type":"person"}, {"id":"k","type":"person"}],
  "nx": [{"Id":30,"FullName":"Ann","Businesses":[1,2],"UserRoles":[7],"ChatRooms":[]},
         {"Id":4,"FullName":"Ben"}, {"Id":200,"FullName":"Cleo"}],
  "my crm": [{"id":3,"name":"c"}, {"id":1,"name":"a"}, {"id":2,"name":"b"}]
}"#;

const LIST: &str = r#"
[list]
url = "{base_url}/v1/{workspace}/clients"
query = { sort = "id:desc" }
items = "/data/clients"
id = "/id"
omits = ["/address/zip"]
page = { by = "offset", param = "offset", size_param = "limit", size = 2, total = "/data/count" }
[response]"#;

async fn listing(quota: Option<Quota>) -> Running {
    let manifest = MANIFEST.replace("[response]", LIST);
    let made_up = Arc::new(Provider::new(&manifest, CONTRACT).unwrap());
    let mut settings = SandboxSettings {
        seed: Some(Seed::parse(SEED.as_bytes()).unwrap()),
        ..settings(quota)
    };
    settings.lanes.pop();
    settings.lanes.push(lane("my crm", &made_up, quota));
    Sandbox::start(settings).await.unwrap()
}

fn list_cc(at: &Running, query: &str) -> Answer {
    let path = format!("/cc/v1/clients{query}");
    send(at, "GET", &path, &[&raw_key(at)], "")
}

fn list_crm(at: &Running, query: &str) -> Answer {
    let path = format!("/my%20crm/v1/ws%201/clients{query}");
    send(at, "GET", &path, &[&crm_key(at), "X-Version: 2"], "")
}

fn ids(answer: &Answer, items: &str, id: &str) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let page = answer.json();
    let items = page.pointer(items).unwrap().as_array().unwrap();
    items.iter().map(|item| item[id].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_cut_by_number_in_the_order_of_coming() {
    let at = listing(None).await;
    let page = |query: &str| list_cc(&at, query);
    let answer = page("?page=1&pageSize=2");
    assert_eq!(ids(&answer, "/items", "id"), ["m", "a"]);
    assert_eq!(answer.json()["pages"], 3);
    assert_eq!(
        ids(&page("?pageSize=2&page=3"), "/items", "id"),
        [json!("k")]
    );
    assert!(ids(&page("?page=4&pageSize=2"), "/items", "id").is_empty());
    // Without a word the first page comes, in the manifest's size.
    assert_eq!(ids(&page(""), "/items", "id").len(), 5);
    // An accepted write moves no record.
    let key = raw_key(&at);
    let body = r#"{"mobile":"1"}"#;
    let written = send(&at, "POST", "/cc/v1/clients/z", &[&key, JSON], body);
    assert_eq!(written.status, 200, "{}", written.body);
    assert_eq!(ids(&page(""), "/items", "id"), ["m", "a", "z", "b", "k"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_cut_by_offset_and_never_larger_than_the_manifest_says() {
    let at = listing(None).await;
    let page = |query: &str| list_crm(&at, query);
    let answer = page("?sort=id%3Adesc&offset=0&limit=500");
    assert_eq!(ids(&answer, "/data/clients", "id"), [3, 1]);
    assert_eq!(answer.json()["data"]["count"], 3);
    let answer = page("?offset=1&limit=1");
    assert_eq!(ids(&answer, "/data/clients", "id"), [1]);
    let answer = page("?offset=7");
    assert!(ids(&answer, "/data/clients", "id").is_empty());
    assert_eq!(answer.json()["data"]["count"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_says_whether_there_is_more_and_leaves_out_what_it_omits() {
    let at = listing(None).await;
    let access = login(&at);
    let page = |query: &str| {
        let path = format!("/nx/api/sys/users?{query}");
        send(&at, "GET", &path, &[&access], "")
    };
    let answer = page("page=1&size=2");
    assert_eq!(ids(&answer, "/Records", "Id"), [30, 4]);
    let first = &answer.json()["Records"][0];
    assert_eq!(*first, json!({"Id":30,"FullName":"Ann"}));
    assert_eq!(answer.json()["HasNextPage"], true);
    let answer = page("page=2&size=2");
    assert_eq!(ids(&answer, "/Records", "Id"), [200]);
    assert_eq!(answer.json()["HasNextPage"], false);
    let record = send(&at, "GET", "/nx/api/sys/users/30", &[&access], "");
    assert_eq!(record.json()["Businesses"], json!([1, 2]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_that_nobody_knows_is_answered_with_nothing_at_all() {
    let at = listing(None).await;
    let answer = list_cc(&at, "?page=1&externalId=m");
    assert!(ids(&answer, "/items", "id").is_empty());
    assert_eq!(answer.json()["pages"], 0);
    let answer = list_crm(&at, "?sort=name");
    assert!(ids(&answer, "/data/clients", "id").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_cannot_be_is_refused() {
    let at = listing(None).await;
    for query in ["?page=0", "?pageSize=0", "?page=-1", "?page=x", "?page=%zz"] {
        let answer = list_cc(&at, query);
        assert_eq!(answer.status, 400, "{query}");
        assert!(answer.json()["message"].is_string());
    }
    let last = format!("?page={}&pageSize=100", usize::MAX);
    assert!(ids(&list_cc(&at, &last), "/items", "id").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_need_credentials_and_count_in_the_windows() {
    let at = listing(None).await;
    assert_eq!(send(&at, "GET", "/cc/v1/clients", &[], "").status, 401);
    let once = Quota {
        calls: 1,
        per: Window::Day,
        writes_only: false,
    };
    let at = listing(Some(once)).await;
    assert_eq!(list_cc(&at, "").status, 200);
    assert_eq!(list_cc(&at, "").status, 429);
    assert_eq!(post_cc(&at, "{}").status, 429);
}

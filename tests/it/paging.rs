//! Reading lists: every way in which pages follow each other, against a server
//! that is written here, whole, moving, and broken.

use std::collections::BTreeMap;

use clientsync::core::{Json, Response};
use clientsync::provider::{Answer, Asked, ListPage, Position, Provider, Settings};
use proptest::prelude::*;
use serde_json::{Value, json};

const MANIFEST: &str = r#"
format = 1
name = "listed"
title = "Listed CRM"
[settings]
base_url = { type = "url", default = "https://crm.example.com/prefix" }
workspace = { type = "string", default = "ws 1" }
[auth]
scheme = "bearer"
token = "CRM_TOKEN"
[id]
type = "string"
pattern = "^[a-z0-9]+$"
[update]
method = "PATCH"
url = "{base_url}/clients/{id}"
mode = "merge"
[list]
url = "{base_url}/{workspace}/clients"
LIST
[limits]
quota = [{ calls = 1, per = "second" }]
concurrency = 1
"#;

const CONTRACT: &str = r#"{"type":"object","properties":{"name":{"type":"string"}}}"#;
/// More requests than any list of these tests can need.
const TOO_MANY: usize = 1_000;

/// How a list says where it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Pages,
    Total,
    More,
    Empty,
}

/// A kind of list.
#[derive(Clone, Copy, Debug)]
struct Kind {
    by: &'static str,
    end: End,
    size: usize,
    /// The most records that the server gives on a page, whatever is asked for.
    most: usize,
}

const ENDS: [End; 4] = [End::Pages, End::Total, End::More, End::Empty];

impl Kind {
    fn provider(self) -> Provider {
        let end = match self.end {
            End::Pages => r#", pages = "/meta/pages""#,
            End::Total => r#", total = "/meta/count""#,
            End::More => r#", more = "/meta/more""#,
            End::Empty => "",
        };
        provider(&format!(
            "items = \"/data\"\nid = \"/id\"\npage = {{ by = \"{}\", param = \"at\", size_param = \"n\", size = {}{end} }}",
            self.by, self.size
        ))
    }

    /// The server's answer to a request.
    fn answer(self, url: &str, held: &[String]) -> Value {
        let query: BTreeMap<&str, usize> = url
            .split_once('?')
            .unwrap()
            .1
            .split('&')
            .map(|pair| pair.split_once('=').unwrap())
            .map(|(name, value)| (name, value.parse().unwrap()))
            .collect();
        let size = query["n"].min(self.most);
        let from = match self.by {
            "page" => (query["at"] - 1) * size,
            _ => query["at"],
        };
        let data: Vec<Value> = held
            .iter()
            .skip(from)
            .take(size)
            .map(|id| json!({ "id": id }))
            .collect();
        let more = from + size < held.len();
        let pages = held.len().div_ceil(size);
        json!({ "data": data, "meta": { "pages": pages, "count": held.len(), "more": more } })
    }

    /// Reads a list to its end, which moves before each page after the first.
    fn read(self, mut held: Vec<String>, mut moves: impl FnMut(&mut Vec<String>)) -> Read {
        let provider = self.provider();
        let mut read = Read::default();
        let mut position = Some(Position::default());
        while let Some(at) = position {
            if read.requests > 0 {
                moves(&mut held);
            }
            let page = page_of(&provider, &self.answer(&url(&provider, at), &held), at).unwrap();
            read.requests += 1;
            assert!(read.requests < TOO_MANY, "{self:?} reads for ever");
            read.ids
                .extend(page.records.into_iter().map(|(id, _)| id.unwrap()));
            position = page.next;
        }
        read
    }
}

/// What was read.
#[derive(Debug, Default)]
struct Read {
    ids: Vec<String>,
    requests: usize,
}

fn provider(list: &str) -> Provider {
    Provider::new(&MANIFEST.replace("LIST", list), CONTRACT).unwrap()
}

fn settings(provider: &Provider) -> Settings {
    provider.resolve(&BTreeMap::new()).unwrap()
}

fn url(provider: &Provider, at: Position) -> String {
    let request = provider.list_request(&settings(provider), at);
    request.unwrap().unwrap().url
}

fn response(body: &Value) -> Response {
    Response {
        status: 200,
        headers: Vec::new(),
        body: body.to_string().into_bytes(),
    }
}

/// The page in an answer; the classification must say the same of it.
fn page_of(provider: &Provider, body: &Value, at: Position) -> Result<ListPage, String> {
    let response = response(body);
    let page = provider.list_page(&response, at);
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    match provider.classify(&response, Asked::List(at), now) {
        Answer::Accepted => assert!(page.is_ok()),
        Answer::Unreadable(why) => assert_eq!(page.as_ref().err(), Some(&why)),
        other => panic!("{other:?}"),
    }
    page.map_err(|refusal| refusal.message)
}

fn ids(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("r{n}")).collect()
}

fn all_kinds(size: usize, most: usize) -> impl Iterator<Item = Kind> {
    ["page", "offset"].into_iter().flat_map(move |by| {
        ENDS.into_iter().map(move |end| Kind {
            by,
            end,
            size,
            most,
        })
    })
}

#[test]
fn a_still_list_is_read_whole_whatever_its_length() {
    for kind in all_kinds(3, 3) {
        // None, one, a page less one, a page, a page and one, two pages.
        for (count, pages) in [(0, 1), (1, 1), (2, 1), (3, 1), (4, 2), (6, 2)] {
            // `pages` counts from the page's number, so an offset knows it too.
            let read = kind.read(ids(count), |_| {});
            assert_eq!(read.ids, ids(count), "{kind:?}");
            let expected = if kind.end == End::Empty && count > 0 {
                pages + 1
            } else {
                pages
            };
            assert_eq!(read.requests, expected, "{kind:?} {count}");
        }
    }
}

#[test]
fn a_server_that_gives_less_than_it_was_asked_for_is_read_whole() {
    for kind in all_kinds(10, 3) {
        assert_eq!(kind.read(ids(8), |_| {}).ids, ids(8), "{kind:?}");
    }
}

#[test]
fn an_empty_page_ends_a_list_that_always_says_there_is_more() {
    let kind = Kind {
        by: "page",
        end: End::More,
        size: 2,
        most: 2,
    };
    let provider = kind.provider();
    let at = Position::default();
    let page = page_of(
        &provider,
        &json!({"data": [{"id":"a"}], "meta": {"more": true}}),
        at,
    );
    let next = page.unwrap().next.unwrap();
    assert!(url(&provider, next).ends_with("?at=2&n=2"));
    let empty = json!({"data": [], "meta": {"more": true}});
    assert_eq!(page_of(&provider, &empty, next).unwrap().next, None);
    // Nor does it need its envelope any more.
    let bare = json!({"data": []});
    assert_eq!(page_of(&provider, &bare, next).unwrap().next, None);
}

#[test]
fn an_envelope_that_does_not_say_where_it_ends_is_no_page() {
    for kind in all_kinds(2, 2).filter(|kind| kind.end != End::Empty) {
        let provider = kind.provider();
        let at = Position::default();
        for meta in [
            json!({}),
            json!(null),
            json!({"pages": "2", "count": null, "more": 1}),
            json!({"pages": -1, "count": 1.5, "more": "true"}),
        ] {
            let body = json!({"data": [{"id":"a"}], "meta": meta});
            let why = page_of(&provider, &body, at).unwrap_err();
            assert!(why.contains("`/meta/"), "{why}");
        }
        for body in [json!({"meta": {"pages": 1}}), json!([]), json!(1)] {
            let why = page_of(&provider, &body, at).unwrap_err();
            assert!(why.contains("`/data`"), "{why}");
        }
        let html = Response {
            body: b"<html>".to_vec(),
            ..response(&Value::Null)
        };
        assert!(provider.list_page(&html, at).is_err());
    }
}

#[test]
fn an_id_that_is_missing_or_of_another_form_is_none_and_repeats_stay() {
    let provider = provider("items = \"\"\nid = \"/id\"");
    let body = json!([{"id":"a"}, {"id":"a"}, {"name":"x"}, {"id":"A!"}, {"id":7}, {"id":null}, 3]);
    let page = page_of(&provider, &body, Position::default()).unwrap();
    let found: Vec<Option<&str>> = page.records.iter().map(|(id, _)| id.as_deref()).collect();
    assert_eq!(
        found,
        [Some("a"), Some("a"), None, None, Some("7"), None, None]
    );
    assert_eq!(page.next, None);
}

#[test]
fn the_query_is_encoded_and_a_list_without_pages_has_none() {
    let plain = provider("items = \"/data\"\nid = \"/id\"");
    let at = Position::default();
    assert_eq!(
        url(&plain, at),
        "https://crm.example.com/prefix/ws%201/clients"
    );
    let odd = provider(
        "query = { \"expand[]\" = \"a+b&c={id}\" }\nitems = \"/data\"\nid = \"/id\"\n\
         page = { by = \"offset\", param = \"skip\", size = 7, total = \"/n\" }",
    );
    assert_eq!(
        url(&odd, at),
        "https://crm.example.com/prefix/ws%201/clients?expand%5B%5D=a%2Bb%26c%3D%7Bid%7D&skip=0"
    );
    let body = json!({"data": [{"id":"a"}, {"id":"b"}], "n": 3});
    let next = page_of(&odd, &body, at).unwrap().next.unwrap();
    assert!(url(&odd, next).ends_with("&skip=2"));
}

#[test]
fn a_provider_without_a_list_has_no_request() {
    let manifest = MANIFEST
        .replace("[list]", "")
        .replace("url = \"{base_url}/{workspace}/clients\"\nLIST", "");
    let provider = Provider::new(&manifest, CONTRACT).unwrap();
    let request = provider.list_request(&settings(&provider), Position::default());
    assert_eq!(request.unwrap(), None);
    assert!(
        provider
            .list_page(&response(&json!({})), Position::default())
            .is_err()
    );
}

#[test]
fn a_list_that_could_not_be_read_is_refused_with_its_manifest() {
    let page =
        |page: &str| format!("items = \"/data\"\nid = \"/id\"\npage = {{ by = \"page\", {page} }}");
    for (list, key) in [
        (page("param = \"p\", size = 0"), "list.page.size"),
        (
            page("param = \"p\", size_param = \"p\", size = 1"),
            "list.page",
        ),
        (
            "query = { p = \"1\" }\n".to_owned() + &page("param = \"p\", size = 1"),
            "list.page",
        ),
        ("items = \"/data\"\nid = \"\"".to_owned(), "list.id"),
        (
            page("param = \"p\", size = 1, more = \"/m\"").replace("/data", ""),
            "list.items",
        ),
    ] {
        let error = Provider::new(&MANIFEST.replace("LIST", &list), CONTRACT).unwrap_err();
        assert!(error.to_string().contains(&format!("`{key}`")), "{error}");
    }
    for url in [
        "{base_url}/clients/{id}",
        "{base_url}/clients?x=1",
        "{base_url}/{none}",
    ] {
        let manifest = MANIFEST
            .replace("{base_url}/{workspace}/clients", url)
            .replace("LIST", "items = \"/data\"\nid = \"/id\"");
        assert!(Provider::new(&manifest, CONTRACT).is_err(), "{url}");
    }
}

fn kind() -> impl Strategy<Value = Kind> {
    let by = prop_oneof![Just("page"), Just("offset")];
    let end = prop::sample::select(ENDS.to_vec());
    (by, end, 1..8usize, 1..8usize).prop_map(|(by, end, size, most)| Kind {
        by,
        end,
        size,
        most,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_still_list_is_read_once_and_in_order(kind in kind(), count in 0..40usize) {
        let read = kind.read(ids(count), |_| {});
        prop_assert_eq!(read.ids, ids(count));
        prop_assert!(read.requests <= count.div_ceil(kind.size.min(kind.most)) + 1);
    }

    /// New records come first in the lists of two vendors: they push the others
    /// down, which then come twice, and none is lost.
    #[test]
    fn what_is_created_meanwhile_hides_nothing(
        kind in kind(), count in 0..40usize, born in prop::collection::vec(0..3usize, 0..20),
    ) {
        let mut born = born.into_iter();
        let mut name = 0;
        let read = kind.read(ids(count), |held| {
            for _ in 0..born.next().unwrap_or(0) {
                held.insert(0, format!("new{name}"));
                name += 1;
            }
        });
        for id in ids(count) {
            prop_assert!(read.ids.contains(&id), "{} of {:?}", id, read);
        }
    }

    /// A record that goes away may hide its neighbour until the next reading,
    /// but the list ends, and nothing is made up.
    #[test]
    fn a_list_that_shrinks_ends(
        kind in kind(), count in 0..40usize, gone in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let mut gone = gone.into_iter();
        let read = kind.read(ids(count), |held| {
            if let Some(index) = gone.next() && !held.is_empty() {
                held.remove(index.index(held.len()));
            }
        });
        for (index, id) in read.ids.iter().enumerate() {
            prop_assert!(ids(count).contains(id));
            prop_assert!(!read.ids[..index].contains(id), "nothing moves down, so nothing repeats");
        }
    }
}

#[test]
fn raw_numbers_of_a_record_stay_as_they_are() {
    let provider = provider("items = \"/data\"\nid = \"/id\"");
    let response = Response {
        body: br#"{"data":[{"id":"a","score":1.10}]}"#.to_vec(),
        ..response(&Value::Null)
    };
    let page = provider.list_page(&response, Position::default()).unwrap();
    let record = Json::parse(br#"{"id":"a","score":1.10}"#).unwrap();
    assert_eq!(page.records, [(Some("a".to_owned()), record)]);
}

//! What answers mean to every provider: who stops, who waits, who tries again.

use std::time::Duration;

use clientsync::core::Response;
use clientsync::provider::{Answer, Asked, Then};

use super::{Found, all};

fn answer(found: &Found, status: u16, headers: &[(&str, &str)], body: &str) -> Answer {
    let headers = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let response = Response {
        status,
        headers: headers.collect(),
        body: body.as_bytes().to_vec(),
    };
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    found.provider.classify(&response, Asked::Write, now)
}

#[test]
fn refused_credentials_stop_and_are_never_a_matter_of_one_row() {
    for found in all() {
        for body in ["", "{}", r#"{"message":"no"}"#] {
            let answer = answer(&found, 401, &[], body);
            assert!(
                matches!(answer, Answer::Unauthorized(_)),
                "{}",
                found.name()
            );
        }
    }
}

#[test]
fn what_the_server_could_not_do_is_tried_again() {
    for found in all() {
        for status in [500, 502, 503, 504] {
            for body in ["", "{}", "<html>"] {
                let answer = answer(&found, status, &[], body);
                assert!(
                    matches!(answer, Answer::Transient(_)),
                    "{}: {status}",
                    found.name()
                );
            }
        }
    }
}

#[test]
fn what_the_server_refuses_is_a_matter_of_the_row() {
    for found in all() {
        for status in [400, 403, 404, 409, 422] {
            for body in ["", "{}", r#"{"message":"no","errors":{"a":["b"]}}"#] {
                let answer = answer(&found, status, &[], body);
                assert!(
                    matches!(answer, Answer::Rejected(_)),
                    "{}: {status}",
                    found.name()
                );
            }
        }
    }
}

#[test]
fn too_many_requests_wait_as_long_as_the_answer_asks() {
    for found in all() {
        let answer = answer(&found, 429, &[("retry-after", "7")], "{}");
        let Answer::Throttled { wait, .. } = answer else {
            panic!("{}", found.name());
        };
        assert_eq!(wait, Some(Duration::from_secs(7)), "{}", found.name());
    }
}

#[test]
fn a_declared_throttle_waits() {
    let mut declared = 0;
    for found in all() {
        for rule in &found.provider.manifest.response.rule {
            if rule.then != Then::Throttle {
                continue;
            }
            declared += 1;
            let mut headers = vec![("retry-after", "3")];
            headers.extend(rule.header.as_deref().map(|name| (name, "3")));
            for status in &rule.status {
                let answer = answer(&found, *status, &headers, "{}");
                let Answer::Throttled { wait, .. } = answer else {
                    panic!("{}: {status}", found.name());
                };
                assert_eq!(wait, Some(Duration::from_secs(3)));
            }
        }
    }
    assert!(
        declared >= 2,
        "{declared} providers throttle in their own way"
    );
}

#[test]
fn a_page_instead_of_an_answer_is_no_success() {
    for found in all() {
        for (status, body) in [(200, "<html>"), (200, ""), (204, ""), (302, "")] {
            let answer = answer(&found, status, &[], body);
            assert!(
                !matches!(answer, Answer::Accepted),
                "{}: {status}",
                found.name()
            );
        }
    }
}

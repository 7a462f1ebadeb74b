//! What answers mean, status by status.

use super::*;
use crate::provider::{Catalog, garbled_retry_after};

fn answer(provider: &str, status: u16, headers: &[(&str, &str)], body: &str) -> Answer {
    let catalog = Catalog::load(&[]).unwrap();
    let headers = headers
        .iter()
        .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
        .collect();
    let response = Response {
        status,
        headers,
        body: body.as_bytes().to_vec(),
    };
    catalog.get(provider).unwrap().classify(
        &response,
        Asked::Write,
        "2026-11-20T10:00:00Z".parse().unwrap(),
    )
}

fn retry_after(value: &str) -> Response {
    Response {
        status: 429,
        headers: vec![("retry-after".to_owned(), value.to_owned())],
        body: Vec::new(),
    }
}

fn wait_of(answer: Answer) -> Option<Duration> {
    match answer {
        Answer::Throttled { wait, usual, .. } => wait.or(usual),
        other => panic!("not throttled: {other:?}"),
    }
}

#[test]
fn a_200_that_says_no_is_a_reject() {
    let body = r#"{"Message":"FullName: is a required field","Value":null,"Errors":[{"AttemptedValue":null,"Message":"is a required field","PropertyName":"FullName"}],"WasSuccessful":false}"#;
    let Answer::Rejected(refusal) = answer("nexudus", 200, &[], body) else {
        panic!()
    };
    assert_eq!(
        refusal.fields,
        [("FullName".to_owned(), "is a required field".to_owned())]
    );
    assert!(matches!(
        answer(
            "nexudus",
            200,
            &[],
            r#"{"Status":500,"WasSuccessful":false}"#
        ),
        Answer::Transient(_)
    ));
    assert_eq!(
        answer(
            "nexudus",
            200,
            &[],
            r#"{"Status":200,"WasSuccessful":true}"#
        ),
        Answer::Accepted
    );
}

#[test]
fn a_refusal_with_nothing_left_of_a_quota_is_a_throttle_until_there_is_more() {
    let left = |left| ("x-ratelimit-remaining", left);
    let reset = ("x-ratelimit-reset", "40");
    for status in [403, 429] {
        let used_up = answer("placio", status, &[left("0"), reset], "{}");
        assert_eq!(wait_of(used_up), Some(Duration::from_secs(40)));
        assert_eq!(wait_of(answer("placio", status, &[left("0")], "{}")), None);
        let headers = [left("0"), reset, ("retry-after", "7")];
        let asked = answer("placio", status, &headers, "{}");
        assert_eq!(wait_of(asked), Some(Duration::from_secs(7)));
    }
    let plenty = answer("placio", 403, &[left("9"), reset], "{}");
    assert!(matches!(plenty, Answer::Rejected(_)));
    // It says nothing of whether the update was applied.
    let failed = answer("placio", 503, &[left("0"), reset], "{}");
    assert!(matches!(failed, Answer::Transient(_)));
}

#[test]
fn a_409_is_a_throttle_only_with_its_header() {
    assert_eq!(
        wait_of(answer("nexudus", 409, &[("retry-after", "1")], "")),
        Some(Duration::from_secs(1))
    );
    assert!(matches!(
        answer("nexudus", 409, &[], ""),
        Answer::Rejected(_)
    ));
    assert!(matches!(
        answer("complycube", 409, &[("retry-after", "1")], ""),
        Answer::Rejected(_)
    ));
}

#[test]
fn a_429_without_a_header_waits_as_the_vendor_asks() {
    let body = r#"{"type":"rate_limit_exceeded","message":"You have exceeded the rate limit prescribed to your plan"}"#;
    assert_eq!(
        wait_of(answer("complycube", 429, &[], body)),
        Some(Duration::from_secs(30))
    );
    assert_eq!(
        wait_of(answer("complycube", 429, &[("retry-after", "7")], body)),
        Some(Duration::from_secs(7))
    );
}

#[test]
fn retry_after_takes_seconds_and_the_three_date_forms() {
    let wait = |value: &str| wait_of(answer("complycube", 429, &[("retry-after", value)], ""));
    let fallback = Some(Duration::from_secs(30));
    assert_eq!(wait("120"), Some(Duration::from_secs(120)));
    assert_eq!(
        wait("Fri, 20 Nov 2026 10:00:07 GMT"),
        Some(Duration::from_secs(7))
    );
    assert_eq!(
        wait("Friday, 20-Nov-26 10:00:07 GMT"),
        Some(Duration::from_secs(7))
    );
    assert_eq!(
        wait("Fri Nov 20 10:00:07 2026"),
        Some(Duration::from_secs(7))
    );
    assert_eq!(wait("0"), Some(Duration::ZERO));
    assert_eq!(wait("120, 30"), Some(Duration::from_secs(120)));
    // Beyond every number: the longest wait there is, and not none.
    assert!(wait("99999999999999999999999") > Some(Duration::from_secs(u64::MAX - 1)));
    // A date that has passed asks for nothing more.
    assert_eq!(wait("Fri, 31 Dec 1999 23:59:59 GMT"), fallback);
    for garbage in [
        "-5",
        "1.5",
        "abc",
        "",
        "Fri, 20 Nov 2026 10:00:07 +0000",
        "2026-11-20T10:00:07Z",
    ] {
        assert_eq!(wait(garbage), fallback, "{garbage}");
        assert!(garbled_retry_after(&retry_after(garbage)), "{garbage}");
    }
    for good in ["120", "Fri, 31 Dec 1999 23:59:59 GMT", "1, 2"] {
        assert!(!garbled_retry_after(&retry_after(good)), "{good}");
    }
}

#[test]
fn a_date_counts_from_the_servers_own_clock() {
    let headers = [
        ("date", "Fri, 20 Nov 2026 11:00:00 GMT"),
        ("retry-after", "Fri, 20 Nov 2026 11:00:09 GMT"),
    ];
    assert_eq!(
        wait_of(answer("complycube", 429, &headers, "")),
        Some(Duration::from_secs(9))
    );
}

#[test]
fn statuses_have_their_default_meaning() {
    let kind = |status: u16, body: &str| match answer("complycube", status, &[], body) {
        Answer::Accepted => "accepted",
        Answer::Rejected(_) => "rejected",
        Answer::Transient(_) => "transient",
        Answer::Throttled { .. } => "throttled",
        Answer::Unauthorized(_) => "unauthorized",
        Answer::Deferred(_) => "deferred",
        Answer::Stopped(_) => "stopped",
        Answer::Unreadable(_) => "unreadable",
    };
    let table = [
        (200, "accepted"),
        (201, "accepted"),
        (202, "unreadable"),
        (204, "unreadable"),
        (206, "unreadable"),
        (299, "unreadable"),
        (301, "stopped"),
        (302, "stopped"),
        (303, "stopped"),
        (307, "stopped"),
        (308, "stopped"),
        (400, "rejected"),
        (401, "unauthorized"),
        (402, "deferred"),
        (403, "rejected"),
        (404, "rejected"),
        (405, "rejected"),
        (408, "transient"),
        (409, "rejected"),
        (410, "rejected"),
        (413, "rejected"),
        (418, "rejected"),
        (422, "rejected"),
        (423, "transient"),
        (425, "transient"),
        (429, "throttled"),
        (451, "rejected"),
        (500, "transient"),
        (501, "stopped"),
        (502, "transient"),
        (503, "transient"),
        (504, "transient"),
        (505, "stopped"),
        (507, "transient"),
        (511, "stopped"),
        (520, "transient"),
        (529, "transient"),
        (599, "transient"),
        (999, "unreadable"),
    ];
    for (status, expected) in table {
        assert_eq!(kind(status, "{}"), expected, "{status}");
    }
    for body in ["", "null", "[]", "<html>", "{\"id\":", "\u{0}"] {
        assert_eq!(kind(200, body), "unreadable", "{body}");
    }
}

#[test]
fn a_403_is_a_throttle_only_where_it_says_so() {
    let asked = |headers: &[(&str, &str)]| wait_of(answer("spp", 403, headers, "{}"));
    assert_eq!(asked(&[("retry-after", "9")]), Some(Duration::from_secs(9)));
    // What has passed asks for no time, and is no refusal of the row either.
    assert_eq!(
        asked(&[("retry-after", "Fri, 31 Dec 1999 23:59:59 GMT")]),
        None
    );
    let used_up = ("x-ratelimit-remaining", "0");
    assert_eq!(asked(&[used_up]), None);
    assert_eq!(
        asked(&[used_up, ("x-ratelimit-reset", "50")]),
        Some(Duration::from_secs(50))
    );
    // 2026-11-20T10:00:30Z as seconds since 1970.
    assert_eq!(
        asked(&[used_up, ("x-ratelimit-reset", "1795168830")]),
        Some(Duration::from_secs(30))
    );
    for headers in [
        &[][..],
        &[("x-ratelimit-remaining", "7"), ("x-ratelimit-reset", "50")],
    ] {
        let answer = answer("spp", 403, headers, "{}");
        assert!(matches!(answer, Answer::Rejected(_)), "{headers:?}");
    }
}

#[test]
fn a_redirect_is_named_by_its_host_and_nothing_else() {
    let location = [("location", "https://login.example.com/sso?client=ada")];
    let Answer::Stopped(refusal) = answer("spp", 302, &location, "") else {
        panic!()
    };
    assert!(
        refusal
            .message
            .contains("redirect to login.example.com (HTTP 302)")
    );
    assert!(!refusal.message.contains("sso"), "{}", refusal.message);
}

#[test]
fn a_page_of_a_proxy_is_named_by_its_content_type() {
    let html = [("content-type", "text/html; charset=utf-8")];
    for status in [200, 404, 502] {
        let words = match answer("spp", status, &html, "<html>Welcome</html>") {
            Answer::Unreadable(refusal)
            | Answer::Rejected(refusal)
            | Answer::Transient(refusal) => refusal.message,
            other => panic!("{other:?}"),
        };
        assert!(words.contains("text/html"), "{words}");
        assert!(!words.contains("Welcome"), "{words}");
    }
}

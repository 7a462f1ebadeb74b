//! What a provider says is left of its quota, in the headers of any answer:
//! `RateLimit` and `RateLimit-Policy` (IETF draft, structured fields), or
//! `X-RateLimit-Remaining`, `-Reset` and `-Limit`.
//!
//! They are hints, often absent and sometimes wrong: what cannot be read counts
//! as absent, and nothing here is a permission.

use std::time::Duration;

use jiff::Timestamp;

use super::wait::http_date;
use crate::core::Response;

/// A reset that is larger than this is a date, in seconds since 1970.
const EPOCH: u64 = 1_000_000_000;

/// What is left of one quota.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Requests left.
    pub left: u64,
    /// Requests that the quota admits, where that is told.
    pub quota: Option<u64>,
    /// How long until there are more, where that is told.
    pub reset: Option<Duration>,
}

/// What an answer says is left of each quota. `now` places a date where the
/// answer has no `Date` of its own.
#[must_use]
pub fn allowances(response: &Response, now: Timestamp) -> Vec<Allowance> {
    let policies = items(response, "ratelimit-policy");
    let quota = |name: &str| {
        let policy = policies.iter().find(|policy| policy.name == name)?;
        policy.number("q")
    };
    let mut found: Vec<Allowance> = items(response, "ratelimit")
        .iter()
        .filter_map(|item| {
            Some(Allowance {
                left: item.number("r")?,
                quota: quota(&item.name),
                reset: item.number("t").map(Duration::from_secs),
            })
        })
        .collect();
    let header = |name| response.header(name).and_then(whole_number);
    found.extend(header("x-ratelimit-remaining").map(|left| Allowance {
        left,
        quota: header("x-ratelimit-limit"),
        reset: header("x-ratelimit-reset").map(|reset| {
            if reset <= EPOCH {
                return Duration::from_secs(reset);
            }
            let clock = response.header("date").and_then(http_date).unwrap_or(now);
            let clock = u64::try_from(clock.as_second()).unwrap_or_default();
            Duration::from_secs(reset.saturating_sub(clock))
        }),
    }));
    found
}

/// A name with its parameters.
struct Item {
    name: String,
    parameters: Vec<(String, String)>,
}

impl Item {
    fn number(&self, name: &str) -> Option<u64> {
        let (_, value) = self.parameters.iter().rfind(|(key, _)| key == name)?;
        whole_number(value)
    }
}

fn whole_number(text: &str) -> Option<u64> {
    let text = text.trim();
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

/// The items of a list of structured fields (RFC 9651 section 3.1), all lines of
/// the header together; none where any of them is malformed.
fn items(response: &Response, header: &str) -> Vec<Item> {
    let lines: Vec<&str> = response.header_values(header).collect();
    let all = lines.join(",");
    split(&all, ',')
        .and_then(|items| items.into_iter().map(item).collect())
        .unwrap_or_default()
}

fn item(text: &str) -> Option<Item> {
    let mut parts = split(text, ';')?.into_iter();
    let name = parts.next()?.trim();
    let name = match name.strip_prefix('"') {
        Some(quoted) => quoted.strip_suffix('"')?,
        None => Some(name).filter(|name| !name.is_empty() && !name.contains(['"', ' ', '=']))?,
    };
    let parameters = parts.map(|part| match part.trim().split_once('=') {
        Some((key, value)) => (!key.is_empty()).then(|| (key.to_owned(), value.to_owned())),
        None => Some((part.trim().to_owned(), String::new())),
    });
    Some(Item {
        name: name.to_owned(),
        parameters: parameters.collect::<Option<_>>()?,
    })
}

/// The parts of a text between separators that stand in no string; `None` where
/// a string does not end.
fn split(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut parts, mut from) = (Vec::new(), 0);
    let (mut in_string, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            c if c == separator && !in_string => {
                parts.push(&text[from..at]);
                from = at + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[from..]);
    (!in_string).then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(headers: &[(&str, &str)]) -> Vec<(u64, Option<u64>, Option<u64>)> {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let response = Response {
            status: 200,
            headers: headers.collect(),
            body: Vec::new(),
        };
        allowances(&response, "2026-11-20T10:00:00Z".parse().unwrap())
            .into_iter()
            .map(|told| (told.left, told.quota, told.reset.map(|t| t.as_secs())))
            .collect()
    }

    #[test]
    fn the_draft_names_what_is_left_of_each_policy() {
        assert_eq!(
            told(&[("RateLimit", "\"default\";r=0;t=50")]),
            [(0, None, Some(50))]
        );
        assert_eq!(
            told(&[
                (
                    "ratelimit-policy",
                    "\"burst\";q=100;w=60, \"day\";q=5000;pk=:c2VjcmV0:"
                ),
                ("ratelimit", "\"burst\";r=7;t=30"),
                ("ratelimit", "\"day\";t=3600;r=4000, other;r=3"),
            ]),
            [
                (7, Some(100), Some(30)),
                (4000, Some(5000), Some(3600)),
                (3, None, None)
            ]
        );
        assert_eq!(
            told(&[("ratelimit", r#""a, \"b\";r=9;t=9";r=1;t=2"#)]),
            [(1, None, Some(2))]
        );
    }

    #[test]
    fn the_older_headers_give_seconds_or_a_date() {
        let headers = |reset| {
            [
                ("X-RateLimit-Limit", "60"),
                ("X-RateLimit-Remaining", "3"),
                ("X-RateLimit-Reset", reset),
            ]
        };
        assert_eq!(told(&headers("30")), [(3, Some(60), Some(30))]);
        // 2026-11-20T10:00:42Z, and one that has passed.
        assert_eq!(told(&headers("1795168842")), [(3, Some(60), Some(42))]);
        assert_eq!(told(&headers("1795168000")), [(3, Some(60), Some(0))]);
        let dated = [
            &headers("1795168842")[..],
            &[("Date", "Fri, 20 Nov 2026 10:00:40 GMT")],
        ];
        assert_eq!(told(&dated.concat()), [(3, Some(60), Some(2))]);
        assert_eq!(told(&[("x-ratelimit-remaining", "0")]), [(0, None, None)]);
    }

    #[test]
    fn what_cannot_be_read_counts_as_absent() {
        for value in [
            "",
            "0",
            "\"default\"",
            "\"default\";t=50",
            "\"default\";r=-1;t=50",
            "\"default\";r=1.5;t=50",
            "\"default\";r=\"0\";t=50",
            "\"default\";r=0;t=50, \"open",
            "\"default\";r=0;=5",
            "\"default\"x;r=0;t=50",
            ",\"default\";r=0;t=50",
            "r=0, t=50",
            "limit=100, remaining=0, reset=50",
            "99999999999999999999;r=99999999999999999999;t=1",
        ] {
            assert_eq!(told(&[("ratelimit", value)]), [], "{value}");
        }
        for value in ["", "-1", "1.5", "none", "3, 4", "99999999999999999999"] {
            assert_eq!(told(&[("x-ratelimit-remaining", value)]), [], "{value}");
            let headers = [("x-ratelimit-remaining", "5"), ("x-ratelimit-reset", value)];
            assert_eq!(told(&headers), [(5, None, None)], "{value}");
        }
        assert_eq!(told(&[("ratelimit", "\"a\";r=0;t=x")]), [(0, None, None)]);
    }
}

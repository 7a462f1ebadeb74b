//! A manifest in words: how it signs in, asks, is paced and answers.

use crate::core::{Method, Pointer};
use crate::provider::{
    Condition, ErrorsShape, Limits, List, Manifest, Page, PageBy, ResponseRules, Rule, Scheme, Then,
};
use crate::report::RequestLine;

/// How requests show who asks.
pub(super) fn auth(manifest: &Manifest) -> Vec<String> {
    let auth = &manifest.auth;
    let bearer = "Every request carries `Authorization: Bearer TOKEN`.";
    let mut words = match auth.scheme {
        Scheme::Bearer => vec![bearer.to_owned()],
        Scheme::Header => vec![format!(
            "Every request carries `{}: TOKEN`: the token as it is, without the word Bearer.",
            auth.header.as_deref().unwrap_or_default()
        )],
        Scheme::Oauth2Password => vec![
            format!(
                "OAuth 2 password grant: user name and password go as a form to POST {}, which \
                 answers with a token.",
                auth.token_url.as_deref().unwrap_or_default()
            ),
            "A token that is refused is renewed once, by its refresh token, or else by the \
             password."
                .to_owned(),
            bearer.to_owned(),
        ],
    };
    for (name, value) in &auth.headers {
        words.push(format!("Requests for tokens carry `{name}: {value}`."));
    }
    for (name, value) in &manifest.request.headers {
        words.push(format!("Every request carries `{name}: {value}`."));
    }
    words
}

/// Where the remote id stands in an update.
pub(super) fn id_travels(manifest: &Manifest) -> String {
    let in_url = manifest.update.url.contains("{id}");
    match (&manifest.id.body, in_url) {
        (Some(pointer), true) => format!("It travels in the URL, and in the body at {pointer}."),
        (Some(pointer), false) => format!("It travels in the body of an update, at {pointer}."),
        (None, _) => "It travels in the URL.".to_owned(),
    }
}

/// The requests that are sent, each with what its answer holds.
pub(super) fn requests(manifest: &Manifest) -> Vec<RequestLine> {
    let request = |name: &str, method: Method, url: &str, notes: Vec<String>| RequestLine {
        name: name.to_owned(),
        method: method.as_str().to_owned(),
        url: url.to_owned(),
        notes,
    };
    let update = &manifest.update;
    let mut all = vec![request(
        "update",
        Method::from(update.method),
        &update.url,
        Vec::new(),
    )];
    if let Some(read) = &manifest.read {
        let notes = vec![format!("The record is {}.", at(&read.record))];
        all.push(request("read", Method::Get, &read.url, notes));
    }
    if let Some(list) = &manifest.list {
        all.push(request("list", Method::Get, &list.url, list_notes(list)));
    }
    if let Some(url) = &manifest.auth.token_url {
        all.push(request("token", Method::Post, url, Vec::new()));
    }
    all
}

fn list_notes(list: &List) -> Vec<String> {
    let mut notes = vec![format!(
        "The records are {}, the id of each at {}.",
        at(&list.items),
        list.id
    )];
    for (name, value) in &list.query {
        notes.push(format!("Every page is asked for with {name}={value}."));
    }
    match &list.page {
        Some(page) => notes.push(paging(page)),
        None => notes.push("One answer holds all of them: there are no pages.".to_owned()),
    }
    if !list.omits.is_empty() {
        notes.push(format!(
            "The list does not show {}: where one is mapped, each record is read.",
            joined(&list.omits)
        ));
    }
    notes
}

fn paging(page: &Page) -> String {
    let counts = match page.by {
        PageBy::Page => "pages from 1",
        PageBy::Offset => "records from 0",
    };
    let size = match &page.size_param {
        Some(param) => format!("{param}={}", page.size),
        None => format!("{} records each", page.size),
    };
    let ends = [
        page.pages
            .as_ref()
            .map(|p| format!("{p} says how many pages there are")),
        page.total
            .as_ref()
            .map(|p| format!("{p} says how many records there are")),
        page.more
            .as_ref()
            .map(|p| format!("{p} says whether there are more")),
    ];
    let end = ends.into_iter().flatten().next();
    let end = end.unwrap_or_else(|| "an empty page is the end".to_owned());
    format!(
        "Page by page: {} counts {counts}, {size}; {end}.",
        page.param
    )
}

/// The limits that are kept, for each value of the setting that chooses them.
pub(super) fn pace(manifest: &Manifest) -> Vec<String> {
    let table = &manifest.limits;
    let Some(by) = &table.by else {
        return limits(
            &Limits {
                quota: table.quota.clone().unwrap_or_default(),
                concurrency: table.concurrency.unwrap_or(1),
            },
            "",
        );
    };
    let variants = table.variant.iter();
    variants
        .flat_map(|(value, one)| limits(one, &format!("{by} = {value}: ")))
        .collect()
}

fn limits(limits: &Limits, prefix: &str) -> Vec<String> {
    let windows = super::windows(limits, None);
    let at_once = match limits.concurrency {
        1 => "one request at a time".to_owned(),
        many => format!("{many} requests at once"),
    };
    windows
        .into_iter()
        .chain([at_once])
        .map(|words| format!("{prefix}{words}"))
        .collect()
}

/// How success and refusals are told.
pub(super) fn answers(rules: &ResponseRules) -> Vec<String> {
    let mut words = vec![match &rules.success {
        Some(test) => format!(
            "An update is accepted by HTTP 200 or 201 with a JSON object where {}.",
            holds(test)
        ),
        None => "An update is accepted by HTTP 200 or 201 with a JSON object.".to_owned(),
    }];
    if let Some(pointer) = &rules.status {
        words.push(format!(
            "Where it is not, {pointer} tells the status: 500 or more without errors by field is \
             tried again, all else is a refusal."
        ));
    }
    if let Some(pointer) = &rules.message {
        words.push(format!("The message for people is {}.", at(pointer)));
    }
    if let Some(errors) = &rules.errors {
        let part = |pointer: &Option<Pointer>| {
            pointer
                .as_ref()
                .map_or_else(|| "(nothing)".to_owned(), ToString::to_string)
        };
        let place = at(&errors.at);
        let each = format!(
            "{} names the field and {} says what is wrong",
            part(&errors.field),
            part(&errors.message)
        );
        words.push(match errors.shape {
            ErrorsShape::Map => {
                format!("Errors by field are {place}: an object of field names and messages.")
            }
            ErrorsShape::List => format!("Errors by field are {place}: a list; in each {each}."),
            ErrorsShape::One => format!("The error is {place}: {each}."),
        });
    }
    words.push(match &rules.echo {
        Some(echo) => {
            let but = if echo.omits.is_empty() {
                String::new()
            } else {
                format!(", but for {}", joined(&echo.omits))
            };
            format!(
                "The answer's record is {}: what was sent and is not in it is a warning{but}.",
                at(&echo.record)
            )
        }
        None => "The answer shows no record: what was sent is not compared with it.".to_owned(),
    });
    words
}

/// One rule by which an answer is judged.
pub(super) fn rule_in_words(rule: &Rule) -> String {
    let mut parts = Vec::new();
    if !rule.status.is_empty() {
        let statuses: Vec<String> = rule.status.iter().map(u16::to_string).collect();
        parts.push(format!("HTTP {}", statuses.join(", ")));
    }
    if let Some(header) = &rule.header {
        parts.push(format!("with {header}"));
    }
    if let Some(body) = &rule.body {
        parts.push(format!("where {}", holds(body)));
    }
    let then = match rule.then {
        Then::Accept => "accept, it was applied",
        Then::Retry => "retry, it may pass later",
        Then::Throttle => "throttle, all requests of the lane wait",
        Then::Reject => "reject, this row never passes as it is",
        Then::Stop => "stop, nothing passes until someone acts",
        Then::Defer => "defer, the lane goes on with a later run",
    };
    let wait = rule.wait.as_ref().map_or_else(String::new, |wait| {
        format!(" ({wait} where no Retry-After says otherwise)")
    });
    format!("{}: {then}{wait}", parts.join(" "))
}

fn holds(test: &Condition) -> String {
    format!("{} is {}", test.pointer, test.equals)
}

/// A place in an answer: "at /client".
fn at(pointer: &Pointer) -> String {
    if pointer.tokens().is_empty() {
        "the whole body".to_owned()
    } else {
        format!("at {pointer}")
    }
}

fn joined(pointers: &[Pointer]) -> String {
    let texts: Vec<String> = pointers.iter().map(ToString::to_string).collect();
    texts.join(", ")
}

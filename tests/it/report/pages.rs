//! The matrix of providers and the page of one.

use clientsync::report::{
    Colour, FieldLine, GroupLine, ProviderLine, ProviderPage, RequestLine, RuleLine, SecretLine,
    SettingLine, TogetherLine, UpdateLine, needs_escape, write_provider_json, write_provider_text,
    write_providers_json, write_providers_markdown, write_providers_text,
};
use serde_json::Value;

fn line() -> ProviderLine {
    ProviderLine {
        name: "demo".to_owned(),
        title: "Demo client".to_owned(),
        update: "PATCH".to_owned(),
        mode: "merge".to_owned(),
        read: true,
        list: false,
        auth: "bearer".to_owned(),
        limits: vec!["2 calls a second".to_owned(), "100 writes a day".to_owned()],
    }
}

fn rule(text: &str, message: Option<&str>) -> RuleLine {
    RuleLine {
        text: text.to_owned(),
        message: message.map(str::to_owned),
        source: None,
    }
}

fn email() -> FieldLine {
    let message = Some("is not an address");
    FieldLine {
        path: "email".to_owned(),
        kind: "string".to_owned(),
        key: None,
        constraints: vec!["has at most 100 characters".to_owned()],
        rules: vec![rule("has at most 100 characters", message)],
        message: message.map(str::to_owned),
        flags: vec!["write-only".to_owned(), "hidden".to_owned()],
        writable: true,
        clear: "null".to_owned(),
        description: Some("Where mail goes.".to_owned()),
        source: Some("seed".to_owned()),
    }
}

fn page() -> ProviderPage {
    ProviderPage {
        provider: line(),
        origin: "built in".to_owned(),
        verified: Some("2026-01-31".to_owned()),
        auth: vec!["Every request carries a token.".to_owned()],
        remote_id_travels: "It travels in the URL.".to_owned(),
        requests: vec![RequestLine {
            name: "update".to_owned(),
            method: "PATCH".to_owned(),
            url: "{base_url}/clients/{id}".to_owned(),
            notes: vec!["It holds no record.".to_owned()],
        }],
        pace: vec!["2 calls a second".to_owned()],
        answers: vec!["200 is a success.".to_owned()],
        usual_answers: vec!["HTTP 402: defer".to_owned()],
        groups: vec![GroupLine {
            path: "contacts".to_owned(),
            kind: "keyed list".to_owned(),
            key: Some("type".to_owned()),
            description: Some("How to reach the client.".to_owned()),
            rules: vec![
                rule("has at least 1 entry", Some("needs a contact")),
                rule("has at most 3 entries", Some("needs a contact")),
                rule("holds no entry twice", None),
            ],
            source: Some("seed".to_owned()),
        }],
        settings: vec![
            SettingLine {
                name: "base_url".to_owned(),
                kind: "url".to_owned(),
                default: None,
                help: Some("API origin".to_owned()),
            },
            SettingLine {
                name: "version".to_owned(),
                kind: "string".to_owned(),
                default: Some("v1".to_owned()),
                help: None,
            },
        ],
        secrets: vec![SecretLine {
            name: "token".to_owned(),
            variable: "DEMO_TOKEN".to_owned(),
        }],
        remote_id: "positive 64-bit integer".to_owned(),
        update: UpdateLine {
            url: "{base_url}/clients/{id}".to_owned(),
            whole: vec!["/address".to_owned()],
            together: vec![TogetherLine {
                members: vec!["/away/enabled".to_owned(), "/away/from".to_owned()],
                condition: Some("/away/enabled".to_owned()),
                equals: Some("true".to_owned()),
            }],
            repeatable: true,
        },
        response_rules: vec!["409 with Retry-After: wait, then again".to_owned()],
        checks: vec!["/away/until is not before /away/from".to_owned()],
        fields: vec![
            email(),
            FieldLine {
                path: "id".to_owned(),
                flags: vec!["read-only".to_owned()],
                rules: Vec::new(),
                message: None,
                writable: false,
                ..email()
            },
        ],
    }
}

fn written(write: impl FnOnce(&mut dyn std::io::Write)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).unwrap()
}

const MATRIX: &str = "\
name  record       update  mode   read  list  auth    limits
demo  Demo client  PATCH   merge  yes   no    bearer  2 calls a second; 100 writes a day
";

const MARKDOWN: &str = "\
| name | record | update | mode | read | list | auth | limits |
| --- | --- | --- | --- | --- | --- | --- | --- |
| demo | Demo client | PATCH | merge | yes | no | bearer | 2 calls a second; 100 writes a day |
";

const PAGE: &str = r#"demo: Demo client
built in, last verified 2026-01-31

Settings
  base_url: url, required
      API origin
  version: string, default v1

Secrets
  token: token_env (default DEMO_TOKEN), token_file or token_command

Authorization
  Every request carries a token.

Remote id
  positive 64-bit integer
  It travels in the URL.

Requests
  update  PATCH {base_url}/clients/{id}
          It holds no record.

Update
  Only what is sent is changed; the rest of the record stays.
  /address is sent whole as soon as one of its fields changes: with all that the row has for it, and
  what is not mapped carried from a fresh read.
  /away/enabled, /away/from are sent together: one changed, all travel that the row has a value for.
  While /away/enabled is not true, the others are not sent.
  An update whose fate is unknown may be sent again.

Limits
  2 calls a second

Answers
  200 is a success.

How other answers are judged, the first that fits
  409 with Retry-After: wait, then again
  HTTP 402: defer

The record and its groups
  contacts: a list, an entry is addressed by its type [1]
      How to reach the client.
      - has at least 1 entry
      - has at most 3 entries
        or else: "needs a contact"
      - holds no entry twice

Checks across fields
  /away/until is not before /away/from

Clearing
  `blank = "clear"` sends null for: email.

Fields that can be written
  email: string, write-only (sent when it changes, never read back), hidden (never shown, stored
  only as a digest), can be cleared
      Where mail goes. [1]
      - has at most 100 characters
        or else: "is not an address"

Fields that are never sent (to look records up by, or to be checked)
  id: string, read-only
      Where mail goes. [1]

Sources
  [1]  seed
"#;

#[test]
fn the_matrix_reads_like_this() {
    let text = written(|out| write_providers_text(out, &[line()], Colour::Plain).unwrap());
    assert_eq!(text, MATRIX);
    let text = written(|out| write_providers_markdown(out, &[line()]).unwrap());
    assert_eq!(text, MARKDOWN);
}

#[test]
fn a_page_reads_like_this() {
    let text = written(|out| write_provider_text(out, &page(), Colour::Plain).unwrap());
    assert_eq!(text, PAGE);
}

#[test]
fn both_are_json_too() {
    let text = written(|out| write_providers_json(out, &[line()]).unwrap());
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["providers"][0]["limits"][1], "100 writes a day");
    let text = written(|out| write_provider_json(out, &page()).unwrap());
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["provider"]["name"], "demo");
    assert_eq!(value["update"]["together"][0]["condition"], "/away/enabled");
    assert_eq!(value["fields"][0]["flags"][0], "write-only");
}

#[test]
fn a_folder_of_a_user_cannot_reach_the_terminal() {
    let nasty = || "\u{1b}[2J\n\u{9b}\u{202e}|<b>".to_owned();
    let mut page = page();
    page.provider.title = nasty();
    page.provider.mode = nasty();
    page.provider.limits = vec![nasty()];
    page.origin = nasty();
    page.remote_id = nasty();
    page.settings[0].help = Some(nasty());
    page.secrets[0].variable = nasty();
    page.update.url = nasty();
    page.update.whole = vec![nasty()];
    page.update.together[0].members = vec![nasty()];
    page.response_rules = vec![nasty()];
    page.checks = vec![nasty()];
    page.fields[0].path = nasty();
    page.fields[0].description = Some(nasty());
    page.fields[0].key = Some(nasty());
    page.fields[0].kind = nasty();
    page.fields[0].flags = vec![nasty()];
    page.fields[0].source = Some(nasty());
    page.fields[0].message = Some(nasty());
    page.verified = Some(nasty());
    page.auth = vec![nasty()];
    page.remote_id_travels = nasty();
    page.requests[0].name = nasty();
    page.requests[0].method = nasty();
    page.requests[0].notes = vec![nasty()];
    page.pace = vec![nasty()];
    page.answers = vec![nasty()];
    page.groups[0].path = nasty();
    page.groups[0].kind = nasty();
    page.groups[0].key = Some(nasty());
    page.groups[0].description = Some(nasty());
    page.groups[0].rules[2] = rule(&nasty(), Some(&nasty()));
    page.update.together[0].equals = Some(nasty());
    let text = written(|out| write_provider_text(out, &page, Colour::Plain).unwrap());
    assert!(!text.contains(|c| c != '\n' && needs_escape(c)), "{text:?}");
    let text = written(|out| write_providers_markdown(out, &[page.provider]).unwrap());
    assert!(!text.contains(|c| c != '\n' && needs_escape(c)), "{text:?}");
    assert_eq!((text.lines().count(), text.contains(" <b>")), (3, false));
}

//! The matrix of providers and the page of one.

use clientsync::report::{
    Colour, FieldLine, ProviderLine, ProviderPage, SecretLine, SettingLine, TogetherLine,
    UpdateLine, needs_escape, write_provider_json, write_provider_text, write_providers_json,
    write_providers_markdown, write_providers_text,
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

fn page() -> ProviderPage {
    ProviderPage {
        provider: line(),
        origin: "built in".to_owned(),
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
            }],
            repeatable: true,
        },
        response_rules: vec!["409 with Retry-After: wait, then again".to_owned()],
        checks: vec!["/away/until is not before /away/from".to_owned()],
        fields: vec![FieldLine {
            path: "email".to_owned(),
            kind: "string".to_owned(),
            constraints: vec![
                "an email address".to_owned(),
                "at most 100 characters".to_owned(),
            ],
            flags: vec!["write-only".to_owned(), "hidden".to_owned()],
            description: Some("Where mail goes".to_owned()),
            source: Some("seed".to_owned()),
        }],
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

const PAGE: &str = "\
demo: Demo client
built in

Settings
  name      type    default     meaning
  base_url  url     (required)  API origin
  version   string  v1

Secrets
  token: token_env (default DEMO_TOKEN), token_file or token_command

Remote id
  positive 64-bit integer

Update
  PATCH {base_url}/clients/{id}
  Only what is sent is changed; the rest of the record stays.
  /address is sent whole; its members that are not mapped are carried from a fresh read.
  /away/enabled, /away/from are sent together; while /away/enabled is false, the others are not sent.
  An update whose fate is unknown may be sent again.

Limits
  2 calls a second
  100 writes a day

How answers are judged
  409 with Retry-After: wait, then again

Checks
  /away/until is not before /away/from

Fields
  path   type    rules                                     flags               meaning          source
  email  string  an email address; at most 100 characters  write-only, hidden  Where mail goes  seed
";

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
    let text = written(|out| write_provider_text(out, &page, Colour::Plain).unwrap());
    assert!(!text.contains(|c| c != '\n' && needs_escape(c)), "{text:?}");
    let text = written(|out| write_providers_markdown(out, &[page.provider]).unwrap());
    assert!(!text.contains(|c| c != '\n' && needs_escape(c)), "{text:?}");
    assert_eq!((text.lines().count(), text.contains(" <b>")), (3, false));
}

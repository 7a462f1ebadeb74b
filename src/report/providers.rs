//! What providers can do: the matrix of all, and the page of one.
//!
//! The structs here are plain: the caller fills them from manifests and
//! contracts. Every word of a manifest is foreign here, a user may bring one.

use std::fmt::Write as _;
use std::io::Write;

use serde::Serialize;

use super::escape::escape;
use super::model::ReportError;
use super::paint::{Colour, Paint};
use super::runs::write_lines;
use super::stream::ObjectWriter;
use super::table::{Align, Table};

/// One provider in the matrix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProviderLine {
    /// The name used as `kind`.
    pub name: String,
    /// What one record is (`Acme client`).
    pub title: String,
    /// The method of an update (`PATCH`).
    pub update: String,
    /// `merge` or `replace`.
    pub mode: String,
    /// Whether one record can be read.
    pub read: bool,
    /// Whether all records can be listed.
    pub list: bool,
    /// How requests are authenticated (`bearer`).
    pub auth: String,
    /// The limits in words, one window each (`54 calls a minute`).
    pub limits: Vec<String>,
}

/// One provider in full.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProviderPage {
    /// What the matrix says of it.
    pub provider: ProviderLine,
    /// Where it is loaded from: `built in`, or a folder.
    pub origin: String,
    /// The settings a user gives.
    pub settings: Vec<SettingLine>,
    /// The secrets a user gives.
    pub secrets: Vec<SecretLine>,
    /// The form of a remote id, in words.
    pub remote_id: String,
    /// How an update is sent.
    pub update: UpdateLine,
    /// The rules by which answers are judged, first match first, in words.
    pub response_rules: Vec<String>,
    /// The named checks across fields, in words.
    pub checks: Vec<String>,
    /// The fields of the contract.
    pub fields: Vec<FieldLine>,
}

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SettingLine {
    /// Its name.
    pub name: String,
    /// Its type in words (`url`, `one of live, test`).
    pub kind: String,
    /// Its default; `None` makes it required.
    pub default: Option<String>,
    /// What it is for.
    pub help: Option<String>,
}

/// One secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SecretLine {
    /// Its name (`token`), the X of `X_env`, `X_file` and `X_command`.
    pub name: String,
    /// The environment variable that is read by default.
    pub variable: String,
}

/// How an update is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UpdateLine {
    /// The URL template.
    pub url: String,
    /// The units that are sent complete (JSON Pointers).
    pub whole: Vec<String>,
    /// The groups that are sent together.
    pub together: Vec<TogetherLine>,
    /// Whether an update may be sent again when its fate is unknown.
    pub repeatable: bool,
}

/// Members that are sent together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TogetherLine {
    /// The members (JSON Pointers).
    pub members: Vec<String>,
    /// The member while whose value is false the others are not sent.
    pub condition: Option<String>,
}

/// One field of a contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldLine {
    /// Its path, as a mapping names it.
    pub path: String,
    /// Its type (`string`, `integer or null`).
    pub kind: String,
    /// Its rules, in words, one each (`at most 50 characters`).
    pub constraints: Vec<String>,
    /// What else is true of it (`write-only`, `immutable`, `hidden`).
    pub flags: Vec<String>,
    /// What it means.
    pub description: Option<String>,
    /// Where its rules come from (`x-source`).
    pub source: Option<String>,
}

fn yes(holds: bool) -> &'static str {
    if holds { "yes" } else { "no" }
}

fn matrix(providers: &[ProviderLine]) -> Table {
    let names = [
        "name", "record", "update", "mode", "read", "list", "auth", "limits",
    ];
    let mut table = Table::new(names.map(|name| (name, Align::Left)));
    for line in providers {
        table.row([
            &line.name[..],
            &line.title,
            &line.update,
            &line.mode,
            yes(line.read),
            yes(line.list),
            &line.auth,
            &line.limits.join("; "),
        ]);
    }
    table
}

/// Writes the matrix as an aligned table.
pub fn write_providers_text(
    out: &mut dyn Write,
    providers: &[ProviderLine],
    colour: Colour,
) -> Result<(), ReportError> {
    write_lines(out, &matrix(providers).text(), colour)
}

/// Writes the matrix as a Markdown table.
pub fn write_providers_markdown(
    out: &mut dyn Write,
    providers: &[ProviderLine],
) -> Result<(), ReportError> {
    write_lines(out, &matrix(providers).markdown(), Colour::Plain)
}

/// Writes the matrix as JSON: `{format, providers: [...]}`.
pub fn write_providers_json(
    out: &mut dyn Write,
    providers: &[ProviderLine],
) -> Result<(), ReportError> {
    let mut object = ObjectWriter::new(out)?;
    object.member("format", &super::REPORT_FORMAT)?;
    object.array("providers", |array| {
        providers.iter().try_for_each(|line| array.entry(line))
    })?;
    object.finish()
}

/// Writes the page of one provider as JSON: `format` and the page's members.
pub fn write_provider_json(out: &mut dyn Write, page: &ProviderPage) -> Result<(), ReportError> {
    let mut object = ObjectWriter::new(out)?;
    object.member("format", &super::REPORT_FORMAT)?;
    object.members_of(page)?;
    object.finish()
}

/// Writes the page of one provider.
pub fn write_provider_text(
    out: &mut dyn Write,
    page: &ProviderPage,
    colour: Colour,
) -> Result<(), ReportError> {
    let line = &page.provider;
    let mut text = format!(
        "{}\n{}\n",
        colour.paint(
            Paint::Bold,
            &escape(&format!("{}: {}", line.name, line.title))
        ),
        escape(&page.origin)
    );
    section(&mut text, colour, "Settings", settings(&page.settings));
    section(&mut text, colour, "Secrets", secrets(&page.secrets));
    let id = vec![escape(&page.remote_id).into_owned()];
    section(&mut text, colour, "Remote id", id);
    section(&mut text, colour, "Update", escaped(semantics(page)));
    section(&mut text, colour, "Limits", escaped(line.limits.clone()));
    let rules = escaped(page.response_rules.clone());
    section(&mut text, colour, "How answers are judged", rules);
    section(&mut text, colour, "Checks", escaped(page.checks.clone()));
    section(&mut text, colour, "Fields", fields(&page.fields));
    out.write_all(text.as_bytes())?;
    Ok(())
}

fn section(text: &mut String, colour: Colour, title: &str, lines: Vec<String>) {
    if lines.is_empty() {
        return;
    }
    // Writing to a String cannot fail.
    let _ = writeln!(text, "\n{}", colour.paint(Paint::Bold, title));
    for line in lines {
        let _ = writeln!(text, "  {line}");
    }
}

fn escaped(lines: Vec<String>) -> Vec<String> {
    lines
        .into_iter()
        .map(|line| escape(&line).into_owned())
        .collect()
}

fn settings(settings: &[SettingLine]) -> Vec<String> {
    if settings.is_empty() {
        return Vec::new();
    }
    let names = ["name", "type", "default", "meaning"];
    let mut table = Table::new(names.map(|name| (name, Align::Left)));
    for setting in settings {
        table.row([
            &setting.name[..],
            &setting.kind,
            setting.default.as_deref().unwrap_or("(required)"),
            setting.help.as_deref().unwrap_or(""),
        ]);
    }
    table.text()
}

fn secrets(secrets: &[SecretLine]) -> Vec<String> {
    let line = |secret: &SecretLine| {
        let name = &secret.name;
        let variable = &secret.variable;
        format!("{name}: {name}_env (default {variable}), {name}_file or {name}_command")
    };
    escaped(secrets.iter().map(line).collect())
}

/// What an update does, in words.
fn semantics(page: &ProviderPage) -> Vec<String> {
    let (line, update) = (&page.provider, &page.update);
    let mut words = vec![format!("{} {}", line.update, update.url)];
    words.push(match &line.mode[..] {
        "replace" => {
            "The whole record is sent: it is read first, our values are laid over it, and what \
             we do not map goes back untouched."
                .to_owned()
        }
        "merge" => "Only what is sent is changed; the rest of the record stays.".to_owned(),
        other => format!("Mode: {other}."),
    });
    for unit in update.whole.iter().filter(|unit| !unit.is_empty()) {
        words.push(format!(
            "{unit} is sent whole; its members that are not mapped are carried from a fresh read."
        ));
    }
    for group in &update.together {
        let members = group.members.join(", ");
        let condition = match &group.condition {
            Some(member) => format!("; while {member} is false, the others are not sent"),
            None => String::new(),
        };
        words.push(format!("{members} are sent together{condition}."));
    }
    words.push(if update.repeatable {
        "An update whose fate is unknown may be sent again.".to_owned()
    } else {
        "An update whose fate is unknown is never sent again unasked.".to_owned()
    });
    words
}

fn fields(fields: &[FieldLine]) -> Vec<String> {
    if fields.is_empty() {
        return Vec::new();
    }
    let names = ["path", "type", "rules", "flags", "meaning", "source"];
    let mut table = Table::new(names.map(|name| (name, Align::Left)));
    for field in fields {
        table.row([
            &field.path[..],
            &field.kind,
            &field.constraints.join("; "),
            &field.flags.join(", "),
            field.description.as_deref().unwrap_or(""),
            field.source.as_deref().unwrap_or(""),
        ]);
    }
    table.text()
}

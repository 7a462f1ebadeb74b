//! What providers can do: the matrix of all, and the page of one.
//!
//! The structs here are plain: the caller fills them from manifests and
//! contracts. Every word of a manifest is foreign here, a user may bring one.

mod page;

use std::io::Write;

use serde::Serialize;

use super::model::ReportError;
use super::paint::Colour;
use super::runs::write_lines;
use super::stream::ObjectWriter;
use super::table::{Align, Table};

pub use page::write_provider_text;

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
    /// The day on which the contract was last held against its sources.
    pub verified: Option<String>,
    /// The settings a user gives.
    pub settings: Vec<SettingLine>,
    /// The secrets a user gives.
    pub secrets: Vec<SecretLine>,
    /// How requests show who asks, in words.
    pub auth: Vec<String>,
    /// The form of a remote id, in words.
    pub remote_id: String,
    /// Where it stands in an update, in words.
    pub remote_id_travels: String,
    /// The requests that are sent.
    pub requests: Vec<RequestLine>,
    /// How an update is sent.
    pub update: UpdateLine,
    /// The limits with what chooses them, in words.
    pub pace: Vec<String>,
    /// How success and refusals are told, in words.
    pub answers: Vec<String>,
    /// The rules by which answers are judged, first match first, in words.
    pub response_rules: Vec<String>,
    /// What answers mean that no rule names, in words.
    pub usual_answers: Vec<String>,
    /// The named checks across fields, in words.
    pub checks: Vec<String>,
    /// The whole record and its groups, with the rules that no field has.
    pub groups: Vec<GroupLine>,
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

/// One kind of request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RequestLine {
    /// What it is for (`update`, `read`, `list`, `token`).
    pub name: String,
    /// Its method.
    pub method: String,
    /// Its URL template.
    pub url: String,
    /// What its answer holds, in words.
    pub notes: Vec<String>,
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
    /// The member that says whether the others are sent.
    pub condition: Option<String>,
    /// The value with which it lets them.
    pub equals: Option<String>,
}

/// The whole record, or an object, map or list in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GroupLine {
    /// Its path; empty for the whole record.
    pub path: String,
    /// `record`, `known record` (as far as the row and the state know it),
    /// `object`, `map`, `keyed list` or `list`.
    pub kind: String,
    /// Of a keyed list: the member by which an entry is addressed.
    pub key: Option<String>,
    /// What it means.
    pub description: Option<String>,
    /// Its rules.
    pub rules: Vec<RuleLine>,
    /// Where it comes from (`x-source`).
    pub source: Option<String>,
}

/// One rule of a contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleLine {
    /// The rule, as a predicate (`has at most 20 members`).
    pub text: String,
    /// What a person reads who breaks it (`x-message`).
    pub message: Option<String>,
    /// Where the rule comes from, where it says so itself.
    pub source: Option<String>,
}

/// One field of a contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldLine {
    /// Its path, as a mapping names it.
    pub path: String,
    /// Its type (`string`, `integer or null`).
    pub kind: String,
    /// What `*` stands for in its path.
    pub key: Option<String>,
    /// Its rules, in words, one each (`has at most 50 characters`).
    pub constraints: Vec<String>,
    /// The same with what a person reads who breaks them.
    pub rules: Vec<RuleLine>,
    /// What a person reads who breaks any of them, its type included.
    pub message: Option<String>,
    /// What else is true of it (`write-only`, `immutable`, `hidden`).
    pub flags: Vec<String>,
    /// Whether an update can carry it.
    pub writable: bool,
    /// How `blank = "clear"` clears it: `null`, `remove`, or `no`.
    pub clear: String,
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

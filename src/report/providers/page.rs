//! The page of one provider as text, for a terminal of 100 columns.
//!
//! Sections in the order in which a mapping is made: what to give, what is
//! sent and how it is answered, then the record with its fields. Sources are
//! numbered, so that a field keeps its line.

use std::fmt::Write as _;
use std::io::Write;

use super::{FieldLine, GroupLine, ProviderPage, RuleLine, SettingLine, UpdateLine};
use crate::report::escape::escape;
use crate::report::model::ReportError;
use crate::report::paint::{Colour, Paint};
use crate::report::wrap::wrap;

/// Writes the page of one provider.
pub fn write_provider_text(
    out: &mut dyn Write,
    page: &ProviderPage,
    colour: Colour,
) -> Result<(), ReportError> {
    let line = &page.provider;
    let title = escape(&format!("{}: {}", line.name, line.title)).into_owned();
    let verified = page
        .verified
        .as_ref()
        .map_or_else(String::new, |day| format!(", last verified {day}"));
    let origin = format!("{}{verified}", page.origin);
    let mut text = format!(
        "{}\n{}\n",
        colour.paint(Paint::Bold, &title),
        escape(&origin)
    );
    let mut section = |title: &str, lines: Vec<String>| {
        if lines.is_empty() {
            return;
        }
        // Writing to a String cannot fail.
        let _ = writeln!(text, "\n{}", colour.paint(Paint::Bold, title));
        for line in lines {
            let _ = writeln!(text, "{line}");
        }
    };
    let mut sources = Sources::default();
    section("Settings", settings(&page.settings));
    section("Secrets", secrets(page));
    section("Authorization", sentences(&page.auth));
    section("Remote id", remote_id(page));
    section("Requests", requests(page));
    section("Update", sentences(&semantics(page)));
    section("Limits", sentences(&page.pace));
    section("Answers", sentences(&page.answers));
    let judged: Vec<String> = page
        .response_rules
        .iter()
        .chain(&page.usual_answers)
        .cloned()
        .collect();
    section(
        "How other answers are judged, the first that fits",
        sentences(&judged),
    );
    section(
        "The record and its groups",
        groups(&page.groups, &mut sources),
    );
    section("Checks across fields", sentences(&page.checks));
    section("Clearing", sentences(&clearing(&page.fields)));
    let (written, read): (Vec<&FieldLine>, Vec<&FieldLine>) =
        page.fields.iter().partition(|field| field.writable);
    section("Fields that can be written", fields(&written, &mut sources));
    section(
        "Fields that are never sent (to look records up by, or to be checked)",
        fields(&read, &mut sources),
    );
    section("Sources", sources.lines());
    out.write_all(text.as_bytes())?;
    Ok(())
}

/// Foreign words under an indent.
fn put(lines: &mut Vec<String>, indent: &str, words: &str) {
    lines.extend(wrap(indent, &escape(words)));
}

fn sentences(all: &[String]) -> Vec<String> {
    let mut lines = Vec::new();
    for words in all {
        put(&mut lines, "  ", words);
    }
    lines
}

/// The sources of a page, each with its number.
#[derive(Default)]
struct Sources(Vec<String>);

impl Sources {
    /// The mark of a source: ` [3]`.
    fn mark(&mut self, source: Option<&String>) -> String {
        let Some(source) = source else {
            return String::new();
        };
        let known = self.0.iter().position(|one| one == source);
        let place = known.unwrap_or_else(|| {
            self.0.push(source.clone());
            self.0.len() - 1
        });
        format!(" [{}]", place + 1)
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (source, number) in self.0.iter().zip(1_usize..) {
            let first = format!("  [{number}] ");
            put(&mut lines, &format!("{first:<7}"), source);
        }
        lines
    }
}

fn settings(settings: &[SettingLine]) -> Vec<String> {
    let mut lines = Vec::new();
    for setting in settings {
        let default = match setting.default.as_deref() {
            Some(default) => format!("default {default}"),
            None => "required".to_owned(),
        };
        put(
            &mut lines,
            "  ",
            &format!("{}: {}, {default}", setting.name, setting.kind),
        );
        if let Some(help) = &setting.help {
            put(&mut lines, "      ", help);
        }
    }
    lines
}

fn secrets(page: &ProviderPage) -> Vec<String> {
    let secrets = page.secrets.iter();
    let lines = secrets.map(|secret| {
        let name = &secret.name;
        let variable = &secret.variable;
        format!("{name}: {name}_env (default {variable}), {name}_file or {name}_command")
    });
    sentences(&lines.collect::<Vec<_>>())
}

fn remote_id(page: &ProviderPage) -> Vec<String> {
    sentences(&[page.remote_id.clone(), page.remote_id_travels.clone()])
}

fn requests(page: &ProviderPage) -> Vec<String> {
    let mut lines = Vec::new();
    for request in &page.requests {
        let (name, method) = (escape(&request.name), escape(&request.method));
        put(
            &mut lines,
            &format!("  {name:<6}  "),
            &format!("{method} {}", request.url),
        );
        for note in &request.notes {
            put(&mut lines, "          ", note);
        }
    }
    lines
}

/// What an update does, in words.
fn semantics(page: &ProviderPage) -> Vec<String> {
    let (line, update) = (&page.provider, &page.update);
    let mut words = vec![match &line.mode[..] {
        "replace" => "The whole record is sent: it is read first, our values are laid over it, \
             and what we do not map goes back untouched. A member that the contract does not \
             list is not sent."
            .to_owned(),
        "merge" => "Only what is sent is changed; the rest of the record stays.".to_owned(),
        other => format!("Mode: {other}."),
    }];
    for unit in update.whole.iter().filter(|unit| !unit.is_empty()) {
        words.push(format!(
            "{unit} is sent whole as soon as one of its fields changes: with all that the row \
             has for it, and what is not mapped carried from a fresh read."
        ));
    }
    words.extend(together(update));
    words.push(if update.repeatable {
        "An update whose fate is unknown may be sent again.".to_owned()
    } else {
        "An update whose fate is unknown is never sent again unasked.".to_owned()
    });
    words
}

fn together(update: &UpdateLine) -> Vec<String> {
    let groups = update.together.iter();
    groups
        .map(|group| {
            let condition = match (&group.condition, &group.equals) {
                (Some(member), Some(value)) => {
                    format!(" While {member} is not {value}, the others are not sent.")
                }
                (Some(member), None) => {
                    format!(" {member} says whether the others are sent.")
                }
                (None, _) => String::new(),
            };
            format!(
                "{} are sent together: one changed, all travel that the row has a value for.\
                 {condition}",
                group.members.join(", ")
            )
        })
        .collect()
}

fn groups(groups: &[GroupLine], sources: &mut Sources) -> Vec<String> {
    let mut lines = Vec::new();
    for group in groups {
        let what = match &group.kind[..] {
            "record" => "the record, as an update sends it".to_owned(),
            "known record" => {
                "the record, as far as the row and what was acknowledged tell it".to_owned()
            }
            "keyed list" => format!(
                "{}: a list, an entry is addressed by its {}",
                group.path,
                group.key.as_deref().unwrap_or("key")
            ),
            "map" => format!("{}: a map, with keys of your own", group.path),
            "object" => format!("{}: an object", group.path),
            "list" => format!("{}: a list that cannot be mapped", group.path),
            other => format!("{}: {other}", group.path),
        };
        let mark = sources.mark(group.source.as_ref());
        put(&mut lines, "  ", &format!("{what}{mark}"));
        if let Some(description) = &group.description {
            put(&mut lines, "      ", description);
        }
        rules(&mut lines, &group.rules, sources);
    }
    lines
}

/// Rules, and after those that share a message the message.
fn rules(lines: &mut Vec<String>, rules: &[RuleLine], sources: &mut Sources) {
    for (place, rule) in rules.iter().enumerate() {
        let mark = sources.mark(rule.source.as_ref());
        put(lines, "      - ", &format!("{}{mark}", rule.text));
        let next = rules.get(place + 1).and_then(|next| next.message.as_ref());
        if let Some(message) = rule.message.as_ref().filter(|own| next != Some(*own)) {
            told(lines, "        ", message);
        }
    }
}

/// What a person reads who breaks a rule.
fn told(lines: &mut Vec<String>, indent: &str, message: &str) {
    put(lines, indent, &format!("or else: \"{message}\""));
}

/// Which fields `blank = "clear"` may name.
fn clearing(fields: &[FieldLine]) -> Vec<String> {
    let writable = fields.iter().filter(|field| field.writable);
    let by = |how: &str| -> Vec<&str> {
        let those = writable.clone().filter(|field| field.clear == how);
        those.map(|field| field.path.as_str()).collect()
    };
    let (null, removed, not) = (by("null"), by("remove"), by("no"));
    let mut words = Vec::new();
    if !null.is_empty() {
        words.push(format!(
            "`blank = \"clear\"` sends null for: {}.",
            null.join(", ")
        ));
    }
    if !removed.is_empty() {
        words.push(format!(
            "`blank = \"clear\"` removes the entry or key of: {}.",
            removed.join(", ")
        ));
    }
    match (words.is_empty(), not.is_empty()) {
        (_, true) => {}
        (true, false) => words.push("No field can be cleared.".to_owned()),
        (false, false) => words.push(format!(
            "The other {} fields that can be written cannot be cleared.",
            not.len()
        )),
    }
    words
}

fn fields(fields: &[&FieldLine], sources: &mut Sources) -> Vec<String> {
    let mut lines = Vec::new();
    for field in fields {
        let mut head = format!("{}: {}", field.path, field.kind);
        for flag in &field.flags {
            head.push_str(", ");
            head.push_str(&in_words(flag));
        }
        if field.writable && field.clear != "no" {
            head.push_str(", can be cleared");
        }
        put(&mut lines, "  ", &head);
        let mark = sources.mark(field.source.as_ref());
        if let Some(description) = &field.description {
            put(&mut lines, "      ", &format!("{description}{mark}"));
        } else if !mark.is_empty() {
            put(&mut lines, "      ", mark.trim_start());
        }
        if let Some(key) = &field.key {
            put(&mut lines, "      ", &format!("* is {key}."));
        }
        rules(&mut lines, &field.rules, sources);
        let told_already = field.rules.iter().any(|rule| rule.message == field.message);
        if let Some(message) = field.message.as_ref().filter(|_| !told_already) {
            told(&mut lines, "      ", message);
        }
    }
    lines
}

/// What a flag of a field means.
fn in_words(flag: &str) -> String {
    match flag {
        "write-only" => "write-only (sent when it changes, never read back)".to_owned(),
        "immutable" => "immutable (compared, never sent)".to_owned(),
        "hidden" => "hidden (never shown, stored only as a digest)".to_owned(),
        "compared as exact" => "compared to the letter".to_owned(),
        "compared as number" => "compared by value".to_owned(),
        "compared as set" => "compared without regard to order".to_owned(),
        "compared as phone" => "compared without separators".to_owned(),
        "compared as nocase" => "compared without regard to letter case".to_owned(),
        "compared as instant" => "compared as a moment".to_owned(),
        other => other.to_owned(),
    }
}

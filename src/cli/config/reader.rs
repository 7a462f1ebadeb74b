//! A typed reader of TOML tables that goes on after a problem.
//!
//! A getter that finds something else than it wants records the problem and
//! says `None`; [`Section::finish`] reports every key that nobody asked for. A
//! getter must never repeat a value in a message.

use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::Problems;
use crate::provider::nearest;

/// A table whose keys are taken one by one.
pub(super) struct Section<'a> {
    table: DeTable<'a>,
    /// Names that somebody asked for.
    known: Vec<&'static str>,
    at: usize,
    key: String,
    problems: &'a Problems<'a>,
}

/// A value, with its key and its place.
pub(super) struct Value<'a> {
    /// The last part of its key, as written.
    pub(super) name: String,
    /// Where its key stands.
    pub(super) key_at: usize,
    at: usize,
    key: String,
    inner: DeValue<'a>,
    problems: &'a Problems<'a>,
}

impl<'a> Section<'a> {
    /// The whole document.
    pub(super) fn root(table: DeTable<'a>, problems: &'a Problems<'a>) -> Self {
        Self {
            table,
            known: Vec::new(),
            at: 0,
            key: String::new(),
            problems,
        }
    }

    /// Takes a key out of the table.
    pub(super) fn take(&mut self, name: &'static str) -> Option<Value<'a>> {
        self.known.push(name);
        self.take_unlisted(name)
    }

    /// Takes a key that must never be suggested: it only gets an answer.
    pub(super) fn take_unlisted(&mut self, name: &str) -> Option<Value<'a>> {
        let (key, inner) = self.table.remove_entry(name)?;
        Some(self.value(&key, inner))
    }

    fn value(
        &self,
        key: &Spanned<std::borrow::Cow<'a, str>>,
        inner: Spanned<DeValue<'a>>,
    ) -> Value<'a> {
        Value {
            name: key.get_ref().to_string(),
            key_at: key.span().start,
            at: inner.span().start,
            key: child(&self.key, key.get_ref()),
            inner: inner.into_inner(),
            problems: self.problems,
        }
    }

    /// Whether a key is there, without taking it.
    pub(super) fn has(&self, name: &str) -> bool {
        self.table.contains_key(name)
    }

    /// Every entry of a table whose keys are free, in the order of the file.
    pub(super) fn entries(mut self) -> Vec<Value<'a>> {
        let table = std::mem::take(&mut self.table);
        let mut entries: Vec<Value<'a>> = table
            .into_iter()
            .map(|(key, inner)| self.value(&key, inner))
            .collect();
        entries.sort_by_key(|entry| entry.key_at);
        entries
    }

    /// Takes a table.
    pub(super) fn section(&mut self, name: &'static str) -> Option<Self> {
        self.take(name)?.section()
    }

    /// Takes a text that is not empty.
    pub(super) fn text(&mut self, name: &'static str) -> Option<String> {
        self.take(name)?.text()
    }

    /// Takes `true` or `false`.
    pub(super) fn flag(&mut self, name: &'static str) -> Option<bool> {
        self.take(name)?.flag()
    }

    /// Takes a whole number within bounds.
    pub(super) fn whole(&mut self, name: &'static str, range: RangeInclusive<u64>) -> Option<u64> {
        self.take(name)?.whole(range)
    }

    /// Takes a whole number within bounds that fits 32 bits.
    pub(super) fn small(&mut self, name: &'static str, range: RangeInclusive<u32>) -> Option<u32> {
        let range = u64::from(*range.start())..=u64::from(*range.end());
        u32::try_from(self.whole(name, range)?).ok()
    }

    /// Takes one of a few words.
    pub(super) fn choice<T: Copy>(
        &mut self,
        name: &'static str,
        options: &[(&str, T)],
    ) -> Option<T> {
        self.take(name)?.choice(options)
    }

    /// Takes a list of texts.
    pub(super) fn texts(&mut self, name: &'static str) -> Option<Vec<String>> {
        self.take(name)?.texts()
    }

    /// Answers keys whose feature comes later.
    pub(super) fn later(&mut self, names: &[&str]) {
        for name in names {
            if let Some(value) = self.take_unlisted(name) {
                value.later("");
            }
        }
    }

    /// Records a problem of the table as a whole.
    pub(super) fn refuse(&self, message: impl AsRef<str>) {
        self.problems.push("E_CONFIG", self.at, &self.key, message);
    }

    /// Records that a key is missing.
    pub(super) fn missing(&self, name: &str, why: &str) {
        let key = child(&self.key, name);
        let message = format!("is missing: {why}");
        self.problems.push("E_CONFIG", self.at, &key, message);
    }

    /// Records a problem of a key below this table that the file does not have.
    pub(super) fn refuse_below(&self, below: &str, message: impl AsRef<str>) {
        let key = format!("{}.{below}", self.key);
        self.problems.push("E_CONFIG", self.at, &key, message);
    }

    /// Whether nothing is left in the table.
    pub(super) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// The problems that this table reports to.
    pub(super) fn problems(&self) -> &'a Problems<'a> {
        self.problems
    }

    /// Reports every key that nobody asked for.
    pub(super) fn finish(self) {
        let known: Vec<String> = self.known.iter().map(|name| (*name).to_owned()).collect();
        for (key, _) in &self.table {
            let mut hint = did_you_mean(key.get_ref(), &known);
            if hint.is_empty() {
                hint = format!("; known here are {}", known.join(", "));
            }
            self.problems.push(
                "E_UNKNOWN_KEY",
                key.span().start,
                &child(&self.key, key.get_ref()),
                format!("is not a known key{hint}"),
            );
        }
    }
}

impl<'a> Value<'a> {
    /// Records a problem of this value.
    pub(super) fn refuse(&self, message: impl AsRef<str>) {
        self.problems.push("E_CONFIG", self.at, &self.key, message);
    }

    /// Records a problem of this value under a code of its own.
    pub(super) fn refuse_as(&self, code: &'static str, message: impl AsRef<str>) {
        self.problems.push(code, self.at, &self.key, message);
    }

    /// Records a problem of this value's key.
    pub(super) fn refuse_key(&self, message: impl AsRef<str>) {
        self.problems
            .push("E_CONFIG", self.key_at, &self.key, message);
    }

    /// Answers a key whose feature comes in a later version.
    pub(super) fn later(&self, detail: &str) {
        let message = format!("is not available yet: it comes in a later version{detail}");
        self.problems
            .push("E_NOT_AVAILABLE", self.key_at, &self.key, message);
    }

    /// Its dotted key.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// The TOML value itself.
    pub(super) fn inner(&self) -> &DeValue<'a> {
        &self.inner
    }

    fn wants<T>(&self, found: Option<T>, what: &str) -> Option<T> {
        if found.is_none() {
            self.refuse(format!("must be {what}, not {}", kind(&self.inner)));
        }
        found
    }

    /// A table.
    pub(super) fn section(self) -> Option<Section<'a>> {
        if !self.inner.is_table() {
            return self.wants(None, "a table");
        }
        let DeValue::Table(table) = self.inner else {
            return None;
        };
        Some(Section {
            table,
            known: Vec::new(),
            at: self.key_at,
            key: self.key,
            problems: self.problems,
        })
    }

    /// The items of a list, each with the list's key.
    pub(super) fn list(self) -> Option<Vec<Value<'a>>> {
        if !self.inner.is_array() {
            return self.wants(None, "a list");
        }
        let DeValue::Array(items) = self.inner else {
            return None;
        };
        let item = |(index, item): (usize, Spanned<DeValue<'a>>)| Value {
            name: self.name.clone(),
            key_at: item.span().start,
            at: item.span().start,
            key: format!("{}[{index}]", self.key),
            inner: item.into_inner(),
            problems: self.problems,
        };
        Some(items.into_iter().enumerate().map(item).collect())
    }

    /// Any text, also an empty one.
    pub(super) fn any_text(&self) -> Option<String> {
        self.wants(self.inner.as_str().map(str::to_owned), "a text")
    }

    /// A text that is not empty.
    pub(super) fn text(&self) -> Option<String> {
        let text = self.any_text()?;
        if text.is_empty() {
            self.refuse("must not be empty");
            return None;
        }
        Some(text)
    }

    /// A text, a truth value or a whole number, as text.
    pub(super) fn word(&self) -> Option<String> {
        let text = match &self.inner {
            DeValue::String(text) => Some(text.to_string()),
            DeValue::Boolean(flag) => Some(flag.to_string()),
            DeValue::Integer(_) => integer(&self.inner).map(|number| number.to_string()),
            _ => None,
        };
        self.wants(text, "a text, a whole number, true or false")
    }

    /// `true` or `false`.
    pub(super) fn flag(&self) -> Option<bool> {
        self.wants(self.inner.as_bool(), "true or false")
    }

    /// A whole number within bounds.
    pub(super) fn whole(&self, range: RangeInclusive<u64>) -> Option<u64> {
        let bounds = if *range.end() == u64::MAX {
            format!("a whole number of at least {}", range.start())
        } else {
            format!("a whole number from {} to {}", range.start(), range.end())
        };
        if !self.inner.is_integer() {
            return self.wants(None, &bounds);
        }
        let number = integer(&self.inner).and_then(|number| u64::try_from(number).ok());
        let within = number.filter(|number| range.contains(number));
        if within.is_none() {
            self.refuse(format!("must be {bounds}"));
        }
        within
    }

    /// A number, whole or not; it may be infinite or no number at all.
    pub(super) fn number(&self) -> Option<f64> {
        let number = match &self.inner {
            DeValue::Integer(_) => integer(&self.inner).and_then(|n| n.to_string().parse().ok()),
            DeValue::Float(float) => float.as_str().parse().ok(),
            _ => None,
        };
        self.wants(number, "a number")
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&self, options: &[(&str, T)]) -> Option<T> {
        let text = self.any_text()?;
        let found = options.iter().find(|(name, _)| *name == text);
        if found.is_none() {
            let names: Vec<String> = options.iter().map(|(name, _)| (*name).to_owned()).collect();
            let hint = did_you_mean(&text, &names);
            self.refuse(format!("must be one of {}{hint}", names.join(", ")));
        }
        found.map(|(_, value)| *value)
    }

    /// A list of different names, at least one.
    pub(super) fn names(self) -> Option<Vec<String>> {
        let empty = self.inner.as_array().is_some_and(|items| items.is_empty());
        if empty {
            self.refuse("must name at least one column");
            return None;
        }
        let mut names: Vec<String> = Vec::new();
        for item in self.list()? {
            match item.text() {
                Some(name) if names.contains(&name) => item.refuse("is named twice"),
                Some(name) => names.push(name),
                None => {}
            }
        }
        Some(names)
    }

    /// A list of texts; a problem with one of them leaves out that one.
    pub(super) fn texts(self) -> Option<Vec<String>> {
        let items = self.list()?;
        Some(items.iter().filter_map(Value::any_text).collect())
    }
}

/// `; did you mean ...?`, where a known name is near enough.
pub(super) fn did_you_mean(text: &str, known: &[String]) -> String {
    nearest(text, known).map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}

/// The exact value of a TOML integer.
pub(super) fn integer(value: &DeValue<'_>) -> Option<i64> {
    let integer = value.as_integer()?;
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

/// A dotted key, with quotes where a part of it is not a bare key.
pub(super) fn child(parent: &str, name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let name = if !name.is_empty() && name.chars().all(bare) {
        name.to_owned()
    } else {
        format!("{name:?}")
    };
    if parent.is_empty() {
        name
    } else {
        format!("{parent}.{name}")
    }
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "a truth value",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

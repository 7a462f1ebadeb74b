//! `providers` and `providers show`: what the manifests and contracts say.

use std::path::Path;

use serde_json::Value;

use crate::cli::catalog::read_folder;
use crate::cli::config::PageFormat;
use crate::cli::exit::ExitCode;
use crate::cli::failure::Failure;
use crate::cli::output::{PageLook, print};
use crate::provider::{
    Catalog, FieldFacts, IdType, Limits, Mode, NamedCheck, Provider, Rule, Scheme, SettingType,
    Window,
};
use crate::report::{
    FieldLine, ProviderLine, ProviderPage, SecretLine, SettingLine, TogetherLine, UpdateLine,
    escape, write_provider_json, write_provider_text, write_providers_json, write_providers_text,
};

/// Lists all providers.
pub(in crate::cli) fn list(catalog: &Catalog, look: PageLook) -> Result<ExitCode, Failure> {
    let lines: Vec<ProviderLine> = catalog.all().map(|provider| line(provider)).collect();
    print(|out| match look.format {
        PageFormat::Text => write_providers_text(out, &lines, look.colour),
        PageFormat::Json => write_providers_json(out, &lines),
    })?;
    Ok(ExitCode::Ok)
}

/// Shows one provider.
pub(in crate::cli) fn show(
    catalog: &Catalog,
    name: &str,
    look: PageLook,
) -> Result<ExitCode, Failure> {
    let provider = catalog
        .get(name)
        .map_err(|error| Failure::new(ExitCode::Usage, error))?;
    let page = page(&provider);
    print(|out| match look.format {
        PageFormat::Text => write_provider_text(out, &page, look.colour),
        PageFormat::Json => write_provider_json(out, &page),
    })?;
    Ok(ExitCode::Ok)
}

/// Says all that is wrong with the providers of a folder.
pub(in crate::cli) fn check(folder: &Path) -> Result<ExitCode, Failure> {
    let providers = read_folder(folder)?;
    if providers.is_empty() {
        let text = format!(
            "{} holds no provider: a folder with provider.toml and contract.schema.json",
            folder.display()
        );
        return Err(Failure::say(ExitCode::Config, text));
    }
    let mut wrong = 0_u64;
    print(|out| {
        for (folder, files) in &providers {
            let findings = Provider::findings(&files.manifest, &files.contract);
            wrong += u64::try_from(findings.len()).unwrap_or(u64::MAX);
            if findings.is_empty() {
                writeln!(out, "{}: nothing is wrong", folder.display())?;
            }
            for finding in findings {
                writeln!(
                    out,
                    "{}: {}",
                    folder.display(),
                    escape_lines(&finding.to_string())
                )?;
            }
        }
        Ok(())
    })?;
    Ok(if wrong == 0 {
        ExitCode::Ok
    } else {
        ExitCode::Config
    })
}

/// A text of several lines, each safe for a terminal.
fn escape_lines(text: &str) -> String {
    text.trim_end()
        .lines()
        .map(|line| escape(line).into_owned())
        .collect::<Vec<_>>()
        .join("\n    ")
}

/// One provider in the matrix.
fn line(provider: &Provider) -> ProviderLine {
    let manifest = &provider.manifest;
    let table = &manifest.limits;
    let mut limits: Vec<String> = table
        .variant
        .iter()
        .flat_map(|(value, limits)| windows(limits, Some(value)))
        .collect();
    if table.by.is_none() {
        limits = windows(
            &Limits {
                quota: table.quota.clone().unwrap_or_default(),
                concurrency: table.concurrency.unwrap_or(1),
            },
            None,
        );
    }
    ProviderLine {
        name: manifest.name.clone(),
        title: manifest.title.clone(),
        update: crate::core::Method::from(manifest.update.method)
            .as_str()
            .to_owned(),
        mode: match manifest.update.mode {
            Mode::Merge => "merge".to_owned(),
            Mode::Replace => "replace".to_owned(),
        },
        read: manifest.read.is_some(),
        list: manifest.list.is_some(),
        auth: match manifest.auth.scheme {
            Scheme::Bearer => "bearer".to_owned(),
            Scheme::Header => format!(
                "header {}",
                manifest.auth.header.as_deref().unwrap_or_default()
            ),
            Scheme::Oauth2Password => "OAuth 2 password".to_owned(),
        },
        limits,
    }
}

fn windows(limits: &Limits, variant: Option<&str>) -> Vec<String> {
    let prefix = variant.map_or_else(String::new, |variant| format!("{variant}: "));
    let word = |window| match window {
        Window::Second => "a second",
        Window::Minute => "a minute",
        Window::Hour => "an hour",
        Window::Day => "a day",
    };
    limits
        .quota
        .iter()
        .map(|quota| {
            format!(
                "{prefix}{} {} {}",
                quota.calls,
                if quota.writes_only {
                    "writes"
                } else {
                    "requests"
                },
                word(quota.per)
            )
        })
        .collect()
}

fn page(provider: &Provider) -> ProviderPage {
    let manifest = &provider.manifest;
    let pointers = |pointers: &[crate::core::Pointer]| {
        pointers.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let secret = |name: &str, variable: &Option<String>| {
        variable.clone().map(|variable| SecretLine {
            name: name.to_owned(),
            variable,
        })
    };
    ProviderPage {
        provider: line(provider),
        origin: "manifest and contract".to_owned(),
        settings: manifest
            .settings
            .iter()
            .map(|(name, setting)| SettingLine {
                name: name.clone(),
                kind: match setting.kind {
                    SettingType::Url => "url".to_owned(),
                    SettingType::String => "text".to_owned(),
                    SettingType::Integer => "integer".to_owned(),
                    SettingType::OneOf => format!("one of {}", setting.values.join(", ")),
                },
                default: setting.default.clone(),
                help: setting.help.clone(),
            })
            .collect(),
        secrets: [
            secret("token", &manifest.auth.token),
            secret("username", &manifest.auth.username),
            secret("password", &manifest.auth.password),
        ]
        .into_iter()
        .flatten()
        .collect(),
        remote_id: match (&manifest.id.kind, &manifest.id.pattern) {
            (IdType::Integer, _) => "a positive 64-bit integer".to_owned(),
            (IdType::String, Some(pattern)) => format!("a text that matches {pattern}"),
            (IdType::String, None) => "a text".to_owned(),
        },
        update: UpdateLine {
            url: manifest.update.url.clone(),
            whole: pointers(&manifest.update.whole),
            together: manifest
                .update
                .together
                .iter()
                .map(|group| TogetherLine {
                    members: pointers(&group.members),
                    condition: group.when.as_ref().map(|when| when.pointer.to_string()),
                })
                .collect(),
            repeatable: manifest.update.repeatable,
        },
        response_rules: manifest.response.rule.iter().map(rule_in_words).collect(),
        checks: manifest.check.iter().map(check_in_words).collect(),
        fields: provider.contract.facts().iter().map(field).collect(),
    }
}

fn rule_in_words(rule: &Rule) -> String {
    let mut parts = Vec::new();
    if !rule.status.is_empty() {
        parts.push(format!(
            "HTTP {}",
            rule.status
                .iter()
                .map(u16::to_string)
                .collect::<Vec<_>>()
                .join(", ")
        ));
    }
    if let Some(header) = &rule.header {
        parts.push(format!("with {header}"));
    }
    if let Some(body) = &rule.body {
        parts.push(format!("where {} is {}", body.pointer, body.equals));
    }
    let then = format!("{:?}", rule.then).to_lowercase();
    let wait = rule.wait.as_ref().map_or_else(String::new, |wait| {
        format!(" ({wait} where no Retry-After says otherwise)")
    });
    format!("{}: {then}{wait}", parts.join(" "))
}

fn check_in_words(check: &NamedCheck) -> String {
    match check {
        NamedCheck::NotBefore { pointer, other } => format!("{pointer} is not before {other}"),
        NamedCheck::NotSelf { pointer } => format!("{pointer} does not name the record itself"),
        NamedCheck::NoOverlap {
            pointer,
            on,
            from,
            to,
        } => format!(
            "while {on} is true, {pointer} does not name a record whose days from {from} to {to} overlap"
        ),
    }
}

fn field(facts: &FieldFacts) -> FieldLine {
    let schema = &facts.schema;
    let text = |key: &str| schema.get(key).and_then(Value::as_str).map(str::to_owned);
    let set = |key: &str| schema.get(key) == Some(&Value::Bool(true));
    let mut flags = Vec::new();
    for (key, word) in [
        ("readOnly", "read-only"),
        ("writeOnly", "write-only"),
        ("x-immutable", "immutable"),
        ("x-sensitive", "hidden"),
    ] {
        if set(key) {
            flags.push(word.to_owned());
        }
    }
    if facts.required {
        flags.push("required".to_owned());
    }
    if let Some(compare) = text("x-compare") {
        flags.push(format!("compared as {compare}"));
    }
    FieldLine {
        path: facts.path.clone(),
        kind: kind(schema),
        constraints: constraints(schema),
        flags,
        description: text("description"),
        source: text("x-source"),
    }
}

fn kind(schema: &Value) -> String {
    let names = |value: &Value| match value {
        Value::String(name) => name.clone(),
        Value::Array(names) => names
            .iter()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(" or "),
        _ => "any".to_owned(),
    };
    let own = schema.get("type").map_or_else(|| "any".to_owned(), names);
    match schema.get("items").and_then(|items| items.get("type")) {
        Some(item) => format!("{own} of {}", names(item)),
        None => own,
    }
}

fn constraints(schema: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let options = schema.get("enum").or_else(|| schema.pointer("/items/enum"));
    if let Some(options) = options.and_then(Value::as_array) {
        let texts: Vec<String> = options
            .iter()
            .map(|o| o.as_str().map_or_else(|| o.to_string(), str::to_owned))
            .collect();
        found.push(format!("one of {}", texts.join(", ")));
    }
    for (key, words) in [
        ("format", "format"),
        ("pattern", "matches"),
        ("minLength", "characters at least"),
        ("maxLength", "characters at most"),
        ("minimum", "at least"),
        ("maximum", "at most"),
        ("minItems", "items at least"),
        ("maxItems", "items at most"),
    ] {
        if let Some(value) = schema.get(key) {
            found.push(format!(
                "{words} {}",
                value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned)
            ));
        }
    }
    found
}

//! The page of one provider: its manifest and its contract, put into what the
//! report shows.

use super::protocol;
use super::{fields, line};
use crate::core::Pointer;
use crate::provider::{
    Auth, GroupFacts, GroupKind, Id, IdType, NamedCheck, Provider, RuleFacts, Setting, SettingType,
};
use crate::report::{
    GroupLine, ProviderPage, RuleLine, SecretLine, SettingLine, TogetherLine, UpdateLine,
};

/// All that a person must know to map fields of a provider.
pub(super) fn page(provider: &Provider) -> ProviderPage {
    let manifest = &provider.manifest;
    let update = &manifest.update;
    let contract = &provider.contract;
    ProviderPage {
        provider: line(provider),
        origin: "manifest and contract".to_owned(),
        verified: contract.verified().map(str::to_owned),
        settings: manifest
            .settings
            .iter()
            .map(|(name, setting)| setting_line(name, setting))
            .collect(),
        secrets: secrets(&manifest.auth),
        auth: protocol::auth(manifest),
        remote_id: remote_id(&manifest.id),
        remote_id_travels: protocol::id_travels(manifest),
        requests: protocol::requests(manifest),
        update: UpdateLine {
            url: update.url.clone(),
            whole: pointers(&update.whole),
            together: update
                .together
                .iter()
                .map(|group| TogetherLine {
                    members: pointers(&group.members),
                    condition: group.when.as_ref().map(|when| when.pointer.to_string()),
                    equals: group.when.as_ref().map(|when| when.equals.to_string()),
                })
                .collect(),
            repeatable: update.repeatable,
        },
        pace: protocol::pace(manifest),
        answers: protocol::answers(&manifest.response),
        response_rules: manifest
            .response
            .rule
            .iter()
            .map(protocol::rule_in_words)
            .collect(),
        usual_answers: crate::provider::USUAL_ANSWERS.map(str::to_owned).to_vec(),
        checks: manifest.check.iter().map(check_in_words).collect(),
        groups: contract.groups().into_iter().map(group_line).collect(),
        fields: contract.facts().iter().map(fields::field).collect(),
    }
}

fn pointers(pointers: &[Pointer]) -> Vec<String> {
    pointers.iter().map(ToString::to_string).collect()
}

fn setting_line(name: &str, setting: &Setting) -> SettingLine {
    SettingLine {
        name: name.to_owned(),
        kind: match setting.kind {
            SettingType::Url => "url".to_owned(),
            SettingType::String => "text".to_owned(),
            SettingType::Integer => "integer".to_owned(),
            SettingType::OneOf => format!("one of {}", setting.values.join(", ")),
        },
        default: setting.default.clone(),
        help: setting.help.clone(),
    }
}

fn secrets(auth: &Auth) -> Vec<SecretLine> {
    [
        ("token", &auth.token),
        ("username", &auth.username),
        ("password", &auth.password),
    ]
    .into_iter()
    .filter_map(|(name, variable)| {
        Some(SecretLine {
            name: name.to_owned(),
            variable: variable.clone()?,
        })
    })
    .collect()
}

fn remote_id(id: &Id) -> String {
    match (&id.kind, &id.pattern) {
        (IdType::Integer, _) => "a positive 64-bit integer".to_owned(),
        (IdType::String, Some(pattern)) => format!("a text that matches {pattern}"),
        (IdType::String, None) => "a text".to_owned(),
    }
}

/// A member as the fields below are named.
fn named(pointer: &Pointer) -> String {
    pointer.tokens().join(".")
}

fn check_in_words(check: &NamedCheck) -> String {
    match check {
        NamedCheck::NotBefore { pointer, other } => {
            format!("{} is not before {}", named(pointer), named(other))
        }
        NamedCheck::NotSelf { pointer } => {
            format!("{} does not name the record itself", named(pointer))
        }
        NamedCheck::NoOverlap {
            pointer,
            on,
            from,
            to,
        } => format!(
            "while {} is true, {} does not name a record whose days from {} to {} overlap with \
             the record's own (judged over the whole plan)",
            named(on),
            named(pointer),
            named(from),
            named(to)
        ),
    }
}

fn group_line(group: GroupFacts) -> GroupLine {
    GroupLine {
        kind: match group.kind {
            GroupKind::Record => "record".to_owned(),
            GroupKind::Known => "known record".to_owned(),
            GroupKind::Object => "object".to_owned(),
            GroupKind::Map => "map".to_owned(),
            GroupKind::Keyed { .. } => "keyed list".to_owned(),
            GroupKind::List => "list".to_owned(),
        },
        key: match group.kind {
            GroupKind::Keyed { key } => Some(key),
            _ => None,
        },
        path: group.path,
        description: group.description,
        rules: group.rules.into_iter().map(rule_line).collect(),
        source: group.source,
    }
}

/// A rule of the contract for the report.
pub(super) fn rule_line(rule: RuleFacts) -> RuleLine {
    RuleLine {
        text: rule.text,
        message: rule.message,
        source: rule.source,
    }
}

//! Which parts of a record the quick start maps, and what is left of one: the
//! values of others, which no run may touch. It must never look at a run.

use std::collections::BTreeMap;

use clientsync::core::Json;

/// What the quick start maps of a lane's record; everything else is foreign.
pub(super) struct Mapped {
    /// The member that holds the remote id.
    pub(super) id: &'static str,
    /// Members that are mapped, as a whole or in part.
    pub(super) members: &'static [&'static str],
    /// Objects of which some members are mapped.
    pub(super) objects: &'static [(&'static str, &'static [&'static str])],
    /// Keyed lists with the member that is their key, and the mapped keys.
    pub(super) lists: &'static [(&'static str, &'static str, &'static [&'static str])],
}

/// In the order of the lanes' names.
pub(super) const MAPPED: [Mapped; 5] = [
    Mapped {
        id: "id",
        members: &[
            "externalId",
            "email",
            "mobile",
            "telephone",
            "joinedDate",
            "personDetails",
            "companyDetails",
            "metadata",
        ],
        objects: &[("metadata", &["tier", "manager", "note", "referred_by"])],
        lists: &[],
    },
    Mapped {
        id: "Id",
        members: &[
            "FullName",
            "Email",
            "Language",
            "Active",
            "Businesses",
            "ReceiveCommunityDigest",
            "SupportTeamUserEmail",
        ],
        objects: &[],
        lists: &[],
    },
    Mapped {
        id: "id",
        members: &["name", "contactMethods", "customFields"],
        objects: &[],
        lists: &[
            ("contactMethods", "type", &["email", "phone"]),
            ("customFields", "fieldKey", &["language", "notes"]),
        ],
    },
    Mapped {
        id: "id",
        members: &[
            "name_f",
            "name_l",
            "company",
            "email",
            "phone",
            "balance",
            "status",
            "managers",
            "address",
            "custom_fields",
        ],
        objects: &[
            ("address", &["line_1", "city", "postcode", "country"]),
            ("custom_fields", &["tier", "locker"]),
        ],
        lists: &[],
    },
    Mapped {
        id: "id",
        members: &[
            "role_id",
            "payment_types",
            "delegate_approver",
            "out_of_office_mode",
            "out_of_office_start_date",
            "out_of_office_end_date",
        ],
        objects: &[],
        lists: &[],
    },
];

/// A text without its quotes, a number as it stands.
pub(super) fn bare(json: Option<&Json>) -> String {
    json.unwrap().to_text().trim_matches('"').to_owned()
}

/// The members of an object that are not in `mapped`, each in its exact text.
fn others(object: Option<&Json>, mapped: &[&str]) -> BTreeMap<String, String> {
    let Some(object @ Json::Object(_)) = object else {
        return BTreeMap::new();
    };
    let value = object.to_value();
    let names = value.as_object().unwrap().keys();
    names
        .filter(|name| !mapped.contains(&name.as_str()))
        .map(|name| (name.clone(), object.get(name).unwrap().to_text()))
        .collect()
}

/// What a record holds beside and inside of the mapped members that nobody
/// maps, each in its exact text. Of an entry in a keyed list it is the value:
/// which entry is preferred is ours to say.
pub(super) fn foreign(mapped: &Mapped, record: &Json) -> BTreeMap<String, String> {
    let mut found = others(Some(record), mapped.members);
    for (object, ours) in mapped.objects {
        for (name, text) in others(record.get(object), ours) {
            found.insert(format!("{object}.{name}"), text);
        }
    }
    for (list, key, ours) in mapped.lists {
        let Some(Json::Array(entries)) = record.get(list) else {
            continue;
        };
        for entry in entries {
            let name = bare(entry.get(key));
            if !ours.contains(&name.as_str()) {
                let text = entry.get("value").unwrap().to_text();
                found.insert(format!("{list}.{name}"), text);
            }
        }
    }
    found
}

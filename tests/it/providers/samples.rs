//! What each provider is tried with: a record as a read shows it, and bodies
//! that its documents show. All of it is typed, nothing is computed.

use std::collections::BTreeMap;

use clientsync::provider::Settings;
use serde_json::Value;

use super::Found;

/// What a provider is tried with.
pub(super) struct Sample {
    /// The remote id of the record.
    pub(super) id: &'static str,
    /// What a user must set.
    pub(super) settings: &'static [(&'static str, &'static str)],
    /// The record, as a read shows it.
    pub(super) record: &'static str,
    /// Example bodies of the documents.
    pub(super) bodies: &'static [&'static str],
    /// Fields that take a value of their own, as JSON texts.
    pub(super) values: &'static [(&'static str, &'static str)],
}

const TESTED: Sample = Sample {
    id: "7",
    settings: &[("base_url", "https://example.com")],
    record: "",
    bodies: &[],
    values: &[],
};

/// The sample of a provider; a new provider needs one here.
pub(super) fn of(name: &str) -> Sample {
    match name {
        "complycube" => Sample {
            id: "5eb04fcd0f3e360008035eb1",
            settings: &[],
            record: r#"{"id":"5eb04fcd0f3e360008035eb1","type":"person","email":"jane.doe@example.com","mobile":"+12345678910","telephone":"+12 345678910","joinedDate":"2020-01-01","personDetails":{"firstName":"Jane","lastName":"Doe","dob":"1995-12-20","nationality":"US"},"metadata":{"vip":"yes"},"createdAt":"2020-01-04T17:24:29.146Z"}"#,
            bodies: &[
                r#"{"email":"jane.doe@example.com","personDetails":{"firstName":"Jane","lastName":"Doe","dob":"1995-12-20","nationality":"US"}}"#,
            ],
            values: &[],
        },
        "nexudus" => Sample {
            id: "87654321",
            settings: &[],
            record: r#"{"FullName":"Ada","Email":"ada@example.com","AccessToken":null,"Language":1,"PreferredLanguageId":1.10,"PasswordSalt":"s","Active":true,"LastAccess":"2025-01-15T10:30:00Z","Businesses":[31,7],"LastHelpVisited":0,"InvalidLoginAttempts":0,"Id":87654321,"CreatedOn":"2024-01-15T10:30:00Z"}"#,
            bodies: &[
                r#"{"FullName":"Ada Example","Email":"ada@example.com","Language":1,"PasswordSalt":"s","LastHelpVisited":0,"InvalidLoginAttempts":0,"Id":87654321}"#,
            ],
            values: &[],
        },
        "placio" | "keyed" => Sample {
            id: "507f1f77bcf86cd799439011",
            settings: &[
                ("base_url", "https://example.com"),
                ("workspace_id", "ws_1"),
            ],
            record: r#"{"id":"507f1f77bcf86cd799439011","name":"John Doe","avatarUrl":"https://example.com/avatar.jpg","contactMethods":[{"type":"phone","value":"+1234567890","isPreferred":true},{"type":"email","value":"john@example.com","isPreferred":false}],"customFields":[{"fieldKey":"notes","value":"Preferred contact time: 9am-5pm"}],"createdAt":"2024-01-15T10:00:00Z"}"#,
            bodies: &[
                r#"{"name":"Jane Doe","avatarUrl":"https://example.com/new-avatar.jpg","contactMethods":[{"type":"email","value":"jane@example.com","isPreferred":true}],"customFields":[{"fieldKey":"notes","value":"Updated notes"}]}"#,
                r#"{"name":"John Doe","avatarUrl":"https://example.com/avatar.jpg","contactMethods":[{"type":"phone","value":"+1234567890","isPreferred":true},{"type":"email","value":"john@example.com","isPreferred":false}],"customFields":[{"fieldKey":"notes","value":"Preferred contact time: 9am-5pm"}]}"#,
            ],
            values: &[("contactMethods.preferred", r#""email""#)],
        },
        "spp" | "renamed" => Sample {
            id: "1",
            settings: &[("base_url", "https://example.spp.co")],
            record: r#"{"id":1,"aff_id":1,"created_at":"2021-09-01T00:00:00+00:00","name_f":"John","name_l":"Doe","email":"user@example.org","company":"Example Inc.","tax_id":"123456789","phone":"123456789","address":{"line_1":"123 Main St","line_2":"Suite 100","city":"New York","country":"US","state":"NY","postcode":"10001","name_f":"John","name_l":"Doe","tax_id":"123456789","company_name":"Acme Inc.","company_vat":"123456789"},"note":"Note","balance":"10.00","optin":"Yes","stripe_id":"stripe_id","custom_fields":{},"status":1,"role_id":1,"employee_id":2,"managers":[{"id":25,"name":"John Doe","role_id":5}]}"#,
            // The document's example of `balance` is written 10.00 under the type number.
            bodies: &[
                r#"{"created_at":"2021-09-01T00:00:00+00:00","name_f":"John","name_l":"Doe","email":"user@example.org","company":"Company","tax_id":"123456789","phone":"123456789","address":{"line_1":"123 Main St.","city":"New York","state":"NY","postcode":"12345","country":"US"},"note":"Note","balance":10.00,"optin":"Yes","stripe_id":"stripe_id","custom_fields":{},"status_id":1}"#,
            ],
            values: &[],
        },
        "weel" => Sample {
            id: "123",
            settings: &[("base_url", "https://example.com"), ("business_id", "123")],
            record: r#"{"id":123,"first_name":"John","last_name":"Doe","name":"John Doe","email":"john.doe@example.com","role":"Team Member","role_id":"a1b2c3d4-e5f6-7890-abcd-ef1234567890","is_deleted":false,"payment_types":["cards"],"out_of_office_mode":true,"out_of_office_start_date":"2026-06-01","out_of_office_end_date":"2026-06-15","delegate_approver":789,"expense_delegate":[456,789]}"#,
            bodies: &[
                r#"{"role_id":"a1b2c3d4-e5f6-7890-abcd-ef1234567890","payment_types":["cards"],"out_of_office_mode":true,"out_of_office_start_date":"2026-06-01","out_of_office_end_date":"2026-06-15","delegate_approver":789,"expense_delegate":[456,789]}"#,
                r#"{"out_of_office_mode":false,"delegate_approver":null}"#,
            ],
            values: &[],
        },
        _ => TESTED,
    }
}

/// The settings of a provider under its sample.
pub(super) fn settings(found: &Found) -> Settings {
    let given: BTreeMap<String, String> = of(found.name())
        .settings
        .iter()
        .filter(|(name, _)| found.provider.manifest.settings.contains_key(*name))
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let settings = found.provider.resolve(&given);
    settings.unwrap_or_else(|problems| panic!("{}: {problems:?}", found.name()))
}

/// A path of the contract's list of fields, with a key where it has a star.
pub(super) fn named(found: &Found, path: &str) -> String {
    let Some(map) = path.strip_suffix(".*") else {
        return path.to_owned();
    };
    let at = format!("/properties/{}", map.replace('.', "/properties/"));
    let key = found.contract.pointer(&at).and_then(|node| {
        let key = node.pointer("/x-list/key")?.as_str()?;
        node["items"]["properties"][key]["enum"][0].as_str()
    });
    format!("{map}.{}", key.unwrap_or("sample"))
}

/// Values that some field or other takes.
const VALUES: [&str; 17] = [
    r#""sample""#,
    r#""sample@example.com""#,
    r#""2026-06-02""#,
    r#""2026-06-03T04:05:06Z""#,
    r#""https://example.com/sample""#,
    r#""FR""#,
    r#""00000000-0000-4000-8000-000000000000""#,
    r#""male""#,
    r#""private_limited_company""#,
    "2",
    "12.5",
    "true",
    "false",
    "[2]",
    r#"["bills"]"#,
    r#"["sample"]"#,
    "3",
];

/// A value that the field takes and that is not the one it holds.
pub(super) fn value(found: &Found, path: &str, held: &dyn Fn(&Value) -> bool) -> Value {
    let own = of(found.name()).values;
    let own = own.iter().find(|(name, _)| *name == path);
    let path = clientsync::core::FieldPath::parse(path).unwrap();
    let rules = found.provider.contract.leaf_rules(&path).unwrap();
    let texts = own.map(|(_, text)| *text).into_iter().chain(VALUES);
    let mut values = texts.map(|text| serde_json::from_str(text).unwrap());
    values
        .find(|value| rules.check(value).is_empty() && !held(value))
        .unwrap_or_else(|| panic!("{}: no value for {path}", found.name()))
}

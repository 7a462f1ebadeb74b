//! The five providers and what records of theirs may look like.

use std::sync::LazyLock;

use clientsync::core::{Field, FieldPath, Json};
use clientsync::provider::{Catalog, Provider, ProviderFiles};
use serde_json::Value;
use std::sync::Arc;

/// A provider with the values that cases are made of.
pub(crate) struct World {
    pub(crate) name: &'static str,
    pub(crate) provider: Arc<Provider>,
    /// The fields that rows may map.
    pub(crate) fields: Vec<Candidate>,
    /// Members that are always there, by their JSON text.
    pub(crate) base: Json,
    /// Places, as pointers, that hold what is not ours.
    pub(crate) foreign: &'static [&'static str],
    /// The remote id of the record.
    pub(crate) id: &'static str,
}

/// A field with values that rows and records may hold.
pub(crate) struct Candidate {
    pub(crate) field: Field,
    /// Values of rows.
    pub(crate) desired: Vec<Value>,
    /// JSON texts of records.
    pub(crate) remote: Vec<Json>,
}

/// Texts that a generic JSON value would not give back as they are.
pub(crate) const JUNK: [&str; 14] = [
    "1.10",
    "993.0",
    "12345678901234567890123",
    "1e5",
    "-0",
    "null",
    "\"\"",
    "\"2021-09-01T00:00:00+00:00\"",
    "\"\\u00e9\\/x\"",
    "[1,2.50,null]",
    "{\"z\":1.0,\"a\":[]}",
    "true",
    "\"text\"",
    "0.10",
];

type Spec = (&'static str, &'static str, &'static [&'static str]);

const EMAILS: &str = r#"["a@x.org","A@X.org","b@x.org","c@x.org"]"#;
const REMOTE_EMAILS: &[&str] = &[r#""a@x.org""#, r#""B@x.org""#, r#""h\u0040x.org""#];
const TEXTS: &str = r#"["Ann","Lee","Ünï"]"#;
const REMOTE_TEXTS: &[&str] = &[r#""Ann""#, r#""Old""#, r#""\u00dcn\u00ef""#];
const DATES: &str = r#"["2026-06-01","2026-06-15"]"#;
const REMOTE_DATES: &[&str] = &[r#""2026-06-01""#, r#""2020-01-01""#];
const PHONES: &str = r#"["+12 345678910","+12345678910","+49 1"]"#;
const REMOTE_PHONES: &[&str] = &[r#""+12 345678910""#, r#""+12345678910""#, r#""+7""#];
const IDS: &str = "[[1,2],[2,1],[3],[]]";
const REMOTE_IDS: &[&str] = &["[1,2]", "[2,1,1]", "[]", "[7]"];
const BOOLEANS: &str = "[true,false]";
const REMOTE_BOOLEANS: &[&str] = &["true", "false"];
const NUMBERS: &str = "[1,2,3]";
const REMOTE_NUMBERS: &[&str] = &["1", "2.0", "3"];

fn world(
    name: &'static str,
    id: &'static str,
    base: &str,
    foreign: &'static [&'static str],
    specs: &[Spec],
) -> World {
    let folder = |manifest: &str, contract: &str| ProviderFiles {
        manifest: manifest.to_owned(),
        contract: contract.to_owned(),
    };
    macro_rules! fixture {
        ($name:literal) => {
            folder(
                include_str!(concat!(
                    "../../fixtures/providers/",
                    $name,
                    "/provider.toml"
                )),
                include_str!(concat!(
                    "../../fixtures/providers/",
                    $name,
                    "/contract.schema.json"
                )),
            )
        };
    }
    let folders = [fixture!("keyed"), fixture!("renamed")];
    let provider = Catalog::load(&folders).unwrap().get(name).unwrap();
    let candidate = |(path, desired, remote): &Spec| Candidate {
        field: provider
            .contract
            .field(&FieldPath::parse(path).unwrap())
            .unwrap(),
        desired: serde_json::from_str(desired).unwrap(),
        remote: remote.iter().map(|text| json(text)).collect(),
    };
    World {
        name,
        fields: specs.iter().map(candidate).collect(),
        provider,
        base: json(base),
        foreign,
        id,
    }
}

/// The tree of a JSON text; records are compared as text, so it must keep it.
pub(crate) fn json(text: &str) -> Json {
    let tree = Json::parse(text.as_bytes()).unwrap();
    assert_eq!(tree.to_text(), text);
    tree
}

pub(crate) static COMPLYCUBE: LazyLock<World> = LazyLock::new(|| {
    world(
        "complycube",
        "5eb04fcd0f3e360008035eb1",
        r#"{"id":"5eb04fcd0f3e360008035eb1","createdAt":"2020-01-04T17:24:29.146Z"}"#,
        &[
            "/metadata/crm.id",
            "/metadata/vip",
            "/metadata/~0odd~1key",
            "/riskScore",
            "/personDetails/middleName",
            "/personDetails/score",
            "/companyDetails/name",
        ],
        &[
            ("type", r#"["person","company"]"#, &[r#""person""#]),
            ("email", EMAILS, REMOTE_EMAILS),
            ("mobile", PHONES, REMOTE_PHONES),
            ("joinedDate", DATES, REMOTE_DATES),
            ("personDetails.firstName", TEXTS, REMOTE_TEXTS),
            ("personDetails.lastName", TEXTS, REMOTE_TEXTS),
            ("personDetails.ssn", TEXTS, REMOTE_TEXTS),
            ("metadata.tier", TEXTS, REMOTE_TEXTS),
            ("metadata.note", TEXTS, REMOTE_TEXTS),
            ("/metadata/a.b", TEXTS, REMOTE_TEXTS),
        ],
    )
});

pub(crate) static NEXUDUS: LazyLock<World> = LazyLock::new(|| {
    world(
        "nexudus",
        "17",
        r#"{"Id":17,"FullName":"Old","Email":"old@x.org","Language":1.0,"PasswordSalt":"\u0073alt","LastHelpVisited":993.0,"InvalidLoginAttempts":0,"UniqueId":"u-1","CreatedOn":"2020-01-01T00:00:00Z"}"#,
        &[
            "/OnNewEmail",
            "/LastAccess",
            "/Devices",
            "/ChatRooms",
            "/NextCommunityDigest",
            "/SystemId",
            "/PreferredLanguageId",
            "/AvatarFileName",
            // Commands of an earlier day that a read shows again.
            "/NewPassword",
            "/ClearAvatarFile",
            "/AddedBusinesses",
        ],
        &[
            ("FullName", TEXTS, REMOTE_TEXTS),
            ("Email", EMAILS, REMOTE_EMAILS),
            ("Language", NUMBERS, REMOTE_NUMBERS),
            ("NewPassword", TEXTS, &[]),
            ("AddedBusinesses", IDS, &[]),
            ("Businesses", IDS, REMOTE_IDS),
            ("UserRoles", IDS, REMOTE_IDS),
            ("Active", BOOLEANS, REMOTE_BOOLEANS),
            ("AccessToken", TEXTS, REMOTE_TEXTS),
            ("ApplicationId", NUMBERS, REMOTE_NUMBERS),
        ],
    )
});

pub(crate) static KEYED: LazyLock<World> = LazyLock::new(|| {
    world(
        "keyed",
        "507f1f77",
        r#"{"id":"507f1f77"}"#,
        &["/updatedAt", "/score"],
        &[
            ("name", TEXTS, REMOTE_TEXTS),
            (
                "avatarUrl",
                r#"["https://x.org/a"]"#,
                &[r#""https:\/\/x.org\/a""#],
            ),
            ("contactMethods.email", EMAILS, REMOTE_EMAILS),
            (
                "contactMethods.phone",
                r#"["1","2"]"#,
                &[r#""1""#, r#""3""#],
            ),
            ("contactMethods.preferred", r#"["email","phone"]"#, &[]),
            ("customFields.notes", TEXTS, REMOTE_TEXTS),
            ("/customFields/a.b", TEXTS, REMOTE_TEXTS),
        ],
    )
});

pub(crate) static WEEL: LazyLock<World> = LazyLock::new(|| {
    world(
        "weel",
        "123",
        r#"{"id":123,"first_name":"John"}"#,
        &["/role", "/expense_delegate", "/updated"],
        &[
            ("out_of_office_mode", BOOLEANS, REMOTE_BOOLEANS),
            ("out_of_office_start_date", DATES, REMOTE_DATES),
            ("out_of_office_end_date", DATES, REMOTE_DATES),
            ("delegate_approver", NUMBERS, REMOTE_NUMBERS),
            (
                "payment_types",
                r#"[["cards"],["bills","cards"],["cards","bills"]]"#,
                &[r#"["cards","bills"]"#, r#"["reimbursements"]"#],
            ),
        ],
    )
});

pub(crate) static RENAMED: LazyLock<World> = LazyLock::new(|| {
    world(
        "renamed",
        "1",
        r#"{"id":1,"role":{"id":1.0}}"#,
        &[
            "/address/line_2",
            "/address/tax_id",
            "/custom_fields/cf 1",
            "/custom_fields/cf.2",
            "/spent",
            "/note",
        ],
        &[
            ("name_f", TEXTS, REMOTE_TEXTS),
            ("email", EMAILS, REMOTE_EMAILS),
            ("phone", PHONES, REMOTE_PHONES),
            ("balance", "[10,10.5,0]", &[r#""10.00""#, "10.50", "1e1"]),
            (
                "created_at",
                r#"["2021-09-01T00:00:00Z","2022-01-01T00:00:00Z"]"#,
                &[
                    r#""2021-09-01T00:00:00+00:00""#,
                    r#""2021-09-01T02:00:00+02:00""#,
                ],
            ),
            ("status_id", NUMBERS, REMOTE_NUMBERS),
            ("employee_id", IDS, REMOTE_IDS),
            ("address.line_1", TEXTS, REMOTE_TEXTS),
            ("address.city", TEXTS, REMOTE_TEXTS),
            ("address.postcode", TEXTS, REMOTE_TEXTS),
            ("custom_fields.tier", TEXTS, REMOTE_TEXTS),
            ("/custom_fields/a.b", TEXTS, REMOTE_TEXTS),
        ],
    )
});

pub(crate) static PLACIO: LazyLock<World> = LazyLock::new(|| {
    world(
        "placio",
        "507f1f77",
        r#"{"id":"507f1f77"}"#,
        &["/updatedAt", "/score"],
        &[
            ("name", TEXTS, REMOTE_TEXTS),
            (
                "avatarUrl",
                r#"["https://x.org/a"]"#,
                &[r#""https:\/\/x.org\/a""#],
            ),
            ("contactMethods.email", EMAILS, REMOTE_EMAILS),
            (
                "contactMethods.phone",
                r#"["1","2"]"#,
                &[r#""1""#, r#""3""#],
            ),
            ("contactMethods.preferred", r#"["email","phone"]"#, &[]),
            ("customFields.notes", TEXTS, REMOTE_TEXTS),
            ("/customFields/a.b", TEXTS, REMOTE_TEXTS),
        ],
    )
});

pub(crate) static SPP: LazyLock<World> = LazyLock::new(|| {
    world(
        "spp",
        "1",
        r#"{"id":1,"role":{"id":1.0}}"#,
        &[
            "/address/line_2",
            "/address/tax_id",
            "/custom_fields/cf 1",
            "/custom_fields/cf.2",
            "/spent",
            "/note",
        ],
        &[
            ("name_f", TEXTS, REMOTE_TEXTS),
            ("email", EMAILS, REMOTE_EMAILS),
            ("phone", PHONES, REMOTE_PHONES),
            ("balance", "[10,10.5,0]", &[r#""10.00""#, "10.50", "1e1"]),
            (
                "created_at",
                r#"["2021-09-01T00:00:00Z","2022-01-01T00:00:00Z"]"#,
                &[
                    r#""2021-09-01T00:00:00+00:00""#,
                    r#""2021-09-01T02:00:00+02:00""#,
                ],
            ),
            ("status_id", NUMBERS, REMOTE_NUMBERS),
            ("employee_id", IDS, REMOTE_IDS),
            ("address.line_1", TEXTS, REMOTE_TEXTS),
            ("address.city", TEXTS, REMOTE_TEXTS),
            ("address.postcode", TEXTS, REMOTE_TEXTS),
            ("custom_fields.tier", TEXTS, REMOTE_TEXTS),
            ("/custom_fields/a.b", TEXTS, REMOTE_TEXTS),
        ],
    )
});

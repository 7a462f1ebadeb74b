//! The serde mirror of `provider.toml`; nothing else.
//!
//! The vocabulary is closed: enums, JSON Pointers and `{name}` substitution.
//! There is no condition, template or hook in it, and a key that is not here
//! is an error. What a manifest means is decided when the provider is made.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::rule::NamedCheck;
use crate::core::{Method, Pointer};

/// The version of the manifest format.
pub const MANIFEST_FORMAT: u32 = 1;

/// A provider's protocol, as its file says it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`MANIFEST_FORMAT`].
    pub format: u32,
    /// The provider's name: lower-case letters, digits, `-` and `_`.
    pub name: String,
    /// A title for people.
    pub title: String,
    /// What the user may or must set.
    #[serde(default)]
    pub settings: BTreeMap<String, Setting>,
    /// How requests are authorised.
    pub auth: Auth,
    /// Headers of every request.
    #[serde(default)]
    pub request: RequestHeaders,
    /// The form of a remote id.
    pub id: Id,
    /// How a record is updated.
    pub update: Update,
    /// How a record is read by its id.
    pub read: Option<Read>,
    /// How records are listed.
    pub list: Option<List>,
    /// What an answer means.
    #[serde(default)]
    pub response: ResponseRules,
    /// Rules between members that the contract cannot say.
    #[serde(default)]
    pub check: Vec<NamedCheck>,
    /// The pace.
    pub limits: LimitsTable,
}

/// One setting of a provider.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// What it may hold.
    #[serde(rename = "type")]
    pub kind: SettingType,
    /// The values of a `one_of`.
    #[serde(default)]
    pub values: Vec<String>,
    /// What it is when the user says nothing; without it the setting is required.
    pub default: Option<String>,
    /// What it is for.
    pub help: Option<String>,
}

/// What a setting may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SettingType {
    /// An absolute https URL (http on loopback), used as it is.
    Url,
    /// A text.
    String,
    /// A whole number.
    Integer,
    /// One of `values`.
    OneOf,
}

/// How requests are authorised, with the default names of the variables that
/// hold the secrets.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// The scheme.
    pub scheme: Scheme,
    /// The header of the scheme `header`.
    pub header: Option<String>,
    /// The variable of the token.
    pub token: Option<String>,
    /// Where tokens are obtained.
    pub token_url: Option<String>,
    /// Headers of token requests.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The variable of the user name.
    pub username: Option<String>,
    /// The variable of the password.
    pub password: Option<String>,
}

/// An authorisation scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// `Authorization: Bearer TOKEN` (RFC 6750).
    Bearer,
    /// The raw token in a named header.
    Header,
    /// OAuth 2 password grant with refresh (RFC 6749 sections 4.3 and 6).
    Oauth2Password,
}

/// Headers of every request.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestHeaders {
    /// Name to value.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
}

/// The form of a remote id.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Id {
    /// Its JSON type.
    #[serde(rename = "type")]
    pub kind: IdType,
    /// For strings: what the whole id must match.
    pub pattern: Option<String>,
    /// Where it is also written in the body.
    pub body: Option<Pointer>,
}

/// The JSON type of a remote id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdType {
    /// A positive 64-bit integer.
    Integer,
    /// A string.
    String,
}

/// How a record is updated.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Update {
    /// The verb; it says nothing about what becomes of omitted members.
    pub method: UpdateMethod,
    /// The URL template.
    pub url: String,
    /// What becomes of omitted members.
    pub mode: Mode,
    /// Units that are sent complete.
    #[serde(default)]
    pub whole: Vec<Pointer>,
    /// Members that only make sense together.
    #[serde(default)]
    pub together: Vec<TogetherTable>,
    /// Whether the same update may be sent twice.
    #[serde(default)]
    pub repeatable: bool,
}

/// The verb of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum UpdateMethod {
    /// POST.
    Post,
    /// PUT.
    Put,
    /// PATCH.
    Patch,
}

impl From<UpdateMethod> for Method {
    fn from(method: UpdateMethod) -> Self {
        match method {
            UpdateMethod::Post => Self::Post,
            UpdateMethod::Put => Self::Put,
            UpdateMethod::Patch => Self::Patch,
        }
    }
}

/// What becomes of members that an update omits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// They stay.
    Merge,
    /// They are lost: the whole record is sent, built from a fresh read.
    Replace,
}

/// Members that only make sense together.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TogetherTable {
    /// The members.
    pub members: Vec<Pointer>,
    /// The condition under which the others travel.
    pub when: Option<Condition>,
}

/// A member that holds a value.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// The member.
    pub pointer: Pointer,
    /// The value.
    pub equals: Value,
}

/// How a record is read by its id.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Read {
    /// The URL template.
    pub url: String,
    /// Where the record stands in the answer.
    #[serde(default)]
    pub record: Pointer,
}

/// How records are listed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// The URL template.
    pub url: String,
    /// Query parameters of every page.
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    /// Where the records stand in a page.
    pub items: Pointer,
    /// Where the id stands in a record.
    pub id: Pointer,
    /// Members that the list does not carry.
    #[serde(default)]
    pub omits: Vec<Pointer>,
    /// How pages follow each other; without it there is one page.
    pub page: Option<Page>,
}

/// How the pages of a list follow each other.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// What the parameter counts.
    pub by: PageBy,
    /// The parameter.
    pub param: String,
    /// The parameter of the page's size.
    pub size_param: Option<String>,
    /// The page's size.
    pub size: u32,
    /// Where the number of pages stands.
    pub pages: Option<Pointer>,
    /// Where the number of records stands.
    pub total: Option<Pointer>,
    /// Where it says whether there is more.
    pub more: Option<Pointer>,
}

/// What a page parameter counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PageBy {
    /// Pages, from 1.
    Page,
    /// Records, from 0.
    Offset,
}

/// What an answer means.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResponseRules {
    /// The success test of writes.
    pub success: Option<Condition>,
    /// A status inside the body.
    pub status: Option<Pointer>,
    /// The message for people.
    pub message: Option<Pointer>,
    /// The errors by field.
    pub errors: Option<ErrorsTable>,
    /// The record that a write's answer shows.
    pub echo: Option<Echo>,
    /// Ordered rules; the first that matches decides.
    #[serde(default)]
    pub rule: Vec<Rule>,
}

/// Where an answer tells errors by field.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorsTable {
    /// Where they stand.
    pub at: Pointer,
    /// How they are laid out.
    pub shape: ErrorsShape,
    /// In an error: the provider's name of the field.
    pub field: Option<Pointer>,
    /// In an error: the message.
    pub message: Option<Pointer>,
}

/// How errors by field are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorsShape {
    /// An object of field names to messages or lists of messages.
    Map,
    /// A list of objects.
    List,
    /// One object.
    One,
}

/// The record that a write's answer shows.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Echo {
    /// Where it stands.
    #[serde(default)]
    pub record: Pointer,
    /// Members that it does not show, or not truly.
    #[serde(default)]
    pub omits: Vec<Pointer>,
}

/// One response rule: all that is given must match.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The statuses; empty for every status.
    #[serde(default)]
    pub status: Vec<u16>,
    /// A header that must be there.
    pub header: Option<String>,
    /// A member of the body that must hold a value.
    pub body: Option<Condition>,
    /// What the answer then means.
    pub then: Then,
    /// How long to wait where the answer names no time, for example `30s`.
    pub wait: Option<String>,
}

/// What an answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// The update was applied.
    Accept,
    /// It may succeed if sent again.
    Retry,
    /// The provider asks everyone to wait.
    Throttle,
    /// This record will never pass.
    Reject,
    /// No record will pass until someone acts.
    Stop,
    /// No record will pass today.
    Defer,
}

/// The pace: one table, or one per value of a setting.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsTable {
    /// The setting that chooses the variant.
    pub by: Option<String>,
    /// The quotas, where there is one table.
    pub quota: Option<Vec<Quota>>,
    /// Requests in flight, where there is one table.
    pub concurrency: Option<u32>,
    /// One table per value of the setting `by`.
    #[serde(default)]
    pub variant: BTreeMap<String, Limits>,
}

/// All windows of a provider, and how many requests may be in flight.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// The windows; all hold at once.
    pub quota: Vec<Quota>,
    /// Requests in flight at once.
    pub concurrency: u32,
}

/// One window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// Requests that the window admits.
    pub calls: u32,
    /// The window.
    pub per: Window,
    /// Whether reads are free in it.
    #[serde(default)]
    pub writes_only: bool,
}

/// The length of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// A second.
    Second,
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A UTC day.
    Day,
}

impl Window {
    /// The window in seconds.
    #[must_use]
    pub fn seconds(self) -> u64 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3600,
            Self::Day => 86_400,
        }
    }
}

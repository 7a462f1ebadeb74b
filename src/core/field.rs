//! A field: one leaf of the field view, and all that the core must know of it.
//!
//! Fields are made by the contract; nothing here reads a schema.

use super::compare::Compare;
use super::path::FieldPath;

/// A mappable leaf of a provider's record.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its path in the field view, by its write name.
    pub path: FieldPath,
    /// Where it stands on the wire.
    pub place: Place,
    /// How two values are compared.
    pub compare: Compare,
    /// Where the read record holds it, if not at the place it is written to.
    pub read_as: Option<ReadAs>,
    /// What an empty value becomes when the mapping asks to clear the field.
    pub clear: Clear,
    /// How the field may travel.
    pub access: Access,
    /// Whether its values are hidden everywhere and stored as digests.
    pub visibility: Visibility,
}

/// Where a field stands on the wire. Paths are member names from the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A member of nested objects.
    Member(Vec<String>),
    /// The value of one entry of a keyed list (`x-list`).
    Entry {
        /// The list.
        list: KeyedList,
        /// The value of the key member that the field addresses.
        key: String,
    },
    /// The key of the one flagged entry of a keyed list.
    Flag {
        /// The list.
        list: KeyedList,
        /// The boolean member that is true in the one flagged entry.
        member: String,
    },
}

/// A list of objects that the view shows as a map (`x-list`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyedList {
    /// The list's members from the root.
    pub at: Vec<String>,
    /// The member of an entry that holds its key.
    pub key: String,
    /// The member of an entry that holds its value.
    pub value: String,
    /// How two values of entries are compared.
    pub compare: Compare,
    /// The member that flags the one chosen entry, where the list has one.
    pub flag: Option<String>,
}

/// The tokens of an `x-read-as` pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadAs(pub Vec<ReadToken>);

/// One token of an `x-read-as` pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadToken {
    /// A member name.
    Member(String),
    /// `*`: every item of a list.
    Each,
}

/// How a field is cleared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clear {
    /// The type allows null: null is sent.
    Null,
    /// `x-clear: remove`: the member or the entry is left out of its unit.
    Remove,
    /// Nobody documents how: a mapping that asks for it is refused.
    Unsupported,
}

/// How a field may travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Written and read.
    ReadWrite,
    /// Sent only when itself changed, never carried along, never verified.
    WriteOnly,
    /// Compared with what is known, never sent (`x-immutable`).
    Immutable,
    /// Never mapped and never sent.
    ReadOnly,
}

/// Whether values may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visibility {
    /// In reports and plans.
    Shown,
    /// Nowhere (`x-sensitive`).
    Sensitive,
}

impl Place {
    /// The members of the wire object or list that holds the field.
    #[must_use]
    pub fn members(&self) -> &[String] {
        match self {
            Self::Member(members) => members,
            Self::Entry { list, .. } | Self::Flag { list, .. } => &list.at,
        }
    }
}

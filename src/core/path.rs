//! Field paths: a list of member names in the field view.
//!
//! A path never names an array index or a wire pointer; what it means on the
//! wire is known to [`crate::core::view`] alone.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, Serializer};
use thiserror::Error;

/// A list of member names, for example `personDetails.firstName`.
///
/// The text form separates members by dots; a text that begins with `/` is a
/// JSON Pointer (RFC 6901) and serves names that hold dots.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldPath(Vec<String>);

/// Why a text is not a field path.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum PathError {
    /// There is no member name at all.
    #[error("a field path is empty")]
    Empty,
    /// Two separators stand side by side, or one stands at an end.
    #[error("a member name in `{0}` is empty")]
    EmptyMember(String),
}

impl FieldPath {
    /// A path of these members; callers pass at least one.
    #[must_use]
    pub fn new(members: Vec<String>) -> Self {
        Self(members)
    }

    /// Parses the text form: dots, or a JSON Pointer when it begins with `/`.
    ///
    /// ```
    /// use clientsync::core::FieldPath;
    /// let path = FieldPath::parse("/metadata/a.b").unwrap();
    /// assert_eq!(path.members(), ["metadata", "a.b"]);
    /// assert_eq!(path.to_string(), "/metadata/a.b");
    /// ```
    pub fn parse(text: &str) -> Result<Self, PathError> {
        if text.is_empty() {
            return Err(PathError::Empty);
        }
        let members = match text.strip_prefix('/') {
            Some(pointer) => pointer
                .split('/')
                .map(|m| m.replace("~1", "/").replace("~0", "~"))
                .collect(),
            None => text.split('.').map(str::to_owned).collect::<Vec<String>>(),
        };
        if members.iter().any(String::is_empty) {
            return Err(PathError::EmptyMember(text.to_owned()));
        }
        Ok(Self(members))
    }

    /// The member names, outermost first.
    #[must_use]
    pub fn members(&self) -> &[String] {
        &self.0
    }

    /// Whether this path lies at or below the given members.
    #[must_use]
    pub fn starts_with(&self, members: &[String]) -> bool {
        self.0.starts_with(members)
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dotted = self.0.iter().all(|m| !m.contains('.')) && !self.0[0].starts_with('/');
        if dotted {
            return f.write_str(&self.0.join("."));
        }
        for member in &self.0 {
            write!(f, "/{}", member.replace('~', "~0").replace('/', "~1"))?;
        }
        Ok(())
    }
}

impl Serialize for FieldPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for FieldPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// A JSON Pointer (RFC 6901) as its reference tokens; the empty list is the
/// whole document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pointer(Vec<String>);

impl Pointer {
    /// Parses `""` or `/a/b`; anything else is an error.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let Some(rest) = text.strip_prefix('/') else {
            return Err(PathError::EmptyMember(text.to_owned()));
        };
        Ok(Self(
            rest.split('/')
                .map(|m| m.replace("~1", "/").replace("~0", "~"))
                .collect(),
        ))
    }

    /// A pointer of these tokens.
    #[must_use]
    pub fn new(tokens: Vec<String>) -> Self {
        Self(tokens)
    }

    /// The reference tokens, outermost first.
    #[must_use]
    pub fn tokens(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|t| write!(f, "/{}", t.replace('~', "~0").replace('/', "~1")))
    }
}

impl<'de> Deserialize<'de> for Pointer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(|_| {
            D::Error::custom(format!(
                "`{text}` is not a JSON Pointer: it is empty or begins with `/`"
            ))
        })
    }
}

impl Serialize for Pointer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_forms_round_trip() {
        for text in [
            "email",
            "personDetails.firstName",
            "/metadata/a.b",
            "/a~1b/c.d",
        ] {
            assert_eq!(FieldPath::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn empty_members_are_refused() {
        for text in ["", "a..b", ".a", "a.", "/a//b", "/"] {
            assert!(FieldPath::parse(text).is_err(), "{text}");
        }
    }
}

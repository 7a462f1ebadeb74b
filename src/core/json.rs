//! A JSON tree whose scalars keep the text they were read with.
//!
//! What a person or another system stored at a provider goes back exactly as
//! it came: a generic JSON value would turn `1.10` into `1.1`, `993.0` into
//! another number, and a 23-digit integer into a float. It must never reformat
//! a scalar, and it must never be built deeper than [`MAX_DEPTH`].

use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;
use thiserror::Error;

use super::path::Pointer;

/// How deeply objects and arrays may nest before a text is refused.
pub const MAX_DEPTH: usize = 64;

/// A JSON value: objects keep their order, scalars their text.
#[derive(Clone, PartialEq, Eq)]
pub enum Json {
    /// A string, number, boolean or null, as valid JSON text.
    Scalar(Box<RawText>),
    /// An array.
    Array(Vec<Json>),
    /// An object in the order of its text; a repeated name keeps the last value.
    Object(Vec<(String, Json)>),
}

/// The JSON text of one scalar.
#[derive(Clone, PartialEq, Eq)]
pub struct RawText(String);

/// Why a text is not a JSON tree of ours.
#[derive(Debug, Error)]
pub enum JsonError {
    /// It is not JSON (the place is kept, the text is not).
    #[error("not JSON: line {line}, column {column}")]
    Syntax {
        /// The line of the text, from 1.
        line: usize,
        /// The column of the text, from 1.
        column: usize,
    },
    /// It nests deeper than [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
}

impl Json {
    /// The JSON null.
    #[must_use]
    pub fn null() -> Self {
        Self::from_value(&Value::Null)
    }

    /// An empty object.
    #[must_use]
    pub fn object() -> Self {
        Self::Object(Vec::new())
    }

    /// Parses a text.
    pub fn parse(text: &[u8]) -> Result<Self, JsonError> {
        let raw: &RawValue = serde_json::from_slice(text).map_err(|e| JsonError::Syntax {
            line: e.line(),
            column: e.column(),
        })?;
        Self::from_raw(raw, 0)
    }

    fn from_raw(raw: &RawValue, depth: usize) -> Result<Self, JsonError> {
        let text = raw.get();
        let syntax = |e: serde_json::Error| JsonError::Syntax {
            line: e.line(),
            column: e.column(),
        };
        if depth > MAX_DEPTH {
            return Err(JsonError::TooDeep);
        }
        match text.as_bytes().first() {
            Some(b'{') => {
                let Members(members) = serde_json::from_str(text).map_err(syntax)?;
                let mut places: HashMap<String, usize> = HashMap::new();
                let mut object: Vec<(String, Self)> = Vec::with_capacity(members.len());
                for (name, member) in members {
                    let member = Self::from_raw(member, depth + 1)?;
                    if let Some(place) = places.get(&name) {
                        object[*place].1 = member;
                    } else {
                        places.insert(name.clone(), object.len());
                        object.push((name, member));
                    }
                }
                Ok(Self::Object(object))
            }
            Some(b'[') => {
                let items: Vec<&RawValue> = serde_json::from_str(text).map_err(syntax)?;
                items
                    .into_iter()
                    .map(|item| Self::from_raw(item, depth + 1))
                    .collect::<Result<_, _>>()
                    .map(Self::Array)
            }
            _ => Ok(Self::Scalar(Box::new(RawText(text.to_owned())))),
        }
    }

    /// The tree of a generic value.
    #[must_use]
    pub fn from_value(value: &Value) -> Self {
        match value {
            Value::Array(items) => Self::Array(items.iter().map(Self::from_value).collect()),
            Value::Object(members) => Self::Object(
                members
                    .iter()
                    .map(|(name, member)| (name.clone(), Self::from_value(member)))
                    .collect(),
            ),
            scalar => Self::Scalar(Box::new(RawText(scalar.to_string()))),
        }
    }

    /// The generic value; numbers beyond 64 bits lose precision here, so it
    /// serves comparison and validation, never sending.
    #[must_use]
    pub fn to_value(&self) -> Value {
        match self {
            Self::Scalar(text) => serde_json::from_str(&text.0).unwrap_or(Value::Null),
            Self::Array(items) => Value::Array(items.iter().map(Self::to_value).collect()),
            Self::Object(members) => Value::Object(
                members
                    .iter()
                    .map(|(name, member)| (name.clone(), member.to_value()))
                    .collect(),
            ),
        }
    }

    /// The JSON text, compact, members in order, scalars as they were read.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        text
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Scalar(text) => out.push_str(&text.0),
            Self::Array(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (index, (name, member)) in members.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    out.push_str(&Value::from(name.as_str()).to_string());
                    out.push(':');
                    member.write(out);
                }
                out.push('}');
            }
        }
    }

    /// Whether it is the scalar null.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Scalar(text) if text.0 == "null")
    }

    /// The member of an object.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members
                .iter()
                .find(|(n, _)| n == name)
                .map(|(_, member)| member),
            _ => None,
        }
    }

    /// The member of an object, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Self> {
        match self {
            Self::Object(members) => members
                .iter_mut()
                .find(|(n, _)| n == name)
                .map(|(_, member)| member),
            _ => None,
        }
    }

    /// Sets a member: in its place where it exists, else at the end. A value
    /// that is not an object becomes one.
    pub fn set(&mut self, name: &str, value: Self) {
        if let Some(member) = self.get_mut(name) {
            *member = value;
            return;
        }
        match self {
            Self::Object(members) => members.push((name.to_owned(), value)),
            other => *other = Self::Object(vec![(name.to_owned(), value)]),
        }
    }

    /// Removes a member of an object.
    pub fn remove(&mut self, name: &str) -> Option<Self> {
        match self {
            Self::Object(members) => {
                let index = members.iter().position(|(n, _)| n == name)?;
                Some(members.remove(index).1)
            }
            _ => None,
        }
    }

    /// What stands at a path of member names (objects only).
    #[must_use]
    pub fn at(&self, members: &[String]) -> Option<&Self> {
        members.iter().try_fold(self, |json, name| json.get(name))
    }

    /// Sets what stands at a path of member names, making objects on the way.
    pub fn set_at(&mut self, members: &[String], value: Self) {
        match members {
            [] => *self = value,
            [name] => self.set(name, value),
            [name, rest @ ..] => {
                if self
                    .get(name)
                    .is_none_or(|member| !matches!(member, Self::Object(_)))
                {
                    self.set(name, Self::object());
                }
                if let Some(member) = self.get_mut(name) {
                    member.set_at(rest, value);
                }
            }
        }
    }

    /// What stands at a JSON Pointer, array indices included.
    #[must_use]
    pub fn pointer(&self, pointer: &Pointer) -> Option<&Self> {
        pointer
            .tokens()
            .iter()
            .try_fold(self, |json, token| match json {
                Self::Array(items) => items.get(token.parse::<usize>().ok()?),
                other => other.get(token),
            })
    }
}

impl fmt::Debug for Json {
    /// Prints the shape only: a record is personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scalar(_) => f.write_str("_"),
            Self::Array(items) => f.debug_list().entries(items).finish(),
            Self::Object(members) => f
                .debug_map()
                .entries(members.iter().map(|(n, m)| (n, m)))
                .finish(),
        }
    }
}

impl fmt::Debug for RawText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("_")
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Scalar(text) => {
                match <&RawValue>::deserialize(&mut serde_json::Deserializer::from_str(&text.0)) {
                    Ok(raw) => raw.serialize(serializer),
                    Err(_) => serializer.serialize_unit(),
                }
            }
            Self::Array(items) => {
                let mut seq = serializer.serialize_seq(Some(items.len()))?;
                items
                    .iter()
                    .try_for_each(|item| seq.serialize_element(item))?;
                seq.end()
            }
            Self::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                members
                    .iter()
                    .try_for_each(|(name, member)| map.serialize_entry(name, member))?;
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    /// Reads from JSON text only (it needs the raw text of scalars).
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Self::from_raw(&raw, 0).map_err(D::Error::custom)
    }
}

/// The members of an object, in order, unparsed.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Vec<(String, &'de RawValue)>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    members.push(entry);
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(InOrder).map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_keep_their_text() {
        let text = r#"{"a":1.10,"b":[993.0,12345678901234567890123,1e5],"c":"é","d":{"e":null}}"#;
        let json = Json::parse(text.as_bytes()).unwrap();
        assert_eq!(json.to_text(), text);
        assert_eq!(serde_json::to_string(&json).unwrap(), text);
        assert_eq!(serde_json::from_str::<Json>(text).unwrap(), json);
    }

    #[test]
    fn a_member_is_replaced_in_its_place() {
        let mut json = Json::parse(br#"{"a":1,"b":2}"#).unwrap();
        json.set("a", Json::null());
        json.set_at(&["c".into(), "d".into()], Json::object());
        assert_eq!(json.to_text(), r#"{"a":null,"b":2,"c":{"d":{}}}"#);
    }

    #[test]
    fn deep_nesting_is_refused() {
        let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
        assert!(matches!(
            Json::parse(deep.as_bytes()),
            Err(JsonError::TooDeep)
        ));
        let hostile = "[".repeat(100_000);
        assert!(Json::parse(hostile.as_bytes()).is_err());
    }

    #[test]
    fn debug_shows_no_value() {
        let json = Json::parse(br#"{"name":"Ann Person"}"#).unwrap();
        assert!(!format!("{json:?}").contains("Ann"));
    }
}

//! A JSON parser that refuses repeated keys.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Parses a document.
pub(crate) fn parse(text: &str) -> Result<Value, String> {
    serde_json::from_str::<Strict>(text).map(|strict| strict.0).map_err(|err| err.to_string())
}

/// Parses an object and keeps the order of its members.
pub(crate) fn members(text: &str) -> Result<Vec<(String, Value)>, String> {
    serde_json::from_str::<Members>(text).map(|members| members.0).map_err(|err| err.to_string())
}

struct Strict(Value);

struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Strict)
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor).map(Members)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without repeated keys")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(value)) = access.next_element()? {
            list.push(value);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<Value, A::Error> {
        Ok(Value::Object(MembersVisitor.visit_map(access)?.into_iter().collect::<Map<_, _>>()))
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Vec<(String, Value)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object without repeated keys")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::<(String, Value)>::new();
        while let Some((key, Strict(value))) = access.next_entry::<String, Strict>()? {
            if members.iter().any(|(known, _)| *known == key) {
                return Err(A::Error::custom(format!("the key {key:?} is repeated")));
            }
            members.push((key, value));
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{members, parse};

    #[test]
    fn repeated_keys_are_refused_at_any_depth() {
        assert_eq!(
            parse(r#"{"a": [1, -2, 0.5, null, true, "x"]}"#),
            Ok(json!({"a": [1, -2, 0.5, null, true, "x"]}))
        );
        for text in [r#"{"a": 1, "a": 1}"#, r#"[{"b": {"a": 1, "a": 2}}]"#, r#"{"a": 1, "\u0061": 2}"#] {
            assert!(parse(text).expect_err(text).contains("repeated"), "{text}");
        }
    }

    #[test]
    fn nothing_may_follow_and_control_characters_are_refused() {
        assert!(parse("{} {}").is_err());
        assert!(parse("\"a\tb\"").is_err());
    }

    #[test]
    fn members_keep_their_order() {
        let keys =
            |text| members(text).map(|members| members.into_iter().map(|(key, _)| key).collect::<Vec<_>>());
        assert_eq!(
            keys(r#"{"ts": 1, "level": {"z": 1, "a": 2}, "b": 3}"#),
            Ok(vec!["ts".into(), "level".into(), "b".into()])
        );
        assert!(keys(r#"{"ts": 1, "ts": 2}"#).is_err());
        assert!(keys("[]").is_err());
    }
}

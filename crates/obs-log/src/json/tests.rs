//! Whole lines, read back by serde_json and by a reader that refuses repeated keys.

use super::*;
use crate::json::cache::keys::is_reserved;
use crate::limits::MAX_EXACT_INTEGER;
use proptest::prelude::*;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;

const MOMENT: i64 = 1_779_783_262_281_000_000;

fn redactor() -> Redactor {
    Redactor::new(&["password".to_owned()])
}

pub(super) fn encode_with(
    encoder: &mut Encoder,
    message: fmt::Arguments<'_>,
    fields: &[(&str, Value<'_>)],
) -> Option<String> {
    let mut record = Record::builder();
    record.level(Level::Info).target("hearthnet::bus").key_values(&fields);
    let line = encoder.encode(MOMENT, &record.args(message).build(), &redactor())?;
    Some(String::from_utf8(line.to_vec()).expect("a line is UTF-8"))
}

pub(super) fn line(message: &str, fields: &[(&str, Value<'_>)]) -> String {
    encode_with(&mut Encoder::default(), format_args!("{message}"), fields).expect("the line fits")
}

/// Returns the fields behind the fixed keys as text.
pub(super) fn fields(fields: &[(&str, Value<'_>)]) -> String {
    let line = line("m", fields);
    let read: Strict = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
    assert!(matches!(read, Strict::Object(_)));
    let start = line.find("\"msg\":\"m\"").unwrap() + 9;
    line[start..].trim_end_matches("}\n").to_owned()
}

/// JSON that must not repeat a key at any depth.
#[derive(Debug, PartialEq)]
enum Strict {
    Leaf,
    Array(Vec<Strict>),
    Object(BTreeMap<String, Strict>),
}

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Strict, D::Error> {
        deserializer.deserialize_any(StrictVisitor)
    }
}

struct StrictVisitor;

macro_rules! leaves {
    ($($method:ident: $type:ty),*) => {$(
        fn $method<E>(self, _: $type) -> Result<Strict, E> { Ok(Strict::Leaf) }
    )*};
}

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Strict;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without repeated keys")
    }

    leaves!(visit_bool: bool, visit_u64: u64, visit_i64: i64, visit_f64: f64, visit_str: &str);

    fn visit_unit<E>(self) -> Result<Strict, E> {
        Ok(Strict::Leaf)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Strict, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Strict::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Strict, A::Error> {
        let mut object = BTreeMap::new();
        while let Some((key, value)) = map.next_entry::<String, Strict>()? {
            if object.insert(key.clone(), value).is_some() {
                return Err(de::Error::custom(format!("`{key}` is repeated")));
            }
        }
        Ok(Strict::Object(object))
    }
}

#[test]
fn a_line_has_the_keys_in_the_specified_order() {
    let fields = [("capability", "llm.chat".into()), ("to", "7H4G".into()), ("ms", 12.into())];
    assert_eq!(
        line("routed", &fields),
        "{\"ts\":\"2026-05-26T08:14:22.281Z\",\"level\":\"info\",\"logger\":\"hearthnet.bus\",\"msg\":\"routed\",\
         \"capability\":\"llm.chat\",\"to\":\"7H4G\",\"ms\":12}\n"
    );
}

/// Value whose `Display` writes something and then panics.
pub(super) struct Panics;

impl fmt::Display for Panics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("half a \"text")?;
        panic!("on purpose")
    }
}

/// Source that gives two fields and then panics, within a third or between them.
struct BadSource {
    in_a_value: bool,
}

impl log::kv::Source for BadSource {
    fn visit<'kvs>(&'kvs self, visitor: &mut dyn log::kv::VisitSource<'kvs>) -> Result<(), log::kv::Error> {
        visitor.visit_pair(log::kv::Key::from_str("a"), Value::from(1))?;
        if self.in_a_value {
            visitor.visit_pair(log::kv::Key::from_str("b"), Value::from_display(&Panics))?;
        }
        visitor.visit_pair(log::kv::Key::from_str("c"), Value::from(3))?;
        panic!("on purpose")
    }
}

#[test]
fn a_panic_in_the_source_of_the_fields_gives_one_clean_line() {
    let mut encoder = Encoder::default();
    let mut encode = |source: &dyn log::kv::Source| {
        let mut record = Record::builder();
        let record =
            record.level(Level::Info).target("t").args(format_args!("m")).key_values(&source).build();
        String::from_utf8(encoder.encode(0, &record, &redactor()).unwrap().to_vec()).unwrap()
    };
    let start = "{\"ts\":\"1970-01-01T00:00:00.000Z\",\"level\":\"info\",\"logger\":\"t\",\"msg\":\"m\"";
    for _ in 0..2 {
        assert_eq!(encode(&BadSource { in_a_value: false }), format!("{start},\"a\":1,\"c\":3}}\n"));
        let placeholder = ",\"b\":\"[panicked while formatting]\"";
        let expected = format!("{start},\"a\":1{placeholder},\"c\":3}}\n");
        assert_eq!(encode(&BadSource { in_a_value: true }), expected);
        assert_eq!(encode(&[("next", 1)]), format!("{start},\"next\":1}}\n"));
    }
}

/// Any value that a caller can log.
#[derive(Clone, Debug)]
enum Given {
    Text(String),
    Shown(String),
    Whole(i64),
    Real(f64),
    Tree(serde_json::Value),
}

impl Given {
    fn value(&self) -> Value<'_> {
        match self {
            Given::Text(text) => text.as_str().into(),
            Given::Shown(text) => Value::from_display(text),
            Given::Whole(number) => (*number).into(),
            Given::Real(number) => (*number).into(),
            Given::Tree(tree) => Value::from_serde(tree),
        }
    }

    fn expected(&self) -> serde_json::Value {
        match self {
            Given::Text(text) | Given::Shown(text) => text.clone().into(),
            Given::Whole(number) if number.unsigned_abs() > MAX_EXACT_INTEGER => number.to_string().into(),
            Given::Whole(number) => (*number).into(),
            Given::Real(number) if number.is_nan() => "NaN".into(),
            Given::Real(number) if number.is_infinite() => {
                if *number > 0.0 { "Infinity" } else { "-Infinity" }.into()
            }
            Given::Real(number) => (*number).into(),
            Given::Tree(tree) => tree.clone(),
        }
    }
}

fn any_given() -> impl Strategy<Value = Given> {
    let leaf = prop_oneof![
        any::<String>().prop_map(Into::into),
        any::<i32>().prop_map(Into::into),
        Just(serde_json::Value::Null)
    ];
    let tree = leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..4)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    });
    prop_oneof![
        any::<String>().prop_map(Given::Text),
        any::<String>().prop_map(Given::Shown),
        any::<i64>().prop_map(Given::Whole),
        any::<f64>().prop_map(Given::Real),
        tree.prop_map(Given::Tree),
    ]
}

fn any_key() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[a-c]",
        prop::sample::select(vec!["ts", "level", "msg", "trace_id", "field_ts", "r#type", ""])
            .prop_map(str::to_owned),
    ]
}

proptest! {
    #[test]
    fn any_line_reads_back_as_it_was_given(
        message in any::<String>(),
        given in prop::collection::vec((any_key(), any_given()), 0..6),
    ) {
        let fields: Vec<_> = given.iter().map(|(key, given)| (key.as_str(), given.value())).collect();
        let line = line(&message, &fields);
        prop_assert!(line.ends_with('\n') && !line[..line.len() - 1].contains(char::is_control), "{:?}", line);
        let strict = serde_json::from_str::<Strict>(&line);
        prop_assert!(strict.is_ok(), "{:?}: {}", strict, line);
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        prop_assert_eq!(&read["msg"], &serde_json::Value::from(message));
        let mut expected = BTreeMap::new();
        for (key, given) in &given {
            let key = key.strip_prefix("r#").unwrap_or(key);
            let key = if is_reserved(key) { format!("field_{key}") } else { key.to_owned() };
            if !redactor().hides(&key) {
                expected.insert(key, given.expected());
            }
        }
        prop_assert_eq!(read.as_object().unwrap().len(), 4 + expected.len());
        for (key, value) in expected {
            prop_assert_eq!(&read[&key], &value, "{}", key);
        }
    }
}

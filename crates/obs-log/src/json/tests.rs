//! Lines against serde_json and against a reader that refuses repeated keys.

use super::*;
use crate::json::cache::keys::is_reserved;
use proptest::prelude::*;
use serde::Serialize;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;

const MOMENT: i64 = 1_779_783_262_281_000_000;

fn redactor() -> Redactor {
    Redactor::new(&["password".to_owned()])
}

fn encode_with(
    encoder: &mut Encoder,
    message: fmt::Arguments<'_>,
    fields: &[(&str, Value<'_>)],
) -> Option<String> {
    let mut record = Record::builder();
    record.level(Level::Info).target("hearthnet::bus").key_values(&fields);
    let line = encoder.encode(MOMENT, &record.args(message).build(), &redactor())?;
    Some(String::from_utf8(line.to_vec()).expect("a line is UTF-8"))
}

fn line(message: &str, fields: &[(&str, Value<'_>)]) -> String {
    encode_with(&mut Encoder::default(), format_args!("{message}"), fields).expect("the line fits")
}

/// The fields behind the fixed keys, as text.
fn fields(fields: &[(&str, Value<'_>)]) -> String {
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
fn l2_the_line_of_the_specification() {
    let fields = [("capability", "llm.chat".into()), ("to", "7H4G".into()), ("ms", 12.into())];
    assert_eq!(
        line("routed", &fields),
        "{\"ts\":\"2026-05-26T08:14:22.281Z\",\"level\":\"info\",\"logger\":\"hearthnet.bus\",\"msg\":\"routed\",\
         \"capability\":\"llm.chat\",\"to\":\"7H4G\",\"ms\":12}\n"
    );
}

#[test]
fn l2_values_keep_their_kind() {
    let cases: [(Value<'_>, &str); 20] = [
        (true.into(), "true"),
        (().to_value(), "null"),
        (None::<u8>.to_value(), "null"),
        ('x'.into(), "\"x\""),
        (12_u64.into(), "12"),
        ((-3_i64).into(), "-3"),
        ((1_u64 << 53).into(), "9007199254740992"),
        (((1_u64 << 53) + 1).into(), "\"9007199254740993\""),
        (i64::MIN.into(), "\"-9223372036854775808\""),
        (Value::from(&u128::MAX), "\"340282366920938463463374607431768211455\""),
        (Value::from(&5_i128), "5"),
        (0.1.into(), "0.1"),
        (12.0.into(), "12.0"),
        ((-0.0).into(), "-0.0"),
        (1e300.into(), "1e+300"),
        (f64::NAN.into(), "\"NaN\""),
        (f64::INFINITY.into(), "\"Infinity\""),
        (f64::NEG_INFINITY.into(), "\"-Infinity\""),
        (Value::from_debug(&Some("a\"b")), "\"Some(\\\"a\\\\\\\"b\\\")\""),
        (Value::from_display(&"a\u{9b}\n"), "\"a\\u009b\\n\""),
    ];
    for (value, expected) in cases {
        assert_eq!(fields(&[("v", value)]), format!(",\"v\":{expected}"));
    }
}

use log::kv::ToValue;

/// L2.
#[test]
fn pain_07_key_collisions_leave_no_repeated_key() {
    let one = Value::from(1);
    let reserved: Vec<_> = ["ts", "level", "logger", "msg", "trace_id", "field_ts", "field_", "r#type"]
        .map(|key| (key, one.clone()))
        .to_vec();
    assert_eq!(
        fields(&reserved),
        ",\"field_ts\":1,\"field_level\":1,\"field_logger\":1,\"field_msg\":1,\"field_trace_id\":1,\
         \"field_field_ts\":1,\"field_\":1,\"type\":1"
    );
}

#[test]
fn l2_a_repeated_field_keeps_the_last() {
    let repeated =
        [("a", 1.into()), ("b", 2.into()), ("a", "three".into()), ("c", 4.into()), ("b", 5.into())];
    assert_eq!(fields(&repeated), ",\"a\":\"three\",\"c\":4,\"b\":5");
}

#[derive(Serialize)]
struct Nested2 {
    name: &'static str,
    big: u64,
    password: Vec<u8>,
    inner: BTreeMap<u64, f32>,
}

#[test]
fn l2_nested_values_stay_objects_and_follow_the_same_rules() {
    let value = Nested2 {
        name: "q\"\u{7f}\u{9b}\n",
        big: u64::MAX,
        password: vec![1, 2],
        inner: BTreeMap::from([(1 << 60, 0.1)]),
    };
    assert_eq!(
        fields(&[("n", Value::from_serde(&value))]),
        ",\"n\":{\"name\":\"q\\\"\\u007f\\u009b\\n\",\"big\":\"18446744073709551615\",\"password\":\"[redacted]\",\
         \"inner\":{\"1152921504606846976\":0.1}}"
    );
}

/// A map that gives a key twice, as `#[serde(flatten)]` can.
struct Twice;

impl Serialize for Twice {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map([("k", 1), ("other", 2), ("k", 3)])
    }
}

struct Fails;

impl Serialize for Fails {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::{Error, SerializeMap};
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("half", "way")?;
        Err(S::Error::custom("no \"more\""))
    }
}

#[test]
fn l2_nested_values_that_repeat_keys_or_fail() {
    let (twice, list) = (Twice, [Twice, Twice]);
    assert_eq!(fields(&[("v", Value::from_serde(&twice))]), ",\"v\":{\"k\":3,\"other\":2}");
    assert_eq!(
        fields(&[("v", Value::from_serde(&list))]),
        ",\"v\":[{\"k\":3,\"other\":2},{\"k\":3,\"other\":2}]"
    );
    assert_eq!(
        fields(&[("v", Value::from_serde(&Fails))]),
        ",\"v\":\"[not serialisable: `serde` serialization failed: no \\\"more\\\"]\""
    );
}

#[test]
fn l12_hidden_names_and_secrets() {
    let secret = crate::Secret::new("hunter2");
    let all = [("password", 1.into()), ("PassWord", "x".into()), ("key", secret.to_value())];
    assert_eq!(
        fields(&all),
        ",\"password\":\"[redacted]\",\"PassWord\":\"[redacted]\",\"key\":\"[redacted]\""
    );
    let nested = BTreeMap::from([("key", &secret)]);
    assert_eq!(fields(&[("v", Value::from_serde(&nested))]), ",\"v\":{\"key\":\"[redacted]\"}");
}

struct Panics;

impl fmt::Display for Panics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("half a \"text")?;
        panic!("on purpose")
    }
}

#[test]
fn l7_a_panic_or_an_error_in_a_display_gives_one_clean_line() {
    struct Refuses;
    impl fmt::Display for Refuses {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("begun")?;
            Err(fmt::Error)
        }
    }
    let mut encoder = Encoder::default();
    let line = encode_with(
        &mut encoder,
        format_args!("{Panics}"),
        &[("v", Value::from_display(&Panics)), ("n", 1.into())],
    );
    let line: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
    assert_eq!(line["msg"], "half a \"text[panicked while formatting]");
    assert_eq!(line["v"], "[panicked while formatting]");
    assert_eq!(line["n"], 1);
    let line = encode_with(&mut encoder, format_args!("{Refuses}"), &[("n", 2.into())]).unwrap();
    assert!(line.ends_with("\"msg\":\"begun\",\"n\":2}\n"), "{line}");
}

/// A source of fields that gives two and then panics, in the middle of a third or between them.
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
fn l7_a_panic_in_the_source_of_the_fields_gives_one_clean_line() {
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

#[test]
fn a_line_that_is_too_long_is_cut_in_its_longest_values() {
    let long = "\u{1}ü\\\"".repeat(MAX_LINE_BYTES);
    let list = vec!["x"; MAX_LINE_BYTES];
    let all = [("short", "kept".into()), ("long", long.as_str().into()), ("list", Value::from_serde(&list))];
    let line = line(&long, &all);
    assert!(line.len() <= MAX_LINE_BYTES && line.len() > MAX_LINE_BYTES / 2, "{}", line.len());
    let read: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(read["short"], "kept");
    assert!(read["long"].as_str().unwrap().ends_with(" bytes cut]"));
    assert!(read["msg"].as_str().unwrap().starts_with("\u{1}ü\\\""));
    assert_eq!(read["list"], format!("[{} bytes of JSON left out]", 4 * MAX_LINE_BYTES + 1));
}

#[test]
fn a_line_that_cannot_be_cut_is_refused() {
    let key = "k".repeat(MAX_LINE_BYTES);
    assert_eq!(encode_with(&mut Encoder::default(), format_args!("m"), &[(&key, 1.into())]), None);
}

/// Any value that a caller can give.
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
            Given::Whole(number) if number.unsigned_abs() > EXACT => number.to_string().into(),
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
    fn l2_any_line_reads_back_as_what_was_given(
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

/// L7: what finds a repeated name must not cost the square of the number of names.
#[test]
fn l7_many_fields_are_not_each_compared_with_all_others() {
    const NAMES: usize = 12_000;
    let names: Vec<_> = (0..NAMES).map(|at| format!("{at:x}")).collect();
    let twice =
        [0, 1].map(|round| names.iter().map(move |name| (name.as_str(), Value::from(round)))).into_iter();
    let fields: Vec<_> = twice.flatten().collect();
    let mut encoder = Encoder::default();
    let line = encode_with(&mut encoder, format_args!("m"), &fields).expect("each counts once");
    let start = line.find(",\"0\":").unwrap();
    let expected: Vec<_> = names.iter().map(|name| format!(",\"{name}\":1")).collect();
    assert_eq!(line[start..], expected.concat() + "}\n");
    let compared = encoder.places.compared.get();
    assert!(compared < 3 * NAMES, "{compared} comparisons");
}

/// L2: few or many, with some of them repeated in any order.
#[test]
fn l2_of_each_name_the_last_counts_however_many_there_are() {
    for names in [1, 5, 31, 32, 33, 64, 100, 1_000] {
        let names: Vec<_> = (0..names).map(|at| format!("n{at}")).collect();
        let given: Vec<_> =
            (0..3 * names.len()).map(|at| (names[at * at % names.len()].as_str(), at)).collect();
        let shown: Vec<_> = given.iter().map(|(name, at)| (*name, Value::from(*at))).collect();
        let is_last = |at: usize| given[at + 1..].iter().all(|(name, _)| *name != given[at].0);
        let lasts = (0..given.len()).filter(|at| is_last(*at));
        let expected: Vec<_> = lasts.map(|at| format!(",\"{}\":{}", given[at].0, given[at].1)).collect();
        assert_eq!(fields(&shown), expected.concat());
    }
}

/// L7: a source is left when no line can hold what it gives, whatever else it has.
#[test]
fn l7_more_fields_than_a_line_can_hold_are_not_asked_for() {
    struct Many(Vec<String>, std::cell::Cell<usize>);
    impl kv::Source for Many {
        fn visit<'kvs>(&'kvs self, visitor: &mut dyn VisitSource<'kvs>) -> Result<(), kv::Error> {
            self.0.iter().try_for_each(|name| {
                self.1.set(self.1.get() + 1);
                visitor.visit_pair(Key::from_str(name), Value::from(1))
            })
        }
    }
    let names = (0..10 * MOST_FIELDS).map(|at| format!("{at:x}")).collect();
    let many = Many(names, std::cell::Cell::new(0));
    let mut record = Record::builder();
    let record = record.key_values(&many).args(format_args!("m")).build();
    assert!(Encoder::default().encode(0, &record, &Redactor::default()).is_none());
    assert_eq!(many.1.get(), MOST_FIELDS + 2);
}

/// L8: what is kept of a line that is made longer than it can be is cut as if all of it were there.
#[test]
fn l8_a_line_of_any_length_is_cut_as_if_it_were_all_there() {
    let long = "\u{1}ü\\\"".repeat(MAX_LINE_BYTES / 4);
    let texts: Vec<_> = (0..40).map(|at| (format!("k{at}"), &long[..5 * (1 << (at % 15))])).collect();
    let numbers = vec![(); 200_000];
    let mut all: Vec<_> = texts.iter().map(|(key, text)| (key.as_str(), Value::from(*text))).collect();
    all.push(("nulls", Value::from_serde(&numbers)));
    all.push(("shown", Value::from_display(&long)));
    all.push(("same", Value::from_display(&long)));
    all.push(("same", 1.into()));
    all.push(("last", 2.into()));
    let line = line(&long, &all);
    assert!(line.len() <= MAX_LINE_BYTES && line.len() > MAX_LINE_BYTES / 2, "{}", line.len());
    let read: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(read.as_object().unwrap().len(), 4 + all.len() - 1);
    assert_eq!(read["nulls"], "[1000001 bytes of JSON left out]");
    assert_eq!((&read["same"], &read["last"]), (&1.into(), &2.into()));
    let in_json = |text: &str| serde_json::to_string(text).unwrap().len() - 2;
    let given = [("msg", long.as_str()), ("shown", long.as_str())];
    for (key, given) in given.into_iter().chain(texts.iter().map(|(key, text)| (key.as_str(), *text))) {
        let text = read[key].as_str().unwrap();
        let Some((kept, note)) = text.rsplit_once('[') else {
            assert_eq!(text, given);
            continue;
        };
        assert!(given.starts_with(kept), "{key}");
        assert_eq!(note, format!("{} bytes cut]", in_json(given) - in_json(kept)), "{key}");
    }
}

/// L2, L8: too long to be read into a tree; what is hidden stays so.
#[test]
fn l8_a_long_nested_value_that_repeats_a_key_is_left_out() {
    struct Repeats(&'static str);
    impl Serialize for Repeats {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_map([("k", "1"), (self.0, &"x".repeat(MAX_LINE_BYTES)), ("k", "3")])
        }
    }
    for (key, bytes) in [("text", MAX_LINE_BYTES + 27), ("password", MAX_LINE_BYTES + 43)] {
        let note = format!(",\"v\":\"[{bytes} bytes of JSON left out]\"");
        assert_eq!(fields(&[("v", Value::from_serde(&Repeats(key)))]), note);
    }
}

/// L8: where the room ends makes no difference.
#[test]
fn l8_a_field_too_many_refuses_the_line_wherever_it_is() {
    let key = "k".repeat(MAX_LINE_BYTES - 200);
    let value = "v".repeat(4 * MAX_LINE_BYTES);
    let value = || Value::from(value.as_str());
    let lines: [&[(&str, Value<'_>)]; 4] = [
        &[("a", value()), (&key, value())],
        &[(&key, value()), ("a", value())],
        &[("a", value()), ("a", value()), ("b", value()), (&key, value())],
        &[(&key, value()), (&key, 1.into()), (&key, value()), (&key, 1.into())],
    ];
    let mut encoder = Encoder::default();
    let long = encode_with(&mut encoder, format_args!("m"), lines[3]).expect("its value is short in the end");
    assert!(long.ends_with("\":1}\n"));
    for fields in &lines[..3] {
        assert_eq!(encode_with(&mut encoder, format_args!("m"), fields), None);
        let next = encode_with(&mut encoder, format_args!("m"), &[("n", 1.into())]).unwrap();
        assert!(next.ends_with("\"msg\":\"m\",\"n\":1}\n"));
    }
}

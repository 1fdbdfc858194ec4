use super::encode::{Found, RecordEncoder};
use super::identity::Identity;
use super::render::Renderer;
use crate::config::redactor::Redactor;
use crate::json::Encoder;
use crate::json::cache::Address;
use crate::json::text::line_buf::LineBuf;
use log::kv::{self, Key, Source, ToValue, Value, VisitSource};
use log::{Level, Record};
use proptest::prelude::*;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;

const NAME: &str = "hearthnet::bus";
const NANOS: i64 = 1_779_783_262_281_999_999;

/// Line of `fields`, by way of a record and rendered at once. The first says whether there was a record.
fn both(
    level: Level,
    fields: &[(&'static str, Value<'_>)],
    message: fmt::Arguments<'_>,
) -> (bool, String, String) {
    let pairs: Vec<_> =
        fields.iter().map(|(key, value)| (Key::from_str_static(key), value.clone())).collect();
    both_of(level, &pairs.as_slice(), message)
}

/// The same for the fields of any source.
fn both_of(level: Level, source: &dyn Source, message: fmt::Arguments<'_>) -> (bool, String, String) {
    let mut builder = Record::builder();
    builder.level(level).target(NAME).key_values(&source).line(Some(7)).file_static(Some("bus.rs"));
    let record = builder.args(message).build();
    let (mut encoder, redact) = (Encoder::default(), Redactor::new(&["password".to_owned()]));
    let name = encoder.names.find_static(NAME);
    let direct = encoder.encode_as(name, NANOS, &record, &redact).unwrap().to_vec();
    let (mut records, mut renderer) = (RecordEncoder::default(), Renderer::default());
    let mut line = Vec::new();
    let mut is_record = false;
    // The second call uses the site as it was learnt.
    for _ in 0..2 {
        let identity = Identity::of(Address::of(NAME), &record, 1).unwrap();
        if let Found::Unknown = records.find(&identity) {
            records.learn(identity, &mut encoder, name, &record, &redact);
        }
        is_record = match records.find(&identity) {
            Found::Site(site) => records.encode(site, &mut encoder, &record, &redact),
            Found::Unfit | Found::Unknown => false,
        };
        line = if is_record {
            let mut out = LineBuf::default();
            renderer.append(NANOS, records.last().1, &mut out);
            out.to_vec()
        } else {
            encoder.encode_as(name, NANOS, &record, &redact).unwrap().to_vec()
        };
    }
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (is_record, text(line), text(direct))
}

fn check(fields: &[(&'static str, Value<'_>)], expected: bool) {
    let (is_record, line, direct) = both(Level::Info, fields, format_args!("routed \"it\""));
    assert_eq!(line, direct);
    assert_eq!(is_record, expected, "{line}");
}

struct Panics;

impl fmt::Display for Panics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("half a \"text")?;
        panic!("a value")
    }
}

#[test]
fn a_record_becomes_the_line_that_its_caller_would_have_rendered() {
    check(
        &[
            ("capability", "llm.chat".into()),
            ("to", "7H4GQ2KD".into()),
            ("ms", 100_u64.into()),
            ("ok", true.into()),
        ],
        true,
    );
    check(&[], true);
    let nested = BTreeMap::from([("a", vec![1, 2]), ("password", vec![3])]);
    let values: [Value<'_>; 26] = [
        true.into(),
        false.into(),
        ().to_value(),
        'x'.into(),
        '\u{9b}'.into(),
        "".into(),
        "abc".into(),
        "a\"\n".into(),
        "twenty letters, a few".into(),
        12_u64.into(),
        u64::MAX.into(),
        (-3_i64).into(),
        i64::MIN.into(),
        Value::from(&u128::MAX),
        Value::from(&5_i128),
        0.1.into(),
        12.5.into(),
        1e300.into(),
        (-0.0).into(),
        f64::NAN.into(),
        f64::INFINITY.into(),
        f64::from(0.1_f32).into(),
        Value::from_serde(&0.1_f32),
        Value::from_debug(&Some("a\"b")),
        Value::from_display(&Panics),
        Value::from_serde(&nested),
    ];
    for value in values {
        check(&[("type", "before".into()), ("level", value.clone()), ("v", value)], true);
    }
    for level in [Level::Error, Level::Warn, Level::Info, Level::Debug, Level::Trace] {
        let (is_record, line, direct) = both(level, &[("n", 1.into())], format_args!("routed"));
        assert!(is_record && line == direct, "{line}");
    }
}

#[test]
fn a_message_with_arguments_is_part_of_the_record() {
    for text in ["", "x\"\n", &"long".repeat(100)] {
        let (is_record, line, direct) =
            both(Level::Warn, &[("n", 1.into())], format_args!("{text} {text:?}"));
        assert!(is_record && line == direct, "{line}");
    }
    let one = [("n", 1.into())];
    let (is_record, line, direct) = both(Level::Warn, &one, format_args!("{Panics}"));
    assert!(!is_record && line == direct, "{line}");
    let (is_record, line, direct) = both(Level::Warn, &one, format_args!("{}", "y".repeat(1_100)));
    assert!(!is_record && line == direct, "{line}");
    let (is_record, line, direct) = both(Level::Warn, &[], format_args!("{}", "alone".repeat(2)));
    assert!(is_record && line == direct, "{line}");
}

#[test]
fn an_unusual_line_is_rendered_by_its_caller() {
    let long = "x".repeat(1_100);
    check(&[("v", long.as_str().into())], false);
    check(&[("v", Value::from_display(&"y".repeat(2_000)))], false);
    check(&[("v", 1.into()), ("v", 2.into())], false);
    check(&[("password", 1.into())], false);
    const KEYS: [&str; 13] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m"];
    check(&KEYS.map(|key| (key, 1.into())), false);
}

/// Goes on after an error of the formatter.
struct Heedless(usize);

impl fmt::Display for Heedless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for _ in 0..self.0 {
            let _ = f.write_str("eight by");
        }
        let _ = f.write_str(&"a long text".repeat(200));
        f.write_str(";")
    }
}

#[test]
fn a_message_whose_display_ignores_errors_is_whole() {
    for pieces in [0, 1, 100, 120, 121, 122, 123, 124, 125, 126, 127, 128, 200] {
        let message = Heedless(pieces);
        let (is_record, line, direct) = both(Level::Info, &[("n", 1.into())], format_args!("{message}"));
        assert_eq!(line, direct);
        assert!(!is_record, "{pieces}");
    }
}

/// Shows keys with texts of these lengths, other ones from the second visit on, and goes on after an error of the visitor.
struct Careless {
    text: String,
    first: &'static [(&'static str, usize)],
    later: &'static [(&'static str, usize)],
    visits: Cell<usize>,
}

impl Source for Careless {
    fn visit<'kvs>(&'kvs self, visitor: &mut dyn VisitSource<'kvs>) -> Result<(), kv::Error> {
        let shown = if self.visits.replace(self.visits.get() + 1) < 2 { self.first } else { self.later };
        for (key, length) in shown {
            let _ = visitor.visit_pair(Key::from_str_static(key), self.text[..*length].into());
        }
        Ok(())
    }
}

#[test]
fn a_source_that_ignores_errors_keeps_its_fields() {
    type Shown = &'static [(&'static str, usize)];
    const CASES: [(Shown, Shown); 3] = [
        (&[("a", 2_000), ("b", 1)], &[("a", 2_000), ("b", 1)]),
        (&[("a", 1), ("b", 2_000)], &[("a", 1), ("b", 2_000)]),
        (&[("a", 1), ("b", 1)], &[("a", 1), ("x", 1), ("b", 1)]),
    ];
    for (first, later) in CASES {
        let source = Careless { text: "x".repeat(2_000), first, later, visits: Cell::new(0) };
        let (is_record, line, _) = both_of(Level::Info, &source, format_args!("m"));
        let field = |(key, length): &(&str, usize)| format!(",\"{key}\":\"{}\"", "x".repeat(*length));
        let fields: String = later.iter().map(field).collect();
        assert!(line.ends_with(&format!(",\"msg\":\"m\"{fields}}}\n")), "{line}");
        assert!(!is_record, "{line}");
    }
}

/// Numbers of the lines that are records, of sites that take turns.
fn records_of(turns: &[(&'static str, u32)]) -> Vec<usize> {
    let (mut encoder, redact, mut records) =
        (Encoder::default(), Redactor::default(), RecordEncoder::default());
    let mut found = Vec::new();
    for (at, (name, line)) in turns.iter().enumerate() {
        let args = format_args!("routed");
        let record = Record::builder().target(name).line(Some(*line)).args(args).build();
        let slot = encoder.names.find(name);
        let identity = Identity::of(encoder.names.address(slot).unwrap(), &record, 1).unwrap();
        match records.find(&identity) {
            Found::Site(site) => {
                assert!(records.encode(site, &mut encoder, &record, &redact));
                found.push(at);
            }
            Found::Unknown => records.learn(identity, &mut encoder, slot, &record, &redact),
            Found::Unfit => panic!("{name}"),
        }
    }
    found
}

#[test]
fn a_site_keeps_its_place_while_it_is_used() {
    // Sites whose lines are so far apart share a place.
    let [ours, rival] = [("bus", 10), ("bus", 10 + 64)];
    assert_eq!(records_of(&[ours, rival].repeat(50)), (2..100).step_by(2).collect::<Vec<_>>());
    // It is learnt when the other one has not been seen for a while.
    let left = [vec![ours; 3], vec![rival; 20]].concat();
    assert_eq!(records_of(&left), [1, 2].into_iter().chain(3 + 16..23).collect::<Vec<_>>());
}

#[test]
fn names_of_one_place_are_told_apart() {
    let names: Vec<&'static str> =
        (0..100).map(|at| &*Box::leak(format!("name {at}").into_boxed_str())).collect();
    let (mut encoder, redact, mut records) =
        (Encoder::default(), Redactor::default(), RecordEncoder::default());
    let mut renderer = Renderer::default();
    let mut count = 0;
    // The last one stays for long enough to get the place of another.
    for name in names.iter().cycle().take(3_000).chain([&names[0]; 40]) {
        let record = Record::builder().target(name).line(Some(1)).args(format_args!("routed")).build();
        let slot = encoder.names.find(name);
        let identity = Identity::of(encoder.names.address(slot).unwrap(), &record, 1).unwrap();
        match records.find(&identity) {
            Found::Site(site) => {
                assert!(records.encode(site, &mut encoder, &record, &redact));
                let mut line = LineBuf::default();
                renderer.append(NANOS, records.last().1, &mut line);
                assert_eq!(*line, *encoder.encode_as(slot, NANOS, &record, &redact).unwrap());
                count += 1;
            }
            Found::Unknown => records.learn(identity, &mut encoder, slot, &record, &redact),
            // More names than a file has room for.
            Found::Unfit => {}
        }
    }
    assert!(count > 0);
}

proptest! {
    #[test]
    fn any_text_and_number_is_rendered_alike(text in "\\PC{0,300}", float in any::<f64>(), int in any::<i64>()) {
        check(&[("t", text.as_str().into()), ("f", float.into()), ("i", int.into())], text.len() < 900);
    }
}

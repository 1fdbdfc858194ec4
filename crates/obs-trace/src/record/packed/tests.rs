use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::{Remote, Store, new_trace_from, span};

const NAMES: [&str; 3] = ["", "search", "embed"];

fn numbers() -> NameNumbers {
    NameNumbers::new(|name| NAMES.iter().position(|known| *known == name).map_or(u16::MAX, |at| at as u16))
}

fn name(number: u16) -> Option<&'static str> {
    NAMES.get(usize::from(number)).copied()
}

/// Returns a record with everything that a record can have.
fn rich(spans: usize) -> Arc<TraceRecord> {
    let store = Store::default();
    let _scope = store.enter();
    let caller = Remote::new(TraceId::generate()).parent(SpanId::from_bytes([7; 8]).unwrap());
    let trace = new_trace_from(caller, &"capability of a longer name".repeat(3));
    trace.enter(|| {
        // Still open when the trace ends, and the parent of a span that is not.
        let open = span("embed").enter();
        span("search").field("text", "a text\u{1b}[0m of more than 23 bytes").field("n", -3).run(|| {
            span("other name").field("big", u64::MAX).field("share", 0.1).field("is", true).run(|| {
                drop(crate::outgoing());
                trace.fail("timeout");
            });
        });
        for _ in 0..spans {
            drop(span("search").field("is", false).enter());
        }
        trace.finish().inspect(|_| drop(open)).unwrap()
    })
}

fn packed(record: &TraceRecord) -> Vec<u8> {
    let mut out = Vec::new();
    record.pack(&numbers(), &mut out);
    out
}

#[test]
fn a_record_is_the_same_after_packing() {
    for spans in [0, 1, 9, 40, 125, 200] {
        let record = rich(spans);
        let bytes = packed(&record);
        assert!(bytes.len() <= 64 << 10);
        let restored = TraceRecord::unpack(&bytes, name).unwrap();
        let mut expected = serde_json::to_value(record.with_span_ids()).unwrap();
        expected["restored"] = true.into();
        for span in expected["spans"].as_array_mut().unwrap() {
            if span["name"] == "other name" {
                span["name"] = "(other)".into();
            }
        }
        assert_eq!(serde_json::to_value(restored.with_span_ids()).unwrap(), expected);
        assert_eq!(packed(&restored).len(), bytes.len(), "and once more");
        assert_eq!((restored.bytes(), restored.is_ended()), (record.bytes(), true));
    }
}

#[test]
fn names_and_keys_from_outside_are_bounded() {
    let record = rich(1);
    let bytes = packed(&record);
    let long = "n".repeat(129);
    let restored = TraceRecord::unpack(&bytes, |_| Some(long.as_str())).unwrap();
    assert_eq!(restored.spans()[0].name(), "(other)");
}

#[test]
fn every_cut_is_refused() {
    let bytes = packed(&rich(3));
    for length in 0..bytes.len() {
        assert!(TraceRecord::unpack(&bytes[..length], name).is_none(), "{length}");
    }
}

#[test]
fn more_spans_than_a_record_has_are_refused() {
    let mut bytes = packed(&rich(3));
    bytes[54] &= !part::SLOTS;
    for spans in SPAN_LIMIT as u8 + 1..=u8::MAX {
        bytes[55] = spans;
        assert!(TraceRecord::unpack(&bytes, name).is_none(), "{spans}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_refused_or_make_a_bounded_record(
        flips in proptest::collection::vec((0..600_usize, any::<u8>()), 0..6),
        random in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut bytes = packed(&rich(3));
        for (at, byte) in flips {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        for bytes in [bytes, random] {
            if let Some(record) = TraceRecord::unpack(&bytes, name) {
                prop_assert!(record.capability().len() <= 128 && record.spans().len() <= 128);
                prop_assert!(record.duration() < Duration::from_secs(11 * 365 * 86_400));
                for (at, span) in record.spans().iter().enumerate() {
                    prop_assert!(span.parent().is_none_or(|parent| parent < at));
                }
                serde_json::to_string(&record.with_span_ids()).unwrap();
            }
        }
    }
}

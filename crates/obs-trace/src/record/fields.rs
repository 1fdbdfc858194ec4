//! The fields of a trace's spans, bounded in number and size.

use crate::Value;
use crate::record::slots::SpanIndex;

#[derive(Default)]
pub(crate) struct Fields {
    list: Vec<Field>,
    /// A bit for each span that has any.
    spans: u128,
    /// Bytes of text that the values hold elsewhere.
    text_bytes: usize,
}

struct Field {
    span: SpanIndex,
    is_first_of_span: bool,
    key: &'static str,
    value: Value,
}

// For all spans of a trace together; a span has a handful.
const MAX_FIELDS: usize = 256;
const MAX_TEXT_BYTES: usize = 16 << 10;

impl Fields {
    /// Sets a field; the last value given under a key counts. `false` if there was no place for it.
    pub(crate) fn set(&mut self, span: SpanIndex, key: &'static str, value: Value) -> bool {
        let known = self.find(span, key);
        let freed = known.map_or(0, |place| self.list[place].value.heap_bytes());
        let text_bytes = self.text_bytes - freed + value.heap_bytes();
        if text_bytes > MAX_TEXT_BYTES {
            return false;
        }
        match known {
            Some(place) => self.list[place].value = value,
            None if self.list.len() < MAX_FIELDS => {
                let is_first_of_span = self.spans & 1 << span.get() == 0;
                self.spans |= 1 << span.get();
                self.list.push(Field { span, is_first_of_span, key, value });
            }
            None => return false,
        }
        self.text_bytes = text_bytes;
        true
    }

    /// From the end and no further than to the span's first one: most are set when the span begins.
    fn find(&self, span: SpanIndex, key: &str) -> Option<usize> {
        if self.spans & 1 << span.get() == 0 {
            return None;
        }
        for (place, field) in self.list.iter().enumerate().rev().filter(|(_, field)| field.span == span) {
            if field.key == key {
                return Some(place);
            }
            if field.is_first_of_span {
                break;
            }
        }
        None
    }

    pub(crate) fn of(&self, span: usize) -> impl Iterator<Item = (&'static str, &Value)> {
        self.list.iter().filter(move |field| field.span.get() == span).map(|field| (field.key, &field.value))
    }

    /// Bytes allocated for them.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.list.capacity() * size_of::<Field>() + self.text_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_counts_however_spans_alternate() {
        let spans = [0, 1, 2].map(|slot| SpanIndex::of_slot(slot).unwrap());
        let mut fields = Fields::default();
        for round in 0..3 {
            for (place, span) in spans.into_iter().enumerate() {
                for key in ["a", "b"] {
                    assert!(fields.set(span, key, Value::from(round * 10 + place)));
                }
            }
        }
        assert!(fields.set(spans[1], "c", Value::from("last")));
        for (place, _) in spans.iter().enumerate() {
            let mut found: Vec<_> = fields.of(place).map(|(key, value)| (key, value.to_string())).collect();
            if place == 1 {
                assert_eq!(found.pop(), Some(("c", "last".to_owned())));
            }
            assert_eq!(found, [("a", (20 + place).to_string()), ("b", (20 + place).to_string())]);
        }
    }
}

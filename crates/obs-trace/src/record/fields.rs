//! The fields of a trace's spans, bounded in number and size.

use super::Value;
use super::done_fields::DoneFields;
use super::root_span::RootSpan;
use super::slots::SpanIndex;
use crate::prefetch::prefetch;

/// Fields of all spans of a trace, in the order in which they were first set.
#[derive(Default)]
pub(super) struct Fields {
    list: Vec<Field>,
    /// One bit for each span that has fields.
    spans: u128,
    /// Bytes of text that the values have allocated.
    text_bytes: usize,
    /// Fields of the line `done`. Boxed, because most traces have none, and taken out at the end.
    done: Option<Box<DoneFields>>,
    /// Name and fields of the exported root span. Boxed, because most traces have none, and taken out at the end.
    root: Option<Box<RootSpan>>,
}

struct Field {
    span: SpanIndex,
    is_first_of_span: bool,
    key: &'static str,
    value: Value,
}

// Limits for all spans of a trace together. A span usually has a handful of fields, so 128 spans fit with two each.
const MAX_FIELDS: usize = 256;
const MAX_TEXT_BYTES: usize = 16 << 10;

/// Number of fields whose memory goes on to the next trace of a record. More would stay in every record in the end.
const MAX_SPARE_FIELDS: usize = 4;

impl Fields {
    /// Asks for the memory that a new trace clears first.
    pub(super) fn prefetch(&self) {
        prefetch(self.list.as_slice());
    }

    /// Removes all fields, and keeps memory for the few that a trace usually has.
    pub(super) fn clear(&mut self) {
        let Fields { list, spans, text_bytes, done, root } = self;
        list.clear();
        if list.capacity() > MAX_SPARE_FIELDS {
            *list = Vec::new();
        }
        (*spans, *text_bytes, *done, *root) = (0, 0, None, None);
    }

    /// Sets a field. The last value under a key counts. Returns `false` if a limit is reached.
    pub(super) fn set(&mut self, span: SpanIndex, key: &'static str, value: Value) -> bool {
        let known = self.find(span, key);
        let freed = known.map_or(0, |place| self.list[place].value.heap_bytes());
        // A replaced text frees its bytes before the limit is checked.
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

    /// Returns whether a span has a field.
    pub(super) fn has(&self, span: SpanIndex, key: &str) -> bool {
        self.find(span, key).is_some()
    }

    /// Adds to the number under a key, which is 0 at first. Returns `false` if a limit is reached.
    #[cfg(feature = "rt")]
    pub(super) fn add(&mut self, span: SpanIndex, key: &'static str, more: f64) -> bool {
        let before = self.find(span, key).and_then(|place| self.list[place].value.as_f64()).unwrap_or(0.0);
        self.set(span, key, Value::from(before + more))
    }

    /// Sets a field of the line `done`. Returns `false` if there are too many.
    pub(super) fn set_done(&mut self, key: &'static str, value: Value) -> bool {
        self.done.get_or_insert_with(DoneFields::spare).set(key, value)
    }

    /// Returns the fields of the line `done`, which the record does not keep.
    pub(super) fn take_done(&mut self) -> Option<Box<DoneFields>> {
        self.done.take()
    }

    /// Returns name and fields of the exported root span, to be set.
    pub(super) fn root_mut(&mut self) -> &mut RootSpan {
        self.root.get_or_insert_default()
    }

    /// Returns name and fields of the exported root span, which the record does not keep.
    #[cfg(feature = "otlp")]
    pub(super) fn take_root(&mut self) -> Option<Box<RootSpan>> {
        self.root.take()
    }

    /// Finds a field from the end, because most fields are set right after the span has begun. The search stops at the
    /// span's first field.
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

    pub(super) fn of(&self, span: usize) -> impl Iterator<Item = (&'static str, &Value)> {
        self.list.iter().filter(move |field| field.span.get() == span).map(|field| (field.key, &field.value))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Returns all fields, each with the slot of its span.
    pub(super) fn all(&self) -> impl Iterator<Item = (SpanIndex, &'static str, &Value)> {
        self.list.iter().map(|field| (field.span, field.key, &field.value))
    }

    /// Returns the bytes allocated for the fields.
    pub(super) fn heap_bytes(&self) -> usize {
        self.list.capacity() * size_of::<Field>() + self.text_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_counts_when_spans_alternate() {
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

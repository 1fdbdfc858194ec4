//! The fields of a trace's spans, bounded in number and size.

use crate::Value;
use crate::slots::SpanIndex;

#[derive(Default)]
pub(crate) struct Fields {
    list: Vec<Field>,
    /// Bytes of text that the values hold elsewhere.
    text_bytes: usize,
}

struct Field {
    span: SpanIndex,
    key: &'static str,
    value: Value,
}

// For all spans of a trace together; a span has a handful.
const MAX_FIELDS: usize = 256;
const MAX_TEXT_BYTES: usize = 16 << 10;

impl Fields {
    /// Sets a field; the last value given under a key counts. `false` if there was no place for it.
    pub(crate) fn set(&mut self, span: SpanIndex, key: &'static str, value: Value) -> bool {
        let known = self.list.iter().position(|field| field.span == span && field.key == key);
        let freed = known.map_or(0, |place| self.list[place].value.heap_bytes());
        let text_bytes = self.text_bytes - freed + value.heap_bytes();
        if text_bytes > MAX_TEXT_BYTES {
            return false;
        }
        match known {
            Some(place) => self.list[place].value = value,
            None if self.list.len() < MAX_FIELDS => self.list.push(Field { span, key, value }),
            None => return false,
        }
        self.text_bytes = text_bytes;
        true
    }

    pub(crate) fn of(&self, span: usize) -> impl Iterator<Item = (&'static str, &Value)> {
        self.list.iter().filter(move |field| field.span.get() == span).map(|field| (field.key, &field.value))
    }

    /// Bytes allocated for them.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.list.capacity() * size_of::<Field>() + self.text_bytes
    }
}

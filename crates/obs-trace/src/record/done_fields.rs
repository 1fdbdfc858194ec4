//! Fields of a trace itself: those of the line `done`, which are in no record, and those of the exported root span.

use std::cell::Cell;

use log::kv::{Error, Key, Source, VisitSource};

use super::Value;

/// Maximum number of fields. A program names its caller with a handful, and HTTP's conventions have six for a request.
const MAX_FIELDS: usize = 8;

/// Fields in the order in which they were first set.
#[derive(Default)]
pub(super) struct DoneFields(Vec<(&'static str, Value)>);

thread_local! {
    /// Memory for the fields of the next line.
    static SPARE: Cell<Option<Box<DoneFields>>> = const { Cell::new(None) };
}

impl DoneFields {
    /// Returns no fields, in memory that this thread has kept if there is some.
    pub(super) fn spare() -> Box<DoneFields> {
        // A thread that ends keeps nothing any more.
        SPARE.try_with(Cell::take).ok().flatten().unwrap_or_default()
    }

    /// Keeps the memory for the next trace that ends on this thread.
    pub(super) fn give_back(mut self: Box<Self>) {
        self.0.clear();
        _ = SPARE.try_with(|spare| spare.set(Some(self)));
    }

    /// Sets a field. The last value under a key counts. Returns `false` if there are too many.
    pub(super) fn set(&mut self, key: &'static str, value: Value) -> bool {
        if let Some((_, known)) = self.0.iter_mut().find(|(known, _)| *known == key) {
            *known = value;
            return true;
        }
        let has_room = self.0.len() < MAX_FIELDS;
        if has_room {
            self.0.push((key, value));
        }
        has_room
    }

    /// Returns the fields in the order in which they were first set.
    #[cfg(feature = "otlp")]
    pub(super) fn list(&self) -> &[(&'static str, Value)] {
        &self.0
    }

    /// Returns the bytes allocated for the fields.
    #[cfg(feature = "otlp")]
    pub(super) fn heap_bytes(&self) -> usize {
        let text: usize = self.0.iter().map(|(_, value)| value.heap_bytes()).sum();
        self.0.capacity() * size_of::<(&'static str, Value)>() + text
    }
}

impl Source for DoneFields {
    fn visit<'kvs>(&'kvs self, visitor: &mut dyn VisitSource<'kvs>) -> Result<(), Error> {
        self.0
            .iter()
            .try_for_each(|(key, value)| visitor.visit_pair(Key::from_str_static(key), value.for_log()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_under_a_key_counts_and_the_number_of_keys_is_bounded() {
        const KEYS: [&str; MAX_FIELDS] = ["a", "b", "c", "d", "e", "f", "g", "h"];
        let mut fields = DoneFields::default();
        assert!(KEYS.iter().all(|key| fields.set(key, Value::from(false))));
        assert!(!fields.set("i", Value::from(1)));
        assert!(fields.set("a", Value::from(true)));
        assert_eq!(fields.0.len(), MAX_FIELDS);
        assert_eq!(fields.0[0], ("a", Value::from(true)));
    }
}

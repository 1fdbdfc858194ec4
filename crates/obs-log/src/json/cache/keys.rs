//! Keys of fields as they stand in a line.

use log::kv::Key;

use crate::api::secret::Redactor;
use crate::json::MAX_LINE_BYTES;
use crate::json::copy::Ready;
use crate::json::escape::escape;

const SLOTS: usize = 64;

/// Put in front of a field that is called like one of the fixed keys, as often as it takes to be different.
const PREFIX: &str = "field_";

/// The keys that a thread used last, ready to copy. Keys in the code are `'static`: such a one is known by its place
/// in memory. Any other is prepared anew each time.
#[derive(Debug)]
pub(crate) struct KeyCache {
    slots: Box<[ReadyKey; SLOTS]>,
    other: ReadyKey,
}

/// A key with all that has to be known of it.
#[derive(Debug, Default)]
pub(crate) struct ReadyKey {
    place: (usize, usize),
    redactor: u64,
    /// `,"key":`
    pub(crate) json: Ready,
    /// A bit that few other keys have.
    pub(crate) bit: u64,
    /// Its values are redacted.
    pub(crate) hidden: bool,
}

impl Default for KeyCache {
    fn default() -> Self {
        KeyCache { slots: Box::new(std::array::from_fn(|_| ReadyKey::default())), other: ReadyKey::default() }
    }
}

impl KeyCache {
    #[inline]
    pub(crate) fn ready(&mut self, key: &Key<'_>, redact: &Redactor) -> &ReadyKey {
        let Some(key) = key.to_static_str() else {
            self.other.prepare(key.as_str(), redact);
            return &self.other;
        };
        let place = (key.as_ptr().addr(), key.len());
        let slot = &mut self.slots[(place.0 ^ place.0 >> 6) % SLOTS];
        if slot.place != place || slot.redactor != redact.id() {
            slot.prepare(key, redact);
            slot.place = place;
        }
        slot
    }

    /// Gives back what a very long key took.
    pub(crate) fn shrink(&mut self) {
        self.other = ReadyKey::default();
    }
}

impl ReadyKey {
    #[cold]
    fn prepare(&mut self, key: &str, redact: &Redactor) {
        let key = key.strip_prefix("r#").unwrap_or(key);
        // A line with one that is longer is dropped, whatever it reads.
        let key = &key[..key.floor_char_boundary(MAX_LINE_BYTES)];
        self.json.set(|json| {
            json.extend_from_slice(b",\"");
            if is_reserved(key) {
                json.extend_from_slice(PREFIX.as_bytes());
            }
            escape(json, key);
            json.truncate(MAX_LINE_BYTES);
            json.extend_from_slice(b"\":");
        });
        self.bit = bit_of(self.json.as_bytes());
        self.hidden = redact.hides(key);
        self.redactor = redact.id();
    }
}

/// Whether `key` is one of the fixed keys, with any number of [`PREFIX`]es: so no two keys become the same.
pub(crate) fn is_reserved(key: &str) -> bool {
    match key.strip_prefix(PREFIX) {
        Some(rest) => is_reserved(rest),
        None => matches!(key, "ts" | "level" | "logger" | "msg" | "trace_id"),
    }
}

fn bit_of(json: &[u8]) -> u64 {
    let sum = json.iter().fold(0_u32, |sum, &byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    1 << (sum.wrapping_mul(0x9e37_79b9) >> 26)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(cache: &mut KeyCache, key: &Key<'_>, redact: &Redactor) -> (String, bool) {
        let ready = cache.ready(key, redact);
        (String::from_utf8(ready.json.as_bytes().to_vec()).unwrap(), ready.hidden)
    }

    #[test]
    fn a_key_is_prepared_for_each_redactor() {
        let (none, some) = (Redactor::default(), Redactor::new(&["secret".to_owned()]));
        let mut cache = KeyCache::default();
        for (redact, hidden) in [(&none, false), (&some, true), (&none, false)] {
            for key in [Key::from_str_static("secret"), Key::from_str("secret")] {
                assert_eq!(json(&mut cache, &key, redact), (",\"secret\":".to_owned(), hidden));
            }
        }
    }

    #[test]
    fn keys_that_share_a_slot_or_a_place_are_told_apart() {
        let mut cache = KeyCache::default();
        static TEXT: [u8; 300] = [b'k'; 300];
        let text = str::from_utf8(&TEXT).unwrap();
        for _ in 0..2 {
            for length in 0..300 {
                let expected = format!(",\"{}\":", &text[..length]);
                assert_eq!(
                    json(&mut cache, &Key::from_str_static(&text[..length]), &Redactor::default()).0,
                    expected
                );
            }
        }
        let mut reused = String::from("first");
        assert_eq!(json(&mut cache, &Key::from_str(&reused), &Redactor::default()).0, ",\"first\":");
        reused.replace_range(.., "other");
        assert_eq!(json(&mut cache, &Key::from_str(&reused), &Redactor::default()).0, ",\"other\":");
    }
}

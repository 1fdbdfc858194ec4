//! Keys of fields, encoded as they stand in a line.

use log::kv::Key;

use super::{Address, SLOTS};
use crate::config::redactor::Redactor;
use crate::json::text::copy::CopyText;
use crate::json::text::escape::escape;
use crate::limits::MAX_LINE_BYTES;

/// Prefix of a field whose name is that of a fixed key, or of a fixed key with this prefix.
const PREFIX: &str = "field_";

/// Keys that a thread used last. A key that is not `'static` is encoded again each time.
#[derive(Debug)]
pub(crate) struct KeyCache {
    slots: Box<[EncodedKey; SLOTS]>,
    other: EncodedKey,
}

/// Encoded key.
#[derive(Debug, Default)]
pub(crate) struct EncodedKey {
    address: Address,
    redactor: u64,
    /// `,"key":`
    pub(crate) json: CopyText,
    /// Bit that few other keys share.
    pub(crate) bit: u64,
    /// Values of this key are redacted.
    pub(crate) hidden: bool,
}

impl Default for KeyCache {
    fn default() -> Self {
        KeyCache {
            slots: Box::new(std::array::from_fn(|_| EncodedKey::default())),
            other: EncodedKey::default(),
        }
    }
}

impl KeyCache {
    #[inline]
    pub(crate) fn find(&mut self, key: &Key<'_>, redact: &Redactor) -> &EncodedKey {
        match key.to_static_str() {
            Some(key) => self.find_static(key, redact),
            None => {
                self.other.prepare(key.as_str(), redact);
                &self.other
            }
        }
    }

    #[inline]
    pub(crate) fn find_static(&mut self, key: &'static str, redact: &Redactor) -> &EncodedKey {
        let address = Address::of(key);
        let slot = slot_of(address);
        if self.slots[slot].is(address, redact) {
            &self.slots[slot]
        } else {
            self.find_beside(slot, key, redact)
        }
    }

    /// Finds a key that is not in its own slot. It may be in the slot beside it: two keys of a call site that share a slot would
    /// otherwise be encoded for each line. Addresses, and so the slots, change with each build.
    #[inline(never)]
    fn find_beside(&mut self, slot: usize, key: &'static str, redact: &Redactor) -> &EncodedKey {
        let (address, beside) = (Address::of(key), slot ^ 1);
        if self.slots[beside].is(address, redact) {
            return &self.slots[beside];
        }
        // The newer key of the two stays.
        self.slots.swap(slot, beside);
        let found = &mut self.slots[slot];
        found.prepare(key, redact);
        found.address = address;
        found
    }

    /// Frees the memory of a very long key.
    pub(crate) fn shrink(&mut self) {
        self.other = EncodedKey::default();
    }
}

fn slot_of(address: Address) -> usize {
    // Keys of a call site lie close together, and those of different ones differ in higher bits.
    (address.start ^ address.start >> 6) % SLOTS
}

impl EncodedKey {
    #[inline]
    fn is(&self, address: Address, redact: &Redactor) -> bool {
        self.address == address && self.redactor == redact.id()
    }

    #[cold]
    fn prepare(&mut self, key: &str, redact: &Redactor) {
        let key = key.strip_prefix("r#").unwrap_or(key);
        // A line with a longer key is dropped, so the rest of the key does not matter.
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

/// Whether `key` is a fixed key behind any number of [`PREFIX`]es. Each of these gets one more, so no two become the same.
pub(crate) fn is_reserved(key: &str) -> bool {
    match key.strip_prefix(PREFIX) {
        Some(rest) => is_reserved(rest),
        None => matches!(key, "ts" | "level" | "logger" | "msg" | "trace_id"),
    }
}

fn bit_of(json: &[u8]) -> u64 {
    // A multiplicative hash. Its upper six bits choose one of 64 bits.
    let sum = json.iter().fold(0_u32, |sum, &byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    1 << (sum.wrapping_mul(0x9e37_79b9) >> 26)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::tests::fields;
    use log::kv::Value;

    fn json(cache: &mut KeyCache, key: &Key<'_>, redact: &Redactor) -> (String, bool) {
        let found = cache.find(key, redact);
        (String::from_utf8(found.json.as_bytes().to_vec()).unwrap(), found.hidden)
    }

    #[test]
    fn a_key_is_encoded_for_each_redactor() {
        let (none, some) = (Redactor::default(), Redactor::new(&["secret".to_owned()]));
        let mut cache = KeyCache::default();
        for (redact, hidden) in [(&none, false), (&some, true), (&none, false)] {
            for key in [Key::from_str_static("secret"), Key::from_str("secret")] {
                assert_eq!(json(&mut cache, &key, redact), (",\"secret\":".to_owned(), hidden));
            }
        }
    }

    #[test]
    fn keys_that_share_a_slot_or_an_address_are_told_apart() {
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

    #[test]
    fn two_keys_of_one_slot_are_encoded_once() {
        static TEXT: [u8; 300] = [b'k'; 300];
        let text = str::from_utf8(&TEXT).unwrap();
        let (first, second) = (1..300)
            .map(|start| (text, &text[start..]))
            .find(|(first, second)| slot_of(Address::of(first)) == slot_of(Address::of(second)))
            .unwrap();
        let (mut cache, redact) = (KeyCache::default(), Redactor::default());
        for key in [first, second, first, second] {
            cache.find_static(key, &redact);
        }
        // A mark that an encoding would overwrite.
        cache.slots.iter_mut().for_each(|slot| slot.bit = 0);
        assert!([first, second].iter().all(|key| cache.find_static(key, &redact).bit == 0));
    }

    #[test]
    fn fields_named_like_fixed_keys_get_a_prefix() {
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
}

//! Logger names, encoded as they stand in a line, and the level of each. `::` reads as `.`.

use log::LevelFilter;

use super::{Address, SLOTS};
use crate::json::text::copy::CopyText;
use crate::json::text::escape::escape;
use crate::json::text::line_buf::LineBuf;

/// Maximum length in bytes of a name that is cached. A longer one is encoded again each time.
const MAX_CACHED: usize = 128;

/// Length in the place of the address of a name that is not `'static`. No text is as long.
pub(crate) const NO_ADDRESS: usize = usize::MAX;

/// Names that a thread used last. A name that is not `'static` has its slot by its address and is then compared.
#[derive(Debug)]
pub(crate) struct NameCache {
    slots: Box<[Slot; SLOTS]>,
    long: Slot,
    /// Number of names that were encoded so far.
    encoded: usize,
    /// Buffer for finding out a level.
    scratch: String,
}

/// Slot of a name in the cache. Valid until another name is looked up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NameSlot(usize);

#[derive(Debug, Default)]
struct Slot {
    name: String,
    /// Number of the encoding.
    number: usize,
    /// Address of the name if it is `'static`.
    address: Option<Address>,
    json: CopyText,
    /// Most verbose level of the name under the routing of this number.
    level: Option<LevelFilter>,
    routing: u64,
}

impl Default for NameCache {
    fn default() -> Self {
        NameCache {
            slots: Box::new(std::array::from_fn(|_| Slot::default())),
            long: Slot::default(),
            encoded: 0,
            scratch: String::new(),
        }
    }
}

impl NameCache {
    /// Looks up a name and encodes it if need be.
    #[inline]
    pub(crate) fn find(&mut self, name: &str) -> NameSlot {
        if name.len() > MAX_CACHED {
            self.long.prepare(name);
            return NameSlot(SLOTS);
        }
        let at = slot_of(name);
        let slot = &mut self.slots[at];
        if slot.name != name || slot.json.len() == 0 {
            slot.prepare(name);
            self.encoded += 1;
            slot.number = self.encoded;
        }
        NameSlot(at)
    }

    /// Returns a number in the form of an address. No other name that this thread has used has the same one. `None` for a
    /// name that is encoded again each time.
    #[inline]
    pub(crate) fn address(&self, found: NameSlot) -> Option<Address> {
        self.slots.get(found.0).map(|slot| Address { start: slot.number, length: NO_ADDRESS })
    }

    /// Looks up a `'static` name, which its address identifies.
    #[inline]
    pub(crate) fn find_static(&mut self, name: &'static str) -> NameSlot {
        let at = slot_of(name);
        if self.slots[at].address == Some(Address::of(name)) {
            return NameSlot(at);
        }
        let found = self.find(name);
        if let Some(slot) = self.slots.get_mut(found.0) {
            slot.address = Some(Address::of(name));
        }
        found
    }

    /// `,"logger":"…","msg":`
    #[inline]
    pub(crate) fn json(&self, found: NameSlot) -> &CopyText {
        &self.slots.get(found.0).unwrap_or(&self.long).json
    }

    /// Returns the most verbose level of a name under the routing of this number. `ask` finds it out once.
    #[inline]
    pub(crate) fn level(
        &mut self,
        found: NameSlot,
        routing: u64,
        ask: impl FnOnce(&str, &mut String) -> LevelFilter,
    ) -> LevelFilter {
        let slot = self.slots.get_mut(found.0).unwrap_or(&mut self.long);
        match slot.level {
            Some(level) if slot.routing == routing => level,
            _ => {
                slot.routing = routing;
                *slot.level.insert(ask(&slot.name, &mut self.scratch))
            }
        }
    }
}

fn slot_of(name: &str) -> usize {
    let address = Address::of(name);
    // The lowest bits of an address are alike, because texts are aligned by what lies between them.
    (address.start >> 4 ^ address.start >> 10 ^ address.length) % SLOTS
}

impl Slot {
    #[cold]
    fn prepare(&mut self, name: &str) {
        self.name.clear();
        self.name.shrink_to(MAX_CACHED);
        self.name.push_str(name);
        self.address = None;
        self.json.set(|json| write_name(json, name));
        self.level = None;
    }
}

fn write_name(out: &mut LineBuf, name: &str) {
    out.extend_from_slice(b",\"logger\":\"");
    let mut parts = name.split("::");
    escape(out, parts.next().unwrap_or_default());
    for part in parts {
        out.push(b'.');
        escape(out, part);
    }
    out.extend_from_slice(b"\",\"msg\":");
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: usize = 300;

    #[test]
    fn a_path_is_written_with_dots() {
        let mut cache = NameCache::default();
        let long = "x::".repeat(LONG / 3);
        for _ in 0..3 {
            for (name, expected) in [
                ("hearthnet::bus::router", "hearthnet.bus.router"),
                ("hearthnet.bus", "hearthnet.bus"),
                ("", ""),
                ("a\"\n::b", "a\\\"\\n.b"),
                (long.as_str(), long.replace("::", ".").as_str()),
            ] {
                let mut out = LineBuf::default();
                let found = cache.find(name);
                cache.json(found).write(&mut out);
                let expected = format!(",\"logger\":\"{expected}\",\"msg\":");
                assert_eq!(std::str::from_utf8(&out).unwrap(), expected);
            }
        }
    }

    #[test]
    fn the_level_of_a_name_is_asked_for_once_a_routing() {
        let mut cache = NameCache::default();
        let mut reused = String::from("first");
        let mut asked = Vec::new();
        for routing in [1, 1, 2, 2] {
            let found = cache.find(&reused);
            let level = cache.level(found, routing, |name, _| {
                asked.push((name.to_owned(), routing));
                LevelFilter::Warn
            });
            assert_eq!(level, LevelFilter::Warn);
        }
        reused.replace_range(.., "other");
        let found = cache.find(&reused);
        cache.level(found, 2, |name, _| {
            asked.push((name.to_owned(), 2));
            LevelFilter::Off
        });
        assert_eq!(asked, [("first", 1), ("first", 2), ("other", 2)].map(|(name, at)| (name.to_owned(), at)));
    }

    #[test]
    fn a_static_name_is_told_from_another_at_its_slot() {
        let mut cache = NameCache::default();
        static TEXT: [u8; MAX_CACHED + 1] = [b'k'; MAX_CACHED + 1];
        let text = str::from_utf8(&TEXT).unwrap();
        for _ in 0..2 {
            // All of them begin at one address, and share slots with texts that are not static.
            for length in 1..=MAX_CACHED + 1 {
                let (name, elsewhere) = (&text[..length], text[..length].to_owned());
                for is_static in [true, false, true] {
                    let found = if is_static { cache.find_static(name) } else { cache.find(&elsewhere) };
                    let expected = format!(",\"logger\":\"{name}\",\"msg\":");
                    assert_eq!(cache.json(found).as_bytes(), expected.as_bytes());
                }
            }
        }
    }
}

//! Logger names as they stand in a line: `::` reads as `.` (L1), escaped; and what may be logged under them (L6).

use log::LevelFilter;

use crate::json::copy::Ready;
use crate::json::escape::escape;
use crate::json::line_buf::Buffer;

const SLOTS: usize = 64;
/// A name that is longer is prepared anew each time.
const LONGEST: usize = 128;

/// The names that a thread used last, ready to copy. A name is found by its place in memory and then, unless it is
/// `'static`, compared, so that a text that comes to lie in the same place later is not taken for it.
#[derive(Debug)]
pub(crate) struct NameCache {
    slots: Box<[Slot; SLOTS]>,
    long: Slot,
    /// A buffer for whoever finds out a level.
    scratch: String,
}

/// Where a name is in the cache, until another one is looked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found(usize);

#[derive(Debug, Default)]
struct Slot {
    name: String,
    /// Where a name that stays there is, and its length.
    place: Option<(usize, usize)>,
    json: Ready,
    /// What may be logged under the name, and by which routing.
    level: Option<LevelFilter>,
    routing: u64,
}

impl Default for NameCache {
    fn default() -> Self {
        NameCache {
            slots: Box::new(std::array::from_fn(|_| Slot::default())),
            long: Slot::default(),
            scratch: String::new(),
        }
    }
}

impl NameCache {
    #[inline]
    pub(crate) fn find(&mut self, name: &str) -> Found {
        if name.len() > LONGEST {
            self.long.prepare(name);
            return Found(SLOTS);
        }
        let at = slot_of(name);
        let slot = &mut self.slots[at];
        if slot.name != name || slot.json.len() == 0 {
            slot.prepare(name);
        }
        Found(at)
    }

    /// The same for a name that stays where it is: its place alone tells it.
    #[inline]
    pub(crate) fn find_static(&mut self, name: &'static str) -> Found {
        let at = slot_of(name);
        if self.slots[at].place == Some((name.as_ptr().addr(), name.len())) {
            return Found(at);
        }
        let found = self.find(name);
        if let Some(slot) = self.slots.get_mut(found.0) {
            slot.place = Some((name.as_ptr().addr(), name.len()));
        }
        found
    }

    /// `,"logger":"…","msg":`
    #[inline]
    pub(crate) fn json(&self, found: Found) -> &Ready {
        &self.slots.get(found.0).unwrap_or(&self.long).json
    }

    /// The level of a name by the routing of this number; `ask` finds it out.
    #[inline]
    pub(crate) fn level(
        &mut self,
        found: Found,
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
    let place = name.as_ptr().addr();
    (place >> 4 ^ place >> 10 ^ name.len()) % SLOTS
}

impl Slot {
    #[cold]
    fn prepare(&mut self, name: &str) {
        self.name.clear();
        self.name.shrink_to(LONGEST);
        self.name.push_str(name);
        self.place = None;
        self.json.set(|json| write_name(json, name));
        self.level = None;
    }
}

fn write_name(out: &mut Buffer, name: &str) {
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
    fn shows_paths_with_dots_however_often_asked() {
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
                let mut out = Buffer::default();
                let found = cache.find(name);
                cache.json(found).write(&mut out);
                let expected = format!(",\"logger\":\"{expected}\",\"msg\":");
                assert_eq!(std::str::from_utf8(&out).unwrap(), expected);
            }
        }
    }

    #[test]
    fn l6_the_level_of_a_name_is_asked_for_once_a_routing() {
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
    fn a_name_that_stays_is_told_from_one_that_was_in_its_slot() {
        let mut cache = NameCache::default();
        static TEXT: [u8; LONGEST + 1] = [b'k'; LONGEST + 1];
        let text = str::from_utf8(&TEXT).unwrap();
        for _ in 0..2 {
            // All of them begin at one place, and share slots with texts that do not stay.
            for length in 1..=LONGEST + 1 {
                let (name, elsewhere) = (&text[..length], text[..length].to_owned());
                for stays in [true, false, true] {
                    let found = if stays { cache.find_static(name) } else { cache.find(&elsewhere) };
                    let expected = format!(",\"logger\":\"{name}\",\"msg\":");
                    assert_eq!(cache.json(found).as_bytes(), expected.as_bytes());
                }
            }
        }
    }
}

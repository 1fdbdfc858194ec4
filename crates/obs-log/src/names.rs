//! Logger names as they stand in a line: `::` reads as `.` (L1), escaped.

use crate::escape::escape;

const SLOTS: usize = 8;
const LONGEST: usize = 128;

/// The names that a thread used last, ready to copy. A name is found by its place in memory and then compared, so
/// that a text that comes to lie in the same place later is not taken for it.
#[derive(Debug, Default)]
pub(crate) struct NameCache {
    slots: [Slot; SLOTS],
}

#[derive(Debug, Default)]
struct Slot {
    name: String,
    json: Vec<u8>,
}

impl NameCache {
    /// Appends `,"logger":"…"`.
    pub(crate) fn write(&mut self, line: &mut Vec<u8>, name: &str) {
        let slot = &mut self.slots[(name.as_ptr().addr() >> 4 ^ name.len()) % SLOTS];
        if slot.name != name || slot.json.is_empty() {
            if name.len() > LONGEST {
                return write_name(line, name);
            }
            slot.name.clear();
            slot.name.push_str(name);
            slot.json.clear();
            write_name(&mut slot.json, name);
        }
        line.extend_from_slice(&slot.json);
    }
}

fn write_name(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(b",\"logger\":\"");
    let mut parts = name.split("::");
    escape(out, parts.next().unwrap_or_default());
    for part in parts {
        out.push(b'.');
        escape(out, part);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_paths_with_dots_however_often_asked() {
        let mut cache = NameCache::default();
        let long = "x::".repeat(100);
        for _ in 0..3 {
            for (name, expected) in [
                ("hearthnet::bus::router", "hearthnet.bus.router"),
                ("hearthnet.bus", "hearthnet.bus"),
                ("", ""),
                ("a\"\n::b", "a\\\"\\n.b"),
                (long.as_str(), long.replace("::", ".").as_str()),
            ] {
                let mut out = Vec::new();
                cache.write(&mut out, name);
                assert_eq!(String::from_utf8(out).unwrap(), format!(",\"logger\":\"{expected}\""));
            }
        }
    }
}

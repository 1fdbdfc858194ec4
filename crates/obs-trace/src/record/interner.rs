//! Interner of span names: each name is a small number, so that a span's slot is three machine words.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::sync::{LazyLock, Mutex, RwLock};

/// Number of a span name in the table of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NameId(pub(crate) u16);

/// Name of number 0, which further names share once all 65 535 numbers are taken. Only names that are leaked at run
/// time can be so many.
const OTHER: &str = "(other)";

impl NameId {
    /// Returns the number of `name`. Takes a nanosecond if this thread has used the name before.
    #[inline]
    pub(crate) fn of(name: &'static str) -> NameId {
        RECENT.try_with(|recent| recent.id(name)).unwrap_or_else(|_| intern(name))
    }

    /// Returns the number of a name that is read from outside of the process. The memory of such names is bounded: names
    /// beyond [`MAX_READ`] are `(other)`.
    pub(super) fn read(name: &str) -> NameId {
        read_text(name).map_or(NameId(0), intern)
    }

    pub(crate) fn name(self) -> &'static str {
        let table = TABLE.read().unwrap_or_else(|poison| poison.into_inner());
        table.names.get(usize::from(self.0)).copied().unwrap_or(OTHER)
    }
}

/// Names that a thread has used lately, found by their address.
struct Recent([Cell<(&'static str, u16)>; RECENT_SLOTS]);

/// A power of two, so that the remainder is a mask. A thread uses a few dozen names; the table takes 1.5 KiB.
const RECENT_SLOTS: usize = 64;

thread_local! {
    static RECENT: Recent = const { Recent([const { Cell::new((OTHER, 0)) }; RECENT_SLOTS]) };
}

impl Recent {
    #[inline]
    fn id(&self, name: &'static str) -> NameId {
        // Literals lie next to each other without padding, so the low bits of their addresses differ.
        let address = name.as_ptr() as usize;
        let slot = &self.0[(address ^ (address >> 6)) % RECENT_SLOTS];
        let (known, id) = slot.get();
        // Compares address and length, not bytes. The same text at another address is interned once more, which gives
        // the same number.
        if std::ptr::eq(known, name) {
            return NameId(id);
        }
        let id = intern(name);
        slot.set((name, id.0));
        id
    }
}

struct Table {
    names: Vec<&'static str>,
    ids: HashMap<&'static str, u16>,
}

// Invariant under the lock: `ids` maps each entry of `names` to its index. Numbers are never given back.
static TABLE: LazyLock<RwLock<Table>> =
    LazyLock::new(|| RwLock::new(Table { names: vec![OTHER], ids: HashMap::from([(OTHER, 0)]) }));

#[cold]
fn intern(name: &'static str) -> NameId {
    if let Some(id) = TABLE.read().unwrap_or_else(|poison| poison.into_inner()).ids.get(name) {
        return NameId(*id);
    }
    let mut table = TABLE.write().unwrap_or_else(|poison| poison.into_inner());
    // Another thread may have interned it between the two locks.
    if let Some(id) = table.ids.get(name) {
        return NameId(*id);
    }
    let Ok(id) = u16::try_from(table.names.len()) else { return NameId(0) };
    table.names.push(name);
    table.ids.insert(name, id);
    NameId(id)
}

/// Maximum number of different texts that are read from outside of the process and kept until its end. With
/// [`MAX_READ_BYTES`] each they take at most 512 KiB.
const MAX_READ: usize = 4096;

/// Maximum length of a name or key in a packed record.
pub(super) const MAX_READ_BYTES: usize = 128;

/// Returns `text` with the lifetime that names and keys of spans have. `None` if it is too long, or if there are too many.
pub(super) fn read_text(text: &str) -> Option<&'static str> {
    static READ: LazyLock<Mutex<HashSet<&'static str>>> = LazyLock::new(Mutex::default);
    let mut read = READ.lock().unwrap_or_else(|poison| poison.into_inner());
    if let Some(known) = read.get(text) {
        return Some(known);
    }
    if text.len() > MAX_READ_BYTES || read.len() >= MAX_READ {
        return None;
    }
    let kept: &'static str = Box::leak(Box::from(text));
    read.insert(kept);
    Some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_number() {
        let one = NameId::of("names::one");
        let copy: &'static str = String::from("names::one").leak();
        assert_eq!(NameId::of(copy), one);
        assert_ne!(NameId::of("names::two"), one);
        assert_eq!(one.name(), "names::one");
        // A prefix has the same address.
        assert_eq!(NameId::of(&copy[..5]).name(), "names");
        assert_eq!(NameId::of(copy).name(), "names::one");
    }
}

//! Interner of span names: each name is a small number, so that a span's slot is three machine words.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::{LazyLock, RwLock};

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

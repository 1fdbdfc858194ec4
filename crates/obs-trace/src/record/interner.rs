//! Span names as small numbers, so that a span's record is a few machine words.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::{LazyLock, RwLock};

/// A span name in the process-wide table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NameId(pub(crate) u16);

/// Reads as this once the table is full, which only names made at run time can bring about.
const OTHER: &str = "(other)";

impl NameId {
    /// The number of `name`, in a nanosecond where this thread has used it before.
    #[inline]
    pub(crate) fn of(name: &'static str) -> NameId {
        RECENT.try_with(|recent| recent.id(name)).unwrap_or_else(|_| intern(name))
    }

    pub(crate) fn name(self) -> &'static str {
        let table = TABLE.read().unwrap_or_else(|poison| poison.into_inner());
        table.names.get(usize::from(self.0)).copied().unwrap_or(OTHER)
    }
}

/// The names a thread has used lately, found by where they lie in memory.
struct Recent([Cell<(&'static str, u16)>; RECENT_SLOTS]);

const RECENT_SLOTS: usize = 64;

thread_local! {
    static RECENT: Recent = const { Recent([const { Cell::new((OTHER, 0)) }; RECENT_SLOTS]) };
}

impl Recent {
    #[inline]
    fn id(&self, name: &'static str) -> NameId {
        // Literals lie next to each other without padding, so the low bits of an address tell them apart.
        let address = name.as_ptr() as usize;
        let slot = &self.0[(address ^ (address >> 6)) % RECENT_SLOTS];
        let (known, id) = slot.get();
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

static TABLE: LazyLock<RwLock<Table>> =
    LazyLock::new(|| RwLock::new(Table { names: vec![OTHER], ids: HashMap::from([(OTHER, 0)]) }));

#[cold]
fn intern(name: &'static str) -> NameId {
    if let Some(id) = TABLE.read().unwrap_or_else(|poison| poison.into_inner()).ids.get(name) {
        return NameId(*id);
    }
    let mut table = TABLE.write().unwrap_or_else(|poison| poison.into_inner());
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
        // A prefix lies at the same address.
        assert_eq!(NameId::of(&copy[..5]).name(), "names");
        assert_eq!(NameId::of(copy).name(), "names::one");
    }
}

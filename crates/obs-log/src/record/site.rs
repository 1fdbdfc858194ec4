//! Sites: the texts that all lines of one place in the program share.
//!
//! A site is registered once in a process, and its texts are copied to each hand-over file before a record refers to them. So
//! the next process can render the records that a killed one has left.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};

use crate::journal::arena::Arena;
use crate::journal::format::SITE_BYTES;
use crate::json::text::copy::CopyText;
use crate::json::text::line_buf::LineBuf;
use crate::sync::lock;

/// Longest beginning of a line that is copied in one step.
const SHORT_BYTES: usize = 96;

/// Texts of a site, rendered.
#[derive(Debug)]
pub(super) struct Site {
    /// `,"level":"info","logger":"bus","msg":"routed"`, or without the message.
    head: Box<[u8]>,
    /// The same, if it is short, and arbitrary bytes behind it.
    short_head: [u8; SHORT_BYTES],
    /// `,"key":` of each field.
    pub(super) keys: Vec<CopyText>,
    /// Each record has a message of its own.
    pub(super) lacks_message: bool,
}

impl Site {
    fn new(head: &[u8], keys: &[&[u8]]) -> Site {
        let mut short_head = [0; SHORT_BYTES];
        head.iter().zip(&mut short_head).for_each(|(byte, place)| *place = *byte);
        let copy = |text: &&[u8]| {
            let mut copy = CopyText::default();
            copy.set(|out| out.extend_from_slice(text));
            copy
        };
        Site {
            head: head.into(),
            short_head,
            keys: keys.iter().map(copy).collect(),
            // A message ends with a quote.
            lacks_message: head.ends_with(b":"),
        }
    }

    /// Appends the text between the time and the trace ID.
    #[inline]
    pub(super) fn write_head(&self, out: &mut LineBuf) {
        if self.head.len() > SHORT_BYTES {
            return out.extend_from_slice(&self.head);
        }
        *out.room() = self.short_head;
        out.advance(self.head.len());
    }
}

/// Sites of this process. The number of a site is its place among them.
#[derive(Debug, Default)]
struct Sites {
    all: Vec<Arc<Site>>,
    /// By their texts, as they are in a file.
    numbers: HashMap<Box<[u8]>, u16>,
    texts: Vec<u8>,
    arenas: Vec<Weak<Arena>>,
}

static SITES: Mutex<Option<Sites>> = Mutex::new(None);

/// Returns the number of the site with these texts, its head and its keys. `None` if it is new and all sites together would take
/// more than `room`, which is [`SITE_BYTES`] at most.
#[cold]
pub(super) fn register(head: &[u8], keys: &[Vec<u8>], room: usize) -> Option<u16> {
    lock(&SITES).get_or_insert_default().register(head, keys, room)
}

/// Copies all sites to the file of `arena`, those of now and those to come. Called before there are records in it.
pub(crate) fn keep_in(arena: &Arc<Arena>) {
    if arena.file().is_some() {
        lock(&SITES).get_or_insert_default().keep_in(arena);
    }
}

impl Sites {
    fn register(&mut self, head: &[u8], keys: &[Vec<u8>], room: usize) -> Option<u16> {
        let keys: Vec<_> = keys.iter().map(Vec::as_slice).collect();
        let packed = pack(head, &keys)?;
        if let Some(number) = self.numbers.get(&*packed) {
            return Some(*number);
        }
        if self.texts.len() + packed.len() > room.min(SITE_BYTES) {
            return None;
        }
        let number = u16::try_from(self.all.len()).ok()?;
        // Before any record refers to it.
        self.arenas.iter().filter_map(Weak::upgrade).for_each(|arena| arena.add_sites(&packed));
        self.texts.extend_from_slice(&packed);
        self.numbers.insert(packed.into(), number);
        self.all.push(Arc::new(Site::new(head, &keys)));
        Some(number)
    }

    fn keep_in(&mut self, arena: &Arc<Arena>) {
        arena.add_sites(&self.texts);
        self.arenas.retain(|arena| arena.strong_count() > 0);
        self.arenas.push(Arc::downgrade(arena));
    }
}

/// Packs texts: their number, then of each its length, two bytes, and its bytes; up to a multiple of eight. `None` if they
/// are too long.
fn pack(head: &[u8], keys: &[&[u8]]) -> Option<Vec<u8>> {
    let mut packed = vec![u8::try_from(1 + keys.len()).ok()?];
    for text in [head].iter().chain(keys) {
        packed.extend_from_slice(&u16::try_from(text.len()).ok()?.to_le_bytes());
        packed.extend_from_slice(text);
    }
    packed.resize(packed.len().next_multiple_of(8), 0);
    Some(packed)
}

/// Takes a site off the front of packed texts. `None` at their end or where they are damaged.
fn unpack(packed: &mut &[u8]) -> Option<Site> {
    let (count, mut rest) = packed.split_first()?;
    let mut texts = Vec::new();
    for _ in 0..*count {
        let (length, after) = rest.split_first_chunk()?;
        let (text, after) = after.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
        texts.push(text);
        rest = after;
    }
    let (head, keys) = texts.split_first()?;
    let site = Site::new(head, keys);
    let used = (packed.len() - rest.len()).next_multiple_of(8);
    *packed = packed.get(used..)?;
    Some(site)
}

/// Sites as a renderer knows them.
#[derive(Debug, Default)]
pub(super) struct KnownSites {
    known: Vec<Arc<Site>>,
    /// They are those of another process, and there will be no more.
    is_complete: bool,
}

impl KnownSites {
    /// Reads the sites of the file of another process.
    pub(super) fn left_in(arena: &Arena) -> KnownSites {
        let texts = arena.sites();
        let mut rest = texts.as_slice();
        let known = std::iter::from_fn(|| unpack(&mut rest)).map(Arc::new).collect();
        KnownSites { known, is_complete: true }
    }

    #[inline]
    pub(super) fn get(&mut self, number: u16) -> Option<&Site> {
        let number = usize::from(number);
        if number >= self.known.len() {
            self.refresh();
        }
        self.known.get(number).map(|site| &**site)
    }

    #[cold]
    fn refresh(&mut self) {
        if !self.is_complete {
            let sites = lock(&SITES);
            let known = self.known.len();
            self.known.extend(sites.iter().flat_map(|sites| &sites.all[known..]).cloned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(site: usize) -> Vec<Vec<u8>> {
        (0..site % 5).map(|key| format!(",\"{}\":", "k".repeat(key * 17)).into_bytes()).collect()
    }

    #[test]
    fn packed_texts_are_read_back_up_to_a_damaged_one() {
        let mut sites = Sites::default();
        let heads: Vec<_> = (0..9).map(|site| "h".repeat(site * 31).into_bytes()).collect();
        for (site, head) in heads.iter().enumerate() {
            assert_eq!(sites.register(head, &keys(site), SITE_BYTES), Some(site as u16));
            assert_eq!(sites.register(head, &keys(site), SITE_BYTES), Some(site as u16), "again");
        }
        let read = |texts: &[u8]| {
            let mut rest = texts;
            std::iter::from_fn(|| unpack(&mut rest)).collect::<Vec<_>>()
        };
        let found = read(&sites.texts);
        assert_eq!(found.len(), heads.len());
        for (at, site) in found.iter().enumerate() {
            let mut head = LineBuf::default();
            site.write_head(&mut head);
            assert_eq!(*head, heads[at]);
            assert!(site.keys.iter().map(CopyText::as_bytes).eq(keys(at)));
        }
        for end in 0..sites.texts.len() {
            assert!(read(&sites.texts[..end]).len() < heads.len());
        }
        assert!(read(&[0; 64]).is_empty());
    }

    #[test]
    fn further_sites_than_a_file_has_room_for_have_no_number() {
        let mut sites = Sites::default();
        let head = |site: usize| format!("{site:01000}").into_bytes();
        for room in [SITE_BYTES / 2, SITE_BYTES, usize::MAX] {
            let numbers: Vec<_> = (0..100).map(|site| sites.register(&head(site), &[], room)).collect();
            let registered = numbers.iter().flatten().count();
            assert_eq!(registered, room.min(SITE_BYTES) / 1008);
            assert!(numbers[..registered].iter().all(Option::is_some));
        }
        assert_eq!(sites.register(&head(3), &[], 0), Some(3));
    }
}

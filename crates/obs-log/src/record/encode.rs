//! Encoding of a line as a record, by its caller.
//!
//! A thread has a slot for each of the sites that it used last. It finds one by its [`Identity`], and compares its keys by their
//! addresses while the fields are visited.

use log::Record;
use log::kv::{self, Key, Value, VisitSource};

use super::identity::Identity;
use super::site::register;
use super::source::Source;
use super::values::{Buffers, RecordVisitor};
use super::{HEAD_BYTES, MAX_BYTES, MAX_FIELDS, TAG};
use crate::config::redactor::Redactor;
use crate::journal::chunk::SHORT_BYTES;
use crate::journal::format::SITE_BYTES;
use crate::json::cache::{Address, names::NameSlot};
use crate::json::catch::caught;
use crate::json::text::escape::write_string;
use crate::json::text::line_buf::LineBuf;
use crate::json::trace_id::TraceIdSource;
use crate::json::{Encoder, write_level};
use crate::process::fork::in_forked_child;

/// Number of sites that a thread knows.
const SLOTS: usize = 64;

/// Number of lines of other sites after which a site loses its place to one of them. A thread that goes back and forth
/// between two would learn one of them at each line otherwise, which takes longer than to render it.
const MAX_RIVALS: u8 = 16;

/// Longest texts of a site in bytes.
const MAX_SITE_BYTES: usize = 2 << 10;

/// Number of lines that are no record after which the lines of a site are rendered by their callers.
const MAX_MISSES: u8 = 8;

/// Encoder of one thread.
#[derive(Debug)]
pub(crate) struct RecordEncoder {
    bytes: Box<[u8; MAX_BYTES]>,
    length: usize,
    sites: Box<[Slot; SLOTS]>,
    buffers: Buffers,
}

/// Place of a site in a [`RecordEncoder`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct SiteSlot(usize);

/// Site of a line, as far as a thread knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Found {
    Site(SiteSlot),
    /// Its lines are rendered by their callers.
    Unfit,
    Unknown,
}

/// Site that a thread has used.
#[derive(Debug, Default)]
struct Slot {
    identity: Identity,
    /// `None` if its lines are rendered by their callers.
    number: Option<u16>,
    /// Number of lines that were no record after all.
    misses: u8,
    /// Number of lines of other sites of this place since the last one of this site.
    rivals: u8,
    keys: Box<[Address]>,
}

impl Default for RecordEncoder {
    fn default() -> RecordEncoder {
        RecordEncoder {
            bytes: Box::new([0; MAX_BYTES]),
            length: 0,
            sites: Box::new(std::array::from_fn(|_| Slot::default())),
            buffers: Buffers::default(),
        }
    }
}

impl RecordEncoder {
    /// Finds the site of a line. If it is known, the routing lets its lines through.
    #[inline]
    pub(crate) fn find(&self, wanted: &Identity) -> Found {
        let at = wanted.hash() % SLOTS;
        let slot = &self.sites[at];
        match slot.number {
            _ if slot.identity != *wanted => Found::Unknown,
            Some(_) => Found::Site(SiteSlot(at)),
            None => Found::Unfit,
        }
    }

    /// Encodes `source` for the writer, with the buffers of `encoder`. Returns `false` if the line has to be rendered here.
    #[inline]
    pub(crate) fn encode(
        &mut self,
        site: SiteSlot,
        encoder: &mut Encoder,
        source: &impl Source,
        redact: &Redactor,
    ) -> bool {
        let RecordEncoder { bytes, length, sites, buffers } = self;
        let slot = &mut sites[site.0 % SLOTS];
        slot.rivals = 0;
        let Some(number) = slot.number else { return false };
        let [low, high] = number.to_le_bytes();
        bytes[..HEAD_BYTES].copy_from_slice(&[TAG, 0, low, high]);
        let mut used = HEAD_BYTES;
        if let Some(source) = encoder.trace_ids.source() {
            match write_trace_id(source, bytes) {
                Some(end) => used = end,
                None => return false,
            }
        }
        let has_message = slot.identity.has_own_message();
        let visitor = RecordVisitor::new(bytes, used, &slot.keys, buffers.with(&mut encoder.nested, redact));
        let written = source.write(visitor, has_message);
        let is_record = written.is_some();
        match written {
            Some(end) => *length = end,
            None => slot.miss(),
        }
        is_record
    }

    /// Bytes of the record that was encoded last. The first ones are its beginning and what follows it.
    #[inline]
    pub(crate) fn last(&self) -> (Option<&[u8; SHORT_BYTES]>, &[u8]) {
        (self.bytes.first_chunk(), self.bytes.get(..self.length).unwrap_or_default())
    }

    /// Learns the site of a line, which is unknown, and which the routing lets through.
    #[cold]
    pub(crate) fn learn(
        &mut self,
        identity: Identity,
        encoder: &mut Encoder,
        name: NameSlot,
        record: &Record<'_>,
        redact: &Redactor,
    ) {
        let slot = &mut self.sites[identity.hash() % SLOTS];
        slot.rivals += 1;
        if slot.is_taken() && slot.identity.is_of_routing(&identity) && slot.rivals < MAX_RIVALS {
            return;
        }
        *slot = Slot { identity, ..Slot::default() };
        let mut keys = Keys { encoder, redact, texts: Vec::new(), addresses: Vec::new(), is_fit: true };
        let visited = caught(|| record.key_values().visit(&mut keys));
        let Keys { texts, addresses, is_fit, .. } = keys;
        // The code of a source may fork, and the child has no thread that would release the lock of the sites.
        if !matches!(visited, Some(Ok(()))) || !is_fit || in_forked_child() {
            return;
        }
        let mut head = LineBuf::default();
        write_level(&mut head, record.level());
        let name = encoder.names.json(name);
        match record.args().as_str().filter(|_| !identity.has_own_message()) {
            Some(message) => write_string(&mut head, name, message),
            None => name.write(&mut head),
        }
        if head.len() + texts.iter().map(Vec::len).sum::<usize>() <= MAX_SITE_BYTES {
            slot.keys = addresses.into();
            // Names that a program makes at run time, perhaps of what peers say, leave room for those of its code.
            let room = if identity.has_static_name() { SITE_BYTES } else { SITE_BYTES / 2 };
            slot.number = register(&head, &texts, room);
        }
    }
}

impl Slot {
    fn is_taken(&self) -> bool {
        self.identity != Identity::default()
    }

    /// Notes that a line of the site was no record. A value's code runs twice then, so it happens a few times only.
    #[cold]
    fn miss(&mut self) {
        self.misses += 1;
        if self.misses == MAX_MISSES {
            self.number = None;
        }
    }
}

/// Visitor that collects the keys of a site.
struct Keys<'a> {
    encoder: &'a mut Encoder,
    redact: &'a Redactor,
    texts: Vec<Vec<u8>>,
    addresses: Vec<Address>,
    is_fit: bool,
}

impl<'kvs> VisitSource<'kvs> for Keys<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, _: Value<'kvs>) -> Result<(), kv::Error> {
        let address = key.to_static_str().map(Address::of).filter(|_| self.addresses.len() < MAX_FIELDS);
        let Some(address) = address else {
            self.is_fit = false;
            return Err(kv::Error::msg("no site"));
        };
        let key = self.encoder.keys.find(&key, self.redact);
        let text = key.json.as_bytes().to_vec();
        self.is_fit &= !key.hidden && !self.texts.contains(&text);
        self.texts.push(text);
        self.addresses.push(address);
        Ok(())
    }
}

/// Writes the current trace ID behind the head. Returns its end, or `None` if it is too long.
fn write_trace_id(source: TraceIdSource, bytes: &mut [u8; MAX_BYTES]) -> Option<usize> {
    let mut end = Some(HEAD_BYTES);
    let asked = caught(|| {
        source(&mut |id| {
            // The last of several calls counts.
            end = (|| {
                bytes[1] = u8::try_from(id.len() + 1).ok()?;
                bytes.get_mut(HEAD_BYTES..)?.get_mut(..id.len())?.copy_from_slice(id.as_bytes());
                Some(HEAD_BYTES + id.len())
            })();
        });
    });
    asked.and(end)
}

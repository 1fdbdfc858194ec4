//! Packed form of a completed record: bytes that outlive the process.
//!
//! ```text
//! 16 trace ID                              1 parts: which of the optional ones follow
//!  8 number that the span IDs come from    1 spans
//!  8 beginning, Unix nanoseconds           1 length of the capability, and the capability
//!  8 duration in ticks                     8 span ID of the caller, if there is one
//!  8 nanoseconds of a tick                 1 length of the error code, and the code, if there is one
//!  4 spans that had begun                 16 slots of the spans, if they are not the first ones
//!  1 outcome                              16 each span: start and duration in ticks, parent, name, whether it is a client
//!  1 flags of `traceparent`                  fields, if there are some
//! ```
//!
//! Numbers are little-endian. A span is two words, because a packed span must cost its caller no more than a few
//! nanoseconds: see `docs/design.md`.

use smol_str::SmolStr;

use super::fields::Fields;
use super::finished::ones;
use super::interner::{MAX_READ_BYTES, NameId, read_text};
use super::marks::Marks;
use super::name_numbers::NameNumbers;
use super::slots::{Closed, SPAN_LIMIT, Slots, SpanIndex};
use super::span_ids::SpanIds;
use super::status::{ErrorCode, MAX_CODE_BYTES, Outcome};
use super::trace_record::{Limits, MAX_CAPABILITY_BYTES, TraceRecord};
use super::value::{Kind, Value};
use crate::clock::{self, Instant};
use crate::propagation::remote::Caller;
use crate::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use crate::sync::{AtomicInstant, Mutex, OnceLock, lock};
use crate::{SpanId, TraceId};

/// Bytes before the capability.
const HEAD: usize = 56;

/// Bits of the byte that says which optional parts follow.
mod part {
    pub(super) const CALLER: u8 = 1;
    pub(super) const CODE: u8 = 2;
    /// The spans are not in the first slots, because some spans were open when the trace ended.
    pub(super) const SLOTS: u8 = 4;
    pub(super) const FIELDS: u8 = 8;
    /// A peer marked the trace. Nothing follows.
    pub(super) const MARKED: u8 = 16;
}

/// Bits of a span's ticks. At 3 GHz a span of 26 hours fits. A longer one is cut to that.
const TICK_BITS: u32 = 48;
const TICKS: u64 = (1 << TICK_BITS) - 1;
/// Set in the first word of a span whose ID was given to another node.
const CLIENT: u64 = 1 << 56;

impl TraceRecord {
    /// Appends the packed form of the record, which has ended, to `out`: at most 64 KiB.
    ///
    /// Takes no lock that another trace needs, and no allocation while `out` has room. What `tracestate` the caller sent is
    /// left out. [`unpack`](TraceRecord::unpack) reads it.
    ///
    /// ```
    /// use obs_trace::{NameNumbers, TraceRecord};
    ///
    /// let trace = obs_trace::new_trace("rag.query");
    /// trace.enter(|| obs_trace::in_span("search", || {}));
    /// let record = trace.finish().unwrap();
    ///
    /// let mut packed = Vec::new();
    /// record.pack(&NameNumbers::new(|_| 1), &mut packed);
    /// let restored = TraceRecord::unpack(&packed, |number| (number == 1).then_some("search")).unwrap();
    /// assert_eq!((restored.trace_id(), restored.spans()), (record.trace_id(), record.spans()));
    /// assert!(restored.is_restored());
    /// ```
    pub fn pack(&self, names: &NameNumbers, out: &mut Vec<u8>) {
        let kept = self.kept();
        let spans = kept.count_ones() as usize;
        let code = self.code();
        let fields = lock(&self.fields);
        // The first slots are the lowest bits.
        let is_sparse = kept & kept.wrapping_add(1) != 0;
        let parts = [
            (self.caller.is_some(), part::CALLER),
            (code.is_some(), part::CODE),
            (is_sparse, part::SLOTS),
            (!fields.is_empty(), part::FIELDS),
            (self.marker().is_some(), part::MARKED),
        ];
        let parts = parts.into_iter().filter(|(has, _)| *has).fold(0, |bits, (_, bit)| bits | bit);
        // For all but the fields.
        out.reserve(512 + 16 * spans);
        // Relaxed: final, see `finished.rs`.
        let began = clock::ticks(self.began);
        let ended = clock::ticks(self.ended.load(Ordering::Relaxed));
        let begun = u32::try_from(self.slots.begun()).unwrap_or(u32::MAX);
        let outcome = self.outcome.load(Ordering::Acquire);
        // One array, so that the buffer is checked once.
        let mut head = [0; HEAD];
        head[..16].copy_from_slice(&self.id.to_bytes());
        head[16..24].copy_from_slice(&self.span_ids.seed().to_le_bytes());
        head[24..32].copy_from_slice(&self.began_unix_ns.to_le_bytes());
        head[32..40].copy_from_slice(&ended.saturating_sub(began).to_le_bytes());
        head[40..48].copy_from_slice(&clock::nanos_per_tick().to_bits().to_le_bytes());
        head[48..52].copy_from_slice(&begun.to_le_bytes());
        head[52..].copy_from_slice(&[outcome, self.flags, parts, spans as u8]);
        out.extend_from_slice(&head);
        push_text(&self.capability, out);
        if let Some(caller) = &self.caller {
            out.extend_from_slice(&caller.span_id.to_bytes());
        }
        if let Some(code) = code {
            push_text(code, out);
        }
        if is_sparse {
            out.extend_from_slice(&kept.to_le_bytes());
        }
        for index in ones(kept) {
            out.extend_from_slice(&self.packed_span(index, kept, began, names));
        }
        if !fields.is_empty() {
            push_fields(&fields, kept, out);
        }
    }

    fn code(&self) -> Option<&str> {
        let has_code = self.outcome.load(Ordering::Acquire) == Outcome::Failed as u8;
        self.failure.get().filter(|_| has_code).map(|code| code.0.as_str())
    }

    #[inline]
    fn packed_span(&self, index: usize, kept: u128, began: u64, names: &NameNumbers) -> [u8; 16] {
        let Some(span) = self.slots.read(index) else { return [0; 16] };
        let begin = clock::ticks(span.begin);
        let start = begin.saturating_sub(began).min(TICKS);
        let duration = clock::ticks(span.end).saturating_sub(begin).min(TICKS);
        let parent = self.kept_ancestor(span.parent, kept).map_or(0, |index| index as u64 + 1);
        let client = if span.is_client { CLIENT } else { 0 };
        let words =
            [start | parent << TICK_BITS | client, duration | u64::from(names.of(span.name)) << TICK_BITS];
        // Both words in one array, so that the buffer is checked once.
        (u128::from(words[0]) | u128::from(words[1]) << 64).to_le_bytes()
    }

    /// Reads the packed form of a record. `None` if it is damaged. `name` returns the name with a number.
    ///
    /// The bytes may be anything: what is read is bounded like the record of a running trace. Its text is untrusted. Names
    /// and keys that are read stay in memory until the process ends, at most 4 096 of them, of at most 128 bytes.
    pub fn unpack<'a>(bytes: &[u8], name: impl Fn(u16) -> Option<&'a str>) -> Option<TraceRecord> {
        let mut reader = Reader(bytes);
        let id = TraceId::from_bytes(reader.array()?)?;
        let span_ids = SpanIds::from_seed(reader.number()?);
        let began_unix_ns = reader.number()?;
        let duration = reader.number()?;
        let nanos = f64::from_bits(reader.number()?);
        let begun = u64::from(u32::from_le_bytes(reader.array()?));
        let [outcome, flags, parts, spans] = reader.array()?;
        let has = |part| parts & part != 0;
        let capability = reader.text(MAX_CAPABILITY_BYTES)?;
        let caller = if has(part::CALLER) { Some(SpanId::from_bytes(reader.array()?)?) } else { None };
        let code = if has(part::CODE) { Some(reader.text(MAX_CODE_BYTES)?) } else { None };
        let outcome =
            Outcome::read(outcome).filter(|outcome| (*outcome == Outcome::Failed) == code.is_some())?;
        let spans = u32::from(spans);
        let kept = match has(part::SLOTS) {
            true => u128::from_le_bytes(reader.array()?),
            // Without a span the shift is one of all bits.
            false => u128::MAX.checked_shr((SPAN_LIMIT as u32).checked_sub(spans)?).unwrap_or(0),
        };
        if kept.count_ones() != spans || u64::from(u128::BITS - kept.leading_zeros()) > begun {
            return None;
        }
        // Moments of this process, as long before each other as those of the other one.
        let began = clock::now();
        let slots = Slots::restored(begun);
        for index in ones(kept) {
            let words = u128::from_le_bytes(reader.array()?);
            slots.restore(
                SpanIndex::of_slot(index as u64)?,
                &read_span(words, index, kept, began, nanos, &name)?,
            );
        }
        let fields = if has(part::FIELDS) { read_fields(&mut reader, kept)? } else { Fields::default() };
        let failure = OnceLock::new();
        if let Some(code) = code {
            failure.get_or_init(|| ErrorCode(code));
        }
        let field_bytes = fields.heap_bytes();
        let record = TraceRecord {
            id,
            span_ids,
            caller: caller.map(|span_id| Box::new(Caller { span_id, state: None })),
            flags,
            capability,
            began,
            began_unix_ns,
            ended: AtomicInstant::new(clock::after(began, clock::of_ticks(duration, nanos))?),
            outcome: AtomicU8::new(outcome as u8),
            failure,
            kept: [AtomicU64::new(kept as u64), AtomicU64::new((kept >> 64) as u64)],
            slots,
            fields: Mutex::new(fields),
            ticket: AtomicU64::new(0),
            active_key: AtomicU32::new(0),
            bytes: AtomicU32::new(0),
            blocked_us: AtomicU32::new(0),
            limits: Limits::NOTHING,
            marks: Marks::restored(has(part::MARKED)),
            is_restored: true,
            sink: None,
        };
        // Relaxed: nothing else has the record yet.
        record.bytes.store(record.bytes_with(field_bytes), Ordering::Relaxed);
        Some(record)
    }
}

fn read_span<'a>(
    words: u128,
    index: usize,
    kept: u128,
    began: Instant,
    nanos: f64,
    name: impl Fn(u16) -> Option<&'a str>,
) -> Option<Closed> {
    let (first, second) = (words as u64, (words >> 64) as u64);
    let parent = (first >> TICK_BITS) as u8;
    // A parent has begun before its child, so that nothing goes round in a circle.
    if usize::from(parent) > index || parent > 0 && kept >> (parent - 1) & 1 == 0 {
        return None;
    }
    let begin = clock::after(began, clock::of_ticks(first & TICKS, nanos))?;
    Some(Closed {
        name: name((second >> TICK_BITS) as u16).map_or(NameId(0), NameId::read),
        parent: SpanIndex::of_byte(parent),
        begin,
        end: clock::after(begin, clock::of_ticks(second & TICKS, nanos))?,
        is_client: first & CLIENT != 0,
    })
}

/// Kinds of values, one byte each.
mod kind {
    pub(super) const TEXT: u8 = 0;
    pub(super) const SIGNED: u8 = 1;
    pub(super) const UNSIGNED: u8 = 2;
    pub(super) const FLOAT: u8 = 3;
    pub(super) const FALSE: u8 = 4;
    pub(super) const TRUE: u8 = 5;
}

fn push_fields(fields: &Fields, kept: u128, out: &mut Vec<u8>) {
    let count_at = out.len();
    out.extend_from_slice(&[0; 2]);
    let mut count: u16 = 0;
    for (span, key, value) in fields.all().filter(|(span, ..)| kept >> span.get() & 1 == 1) {
        out.push(span.get() as u8);
        push_text(key, out);
        let (kind, word) = match value.kind() {
            Kind::Text(text) => {
                out.push(kind::TEXT);
                out.extend_from_slice(&(text.len() as u16).to_le_bytes());
                out.extend_from_slice(text.as_bytes());
                count += 1;
                continue;
            }
            Kind::Signed(number) => (kind::SIGNED, *number as u64),
            Kind::Unsigned(number) => (kind::UNSIGNED, *number),
            Kind::Float(number) => (kind::FLOAT, number.to_bits()),
            Kind::Bool(truth) => (if *truth { kind::TRUE } else { kind::FALSE }, 0),
        };
        out.push(kind);
        if kind < kind::FALSE {
            out.extend_from_slice(&word.to_le_bytes());
        }
        count += 1;
    }
    out[count_at..count_at + 2].copy_from_slice(&count.to_le_bytes());
}

fn read_fields(reader: &mut Reader<'_>, kept: u128) -> Option<Fields> {
    let mut fields = Fields::default();
    for _ in 0..u16::from_le_bytes(reader.array()?) {
        let [span] = reader.array()?;
        let span = SpanIndex::of_slot(span.into()).filter(|span| kept >> span.get() & 1 == 1)?;
        let key = reader.text(MAX_READ_BYTES)?;
        let [kind] = reader.array()?;
        let value = match kind {
            kind::TEXT => {
                let length = u16::from_le_bytes(reader.array()?);
                Value::from(std::str::from_utf8(reader.take(length.into())?).ok()?)
            }
            kind::SIGNED => Value::from(reader.number()? as i64),
            kind::UNSIGNED => Value::from(reader.number()?),
            kind::FLOAT => Value::from(f64::from_bits(reader.number()?)),
            kind::FALSE | kind::TRUE => Value::from(kind == kind::TRUE),
            _ => return None,
        };
        // Left out beyond the bounds of any record, and for keys beyond those that a process may read.
        if let Some(key) = read_text(&key) {
            fields.set(span, key, value);
        }
    }
    Some(fields)
}

/// Appends a text after its length in one byte, cut to what a reader accepts.
#[inline]
fn push_text(text: &str, out: &mut Vec<u8>) {
    let text = &text[..text.floor_char_boundary(MAX_READ_BYTES)];
    out.push(text.len() as u8);
    out.extend_from_slice(text.as_bytes());
}

/// Bytes that have not been read yet.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn number(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn text(&mut self, limit: usize) -> Option<SmolStr> {
        let [length] = self.array()?;
        let text = self.take(length.into())?;
        std::str::from_utf8(text).ok().filter(|text| text.len() <= limit).map(SmolStr::new)
    }
}

#[cfg(all(test, not(obs_loom)))]
mod tests;

//! Positions of the values in a line: which of them a later field of the same name replaces, and which of them are cut when
//! the line is too long.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::ops::Range;

use crate::json::text::line_buf::LineBuf;
use crate::json::text::truncate;
use crate::limits::MAX_LINE_BYTES;

/// Number of fields up to which a name is looked up by a linear scan. Beyond it the lookup is by the hash of the name.
const MAX_SCANNED: usize = 32;
/// Number of spans whose memory a thread keeps.
const MAX_KEPT: usize = 1 << 10;
/// Shortest length in bytes that a value is cut to. The note of the cut has to fit.
const MIN_CAP: usize = 64;

/// Span of a field, `,"key":value`, or of the message, which has no key of its own.
///
/// Small, because one is noted for each field of each line. A buffer is never longer than a `u32` can say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FieldSpan {
    start: u32,
    value: u32,
    end: u32,
    /// A later field has the same name.
    is_replaced: bool,
    /// Bytes of the value that were dropped because the buffer was full.
    missing: usize,
}

impl FieldSpan {
    #[inline]
    pub(crate) fn new(start: usize, value: usize, end: usize) -> FieldSpan {
        let [start, value, end] = [start, value, end].map(|at| at as u32);
        FieldSpan { start, value, end, is_replaced: false, missing: 0 }
    }

    /// `,"key":`
    fn key(&self) -> Range<usize> {
        self.start as usize..self.value as usize
    }

    /// Part of the value that is in the line.
    pub(crate) fn value(&self) -> Range<usize> {
        self.value as usize..self.end as usize
    }

    /// Length of the whole value in bytes.
    fn value_bytes(&self) -> usize {
        self.value().len() + self.missing
    }
}

/// Spans of a line in their order, the message first.
#[derive(Debug, Default)]
pub(crate) struct FieldSpans {
    all: Vec<FieldSpan>,
    replaced: usize,
    /// One bit for each key so far. Most keys are new, and an unset bit proves it.
    bits: u64,
    /// Last span of each key among the first `indexed` spans, by the key's hash.
    index: HashMap<u64, usize>,
    indexed: usize,
    #[cfg(test)]
    pub(crate) compared: std::cell::Cell<usize>,
}

impl FieldSpans {
    pub(crate) fn clear(&mut self) {
        self.all.clear();
        self.replaced = 0;
        self.bits = 0;
        self.forget_index();
    }

    /// Adds the message.
    #[inline]
    pub(crate) fn add_message(&mut self, span: FieldSpan) {
        self.all.push(span);
    }

    /// Adds a field. It replaces an earlier one of the same name.
    #[inline]
    pub(crate) fn add(&mut self, line: &[u8], span: FieldSpan, key_bit: u64) {
        // A set bit may come from another key, so the keys are compared then.
        if self.bits & key_bit != 0
            && let Some(same) = self.find(line, span.key())
        {
            self.all[same].is_replaced = true;
            self.replaced += 1;
        }
        self.bits |= key_bit;
        self.all.push(span);
    }

    /// Removes replaced fields from the line.
    #[inline]
    pub(crate) fn compact(&mut self, line: &mut LineBuf) {
        if self.replaced > 0 {
            self.keep(line, usize::MAX);
        }
    }

    /// Keeps at most `most` bytes of each value in the line, and nothing of replaced fields.
    #[cold]
    pub(crate) fn keep(&mut self, line: &mut LineBuf, most: usize) {
        let mut from = 0;
        let mut to = 0;
        for span in &mut self.all {
            let Range { start, end } = span.value();
            let kept = if span.is_replaced { span.key().start } else { start + (end - start).min(most) };
            line.copy_within(from..kept, to);
            let gap = from - to;
            to += kept - from;
            from = end;
            let missing = span.missing + (end - kept);
            let moved = FieldSpan::new(span.key().start - gap, start - gap, to);
            *span = FieldSpan { missing, is_replaced: span.is_replaced, ..moved };
        }
        line.copy_within(from..line.len(), to);
        line.truncate(line.len() - (from - to));
        self.all.retain(|span| !span.is_replaced);
        self.replaced = 0;
        self.forget_index();
    }

    /// Adds bytes of the last value that did not fit.
    pub(crate) fn add_missing(&mut self, bytes: usize) {
        if let Some(last) = self.all.last_mut() {
            last.missing += bytes;
        }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// Number of fields that are not replaced.
    pub(crate) fn fields(&self) -> usize {
        self.all.len() - self.replaced - 1
    }

    /// End of the last value in the line.
    pub(crate) fn end(&self) -> Option<usize> {
        self.all.last().map(|last| last.value().end)
    }

    /// Greatest length of values, `most` or less, with which the line fits. 0 if there is none.
    pub(crate) fn cap(&self, line: &[u8], most: usize) -> usize {
        self.cap_within(MAX_LINE_BYTES, line, most)
    }

    /// The same for a line of at most `limit` bytes.
    pub(crate) fn cap_within(&self, limit: usize, line: &[u8], most: usize) -> usize {
        let fixed = line.len() - self.all.iter().map(|span| span.value().len()).sum::<usize>();
        let fits = |cap: usize| {
            fixed + self.all.iter().map(|span| span.value_bytes().min(cap)).sum::<usize>() <= limit
        };
        // In steps of an eighth, so that the search takes few passes over the spans.
        let caps = std::iter::successors(Some(most), |cap| Some(cap / 8 * 7));
        caps.take_while(|cap| *cap >= MIN_CAP).find(|cap| fits(*cap)).unwrap_or(0)
    }

    /// Returns the line with its longest values cut to `cap` bytes.
    pub(crate) fn cut(&self, line: &[u8], cap: usize) -> LineBuf {
        let mut short = LineBuf::default();
        let mut from = 0;
        for span in self.all.iter().filter(|span| span.value_bytes() > cap) {
            let value = span.value();
            short.extend_from_slice(&line[from..value.start]);
            truncate::write_shortened(&mut short, &line[value.clone()], span.missing, cap);
            from = value.end;
        }
        short.extend_from_slice(&line[from..]);
        short
    }

    // Takes the place of the key and not the span: a span that is referred to is put together in memory, and the copy from there
    // waits for each of its parts.
    #[cold]
    fn find(&mut self, line: &[u8], place: Range<usize>) -> Option<usize> {
        let key = |span: &FieldSpan| &line[span.key()];
        let wanted = &line[place];
        let is_same = |known: &FieldSpan| {
            #[cfg(test)]
            self.compared.update(|count| count + 1);
            !known.is_replaced && key(known) == wanted
        };
        if self.all.len() > MAX_SCANNED {
            while let Some(next) = self.all.get(self.indexed) {
                self.index.insert(self.index.hasher().hash_one(key(next)), self.indexed);
                self.indexed += 1;
            }
            let known = self.index.get(&self.index.hasher().hash_one(wanted))?;
            // On a hash collision, fall back to a linear scan.
            if is_same(&self.all[*known]) {
                return Some(*known);
            }
        }
        self.all.iter().position(is_same)
    }

    #[inline]
    fn forget_index(&mut self) {
        if self.indexed > 0 {
            self.index.clear();
            self.index.shrink_to(MAX_KEPT);
            self.all.shrink_to(MAX_KEPT);
            self.indexed = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::redactor::Redactor;
    use crate::json::tests::{encode_with, fields};
    use crate::json::{Encoder, MAX_FIELDS};
    use log::Record;
    use log::kv::{self, Key, Value, VisitSource};

    #[test]
    fn the_last_of_a_repeated_field_counts() {
        let repeated =
            [("a", 1.into()), ("b", 2.into()), ("a", "three".into()), ("c", 4.into()), ("b", 5.into())];
        assert_eq!(fields(&repeated), ",\"a\":\"three\",\"c\":4,\"b\":5");
    }

    /// The search for a repeated name must not cost the square of the number of names.
    #[test]
    fn many_fields_are_not_compared_pairwise() {
        const NAMES: usize = 12_000;
        let names: Vec<_> = (0..NAMES).map(|at| format!("{at:x}")).collect();
        let twice =
            [0, 1].map(|round| names.iter().map(move |name| (name.as_str(), Value::from(round)))).into_iter();
        let fields: Vec<_> = twice.flatten().collect();
        let mut encoder = Encoder::default();
        let line = encode_with(&mut encoder, format_args!("m"), &fields).expect("each counts once");
        let start = line.find(",\"0\":").unwrap();
        let expected: Vec<_> = names.iter().map(|name| format!(",\"{name}\":1")).collect();
        assert_eq!(line[start..], expected.concat() + "}\n");
        let compared = encoder.spans.compared.get();
        assert!(compared < 3 * NAMES, "{compared} comparisons");
    }

    /// Few or many names, some of them repeated in any order.
    #[test]
    fn the_last_of_each_name_counts_among_any_number() {
        for names in [1, 5, 31, 32, 33, 64, 100, 1_000] {
            let names: Vec<_> = (0..names).map(|at| format!("n{at}")).collect();
            let given: Vec<_> =
                (0..3 * names.len()).map(|at| (names[at * at % names.len()].as_str(), at)).collect();
            let shown: Vec<_> = given.iter().map(|(name, at)| (*name, Value::from(*at))).collect();
            let is_last = |at: usize| given[at + 1..].iter().all(|(name, _)| *name != given[at].0);
            let lasts = (0..given.len()).filter(|at| is_last(*at));
            let expected: Vec<_> = lasts.map(|at| format!(",\"{}\":{}", given[at].0, given[at].1)).collect();
            assert_eq!(fields(&shown), expected.concat());
        }
    }

    /// The source is left as soon as no line can hold its fields.
    #[test]
    fn more_fields_than_a_line_can_hold_are_not_asked_for() {
        struct Many(Vec<String>, std::cell::Cell<usize>);
        impl kv::Source for Many {
            fn visit<'kvs>(&'kvs self, visitor: &mut dyn VisitSource<'kvs>) -> Result<(), kv::Error> {
                self.0.iter().try_for_each(|name| {
                    self.1.set(self.1.get() + 1);
                    visitor.visit_pair(Key::from_str(name), Value::from(1))
                })
            }
        }
        let names = (0..10 * MAX_FIELDS).map(|at| format!("{at:x}")).collect();
        let many = Many(names, std::cell::Cell::new(0));
        let mut record = Record::builder();
        let record = record.key_values(&many).args(format_args!("m")).build();
        assert!(Encoder::default().encode(0, &record, &Redactor::default()).is_none());
        assert_eq!(many.1.get(), MAX_FIELDS + 2);
    }
}

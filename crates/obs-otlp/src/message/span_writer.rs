//! Spans that are written into a request without a message in memory, which would allocate each key and each text.

use prost::encoding::{WireType, encode_varint, encoded_len_varint};

/// Span without its attributes, as a [`Span`](super::Span) of borrowed text.
#[derive(Clone, Copy, Debug)]
pub struct SpanHead<'a> {
    pub trace_id: [u8; 16],
    pub span_id: [u8; 8],
    pub trace_state: &'a str,
    pub parent_span_id: Option<[u8; 8]>,
    pub name: &'a str,
    pub kind: i32,
    pub start_time_unix_nano: u64,
    pub end_time_unix_nano: u64,
    /// Code of the status, which has no message. `None` is an unset status.
    pub status: Option<i32>,
    pub flags: u32,
}

/// Value of an attribute.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar<'a> {
    Text(&'a str),
    Int(i64),
    Double(f64),
    Bool(bool),
}

/// Attributes of a span that is being written.
#[derive(Debug)]
pub struct Attributes<'a>(&'a mut Vec<u8>);

impl Attributes<'_> {
    /// Adds an attribute. Its key is that of the two parts, one after the other.
    pub fn push(&mut self, key: [&str; 2], value: Scalar<'_>) {
        let key_length = key[0].len() + key[1].len();
        let value_length = value.encoded_len();
        let length = 1 + delimited(key_length) + 1 + delimited(value_length);
        begin(field::ATTRIBUTES, length, self.0);
        begin(field::KEY, key_length, self.0);
        key.iter().for_each(|part| self.0.extend_from_slice(part.as_bytes()));
        begin(field::VALUE, value_length, self.0);
        value.encode(self.0);
    }
}

impl Scalar<'_> {
    // Every field number here is below 16, so that a key takes one byte.
    fn encoded_len(self) -> usize {
        1 + match self {
            Scalar::Text(text) => delimited(text.len()),
            Scalar::Int(number) => encoded_len_varint(number as u64),
            Scalar::Double(_) => 8,
            Scalar::Bool(_) => 1,
        }
    }

    fn encode(self, bytes: &mut Vec<u8>) {
        match self {
            Scalar::Text(text) => {
                begin(field::STRING, text.len(), bytes);
                bytes.extend_from_slice(text.as_bytes());
            }
            Scalar::Bool(truth) => number(field::BOOL, truth.into(), bytes),
            Scalar::Int(value) => number(field::INT, value as u64, bytes),
            Scalar::Double(value) => fixed64(field::DOUBLE, value.to_bits(), bytes),
        }
    }
}

/// Field numbers of a span, of an attribute, and of its value.
mod field {
    pub(super) const TRACE_ID: u32 = 1;
    pub(super) const SPAN_ID: u32 = 2;
    pub(super) const TRACE_STATE: u32 = 3;
    pub(super) const PARENT_SPAN_ID: u32 = 4;
    pub(super) const NAME: u32 = 5;
    pub(super) const KIND: u32 = 6;
    pub(super) const START: u32 = 7;
    pub(super) const END: u32 = 8;
    pub(super) const ATTRIBUTES: u32 = 9;
    pub(super) const STATUS: u32 = 15;
    pub(super) const FLAGS: u32 = 16;

    pub(super) const CODE: u32 = 3;

    pub(super) const KEY: u32 = 1;
    pub(super) const VALUE: u32 = 2;

    pub(super) const STRING: u32 = 1;
    pub(super) const BOOL: u32 = 2;
    pub(super) const INT: u32 = 3;
    pub(super) const DOUBLE: u32 = 4;
}

/// Writes the fields of a span. Fields with the default of their type are left out, as everywhere in proto3.
pub(crate) fn write(head: &SpanHead<'_>, attributes: impl FnOnce(&mut Attributes<'_>), bytes: &mut Vec<u8>) {
    text(field::TRACE_ID, &head.trace_id, bytes);
    text(field::SPAN_ID, &head.span_id, bytes);
    text(field::TRACE_STATE, head.trace_state.as_bytes(), bytes);
    text(field::PARENT_SPAN_ID, head.parent_span_id.as_ref().map_or(&[][..], |id| id), bytes);
    text(field::NAME, head.name.as_bytes(), bytes);
    number(field::KIND, head.kind as u64, bytes);
    fixed64(field::START, head.start_time_unix_nano, bytes);
    fixed64(field::END, head.end_time_unix_nano, bytes);
    attributes(&mut Attributes(bytes));
    if let Some(code) = head.status {
        begin(field::STATUS, 1 + encoded_len_varint(code as u64), bytes);
        number(field::CODE, code as u64, bytes);
    }
    key(field::FLAGS, WireType::ThirtyTwoBit, bytes);
    bytes.extend_from_slice(&head.flags.to_le_bytes());
}

/// Returns the bytes of a length and of so many bytes after it.
fn delimited(length: usize) -> usize {
    encoded_len_varint(length as u64) + length
}

/// Writes the key of a field, and the length of what is written next.
fn begin(field: u32, length: usize, bytes: &mut Vec<u8>) {
    key(field, WireType::LengthDelimited, bytes);
    varint(length as u64, bytes);
}

fn text(field: u32, text: &[u8], bytes: &mut Vec<u8>) {
    if !text.is_empty() {
        begin(field, text.len(), bytes);
        bytes.extend_from_slice(text);
    }
}

fn number(field: u32, value: u64, bytes: &mut Vec<u8>) {
    key(field, WireType::Varint, bytes);
    varint(value, bytes);
}

fn fixed64(field: u32, value: u64, bytes: &mut Vec<u8>) {
    key(field, WireType::SixtyFourBit, bytes);
    bytes.extend_from_slice(&value.to_le_bytes());
}

fn key(field: u32, wire_type: WireType, bytes: &mut Vec<u8>) {
    varint(u64::from(field << 3 | wire_type as u32), bytes);
}

/// Writes a number. Nearly all keys and lengths take one byte, which the general loop of `prost` is slow for.
#[inline]
fn varint(value: u64, bytes: &mut Vec<u8>) {
    match value {
        ..0x80 => bytes.push(value as u8),
        _ => encode_varint(value, bytes),
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::super::{KeyValue, Kind, Span, Status, attribute};
    use super::*;

    fn attributes() -> Vec<(&'static str, Kind)> {
        vec![
            ("hearthnet.text", Kind::String("ü".repeat(100))),
            ("empty", Kind::String(String::new())),
            ("long", Kind::String("x".repeat(20_000))),
            ("hearthnet.int", Kind::Int(i64::MIN)),
            ("zero", Kind::Int(0)),
            ("double", Kind::Double(0.0)),
            ("no", Kind::Bool(false)),
        ]
    }

    fn scalar(kind: &Kind) -> Scalar<'_> {
        match kind {
            Kind::String(text) => Scalar::Text(text),
            Kind::Int(number) => Scalar::Int(*number),
            Kind::Double(number) => Scalar::Double(*number),
            Kind::Bool(truth) => Scalar::Bool(*truth),
            other => panic!("{other:?} is no scalar"),
        }
    }

    #[track_caller]
    fn check(head: SpanHead<'_>, span: Span) {
        let list = attributes();
        let mut written = Vec::new();
        let push = |attributes: &mut Attributes<'_>| {
            for (key, kind) in &list {
                attributes.push(key.split_at(key.find('.').map_or(0, |dot| dot + 1)).into(), scalar(kind));
            }
        };
        write(&head, push, &mut written);
        let attributes: Vec<KeyValue> = list.iter().map(|(key, kind)| attribute(key, kind.clone())).collect();
        let span = Span { attributes, ..span };
        assert_eq!(Span::decode(&*written).unwrap(), span);
        assert_eq!(written, span.encode_to_vec(), "byte by byte");
    }

    #[test]
    fn a_span_is_written_as_its_message() {
        let head = SpanHead {
            trace_id: [1; 16],
            span_id: [2; 8],
            trace_state: "",
            parent_span_id: None,
            name: "step",
            kind: 1,
            start_time_unix_nano: 5,
            end_time_unix_nano: u64::MAX,
            status: None,
            flags: 0x101,
        };
        let span = Span {
            trace_id: vec![1; 16],
            span_id: vec![2; 8],
            name: "step".to_owned(),
            kind: 1,
            start_time_unix_nano: 5,
            end_time_unix_nano: u64::MAX,
            flags: 0x101,
            ..Span::default()
        };
        check(head, span.clone());
        let failed = SpanHead { trace_state: "a=1", parent_span_id: Some([3; 8]), status: Some(2), ..head };
        let status = Some(Status { message: String::new(), code: 2 });
        check(failed, Span { trace_state: "a=1".to_owned(), parent_span_id: vec![3; 8], status, ..span });
    }
}

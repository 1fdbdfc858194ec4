//! Enclosing messages of a request, which are the same for all signals.

use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint};

use crate::config::Config;
use crate::message::{self, Attributes, InstrumentationScope, Resource, SpanHead, text};

/// Encoded parts that all requests of an export have in common.
///
/// Units are encoded one by one, and the enclosing messages are written by hand. A tree of all units of a request would be
/// walked once for each level to compute its lengths. `ResourceSpans`, `ResourceMetrics` and `ResourceLogs` have the same field
/// numbers, and so have the messages within.
///
/// ```
/// use obs_otlp::{Config, Envelope, Signal};
///
/// let envelope = Envelope::new(&Config::new(Signal::Logs, "http://127.0.0.1:4318"), "my-program", "1.0.0");
/// assert!(!envelope.request(Vec::new()).is_empty());
/// ```
#[derive(Clone, Debug)]
pub struct Envelope {
    /// `ResourceSpans.resource`
    resource: Vec<u8>,
    /// `ScopeSpans.scope`
    scope: Vec<u8>,
}

/// Field numbers of a request, and of its messages by resource and by scope.
mod field {
    pub(super) const OF_RESOURCE: u32 = 1;
    pub(super) const RESOURCE: u32 = 1;
    pub(super) const OF_SCOPE: u32 = 2;
    pub(super) const SCOPE: u32 = 1;
    pub(super) const UNIT: u32 = 2;
}

impl Envelope {
    /// Creates the envelope of an export. `name` and `version` are those of its instrumentation scope.
    #[must_use]
    pub fn new(config: &Config, name: &str, version: &str) -> Envelope {
        let attributes = config.resource.iter().map(|(key, value)| text(key, value)).collect();
        let scope = InstrumentationScope { name: name.to_owned(), version: version.to_owned() };
        let mut envelope = Envelope { resource: Vec::new(), scope: Vec::new() };
        push(field::RESOURCE, &Resource { attributes }, &mut envelope.resource);
        push(field::SCOPE, &scope, &mut envelope.scope);
        envelope
    }

    /// Appends a span, metric or log record to the units of a request.
    pub fn push_unit(unit: &impl Message, units: &mut Vec<u8>) {
        push(field::UNIT, unit, units);
    }

    /// Appends a span to the units of a request. `attributes` adds its attributes.
    ///
    /// ```
    /// use obs_otlp::Envelope;
    /// use obs_otlp::message::{Scalar, SpanHead, kind};
    ///
    /// let mut spans = Vec::new();
    /// let head = SpanHead {
    ///     trace_id: [1; 16],
    ///     span_id: [2; 8],
    ///     trace_state: "",
    ///     parent_span_id: None,
    ///     name: "search",
    ///     kind: kind::INTERNAL,
    ///     start_time_unix_nano: 1_700_000_000_000_000_000,
    ///     end_time_unix_nano: 1_700_000_000_000_050_000,
    ///     status: None,
    ///     flags: 0,
    /// };
    /// Envelope::push_span(&head, &mut spans, |attributes| attributes.push(["hearthnet.", "hits"], Scalar::Int(3)));
    /// ```
    pub fn push_span(head: &SpanHead<'_>, units: &mut Vec<u8>, attributes: impl FnOnce(&mut Attributes<'_>)) {
        encode_key(field::UNIT, WireType::LengthDelimited, units);
        // The length is known at the end. Most spans take two bytes for it, so that few are moved.
        let at = units.len();
        units.extend_from_slice(&[0; 2]);
        message::write_span(head, attributes, units);
        let length = units.len() - at - 2;
        let mut digits = [0; 10];
        let mut free = &mut digits[..];
        encode_varint(length as u64, &mut free);
        let used = 10 - free.len();
        match <[u8; 2]>::try_from(&digits[..used]) {
            Ok(two) => units[at..at + 2].copy_from_slice(&two),
            Err(_) => drop(units.splice(at..at + 2, digits[..used].iter().copied())),
        }
    }

    /// Makes the body of a request of these units.
    #[must_use]
    pub fn request(&self, mut units: Vec<u8>) -> Vec<u8> {
        let of_scope = self.scope.len() + units.len();
        // One byte for the key of `OF_SCOPE`.
        let of_resource = self.resource.len() + 1 + encoded_len_varint(of_scope as u64) + of_scope;
        let mut head = Vec::new();
        begin(field::OF_RESOURCE, of_resource, &mut head);
        head.extend_from_slice(&self.resource);
        begin(field::OF_SCOPE, of_scope, &mut head);
        head.extend_from_slice(&self.scope);
        // In place: units of some MiB are moved by the head's length, and are in memory once.
        units.splice(..0, head);
        units
    }
}

/// Writes the key and length of a message.
fn begin(field: u32, length: usize, body: &mut Vec<u8>) {
    encode_key(field, WireType::LengthDelimited, body);
    encode_varint(length as u64, body);
}

fn push(field: u32, message: &impl Message, body: &mut Vec<u8>) {
    begin(field, message.encoded_len(), body);
    message.encode_raw(body);
}

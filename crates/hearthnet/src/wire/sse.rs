//! Server-sent events, read from whoever streams to us and written to whoever called.

use bytes::Bytes;
use serde_json::Value;

use super::error::{CallError, Code};

/// One event of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) data: String,
}

/// An event as it goes over the wire.
pub(crate) fn encode(name: &str, data: &Value) -> Bytes {
    Bytes::from(format!("event: {name}\ndata: {data}\n\n"))
}

/// No event is larger; whoever sends a larger one is not listened to any longer.
const MAX_EVENT_BYTES: usize = 1 << 20;

/// Cuts a stream of bytes, in whatever pieces it comes, into events.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    pending: Vec<u8>,
    /// How much of `pending` is known to hold no line end.
    scanned: usize,
    name: String,
    data: Option<String>,
}

impl Parser {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// The next whole event, if it is there yet.
    pub(crate) fn next(&mut self) -> Result<Option<Event>, CallError> {
        while let Some(end) = self.pending[self.scanned..].iter().position(|&byte| byte == b'\n') {
            let rest = self.pending.split_off(self.scanned + end + 1);
            let line = std::mem::replace(&mut self.pending, rest);
            self.scanned = 0;
            if let Some(event) = self.line(line.trim_ascii_end())? {
                return Ok(Some(event));
            }
        }
        self.scanned = self.pending.len();
        self.within(self.pending.len())?;
        Ok(None)
    }

    fn line(&mut self, line: &[u8]) -> Result<Option<Event>, CallError> {
        if line.is_empty() {
            let name = std::mem::take(&mut self.name);
            return Ok(self.data.take().map(|data| Event { name, data }));
        }
        let line = std::str::from_utf8(line).map_err(|_| broken("an event is not UTF-8"))?;
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" => {
                self.within(self.data.as_ref().map_or(0, String::len) + value.len())?;
                match &mut self.data {
                    Some(data) => *data = format!("{data}\n{value}"),
                    None => self.data = Some(value.to_owned()),
                }
            }
            // Comments, `id` and `retry` mean nothing here.
            _ => {}
        }
        Ok(None)
    }

    fn within(&self, bytes: usize) -> Result<(), CallError> {
        match bytes {
            ..=MAX_EVENT_BYTES => Ok(()),
            _ => Err(broken("an event is larger than 1 MiB")),
        }
    }
}

fn broken(why: &str) -> CallError {
    Code::INTERNAL_ERROR.because(format!("the stream behind this call is broken: {why}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn events(pieces: &[&[u8]]) -> Result<Vec<(String, String)>, CallError> {
        let (mut parser, mut found) = (Parser::default(), Vec::new());
        for piece in pieces {
            parser.push(piece);
            while let Some(event) = parser.next()? {
                found.push((event.name, event.data));
            }
        }
        Ok(found)
    }

    #[test]
    fn events_come_out_whole_however_they_are_cut() {
        let text = b": hello\nevent: token\ndata: {\"text\":\"a\"}\n\nid: 7\r\ndata: one\r\ndata:two\r\n\r\n\n\ndata: cut";
        let expected =
            vec![("token".to_owned(), "{\"text\":\"a\"}".to_owned()), (String::new(), "one\ntwo".to_owned())];
        assert_eq!(events(&[text]).unwrap(), expected);
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(events(&bytes).unwrap(), expected);
    }

    #[test]
    fn an_endless_event_is_refused() {
        let line = vec![b'a'; MAX_EVENT_BYTES + 1];
        assert!(events(&[&line]).is_err());
        let line = [b"data: ", vec![b'a'; MAX_EVENT_BYTES / 2].as_slice(), b"\n"].concat();
        assert!(events(&[&line, &line, &line]).is_err());
    }

    #[test]
    fn what_is_encoded_is_read_back() {
        let data = serde_json::json!({ "text": "line\nbreak \u{2028} Grüße" });
        let expected = vec![("token".to_owned(), data.to_string())];
        assert_eq!(events(&[&encode("token", &data)]).unwrap(), expected);
    }

    proptest! {
        /// R1: nothing that a peer may send panics, and where it is cut makes no difference.
        #[test]
        fn r1_any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..400), cut in 0usize..400) {
            let cut = cut.min(bytes.len());
            prop_assert_eq!(events(&[&bytes]).ok(), events(&[&bytes[..cut], &bytes[cut..]]).ok());
        }
    }
}

//! Server-sent events: parser and encoder.

use bytes::{Buf as _, Bytes, BytesMut};
use serde_json::Value;

use super::error::{CallError, Code};

/// Event of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) data: String,
}

/// Encodes an event.
pub(crate) fn encode(name: &str, data: &Value) -> Bytes {
    Bytes::from(format!("event: {name}\ndata: {data}\n\n"))
}

/// Maximum size of an event. A larger one ends the stream.
const MAX_EVENT_BYTES: usize = 1 << 20;

/// Error field of llama.cpp until 2025. The standard has no such field. Its event gets the name `error`.
const ERROR_FIELD: &str = "error";

/// Comment that marks a trace of which a part failed. See `obs_facade::http::keep::STREAM_COMMENT`.
const MARK: &str = "x-hearthnet-keep: error";

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Parser of event streams by the WHATWG standard. It takes the bytes in pieces of any size.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    pending: BytesMut,
    /// Length of the start of `pending` that is known to hold no line end.
    scanned: usize,
    /// Whether the byte order mark, if any, has been skipped.
    begun: bool,
    /// Whether the last line ended in CR. An LF that follows belongs to it.
    after_cr: bool,
    name: String,
    data: Option<String>,
    /// Whether a comment with the mark of a broken trace came.
    has_mark: bool,
}

impl Parser {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// Returns the next whole event, if there is one.
    pub(crate) fn next(&mut self) -> Result<Option<Event>, CallError> {
        while let Some(line) = self.next_line()? {
            if let Some(event) = self.line(&line)? {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    /// Returns whether a comment came since the last call that marks the trace of the stream.
    pub(crate) fn take_mark(&mut self) -> bool {
        std::mem::take(&mut self.has_mark)
    }

    /// Returns the event that the end of the stream cut off. The standard drops it.
    pub(crate) fn finish(&mut self) -> Result<Option<Event>, CallError> {
        let last = self.pending.split();
        self.scanned = 0;
        let whole = self.line(&last)?;
        Ok(whole.or(self.line(b"")?))
    }

    /// Returns the next whole line without its end: CR, LF or both.
    fn next_line(&mut self) -> Result<Option<BytesMut>, CallError> {
        if !self.begun && !self.begin() {
            return Ok(None);
        }
        if self.after_cr && !self.pending.is_empty() {
            self.after_cr = false;
            if self.pending.starts_with(b"\n") {
                self.pending.advance(1);
            }
        }
        let found = self.pending[self.scanned..].iter().position(|byte| matches!(byte, b'\n' | b'\r'));
        let Some(end) = found else {
            // The next piece is searched from here, so that many small pieces do not cost quadratic time.
            self.scanned = self.pending.len();
            // Without this a stream without line ends would grow the buffer without bound.
            self.within(self.pending.len())?;
            return Ok(None);
        };
        let line = self.pending.split_to(self.scanned + end);
        self.after_cr = self.pending.starts_with(b"\r");
        self.pending.advance(1);
        self.scanned = 0;
        self.within(line.len())?;
        Ok(Some(line))
    }

    /// Skips a byte order mark. Returns false while too few bytes have arrived to decide.
    fn begin(&mut self) -> bool {
        if self.pending.starts_with(BYTE_ORDER_MARK) {
            self.pending.advance(BYTE_ORDER_MARK.len());
        } else if BYTE_ORDER_MARK.starts_with(&self.pending) {
            return false;
        }
        self.begun = true;
        true
    }

    fn line(&mut self, line: &[u8]) -> Result<Option<Event>, CallError> {
        if line.is_empty() {
            let name = std::mem::take(&mut self.name);
            return Ok(self.data.take().map(|data| Event { name, data }));
        }
        // The standard decodes with replacement characters and never fails.
        let line = String::from_utf8_lossy(line);
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        // The standard removes one space, not more.
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" | ERROR_FIELD => {
                if field == ERROR_FIELD {
                    ERROR_FIELD.clone_into(&mut self.name);
                }
                self.within(self.data.as_ref().map_or(0, String::len) + value.len())?;
                match &mut self.data {
                    Some(data) => {
                        data.push('\n');
                        data.push_str(value);
                    }
                    None => self.data = Some(value.to_owned()),
                }
            }
            // A comment.
            "" if value == MARK => self.has_mark = true,
            // Other comments, `id` and `retry` have no use here.
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
    Code::INTERNAL_ERROR.because(format!("invalid event stream: {why}"))
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
    fn events_are_whole_for_any_cut_of_the_stream() {
        let text = b": hello\nevent: token\ndata: {\"text\":\"a\"}\n\nid: 7\r\ndata: one\r\ndata:two\r\n\r\n\n\ndata: cut";
        let expected =
            vec![("token".to_owned(), "{\"text\":\"a\"}".to_owned()), (String::new(), "one\ntwo".to_owned())];
        assert_eq!(events(&[text]).unwrap(), expected);
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(events(&bytes).unwrap(), expected);
    }

    /// Every form is parsed whole, byte by byte, and cut in two at each place.
    #[test]
    fn every_form_of_the_standard_is_parsed() {
        let table: [(&str, &[&str]); 13] = [
            ("data: a\r\rdata: b\r\r", &["a", "b"]),
            ("data: a\r\n\r\ndata: b\r\n\r\n", &["a", "b"]),
            ("data: a\n\rdata: b\r\n\n", &["a", "b"]),
            ("\u{feff}data: a\n\n", &["a"]),
            ("\u{feff}\u{feff}data: a\n\ndata: b\n\n", &["b"]),
            (":\n: comment\ndata: a\n\n", &["a"]),
            ("data\n\n", &[""]),
            ("data\ndata\n\n", &["\n"]),
            ("data:a\n\ndata:  b \n\n", &["a", " b "]),
            ("data: a\ndata:b\ndata: c\n\n", &["a\nb\nc"]),
            ("id: 1\nretry: 3\nstrange: x\nwithout colon\ndata: a\n\n", &["a"]),
            ("event: only\n\ndata: a\n\n", &["a"]),
            ("data: Gr\u{fc}\u{df}e \u{1f600}\n\ndata: cut", &["Gr\u{fc}\u{df}e \u{1f600}"]),
        ];
        for (text, expected) in table {
            let data = |pieces: &[&[u8]]| -> Vec<String> {
                events(pieces).unwrap().into_iter().map(|(_, data)| data).collect()
            };
            let bytes = text.as_bytes();
            assert_eq!(data(&bytes.chunks(1).collect::<Vec<_>>()), expected, "{text:?}");
            for cut in 0..=bytes.len() {
                assert_eq!(data(&[&bytes[..cut], &bytes[cut..]]), expected, "{text:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn an_error_in_a_field_of_its_own_is_an_event_named_error() {
        let expected = vec![("error".to_owned(), "{\"code\":400}".to_owned())];
        assert_eq!(events(&[b"error: {\"code\":400}\n\n"]).unwrap(), expected);
    }

    #[test]
    fn a_comment_marks_the_trace_of_the_stream() {
        let mut parser = Parser::default();
        parser.push(obs_facade::http::keep::STREAM_COMMENT.as_bytes());
        parser.push(b": another comment\ndata: a\n\n");
        assert_eq!(parser.next().unwrap().unwrap().data, "a");
        assert!(parser.take_mark() && !parser.take_mark());
        parser.push(b"data: x-hearthnet-keep: error\n\n");
        assert!(parser.next().unwrap().is_some() && !parser.take_mark());
    }

    #[test]
    fn bytes_that_are_no_utf8_are_replaced() {
        assert_eq!(events(&[b"data: a\xffb\n\n"]).unwrap()[0].1, "a\u{fffd}b");
    }

    #[test]
    fn an_endless_event_is_refused() {
        let line = vec![b'a'; MAX_EVENT_BYTES + 1];
        assert!(events(&[&line]).is_err());
        let line = [b"data: ", vec![b'a'; MAX_EVENT_BYTES / 2].as_slice(), b"\n"].concat();
        assert!(events(&[&line, &line, &line]).is_err());
    }

    #[test]
    fn encoded_events_are_parsed_back() {
        let data = serde_json::json!({ "text": "line\nbreak \u{2028} Grüße" });
        let expected = vec![("token".to_owned(), data.to_string())];
        assert_eq!(events(&[&encode("token", &data)]).unwrap(), expected);
    }

    proptest! {
        /// No bytes cause a panic, and the place of a cut makes no difference.
        #[test]
        fn no_bytes_cause_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), cut in 0usize..400) {
            let cut = cut.min(bytes.len());
            prop_assert_eq!(events(&[&bytes]).ok(), events(&[&bytes[..cut], &bytes[cut..]]).ok());
        }
    }
}

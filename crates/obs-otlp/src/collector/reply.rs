//! Replies of a collector: all that the OTLP/HTTP specification knows.

use std::io::Read;
use std::time::Duration;

use prost::Message;
use ureq::Body;
use ureq::http::Response;
use ureq::http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};

use super::{json, retry_after};
use crate::message::{ExportResponse, PartialSuccess, RpcStatus};
use crate::signal::Signal;

/// Result of a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// The collector has accepted the units, except `rejected` of them for the reason `why`.
    Accepted { rejected: u64, why: String, remark: Option<String> },
    /// The request may succeed later. The collector may have said when.
    Retry { why: String, after: Option<Duration> },
    /// The collector cannot read a compressed body.
    NoGzip,
    /// The request will never succeed.
    Refused { why: String },
}

/// Maximum length of a body, before and after decompression. The specification recommends this limit.
const MAX_BODY_BYTES: u64 = 4 << 20;
/// Maximum number of characters of a collector's message that are kept. Enough for a sentence in a log line.
const MAX_MESSAGE_CHARS: usize = 200;

/// Reads the response to a request. `is_gzipped` tells whether the request's body was compressed.
pub(crate) fn read(signal: Signal, mut response: Response<Body>, is_gzipped: bool) -> Reply {
    let status = response.status().as_u16();
    match status {
        200..300 => success(signal, response),
        429 | 502 | 503 | 504 => {
            let after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            let after = after.and_then(retry_after::parse);
            Reply::Retry { why: failure(status, "", &mut response), after }
        }
        415 if is_gzipped => Reply::NoGzip,
        300..400 => {
            Reply::Refused { why: format!("status {status}, a redirect; set the address that it points to") }
        }
        404 | 405 => Reply::Refused {
            why: failure(status, &format!("; no collector accepts {} there", signal.name()), &mut response),
        },
        400 if is_gzipped => {
            let hint = "; if the collector reads no gzip, set otlp_compression = \"none\"";
            Reply::Refused { why: failure(status, hint, &mut response) }
        }
        _ => Reply::Refused { why: failure(status, "", &mut response) },
    }
}

/// Reads a response with status 2xx. The collector has accepted the units, so they are not sent again, whatever the body
/// is. Only a body that is too large makes the response a failure, as the specification demands.
fn success(signal: Signal, mut response: Response<Body>) -> Reply {
    let unreadable = |why: &str| Reply::Accepted {
        rejected: 0,
        why: String::new(),
        remark: Some(format!(
            "the collector accepted the {}, and its response cannot be read: {why}",
            signal.name()
        )),
    };
    let body = match body(&mut response) {
        Ok(body) => body,
        Err(Unreadable::TooLarge) => {
            return Reply::Refused { why: "the response is larger than 4 MiB".to_owned() };
        }
        Err(Unreadable::Broken(error)) => return unreadable(&format!("it ends early: {error}")),
    };
    let decoded = match Format::of(&response, &body) {
        _ if body.is_empty() => Some(PartialSuccess::default()),
        Format::Protobuf => ExportResponse::decode(body.as_slice())
            .ok()
            .map(|response| response.partial_success.unwrap_or_default()),
        Format::Json => json::read::<json::ExportResponse>(&body).map(json::ExportResponse::partial_success),
        Format::Text | Format::Other => return unreadable("it is neither protobuf nor JSON"),
    };
    match decoded {
        Some(partial) => accepted(signal, partial),
        None => unreadable("it is not an OTLP message"),
    }
}

fn accepted(signal: Signal, PartialSuccess { rejected, error_message }: PartialSuccess) -> Reply {
    let why = shortened(&error_message);
    match u64::try_from(rejected).unwrap_or(0) {
        0 if !why.is_empty() => Reply::Accepted {
            rejected: 0,
            why: String::new(),
            remark: Some(format!("the collector accepted the {} and says: {why}", signal.name())),
        },
        rejected => Reply::Accepted { rejected, why, remark: None },
    }
}

/// Returns the status and the collector's message: `google.rpc.Status` in either form, or a short text.
fn failure(status: u16, hint: &str, response: &mut Response<Body>) -> String {
    let body = body(response).unwrap_or_default();
    let said = match Format::of(response, &body) {
        Format::Protobuf => RpcStatus::decode(body.as_slice()).map(|status| status.message).ok(),
        Format::Json => json::read::<json::Status>(&body).and_then(|status| status.message),
        Format::Text => String::from_utf8(body).ok(),
        Format::Other => None,
    };
    match said.map(|said| shortened(&said)).filter(|said| !said.is_empty()) {
        Some(said) => format!("status {status}: {said}{hint}"),
        None => format!("status {status}{hint}"),
    }
}

fn shortened(text: &str) -> String {
    let visible = text.trim().chars().map(|letter| if is_unsafe(letter) { ' ' } else { letter });
    visible.take(MAX_MESSAGE_CHARS).collect()
}

/// Returns whether a character could forge lines, colours or the order of letters where a log is printed, or is invisible there.
/// The zero width joiner and the variation selectors are left, because emoji are made of them.
fn is_unsafe(letter: char) -> bool {
    // `is_control` covers C0, DEL and C1. Two separators that some programs take for line ends are not controls.
    letter.is_control()
        || matches!(
            letter,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200c}' | '\u{200e}' | '\u{200f}'
                | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// Format of a body by its media type, compared without case and parameters.
enum Format {
    Protobuf,
    Json,
    Text,
    Other,
}

impl Format {
    fn of(response: &Response<Body>, body: &[u8]) -> Format {
        let Some(value) = response.headers().get(CONTENT_TYPE) else {
            // Without a type the first byte decides: no OTLP message in protobuf begins with a brace.
            return if body.first() == Some(&b'{') { Format::Json } else { Format::Protobuf };
        };
        let value = value.as_bytes();
        let media_type = value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        let is = |name: &str| media_type.eq_ignore_ascii_case(name.as_bytes());
        if is("application/x-protobuf") || is("application/protobuf") {
            Format::Protobuf
        } else if is("application/json") {
            Format::Json
        } else if is("text/plain") {
            Format::Text
        } else {
            Format::Other
        }
    }
}

enum Unreadable {
    TooLarge,
    Broken(std::io::Error),
}

/// Reads the whole body and decompresses it. Some servers compress without being asked.
fn body(response: &mut Response<Body>) -> Result<Vec<u8>, Unreadable> {
    let coding = response.headers().get(CONTENT_ENCODING).map(|value| value.as_bytes().trim_ascii().to_vec());
    let raw = bounded(response.body_mut().as_reader())?;
    let is_gzip =
        |coding: Vec<u8>| coding.eq_ignore_ascii_case(b"gzip") || coding.eq_ignore_ascii_case(b"x-gzip");
    match coding.is_some_and(is_gzip) && !raw.is_empty() {
        true => bounded(flate2::read::MultiGzDecoder::new(raw.as_slice())),
        false => Ok(raw),
    }
}

/// Reads up to [`MAX_BODY_BYTES`].
fn bounded(reader: impl Read) -> Result<Vec<u8>, Unreadable> {
    let mut body = Vec::new();
    // One byte more than allowed tells a body that is too large from one that just fits.
    let read = reader.take(MAX_BODY_BYTES + 1).read_to_end(&mut body);
    match read {
        _ if body.len() as u64 > MAX_BODY_BYTES => Err(Unreadable::TooLarge),
        Ok(_) => Ok(body),
        Err(error) => Err(Unreadable::Broken(error)),
    }
}

#[cfg(test)]
#[path = "../../../../tests/support/terminal_unsafe.rs"]
mod terminal_unsafe;

#[cfg(test)]
mod tests {
    use super::terminal_unsafe::UNSAFE;
    use super::*;

    #[test]
    fn unsafe_characters_of_a_message_become_blanks() {
        for letter in UNSAFE {
            assert_eq!(shortened(&format!(" a{letter}ü{letter}b ")), "a ü b", "{letter:?}");
        }
        assert_eq!(shortened("a\nb\tc"), "a b c");
        for text in ["Grüße 日本 \u{1f600}", "👩\u{200d}🚀 ❤\u{fe0f}"] {
            assert_eq!(shortened(text), text);
        }
        assert_eq!(shortened(&"ü".repeat(1_000)).chars().count(), MAX_MESSAGE_CHARS);
    }
}

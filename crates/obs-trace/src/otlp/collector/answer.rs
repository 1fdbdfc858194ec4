//! What a collector's answer means: every one that the OTLP/HTTP specification knows.

use std::io::Read;
use std::time::Duration;

use prost::Message;
use ureq::Body;
use ureq::http::Response;
use ureq::http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};

use super::super::backoff;
use super::super::message::{ExportTraceServiceResponse, PartialSuccess, RpcStatus};
use super::json;

/// What came of a request.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::otlp) enum Answer {
    /// The collector has taken the spans, except `rejected` of them, of which `why` says more.
    Taken { rejected: u64, why: String, remark: Option<String> },
    /// It may take them later; it may have said when.
    Later { why: String, after: Option<Duration> },
    /// It cannot read a compressed body.
    NoGzip,
    /// It will never take them.
    Refused { why: String },
}

/// Largest body that is read, before and after decompression: the limit that the specification recommends.
const MAX_BODY_BYTES: u64 = 4 << 20;
/// Most characters that are kept of a collector's own words.
const MAX_WHY_CHARS: usize = 200;

/// Reads the answer to a request, whose body was compressed if `is_gzipped`.
pub(in crate::otlp) fn read(mut response: Response<Body>, is_gzipped: bool) -> Answer {
    let status = response.status().as_u16();
    match status {
        200..300 => success(response),
        429 | 502 | 503 | 504 => {
            let after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            let after = after.and_then(backoff::retry_after);
            Answer::Later { why: failure(status, "", &mut response), after }
        }
        415 if is_gzipped => Answer::NoGzip,
        300..400 => {
            Answer::Refused { why: format!("status {status}, a redirect; name the address that it leads to") }
        }
        404 | 405 => {
            Answer::Refused { why: failure(status, "; no collector takes traces there", &mut response) }
        }
        400 if is_gzipped => {
            let hint = "; if the collector reads no gzip, set otlp_compression = \"none\"";
            Answer::Refused { why: failure(status, hint, &mut response) }
        }
        _ => Answer::Refused { why: failure(status, "", &mut response) },
    }
}

/// A collector that says 2xx has taken the spans, so they are never sent again, whatever follows. Only a body that
/// is too large makes the answer a failure, as the specification demands.
fn success(mut response: Response<Body>) -> Answer {
    let unreadable = |why: &str| Answer::Taken {
        rejected: 0,
        why: String::new(),
        remark: Some(format!("it took the traces, and its answer cannot be read: {why}")),
    };
    let body = match body(&mut response) {
        Ok(body) => body,
        Err(Unreadable::TooLarge) => {
            return Answer::Refused { why: "its answer is larger than 4 MiB".to_owned() };
        }
        Err(Unreadable::Broken(error)) => return unreadable(&format!("it breaks off: {error}")),
    };
    let decoded = match Form::of(&response, &body) {
        _ if body.is_empty() => Some(PartialSuccess::default()),
        Form::Protobuf => ExportTraceServiceResponse::decode(body.as_slice())
            .ok()
            .map(|answer| answer.partial_success.unwrap_or_default()),
        Form::Json => json::read::<json::Answer>(&body).map(json::Answer::partial_success),
        Form::Text | Form::Other => return unreadable("it is neither protobuf nor JSON"),
    };
    match decoded {
        Some(partial) => taken(partial),
        None => unreadable("it is no message of OTLP"),
    }
}

fn taken(PartialSuccess { rejected_spans, error_message }: PartialSuccess) -> Answer {
    let why = shortened(&error_message);
    match u64::try_from(rejected_spans).unwrap_or(0) {
        0 if !why.is_empty() => Answer::Taken {
            rejected: 0,
            why: String::new(),
            remark: Some(format!("it took the traces and says: {why}")),
        },
        rejected => Answer::Taken { rejected, why, remark: None },
    }
}

/// The status and what the collector says about it: `google.rpc.Status` in either form, or a short text.
fn failure(status: u16, hint: &str, response: &mut Response<Body>) -> String {
    let body = body(response).unwrap_or_default();
    let said = match Form::of(response, &body) {
        Form::Protobuf => RpcStatus::decode(body.as_slice()).map(|status| status.message).ok(),
        Form::Json => json::read::<json::Status>(&body).and_then(|status| status.message),
        Form::Text => String::from_utf8(body).ok(),
        Form::Other => None,
    };
    match said.map(|said| shortened(&said)).filter(|said| !said.is_empty()) {
        Some(said) => format!("status {status}: {said}{hint}"),
        None => format!("status {status}{hint}"),
    }
}

fn shortened(text: &str) -> String {
    let visible = text.trim().chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    visible.take(MAX_WHY_CHARS).collect()
}

/// What a body is, by its media type: compared without case and without parameters.
enum Form {
    Protobuf,
    Json,
    Text,
    Other,
}

impl Form {
    fn of(response: &Response<Body>, body: &[u8]) -> Form {
        let Some(value) = response.headers().get(CONTENT_TYPE) else {
            // Without a type the first byte tells them apart: no message of OTLP begins with a brace.
            return if body.first() == Some(&b'{') { Form::Json } else { Form::Protobuf };
        };
        let value = value.as_bytes();
        let media_type = value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        let is = |name: &str| media_type.eq_ignore_ascii_case(name.as_bytes());
        if is("application/x-protobuf") || is("application/protobuf") {
            Form::Protobuf
        } else if is("application/json") {
            Form::Json
        } else if is("text/plain") {
            Form::Text
        } else {
            Form::Other
        }
    }
}

enum Unreadable {
    TooLarge,
    Broken(std::io::Error),
}

/// The whole body, decompressed: some servers compress without being asked.
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

fn bounded(reader: impl Read) -> Result<Vec<u8>, Unreadable> {
    let mut body = Vec::new();
    let read = reader.take(MAX_BODY_BYTES + 1).read_to_end(&mut body);
    match read {
        _ if body.len() as u64 > MAX_BODY_BYTES => Err(Unreadable::TooLarge),
        Ok(_) => Ok(body),
        Err(error) => Err(Unreadable::Broken(error)),
    }
}

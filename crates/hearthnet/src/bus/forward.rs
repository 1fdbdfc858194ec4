//! Calls that a peer answers.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use bytes::Bytes;
use obs_facade::http::keep;
use obs_facade::trace;
use reqwest::{RequestBuilder, Response};
use serde_json::Value;
use tokio::time::timeout;

use super::answer::{self, Answer, ERROR, Frame, FrameSource, frames};
use super::peers::Peer;
use super::state::Bus;
use crate::wire::caller::FROM;
use crate::wire::error::{CallError, Code};
use crate::wire::signing::signature::{self, VERSION_HEADER};
use crate::wire::{VERSION, client, sse};

/// Advice for an error that a peer reports.
const SEE_PEER: &str = "see the log of the peer for the same trace ID";

/// Marks a call that another node has forwarded.
const HOPS: HeaderName = HeaderName::from_static("x-hearthnet-hops");

// Eight times the maximum of a call: answers of language models are longer than their questions.
const MAX_ANSWER_BYTES: usize = 8 << 20;
/// Maximum length of a peer's error message that is passed on to the caller.
const MAX_MESSAGE_CHARS: usize = 1000;

/// Returns whether a call may be forwarded. A call that was forwarded once, or that names this node as its caller, may
/// not: two nodes that each take the other for the provider of a capability would forward it for ever.
///
/// `is_own` marks a call of this node's owner, which names this node as its caller too.
pub(super) fn may_forward(headers: &HeaderMap, us: &str, is_own: bool) -> bool {
    let names_us = || headers.get_all(FROM).iter().any(|from| from.as_bytes() == us.as_bytes());
    !headers.contains_key(HOPS) && (is_own || !names_us())
}

/// Forwards a call to `peer` under the trace ID of the call.
pub(super) async fn forward(
    bus: &Bus,
    peer: &Peer,
    capability: &str,
    version: Option<&HeaderValue>,
    raw: Bytes,
    body: Value,
) -> Result<Answer, CallError> {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let name = HeaderValue::from_str(capability)
        .map_err(|_| Code::BAD_REQUEST.because("the name of the capability is not valid in a header"))?;
    headers.insert(obs_facade::http::CAPABILITY, name);
    headers.insert(VERSION_HEADER, version.cloned().unwrap_or(HeaderValue::from_static(VERSION)));
    // The value has no meaning. Its presence stops the peer from forwarding again.
    headers.insert(HOPS, HeaderValue::from_static("1"));
    // The raw bytes are forwarded, so that the peer sees the same numbers and key order as this node.
    let url = client::join(&peer.url, "/bus/v1/call");
    let request = bus.http.post(url.clone()).body(raw);
    let (address, port) = client::server(&url);
    trace::span("forward")
        .field("to", &peer.node_id)
        .field("same_community", peer.same_community)
        .field("server.address", address)
        .field("server.port", port)
        .wrap(async move {
            // Inside the span, so that the peer's part of the trace becomes its child.
            obs_facade::http::inject(&mut headers);
            signature::sign(
                &mut headers,
                capability,
                &bus.profile.identity,
                &bus.profile.community_id,
                &body,
            )?;
            // The parsed body takes many times the memory of its text. It was needed for the signature alone.
            drop(body);
            let answer = ask(request.headers(headers), &peer.node_id, bus.call_timeout).await;
            answer::marked(answer::noted(answer.map_err(|error| error.asked("POST", &url))))
        })
        .await
}

async fn ask(request: RequestBuilder, peer: &str, patience: Duration) -> Result<Answer, CallError> {
    let response = timeout(patience, request.send())
        .await
        .map_err(|_| {
            client::late("the peer did not answer in time", "an answer", patience)
                .advise("look at the load of the peer, or raise `call_timeout_seconds` in `[transport]`")
        })?
        .map_err(|error| client::failed(&error))?;
    keep::note_answer(response.headers(), peer);
    read(response, peer, patience).await
}

async fn read(response: Response, peer: &str, patience: Duration) -> Result<Answer, CallError> {
    let content_type = response.headers().get(header::CONTENT_TYPE);
    // The type may have parameters, such as a charset.
    let streamed = content_type.is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"));
    let (code, ok) = (response.status(), response.status().is_success());
    let status = code.as_u16();
    if ok && streamed {
        let peer = peer.to_owned();
        return Ok(frames(Relay { response, parser: sse::Parser::default(), peer, patience }));
    }
    let bytes = client::read(response, MAX_ANSWER_BYTES, patience).await?;
    let mut body: Value = serde_json::from_slice(&bytes).map_err(|_| {
        invalid("it is not JSON").caused_by(format!("HTTP {status}, and the body is not JSON"))
    })?;
    match ok {
        // `take` moves the value. A copy of 8 MiB of JSON would double the memory.
        true if body["output"].is_object() => {
            Ok(Answer::Plain { output: body["output"].take(), meta: body["meta"].take() })
        }
        true => {
            Err(invalid("it has no output").caused_by(format!("HTTP {status}, and the body has no output")))
        }
        false => {
            let error = error_of(&body, code);
            let cause = format!("HTTP {status} {}: {}", error.code.as_str(), error.message);
            Err(error.caused_by(cause).advise(SEE_PEER))
        }
    }
}

/// Returns the error that a peer reports. A malformed code becomes `internal_error`.
fn error_of(body: &Value, status: StatusCode) -> CallError {
    let code = body["error"].as_str().and_then(|code| Code::of_peer(code, status));
    let message = body["message"].as_str().unwrap_or("the peer gave no reason");
    match code {
        Some(code) => code.because(message.chars().take(MAX_MESSAGE_CHARS).collect::<String>()),
        None => invalid("its error code is malformed"),
    }
}

fn invalid(why: &str) -> CallError {
    Code::INTERNAL_ERROR.because(format!("the peer's answer is invalid: {why}"))
}

/// Stream of a peer, passed on frame by frame.
struct Relay {
    response: Response,
    parser: sse::Parser,
    /// Node ID of the peer.
    peer: String,
    patience: Duration,
}

impl FrameSource for Relay {
    async fn next(&mut self) -> Result<Frame, CallError> {
        self.read().await.map_err(|error| error.asked("POST", self.response.url()))
    }
}

impl Relay {
    async fn read(&mut self) -> Result<Frame, CallError> {
        loop {
            let event = self.parser.next()?;
            if self.parser.take_mark()
                && let Some(trace) = trace::current_trace()
            {
                trace.mark(&self.peer);
            }
            if let Some(event) = event {
                return frame_of(&event);
            }
            match client::next_piece(&mut self.response, self.patience).await? {
                Some(piece) => self.parser.push(&piece),
                None => return Err(Code::PARTITION.because("the peer's stream ended early")),
            }
        }
    }
}

fn frame_of(event: &sse::Event) -> Result<Frame, CallError> {
    // A name with a line feed would let a peer insert events of its own.
    let proper = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    if !(1..=32).contains(&event.name.len()) || !event.name.bytes().all(proper) {
        return Err(invalid("the name of a frame is invalid"));
    }
    let data: Value = serde_json::from_str(&event.data).map_err(|_| invalid("a frame is not JSON"))?;
    match event.name.as_str() {
        ERROR => {
            let error = error_of(&data, StatusCode::OK);
            let cause = format!("an error in its stream: {}: {}", error.code.as_str(), error.message);
            Err(error.caused_by(cause).advise(SEE_PEER))
        }
        name => Ok(Frame::new(name, data)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_forwarded_once_at_most() {
        let mut headers = HeaderMap::new();
        let may_forward = |headers: &HeaderMap, us: &str| may_forward(headers, us, false);
        assert!(may_forward(&headers, "ed25519:us"));
        headers.insert(FROM, HeaderValue::from_static("ed25519:them"));
        assert!(may_forward(&headers, "ed25519:us"));
        assert!(!may_forward(&headers, "ed25519:them"));
        assert!(super::may_forward(&headers, "ed25519:them", true));
        headers.insert(HOPS, HeaderValue::from_static("nonsense"));
        assert!(!may_forward(&headers, "ed25519:us"));
        assert!(!super::may_forward(&headers, "ed25519:them", true));
    }

    #[test]
    fn a_peer_cannot_send_malformed_codes_or_frames() {
        let code = |error: Value| error_of(&serde_json::json!({ "error": error }), StatusCode::OK).code;
        assert_eq!(code("partition".into()), Code::PARTITION);
        assert_eq!(code("foo_bar".into()).as_str(), "foo_bar");
        for malformed in ["ok".into(), "Foo".into(), "".into(), Value::Null, 7.into(), "a".repeat(41).into()]
        {
            assert_eq!(code(malformed), Code::INTERNAL_ERROR);
        }
        let frame =
            |name: &str, data: &str| frame_of(&sse::Event { name: name.to_owned(), data: data.to_owned() });
        assert!(frame("token", "{}").is_ok());
        assert_eq!(frame("error", r#"{"error":"timeout"}"#).unwrap_err().code, Code::TIMEOUT);
        for (name, data) in [("", "{}"), ("to ken", "{}"), ("token", "{"), ("token", "")] {
            assert!(frame(name, data).is_err(), "{name:?} {data:?}");
        }
    }
}

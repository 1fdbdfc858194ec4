//! A language model behind the OpenAI protocol: what is asked of it and what is read of its answers.

mod cause;
mod failure;
mod message;

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Client, Response, Url};
use serde_json::{Map, Value, json};
use tokio::time::timeout;

pub(crate) use self::failure::Chooser;
use crate::config::BackendSection;
use crate::wire::error::{CallError, Code, mismatch};
use crate::wire::{client, sse};

const MAX_ANSWER_BYTES: usize = 8 << 20;
/// Bytes that are read of an answer whose status says failure.
const MAX_FAILURE_BYTES: usize = 64 << 10;
/// Time that the body of such an answer may take. Its status is enough for a code.
const FAILURE_PATIENCE: Duration = Duration::from_secs(2);
/// No answer has more tokens; a backend that says so is not believed.
const MAX_TOKENS: u64 = 10_000_000;

/// What of a caller's input is passed on beside the messages.
const OPTIONS: [&str; 5] = ["max_tokens", "temperature", "top_p", "stop", "seed"];

/// A server that speaks the protocol.
#[derive(Clone)]
pub(crate) struct Backend {
    http: Client,
    url: Url,
    key: Option<String>,
    patience: Duration,
}

impl Backend {
    pub(crate) fn new(section: &BackendSection, http: Client) -> Backend {
        let base_has_version = section.url.path().trim_end_matches('/').ends_with("/v1");
        let path = if base_has_version { "/chat/completions" } else { "/v1/chat/completions" };
        Backend {
            http,
            url: client::join(&section.url, path),
            key: section.api_key_env.as_ref().and_then(|name| std::env::var(name).ok()),
            patience: section.timeout_seconds,
        }
    }

    /// The host and port that requests go to.
    pub(crate) fn server(&self) -> (&str, u16) {
        let host = self.url.host_str().unwrap_or_default();
        (host.trim_matches(['[', ']']), self.url.port_or_known_default().unwrap_or_default())
    }

    /// Asks for a whole completion.
    pub(crate) async fn complete(
        &self,
        request: Value,
        headers: HeaderMap,
        chooser: Chooser,
    ) -> Result<Completion, CallError> {
        let response = self.send(request, headers, chooser).await?;
        let bytes = client::read(response, MAX_ANSWER_BYTES, self.patience).await?;
        Completion::parse(&bytes, chooser)
    }

    /// Asks for a completion piece by piece.
    pub(crate) async fn stream(
        &self,
        request: Value,
        headers: HeaderMap,
        chooser: Chooser,
    ) -> Result<Pieces, CallError> {
        let response = self.send(request, headers, chooser).await?;
        if is_json(response.headers()) {
            let bytes = client::read(response, MAX_ANSWER_BYTES, self.patience).await?;
            return Ok(Pieces::Whole(Some(Completion::parse(&bytes, chooser)?)));
        }
        let parser = sse::Parser::default();
        Ok(Pieces::Stream(Stream { response, parser, stopped: false, patience: self.patience, chooser }))
    }

    async fn send(
        &self,
        request: Value,
        headers: HeaderMap,
        chooser: Chooser,
    ) -> Result<Response, CallError> {
        let mut builder = self.http.post(self.url.clone()).headers(headers).json(&request);
        // Many times as large as its text, and the model may take minutes.
        drop(request);
        if let Some(key) = &self.key {
            builder = builder.bearer_auth(key);
        }
        let response = timeout(self.patience, builder.send())
            .await
            .map_err(|_| Code::TIMEOUT.because("the language model did not answer in time"))?
            .map_err(|error| client::failed(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = client::read(response, MAX_FAILURE_BYTES, FAILURE_PATIENCE);
        let body = timeout(FAILURE_PATIENCE, body).await.ok().and_then(Result::ok).unwrap_or_default();
        Err(chooser.response(status, &body))
    }
}

/// The request for a completion, with nothing in it that a caller may not choose.
pub(crate) fn request(mut input: Map<String, Value>, model: &str, stream: bool) -> Result<Value, CallError> {
    let messages =
        input.remove("messages").ok_or_else(|| Code::BAD_REQUEST.because("input.messages: is missing"))?;
    let list = messages.as_array().ok_or_else(|| mismatch("input.messages", "a list"))?;
    if list.is_empty() {
        return Err(Code::BAD_REQUEST.because("input.messages: is empty"));
    }
    if !list.iter().all(|message| message["role"].is_string() && message.get("content").is_some()) {
        return Err(mismatch("input.messages", "objects with role and content"));
    }
    let mut request = json!({ "model": model, "messages": messages, "stream": stream });
    if stream {
        request["stream_options"] = json!({ "include_usage": true });
    }
    for name in OPTIONS {
        if let Some(value) = input.remove(name).filter(|value| !value.is_null()) {
            request[name] = value;
        }
    }
    Ok(request)
}

/// Some servers answer the request for a stream with a whole completion.
fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

fn nonsense() -> CallError {
    Code::INTERNAL_ERROR.because("the answer of the language model makes no sense")
}

/// A whole completion.
pub(crate) struct Completion {
    pub(crate) said: Said,
    pub(crate) content: String,
    /// As the backend wrote them, if it did.
    pub(crate) model: Value,
    pub(crate) tokens_in: Value,
}

impl Completion {
    fn parse(bytes: &[u8], chooser: Chooser) -> Result<Completion, CallError> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut answer: Value = serde_json::from_slice(bytes).map_err(|_| nonsense())?;
        chooser.check(&answer)?;
        let message = &answer["choices"][0]["message"];
        if !message.is_object() {
            return Err(nonsense());
        }
        let content = message::text(message).ok_or_else(nonsense)?;
        Ok(Completion {
            said: Said::of(&answer),
            content,
            tokens_in: answer["usage"]["prompt_tokens"].clone(),
            model: answer.get_mut("model").map(Value::take).unwrap_or_default(),
        })
    }

    /// The piece that says all of it at once.
    fn into_piece(self) -> Piece {
        Piece { said: self.said, text: self.content }
    }
}

/// What a completion, or a piece of one, says of itself.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Said {
    /// The tokens generated, as the backend counted them.
    pub(crate) tokens: Option<u64>,
    /// Why it ended, in the bus's words.
    pub(crate) stop_reason: Option<String>,
}

impl Said {
    fn of(answer: &Value) -> Said {
        let reason = answer["choices"][0]["finish_reason"].as_str().map(|reason| match reason {
            "stop" => "end",
            "length" => "max_tokens",
            other => other,
        });
        Said {
            tokens: answer["usage"]["completion_tokens"].as_u64().filter(|tokens| *tokens <= MAX_TOKENS),
            stop_reason: reason.map(|reason| reason.chars().take(64).collect()),
        }
    }
}

/// A piece of a streamed completion.
#[derive(Debug, PartialEq)]
pub(crate) struct Piece {
    pub(crate) said: Said,
    /// About a token; empty in pieces that only say something of the completion.
    pub(crate) text: String,
}

/// A completion as it comes.
pub(crate) enum Pieces {
    Stream(Stream),
    /// The server did not stream.
    Whole(Option<Completion>),
}

impl Pieces {
    /// The next piece; `None` after the last.
    pub(crate) async fn next(&mut self) -> Result<Option<Piece>, CallError> {
        match self {
            Pieces::Stream(stream) => stream.next().await,
            Pieces::Whole(completion) => Ok(completion.take().map(Completion::into_piece)),
        }
    }
}

/// A completion that comes event by event.
pub(crate) struct Stream {
    response: Response,
    parser: sse::Parser,
    stopped: bool,
    patience: Duration,
    chooser: Chooser,
}

impl Stream {
    async fn next(&mut self) -> Result<Option<Piece>, CallError> {
        loop {
            if let Some(event) = self.parser.next()? {
                let piece = piece_of(&event, self.chooser)?;
                self.stopped |= piece.as_ref().is_some_and(|piece| piece.said.stop_reason.is_some());
                return Ok(piece);
            }
            match client::next_piece(&mut self.response, self.patience).await? {
                Some(bytes) => self.parser.push(&bytes),
                None => return self.end().map(|()| None),
            }
        }
    }

    /// Some servers just end after the last token, or leave out the blank line after `[DONE]`.
    fn end(&mut self) -> Result<(), CallError> {
        let last = self.parser.finish()?;
        let is_done = match &last {
            Some(event) if event.name == ERROR => return Err(self.chooser.event(&event.data)),
            last => last.as_ref().is_some_and(|event| event.data.trim() == DONE),
        };
        match is_done || self.stopped {
            true => Ok(()),
            false => Err(Code::PARTITION.because("the stream of the language model broke off")),
        }
    }
}

/// Data of the event that ends a stream.
const DONE: &str = "[DONE]";

/// Name of an event that says why a stream fails.
const ERROR: &str = "error";

/// Returns the piece in an event; `None` in the last one.
fn piece_of(event: &sse::Event, chooser: Chooser) -> Result<Option<Piece>, CallError> {
    if event.name == ERROR {
        return Err(chooser.event(&event.data));
    }
    let data = event.data.trim();
    if data == DONE {
        return Ok(None);
    }
    if data.is_empty() {
        // Sent to keep a connection open.
        return Ok(Some(Piece { said: Said::default(), text: String::new() }));
    }
    let chunk: Value = serde_json::from_str(data).map_err(|_| nonsense())?;
    chooser.check(&chunk)?;
    let text = message::text(&chunk["choices"][0]["delta"]).unwrap_or_default();
    Ok(Some(Piece { said: Said::of(&chunk), text }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(data: &str) -> Result<Option<Piece>, CallError> {
        piece_of(&sse::Event { name: String::new(), data: data.to_owned() }, Chooser::Node)
    }

    fn said(data: &str) -> Piece {
        read(data).unwrap().unwrap()
    }

    #[test]
    fn a_piece_is_a_token_or_says_something_of_the_completion() {
        assert_eq!(said(r#"{"choices":[{"delta":{"content":"Hi"}}]}"#).text, "Hi");
        let last = said(r#"{"choices":[{"delta":{},"finish_reason":"length"}]}"#);
        assert_eq!((last.text.as_str(), last.said.stop_reason.as_deref()), ("", Some("max_tokens")));
        assert_eq!(said(r#"{"choices":[],"usage":{"completion_tokens":7}}"#).said.tokens, Some(7));
        assert_eq!(read("[DONE]"), Ok(None));
    }

    #[test]
    fn a_backend_may_say_anything() {
        for data in ["{", r#"{"error":{"message":"out of memory"}}"#] {
            assert_eq!(read(data).unwrap_err().code, Code::INTERNAL_ERROR, "{data}");
        }
        for odd in
            ["", "3", "[]", r#"{"choices":3}"#, r#"{"usage":{"completion_tokens":18446744073709551615}}"#]
        {
            assert_eq!(said(odd), Piece { said: Said::default(), text: String::new() }, "{odd}");
        }
    }

    #[test]
    fn a_request_has_what_the_caller_may_choose_and_nothing_else() {
        let input = json!({
            "messages": [{ "role": "user", "content": "Hi" }], "seed": 7, "temperature": null, "stream": true,
            "model": "another", "user": "somebody",
        });
        let request = request(input.as_object().unwrap().clone(), "ours", false).unwrap();
        let expected = json!({ "model": "ours", "messages": input["messages"], "stream": false, "seed": 7 });
        assert_eq!(request, expected);
    }

    #[test]
    fn a_conversation_without_messages_is_refused() {
        let code = |input: Value| request(input.as_object().unwrap().clone(), "m", true).unwrap_err().code;
        assert_eq!(code(json!({})), Code::BAD_REQUEST);
        assert_eq!(code(json!({ "messages": [] })), Code::BAD_REQUEST);
        assert_eq!(code(json!({ "messages": "Hi" })), Code::SCHEMA_MISMATCH);
        assert_eq!(code(json!({ "messages": [{ "role": "user" }] })), Code::SCHEMA_MISMATCH);
    }
}

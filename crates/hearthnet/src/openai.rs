//! A language model behind the OpenAI protocol: what is asked of it and what is read of its answers.

use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Client, Response, StatusCode, Url};
use serde_json::{Map, Value, json};
use tokio::time::timeout;

use crate::config::BackendSection;
use crate::wire::error::{CallError, Code, mismatch};
use crate::wire::{client, sse};

const MAX_ANSWER_BYTES: usize = 8 << 20;
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
    pub(crate) async fn complete(&self, request: Value, headers: HeaderMap) -> Result<Completion, CallError> {
        let response = self.send(request, headers).await?;
        let bytes = client::read(response, MAX_ANSWER_BYTES, self.patience).await?;
        let answer: Value = serde_json::from_slice(&bytes).map_err(|_| nonsense())?;
        let content = answer["choices"][0]["message"]["content"].as_str().ok_or_else(nonsense)?;
        Ok(Completion {
            said: Said::of(&answer),
            content: content.to_owned(),
            model: answer["model"].clone(),
            tokens_in: answer["usage"]["prompt_tokens"].clone(),
        })
    }

    /// Asks for a completion piece by piece.
    pub(crate) async fn stream(&self, request: Value, headers: HeaderMap) -> Result<Pieces, CallError> {
        let response = self.send(request, headers).await?;
        Ok(Pieces { response, parser: sse::Parser::default(), stopped: false, patience: self.patience })
    }

    async fn send(&self, request: Value, headers: HeaderMap) -> Result<Response, CallError> {
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
        match response.status() {
            status if status.is_success() => Ok(response),
            StatusCode::TOO_MANY_REQUESTS => {
                Err(Code::CAPACITY_EXCEEDED.because("the language model is busy"))
            }
            StatusCode::REQUEST_TIMEOUT | StatusCode::GATEWAY_TIMEOUT => {
                Err(Code::TIMEOUT.because("the language model took too long"))
            }
            status => {
                Err(Code::INTERNAL_ERROR.because(format!("the language model answered {}", status.as_u16())))
            }
        }
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
pub(crate) struct Pieces {
    response: Response,
    parser: sse::Parser,
    stopped: bool,
    patience: Duration,
}

impl Pieces {
    /// The next piece; `None` after the last.
    pub(crate) async fn next(&mut self) -> Result<Option<Piece>, CallError> {
        loop {
            if let Some(event) = self.parser.next()? {
                let piece = piece_of(&event.data)?;
                self.stopped |= piece.as_ref().is_some_and(|piece| piece.said.stop_reason.is_some());
                return Ok(piece);
            }
            match client::next_piece(&mut self.response, self.patience).await? {
                Some(bytes) => self.parser.push(&bytes),
                // Some backends just end after the last token.
                None if self.stopped => return Ok(None),
                None => return Err(Code::PARTITION.because("the stream of the language model broke off")),
            }
        }
    }
}

/// The piece in the data of an event; `None` in that of the last one.
fn piece_of(data: &str) -> Result<Option<Piece>, CallError> {
    if data == "[DONE]" {
        return Ok(None);
    }
    let chunk: Value = serde_json::from_str(data).map_err(|_| nonsense())?;
    if !chunk["error"].is_null() {
        return Err(Code::INTERNAL_ERROR.because("the language model failed"));
    }
    let text = chunk["choices"][0]["delta"]["content"].as_str().unwrap_or_default().to_owned();
    Ok(Some(Piece { said: Said::of(&chunk), text }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(data: &str) -> Piece {
        piece_of(data).unwrap().unwrap()
    }

    #[test]
    fn a_piece_is_a_token_or_says_something_of_the_completion() {
        assert_eq!(said(r#"{"choices":[{"delta":{"content":"Hi"}}]}"#).text, "Hi");
        let last = said(r#"{"choices":[{"delta":{},"finish_reason":"length"}]}"#);
        assert_eq!((last.text.as_str(), last.said.stop_reason.as_deref()), ("", Some("max_tokens")));
        assert_eq!(said(r#"{"choices":[],"usage":{"completion_tokens":7}}"#).said.tokens, Some(7));
        assert_eq!(piece_of("[DONE]"), Ok(None));
    }

    #[test]
    fn a_backend_may_say_anything() {
        for data in ["", "{", r#"{"error":{"message":"out of memory"}}"#] {
            assert_eq!(piece_of(data).unwrap_err().code, Code::INTERNAL_ERROR, "{data}");
        }
        for odd in ["3", "[]", r#"{"choices":3}"#, r#"{"usage":{"completion_tokens":18446744073709551615}}"#]
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

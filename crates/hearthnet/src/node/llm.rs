//! `llm.chat`: a conversation with the language model of an OpenAI-compatible backend.

use std::time::{Duration, Instant};

use obs_facade::metrics::{self, standard};
use obs_facade::{trace, warn};
use reqwest::{Client, Response, StatusCode, Url};
use serde_json::{Map, Value, json};
use tokio::time::timeout;

use super::LOG;
use super::answer::{Answer, DONE, Frame, FrameSource, frames};
use super::capability::{Answering, Call, Capability, boolean, mismatch, text};
use crate::config::BackendSection;
use crate::wire::error::{CallError, Code};
use crate::wire::{client, sse};

pub(super) const NAME: &str = "llm.chat";

const MAX_ANSWER_BYTES: usize = 8 << 20;

/// What of the input is passed on beside the messages.
const OPTIONS: [&str; 7] = ["max_tokens", "temperature", "top_p", "stop", "seed", "tools", "tool_choice"];

/// The first backend of the configuration.
#[derive(Clone)]
pub(super) struct Chat {
    http: Client,
    url: Url,
    backend: String,
    model: Option<String>,
    key: Option<String>,
    patience: Duration,
}

impl Chat {
    pub(super) fn new(section: &BackendSection, http: Client) -> Chat {
        if let Some(model) = &section.model {
            offer(model);
        }
        let base_has_version = section.url.path().trim_end_matches('/').ends_with("/v1");
        let path = if base_has_version { "/chat/completions" } else { "/v1/chat/completions" };
        Chat {
            http,
            url: client::join(&section.url, path),
            backend: section.name.clone(),
            model: section.model.clone(),
            key: section.api_key_env.as_ref().and_then(|name| std::env::var(name).ok()),
            patience: section.timeout_seconds,
        }
    }

    async fn answer(self, call: Call) -> Result<Answer, CallError> {
        let model = self.model_for(&call)?;
        let stream = boolean(&call.input, "stream")?.unwrap_or(true);
        let request = request(&call.input, &model, stream)?;
        let talk = Talk::begin(&model, &self.backend);
        let response = trace::span("backend")
            .field("backend", &self.backend)
            .field("model", &model)
            .wrap(self.send(&request))
            .await?;
        match stream {
            true => {
                Ok(frames(Tokens { response, parser: sse::Parser::default(), talk, patience: self.patience }))
            }
            false => whole(response, self.patience, talk).await,
        }
    }

    /// The configured model; another one is not offered. Without a configured one the caller chooses.
    fn model_for(&self, call: &Call) -> Result<String, CallError> {
        match (&self.model, text(&call.params, "model")?) {
            (Some(ours), Some(wanted)) if ours != wanted => {
                Err(Code::NOT_IMPLEMENTED.because(format!("this node offers the model {ours}")))
            }
            (Some(model), _) => Ok(model.clone()),
            (None, Some(wanted)) => Ok(wanted.to_owned()),
            (None, None) => Err(Code::BAD_REQUEST.because("params.model: expected the name of a model")),
        }
    }

    async fn send(&self, request: &Value) -> Result<Response, CallError> {
        let mut builder = self.http.post(self.url.clone()).json(request);
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

impl Capability for Chat {
    fn call(&self, call: Call) -> Answering {
        Box::pin(self.clone().answer(call))
    }
}

/// Shows the node's own model on the metrics page from the start, and always (M7).
fn offer(model: &str) {
    let trusted = [
        standard::llm_concurrent().trust("model", &[model]),
        standard::llm_tokens_generated_total().trust("model", &[model]),
    ];
    if let Some(error) = trusted.into_iter().find_map(Result::err) {
        warn!(logger: LOG, error:% = error; "a model is not trusted as a label");
    }
    standard::llm_concurrent().set([model], 0.0);
}

/// The request to the backend, with nothing in it that the caller may not choose.
fn request(input: &Map<String, Value>, model: &str, stream: bool) -> Result<Value, CallError> {
    let messages =
        input.get("messages").ok_or_else(|| Code::BAD_REQUEST.because("input.messages: is missing"))?;
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
        if let Some(value) = input.get(name).filter(|value| !value.is_null()) {
            request[name] = value.clone();
        }
    }
    Ok(request)
}

/// A conversation under way: it counts as running until it is dropped, and its tokens are counted then,
/// also those of an answer that nobody waited for.
struct Talk {
    begun: Instant,
    /// Pieces of text so far, each about a token.
    pieces: u64,
    /// What the backend counted itself.
    usage: Option<u64>,
    stop_reason: Option<String>,
    generated: metrics::Counter,
    _running: metrics::Lease,
}

impl Talk {
    fn begin(model: &str, backend: &str) -> Talk {
        Talk {
            begun: Instant::now(),
            pieces: 0,
            usage: None,
            stop_reason: None,
            generated: standard::llm_tokens_generated_total().with([model, backend]),
            _running: standard::llm_concurrent().with([model]).lease(),
        }
    }

    fn tokens(&self) -> u64 {
        self.usage.unwrap_or(self.pieces)
    }

    /// Takes in what a completion, or a piece of one, says of itself.
    fn note(&mut self, completion: &Value) {
        if let Some(usage) = completion["usage"]["completion_tokens"].as_u64() {
            self.usage = Some(usage);
        }
        if let Some(reason) = completion["choices"][0]["finish_reason"].as_str() {
            let reason = match reason {
                "stop" => "end",
                "length" => "max_tokens",
                other => other,
            };
            self.stop_reason = Some(reason.chars().take(64).collect());
        }
    }

    fn summary(&self) -> Value {
        json!({
            "tokens_out": self.tokens(),
            "stop_reason": self.stop_reason.as_deref().unwrap_or("end"),
            "ms": self.begun.elapsed().as_millis() as u64,
        })
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        self.generated.add(self.tokens());
    }
}

async fn whole(response: Response, patience: Duration, mut talk: Talk) -> Result<Answer, CallError> {
    let bytes = client::read(response, MAX_ANSWER_BYTES, patience).await?;
    let mut completion: Value = serde_json::from_slice(&bytes).map_err(|_| nonsense())?;
    talk.note(&completion);
    let message = completion["choices"][0]["message"].take();
    let content = message["content"].as_str();
    talk.pieces = content.map_or(0, |text| text.split_whitespace().count() as u64);
    if content.is_none() && !message["tool_calls"].is_array() {
        return Err(nonsense());
    }
    let mut meta = talk.summary();
    meta["model"] = completion["model"].take();
    meta["tokens_in"] = completion["usage"]["prompt_tokens"].take();
    Ok(Answer::Plain {
        output: json!({ "message": { "role": "assistant", "content": message["content"] } }),
        meta,
    })
}

fn nonsense() -> CallError {
    Code::INTERNAL_ERROR.because("the answer of the language model makes no sense")
}

/// The tokens of a streamed answer.
struct Tokens {
    response: Response,
    parser: sse::Parser,
    talk: Talk,
    patience: Duration,
}

impl FrameSource for Tokens {
    async fn next(&mut self) -> Result<Frame, CallError> {
        loop {
            while let Some(event) = self.parser.next()? {
                if let Some(frame) = self.frame_of(&event.data)? {
                    return Ok(frame);
                }
            }
            match client::next_piece(&mut self.response, self.patience).await? {
                Some(piece) => self.parser.push(&piece),
                // Some backends just end after the last token.
                None if self.talk.stop_reason.is_some() => return Ok(Frame::new(DONE, self.talk.summary())),
                None => return Err(Code::PARTITION.because("the stream of the language model broke off")),
            }
        }
    }
}

impl Tokens {
    fn frame_of(&mut self, data: &str) -> Result<Option<Frame>, CallError> {
        if data == "[DONE]" {
            return Ok(Some(Frame::new(DONE, self.talk.summary())));
        }
        let chunk: Value = serde_json::from_str(data).map_err(|_| nonsense())?;
        if !chunk["error"].is_null() {
            return Err(Code::INTERNAL_ERROR.because("the language model failed"));
        }
        self.talk.note(&chunk);
        let text = chunk["choices"][0]["delta"]["content"].as_str().filter(|text| !text.is_empty());
        Ok(text.map(|text| {
            self.talk.pieces += 1;
            Frame::new("token", json!({ "text": text }))
        }))
    }
}

//! `llm.chat`: conversation with the language model of the first configured backend.

use std::time::Instant;

use obs_facade::metrics::{self, standard};
use reqwest::Client;
use serde_json::{Value, json};

use crate::bus::answer::{self, Answer, DONE, Frame, FrameSource, frames};
use crate::bus::capability::{Answering, Capability};
use crate::config::BackendSection;
use crate::llm::{self, Backend, Chooser, Pieces, Report};
use crate::node::model_span::ModelSpan;
use crate::wire::arguments::{Call, boolean, text};
use crate::wire::error::{CallError, Code};

pub(super) const NAME: &str = "llm.chat";

/// Model name in a request for which neither the configuration nor the caller names one. Servers with a single model
/// ignore it.
const ANY_MODEL: &str = "default";

/// Maximum length of a model's name from a caller in the log.
const MAX_MODEL_CHARS: usize = 64;

#[derive(Clone)]
pub(super) struct Chat {
    backend: Backend,
    backend_name: String,
    model: Option<String>,
}

impl Chat {
    pub(super) fn new(section: &BackendSection, http: Client) -> Chat {
        offer(section.model.as_deref().unwrap_or(ANY_MODEL));
        Chat {
            backend: Backend::new(section, http),
            backend_name: section.name.clone(),
            model: section.model.clone(),
        }
    }

    async fn answer(self, call: Call) -> Result<Answer, CallError> {
        let (model, chooser) = self.model_for(&call)?;
        let model = model.to_owned();
        // A person reads the first words seconds before the last ones arrive.
        let stream = boolean(&call.input, "stream")?.unwrap_or(true);
        let request = llm::request(call.input, &model, stream)?;
        let span = ModelSpan::begin(&self.backend, &self.backend_name, &model, stream);
        let headers = span.headers();
        let talk = Talk::begin(&model, &self.backend_name, span);
        answer::marked(match stream {
            true => talk
                .span
                .noted(self.backend.stream(request, headers, chooser).await)
                .map(|pieces| frames(Tokens { pieces, talk })),
            false => talk
                .span
                .noted(self.backend.complete(request, headers, chooser).await)
                .map(|completion| whole(completion, talk)),
        })
    }

    /// Returns the model. A configured model is the only one offered. Without one, the caller chooses.
    fn model_for<'a>(&'a self, call: &'a Call) -> Result<(&'a str, Chooser), CallError> {
        match (self.model.as_deref(), text(&call.params, "model")?) {
            (Some(ours), Some(wanted)) if ours != wanted => {
                let asked: String = wanted.chars().take(MAX_MODEL_CHARS).collect();
                Err(Code::NOT_IMPLEMENTED
                    .because(format!("this node offers the model {ours}"))
                    .caused_by(format!("the caller asked for the model {asked}; this node offers {ours}")))
            }
            (Some(model), _) => Ok((model, Chooser::Node)),
            (None, Some(model)) => Ok((model, Chooser::Caller)),
            (None, None) => Ok((ANY_MODEL, Chooser::Node)),
        }
    }
}

impl Capability for Chat {
    fn call(&self, call: Call) -> Answering {
        Box::pin(self.clone().answer(call))
    }
}

/// Gives the node's own model series of its own from the start. All other names that callers choose share one series.
fn offer(model: &str) {
    standard::trust_models_only(&[model]);
    standard::llm_concurrent().set([model], 0.0);
}

/// Conversation in progress. It counts as running until it is dropped. Its tokens are counted then, also if the caller
/// has left.
struct Talk {
    begun: Instant,
    /// Number of pieces of text so far. Each is about one token.
    pieces: u64,
    report: Report,
    generated: metrics::Counter,
    span: ModelSpan,
    _running: metrics::Lease,
}

impl Talk {
    fn begin(model: &str, backend: &str, span: ModelSpan) -> Talk {
        Talk {
            begun: Instant::now(),
            pieces: 0,
            report: Report::default(),
            generated: standard::llm_tokens_generated_total().with([model, backend]),
            span,
            _running: standard::llm_concurrent().with([model]).lease(),
        }
    }

    /// Returns the number that the backend counted, else the number of pieces.
    fn tokens(&self) -> u64 {
        self.report.tokens.unwrap_or(self.pieces)
    }

    fn note(&mut self, report: Report) {
        // The last report wins. Servers send the total in the last piece.
        self.report.tokens = report.tokens.or(self.report.tokens);
        self.report.stop_reason = report.stop_reason.or(self.report.stop_reason.take());
    }

    fn summary(&self) -> Value {
        json!({
            "tokens_out": self.tokens(),
            "stop_reason": self.report.stop_reason.as_deref().unwrap_or("end"),
            "ms": self.begun.elapsed().as_millis() as u64,
        })
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        self.generated.add(self.tokens());
        self.report.tokens.into_iter().for_each(|tokens| self.span.generated(tokens));
    }
}

fn whole(completion: llm::Completion, mut talk: Talk) -> Answer {
    // Words are the closest estimate of tokens here.
    talk.pieces = completion.content.split_whitespace().count() as u64;
    talk.span.completed(&completion.model, &completion.tokens_in);
    talk.note(completion.report);
    let mut meta = talk.summary();
    meta["model"] = completion.model;
    meta["tokens_in"] = completion.tokens_in;
    Answer::Plain {
        output: json!({ "message": { "role": "assistant", "content": completion.content } }),
        meta,
    }
}

/// Frames of a streamed answer.
struct Tokens {
    pieces: Pieces,
    talk: Talk,
}

impl FrameSource for Tokens {
    async fn next(&mut self) -> Result<Frame, CallError> {
        while let Some(piece) = self.talk.span.noted(self.pieces.next().await)? {
            self.talk.note(piece.report);
            // Reports and keep-alive pieces are no tokens for the caller.
            if !piece.text.is_empty() {
                self.talk.pieces += 1;
                return Ok(Frame::new("token", json!({ "text": piece.text })));
            }
        }
        Ok(Frame::new(DONE, self.talk.summary()))
    }
}

//! Span of a call to a language model, with the fields of OpenTelemetry's conventions for generative AI.

use obs_facade::{http, trace};
use reqwest::header::HeaderMap;
use serde_json::Value;

use crate::bus::failure::CAUSE_FIELD;
use crate::llm::Backend;
use crate::wire::error::CallError;

/// Span from the request to the last byte of the answer, which may be a stream.
pub(crate) struct ModelSpan(trace::Span);

impl ModelSpan {
    pub(crate) fn begin(backend: &Backend, backend_name: &str, model: &str, stream: bool) -> ModelSpan {
        let (address, port) = backend.server();
        let span = trace::span("backend")
            .field("backend", backend_name)
            .field("gen_ai.operation.name", "chat")
            // This names the protocol and not the vendor. It tells readers which attributes to expect.
            .field("gen_ai.provider.name", "openai")
            .field("gen_ai.request.model", model)
            .field("gen_ai.request.stream", stream)
            .field("server.address", address)
            .field("server.port", port);
        ModelSpan(span.enter())
    }

    /// Returns the headers of the request: `traceparent` alone, because the server belongs to a third party.
    pub(crate) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        // The span is named explicitly, because its ID must be the parent of the server's spans.
        http::inject_traceparent(&self.0, &mut headers);
        headers
    }

    /// Returns `result`. If it is an error, marks the span as failed and adds the cause.
    pub(crate) fn noted<T>(&self, result: Result<T, CallError>) -> Result<T, CallError> {
        result.map_err(|error| {
            self.0.fail(error.code.as_str());
            self.0.set_field(CAUSE_FIELD, error.cause());
            error.noted()
        })
    }

    /// Adds the fields that the server reports for a whole completion.
    pub(crate) fn completed(&self, model: &Value, tokens_in: &Value) {
        if let Some(model) = model.as_str() {
            self.0.set_field("gen_ai.response.model", model);
        }
        if let Some(tokens) = tokens_in.as_u64() {
            self.0.set_field("gen_ai.usage.input_tokens", tokens);
        }
    }

    /// Adds the number of generated tokens, as the server counted them.
    pub(crate) fn generated(&self, tokens: u64) {
        self.0.set_field("gen_ai.usage.output_tokens", tokens);
    }
}

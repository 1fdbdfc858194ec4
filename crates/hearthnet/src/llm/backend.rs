//! Server of a language model, and requests to it.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Client, Response, Url};
use serde_json::Value;
use tokio::time::timeout;

use super::completion::Completion;
use super::failure::Chooser;
use super::stream::{Pieces, Stream};
use crate::config::BackendSection;
use crate::wire::client;
use crate::wire::error::{CallError, Code};

// A completion of the longest context takes a few megabytes.
const MAX_ANSWER_BYTES: usize = 8 << 20;
/// Maximum number of bytes that are read of an answer whose status is a failure.
const MAX_FAILURE_BYTES: usize = 64 << 10;
/// Maximum time for the body of such an answer. Its status is enough for a code.
const FAILURE_PATIENCE: Duration = Duration::from_secs(2);

/// Server that speaks the protocol.
#[derive(Clone)]
pub(crate) struct Backend {
    http: Client,
    url: Url,
    key: Option<String>,
    patience: Duration,
}

impl Backend {
    pub(crate) fn new(section: &BackendSection, http: Client) -> Backend {
        // Users write the base with and without the version. Some vendors have a path before it.
        let base_has_version = section.url.path().trim_end_matches('/').ends_with("/v1");
        let path = if base_has_version { "/chat/completions" } else { "/v1/chat/completions" };
        Backend {
            http,
            url: client::join(&section.url, path),
            // Read at the start, so that every call sees the same key.
            key: section.api_key_env.as_ref().and_then(|name| std::env::var(name).ok()),
            patience: section.timeout_seconds,
        }
    }

    /// Returns the host and port of the server.
    pub(crate) fn server(&self) -> (&str, u16) {
        client::server(&self.url)
    }

    /// Requests a whole completion.
    pub(crate) async fn complete(
        &self,
        request: Value,
        headers: HeaderMap,
        chooser: Chooser,
    ) -> Result<Completion, CallError> {
        self.try_complete(request, headers, chooser).await.map_err(|error| self.explain(error))
    }

    async fn try_complete(
        &self,
        request: Value,
        headers: HeaderMap,
        chooser: Chooser,
    ) -> Result<Completion, CallError> {
        let response = self.send(request, headers, chooser).await?;
        let bytes = client::read(response, MAX_ANSWER_BYTES, self.patience).await?;
        Completion::parse(&bytes, chooser)
    }

    /// Requests a completion as a stream.
    pub(crate) async fn stream(
        &self,
        request: Value,
        headers: HeaderMap,
        chooser: Chooser,
    ) -> Result<Pieces, CallError> {
        self.try_stream(request, headers, chooser).await.map_err(|error| self.explain(error))
    }

    async fn try_stream(
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
        Ok(Pieces::Stream(Box::new(Stream::new(response, self.clone(), chooser))))
    }

    /// Adds the request to the cause of `error`. Servers repeat a key that they refuse, so it is removed.
    pub(super) fn explain(&self, error: CallError) -> CallError {
        let error = error.asked("POST", &self.url);
        match &self.key {
            Some(key) => error.hiding(key),
            None => error,
        }
    }

    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    async fn send(
        &self,
        request: Value,
        headers: HeaderMap,
        chooser: Chooser,
    ) -> Result<Response, CallError> {
        let mut builder = self.http.post(self.url.clone()).headers(headers).json(&request);
        // The parsed request takes many times the memory of its text, and the answer may take minutes.
        drop(request);
        if let Some(key) = &self.key {
            builder = builder.bearer_auth(key);
        }
        let response = timeout(self.patience, builder.send())
            .await
            .map_err(|_| {
                client::late("the language model did not answer in time", "an answer", self.patience).advise(
                    "use a smaller model or a faster server, or raise `timeout_seconds` of the backend",
                )
            })?
            .map_err(|error| client::failed(&error))
            .map_err(|error| match error.code {
                Code::PARTITION => error.advise("start the server at `url` of the backend, or correct `url`"),
                _ => error,
            })?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        // The patience of `read` is for each piece. The timeout bounds all of them.
        let body = client::read(response, MAX_FAILURE_BYTES, FAILURE_PATIENCE);
        let body = timeout(FAILURE_PATIENCE, body).await.ok().and_then(Result::ok).unwrap_or_default();
        Err(chooser.response(status, &body))
    }
}

/// Returns whether the answer is JSON. Some servers answer the request for a stream with a whole completion.
fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

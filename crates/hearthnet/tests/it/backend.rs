//! Fake language model that speaks the OpenAI protocol and follows a script.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tower_service::Service as _;

/// Script of the backend.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script {
    /// Pieces of the text.
    pub(crate) tokens: Vec<&'static str>,
    /// Delay before each piece.
    pub(crate) delay: Duration,
    /// Signal to wait for before the first piece.
    pub(crate) go: Option<Arc<Notify>>,
    /// Reported number of tokens. `None` reports none.
    pub(crate) usage: Option<u64>,
    /// Status instead of an answer, or status of `raw`.
    pub(crate) status: Option<u16>,
    /// Ends the stream after the last piece without a final event.
    pub(crate) breaks: bool,
    /// Content type and pieces of a body that replace the answer.
    pub(crate) raw: Option<(&'static str, Vec<Vec<u8>>)>,
}

/// Backend at `url`. It runs as long as the runtime of the test.
pub(crate) struct Backend {
    pub(crate) url: String,
    /// Requests so far: body, value of `Authorization`, and all headers.
    pub(crate) seen: Seen,
}

impl Backend {
    pub(crate) async fn start(script: Script) -> Backend {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let backend = Backend { url, seen: Arc::default() };
        let app = Router::new()
            .route("/v1/chat/completions", post(answer))
            .with_state((script, backend.seen.clone()));
        tokio::spawn(serve(listener, app));
        backend
    }

    /// Returns the section of a configuration that names this backend.
    pub(crate) fn section(&self) -> String {
        format!(
            "[[llm.backends]]\nname = \"fake\"\nurl = \"{}\"\nmodel = \"tiny\"\ntimeout_seconds = 1\n",
            self.url
        )
    }
}

/// Serves `app` as long as the runtime of the test runs.
pub(crate) async fn serve(listener: TcpListener, app: Router) {
    while let Ok((stream, _)) = listener.accept().await {
        let app = app.clone();
        let service = hyper::service::service_fn(move |request| app.clone().call(request));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

type Seen = Arc<Mutex<Vec<(Value, Option<String>, HeaderMap)>>>;

async fn answer(State((script, seen)): State<(Script, Seen)>, headers: HeaderMap, body: Bytes) -> Response {
    let request: Value = serde_json::from_slice(&body).unwrap();
    let key = headers.get(header::AUTHORIZATION).map(|key| key.to_str().unwrap().to_owned());
    seen.lock().unwrap().push((request.clone(), key, headers));
    let status = script.status.map(|status| StatusCode::from_u16(status).unwrap());
    if let Some((kind, pieces)) = script.raw {
        let pieces = stream::iter(pieces.into_iter().map(Ok::<_, std::convert::Infallible>));
        let (status, kind) = (status.unwrap_or_default(), [(header::CONTENT_TYPE, kind)]);
        return (status, kind, Body::from_stream(pieces)).into_response();
    }
    if let Some(status) = status {
        return status.into_response();
    }
    match request["stream"].as_bool().unwrap() {
        true => streamed(script),
        false => whole(&script),
    }
}

fn whole(script: &Script) -> Response {
    let mut completion = json!({
        "model": "tiny-q4",
        "choices": [{ "message": { "role": "assistant", "content": script.tokens.concat() }, "finish_reason": "stop" }],
    });
    if let Some(tokens) = script.usage {
        completion["usage"] = json!({ "prompt_tokens": 3, "completion_tokens": tokens });
    }
    completion.to_string().into_response()
}

fn streamed(script: Script) -> Response {
    let mut chunks: Vec<Value> =
        script.tokens.iter().map(|text| json!({ "choices": [{ "delta": { "content": text } }] })).collect();
    if !script.breaks {
        chunks.push(json!({ "choices": [{ "delta": {}, "finish_reason": "length" }] }));
    }
    if let Some(tokens) = script.usage {
        chunks.push(json!({ "choices": [], "usage": { "completion_tokens": tokens } }));
    }
    let mut events: Vec<String> = chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
    if !script.breaks {
        events.push("data: [DONE]\n\n".to_owned());
    }
    let (delay, go) = (script.delay, script.go);
    let said = stream::iter(events).then(move |event| async move {
        tokio::time::sleep(delay).await;
        Ok::<_, std::convert::Infallible>(event)
    });
    let begun = async move {
        if let Some(go) = go {
            go.notified().await;
        }
        said
    };
    let events = begun.flatten_stream();
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(events)).into_response()
}

//! Answers of capabilities: one JSON body, or a stream of events that ends in exactly one `done` or `error`.

use std::panic::AssertUnwindSafe;

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use obs_facade::http::keep::STREAM_COMMENT;
use obs_facade::trace;
use serde_json::{Value, json};

use super::failure::CAUSE_FIELD;
use super::health::Served;
use super::progress::Progress;
use crate::wire::error::{CallError, Code};
use crate::wire::{self, sse};

/// Answer of a capability.
pub(crate) enum Answer {
    /// Body `{"output": …, "meta": …}`.
    Plain { output: Value, meta: Value },
    /// Stream of events.
    Frames(Frames),
}

/// Stream of frames. The first `done` frame or error ends it.
pub(crate) type Frames = BoxStream<'static, Result<Frame, CallError>>;

/// Event of a streamed answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Frame {
    pub(crate) event: String,
    pub(crate) data: Value,
}

impl Frame {
    pub(crate) fn new(event: &str, data: Value) -> Frame {
        Frame { event: event.to_owned(), data }
    }
}

/// Event name of the last frame of a stream that succeeded.
pub(crate) const DONE: &str = "done";
/// Event name of the last frame of a stream that failed.
pub(crate) const ERROR: &str = "error";

/// Source of frames. It is not polled again after its last frame.
pub(crate) trait FrameSource: Send + 'static {
    fn next(&mut self) -> impl Future<Output = Result<Frame, CallError>> + Send;
}

pub(crate) fn frames(source: impl FrameSource) -> Answer {
    let next = |mut source: _| async move {
        let frame = FrameSource::next(&mut source).await;
        Some((frame, source))
    };
    Answer::Frames(stream::unfold(source, next).boxed())
}

impl Answer {
    /// Makes the response. `served` and `progress` are told the outcome when the last byte of the response is made.
    pub(super) fn into_response(self, served: Served, progress: Progress) -> Response {
        match self {
            Answer::Plain { output, meta } => {
                served.end(true);
                progress.succeeded();
                wire::json(&json!({ "output": output, "meta": meta }))
            }
            Answer::Frames(frames) => {
                // A cached or transformed stream would arrive late.
                let headers =
                    [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
                (headers, Body::from_stream(event_stream(frames, served, progress))).into_response()
            }
        }
    }
}

fn event_stream(
    frames: Frames,
    served: Served,
    progress: Progress,
) -> impl futures_util::Stream<Item = Result<Bytes, std::convert::Infallible>> {
    // The span covers the stream itself. The spans of the capability cover the work before its first frame.
    let span = trace::span("stream").enter();
    stream::unfold(Some((frames, served, progress, span)), |state| async move {
        let (mut frames, served, progress, span): (Frames, Served, Progress, trace::Span) = state?;
        // The head of the response is gone, so that no layer around can turn a panic into an answer.
        let next = AssertUnwindSafe(frames.next()).catch_unwind().await;
        let frame = match next {
            Ok(Some(frame)) => frame,
            Ok(None) => Err(Code::INTERNAL_ERROR.because("the stream ended without its last frame")),
            Err(panic) => Err(panicked(&*panic)),
        };
        Some(match frame {
            Ok(frame) if frame.event == DONE => {
                served.end(true);
                progress.succeeded();
                // The state is dropped. Frames after the last one are never asked for.
                (Ok(last(sse::encode(DONE, &frame.data))), None)
            }
            Ok(frame) => (Ok(sse::encode(&frame.event, &frame.data)), Some((frames, served, progress, span))),
            Err(error) => {
                // The status 200 has been sent already. Only the trace can still tell the failure.
                span.fail(error.code.as_str());
                let error = match error.is_noted() {
                    true => error,
                    false => {
                        span.set_field(CAUSE_FIELD, error.cause());
                        error.noted()
                    }
                };
                mark(&error);
                served.end(false);
                progress.failed(&error);
                (Ok(sse::encode(ERROR, &error.body())), None)
            }
        })
    })
}

/// Puts the mark of a trace of which a part failed before the last event of a stream that ends well. The head of the response
/// is gone.
fn last(event: Bytes) -> Bytes {
    match trace::current_trace().is_some_and(|trace| trace.is_broken()) {
        true => [STREAM_COMMENT.as_bytes(), &event].concat().into(),
        false => event,
    }
}

/// Marks the current trace as failed if `answer` is an error.
pub(crate) fn marked(answer: Result<Answer, CallError>) -> Result<Answer, CallError> {
    answer.inspect_err(mark)
}

/// Adds the cause to the span that encloses the caller if `answer` is an error.
pub(super) fn noted(answer: Result<Answer, CallError>) -> Result<Answer, CallError> {
    answer.map_err(|error| {
        if let Some(trace) = trace::current_trace() {
            trace.set_field(CAUSE_FIELD, error.cause());
        }
        error.noted()
    })
}

fn mark(error: &CallError) {
    if let Some(trace) = trace::current_trace() {
        trace.fail(error.code.as_str());
    }
}

/// Returns the error for a capability that panicked. The message of the panic is its cause. The caller does not get it.
pub(crate) fn panicked(panic: &(dyn std::any::Any + Send)) -> CallError {
    // `panic!` with a literal carries `&str`, with arguments a `String`.
    let message = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let message = message.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    Code::INTERNAL_ERROR
        .because("the capability failed unexpectedly")
        .caused_by(format!("the capability panicked: {message}"))
        .advise("report it to the author of the capability")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::http::HeaderMap;
    use http_body_util::BodyExt as _;
    use obs_facade::testing::Capture;

    use super::*;
    use crate::wire::caller::Caller;

    async fn text_of(answer: Answer) -> String {
        let served = std::sync::Arc::<super::super::health::Health>::default().begin("c", "n");
        let (recent, callers) = (super::super::recent::Recent::new(), super::super::callers::Callers::new());
        let caller = Caller::of(&HeaderMap::new(), std::net::Ipv4Addr::LOCALHOST.into());
        let progress = Progress::begin(&recent, &callers, "c", caller);
        let body = answer.into_response(served, progress).into_body().collect().await.unwrap();
        String::from_utf8(body.to_bytes().to_vec()).unwrap()
    }

    /// Returns the names of the events that are sent for these frames.
    async fn sent(frames: Vec<Result<Frame, CallError>>) -> String {
        let text = text_of(Answer::Frames(stream::iter(frames).boxed())).await;
        text.lines().filter(|line| line.starts_with("event")).collect()
    }

    fn frame(event: &str) -> Result<Frame, CallError> {
        Ok(Frame::new(event, json!({})))
    }

    #[tokio::test]
    async fn a_stream_has_exactly_one_last_frame() {
        let error = || Err(Code::TIMEOUT.because("late"));
        assert_eq!(sent(vec![frame("token"), frame(DONE)]).await, "event: tokenevent: done");
        assert_eq!(sent(vec![frame(DONE), frame("token"), frame(DONE)]).await, "event: done");
        assert_eq!(sent(vec![error(), frame(DONE)]).await, "event: error");
        assert_eq!(sent(vec![frame("token")]).await, "event: tokenevent: error");
    }

    /// The waterfall of a trace shows the length of a streamed answer and its failure.
    #[tokio::test]
    async fn the_span_of_a_stream_ends_with_its_last_frame_and_holds_its_error() {
        struct Late(u32);

        impl FrameSource for Late {
            async fn next(&mut self) -> Result<Frame, CallError> {
                tokio::time::sleep(Duration::from_millis(10)).await;
                self.0 += 1;
                if self.0 < 3 { frame("token") } else { Err(Code::TIMEOUT.because("late")) }
            }
        }
        let obs = Capture::new();
        obs.scope(async { trace::new_trace("llm.chat").scope(text_of(frames(Late(0)))).await }).await;
        let traces = obs.traces();
        let span = &traces.last().spans()[0];
        assert_eq!((span.name(), span.field("error")), ("stream", Some(&"timeout".into())));
        assert!(span.duration() >= Duration::from_millis(30), "{span:?}");
    }

    #[tokio::test]
    async fn a_stream_that_panics_ends_in_an_error_frame() {
        struct Panics;

        impl FrameSource for Panics {
            async fn next(&mut self) -> Result<Frame, CallError> {
                panic!("out of frames")
            }
        }
        assert!(
            text_of(frames(Panics)).await.starts_with("event: error\ndata: {\"error\":\"internal_error\"")
        );
    }
}

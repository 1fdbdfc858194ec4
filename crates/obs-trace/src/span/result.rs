//! Futures that run in a span and mark it as failed if they return an error.

use std::any::type_name;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::builder::SpanBuilder;
use super::instrumented::Instrumented;
use crate::error_text;
use crate::record::CAUSE_FIELD;

impl SpanBuilder {
    /// As [`wrap`](SpanBuilder::wrap), and keeps an error that `future` returns on the span.
    ///
    /// The field `error` has the name of the error's type, unless the code has called [`Span::fail`](crate::Span::fail) or
    /// [`Trace::fail`](crate::Trace::fail) in the span. The field `cause` has the error's text: at most 256 bytes, without
    /// secrets if there is a [redaction](crate::set_error_redaction). The status of the trace stays.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let trace = obs_trace::new_trace("rag.query");
    /// let read = async { std::fs::read("/no/such/file") };
    /// let answer = trace.clone().scope(obs_trace::span("read").wrap_result(read)).await;
    /// assert!(answer.is_err());
    /// let span = &trace.spans()[0];
    /// assert_eq!(span.field("error").unwrap().as_str(), Some("std::io::error::Error"));
    /// assert_eq!(span.field("cause").unwrap().as_str(), Some("No such file or directory (os error 2)"));
    /// # });
    /// ```
    pub fn wrap_result<F, T, E>(self, future: F) -> InstrumentedResult<F>
    where
        F: Future<Output = Result<T, E>>,
        E: fmt::Display,
    {
        InstrumentedResult { inner: self.wrap(future) }
    }
}

pin_project! {
    /// Future of [`SpanBuilder::wrap_result`].
    ///
    /// ```
    /// let read = async { std::fs::read("/no/such/file") };
    /// let future: obs_trace::InstrumentedResult<_> = obs_trace::span("read").wrap_result(read);
    /// # drop(future);
    /// ```
    #[must_use = "futures do nothing unless polled"]
    pub struct InstrumentedResult<F> {
        #[pin]
        inner: Instrumented<F>,
    }
}

impl<F, T, E> Future for InstrumentedResult<F>
where
    F: Future<Output = Result<T, E>>,
    E: fmt::Display,
{
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T, E>> {
        self.project().inner.poll_then(cx, |result, span| {
            if let Err(error) = result {
                span.fail_by(type_name::<E>(), CAUSE_FIELD, || error_text::shown(error));
            }
        })
    }
}

impl<F> fmt::Debug for InstrumentedResult<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InstrumentedResult").finish_non_exhaustive()
    }
}

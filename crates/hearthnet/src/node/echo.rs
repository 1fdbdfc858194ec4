//! `experimental.echo`: returns its input. The caller chooses delay, number of frames and failure.

use std::time::Duration;

use obs_facade::trace;
use serde_json::json;
use tokio::time::sleep;

use crate::bus::answer::{Answer, DONE, Frame, FrameSource, frames};
use crate::bus::capability::{Answering, Capability};
use crate::wire::arguments::{Call, text, whole};
use crate::wire::error::{CallError, Code};

pub(super) const NAME: &str = "experimental.echo";

// Long enough to try every timeout, short enough that a forgotten call ends.
const MAX_DELAY_MS: u64 = 60_000;
// A stream that can fill the send buffer of a slow client.
const MAX_FRAMES: u64 = 10_000;

pub(super) struct Echo;

impl Capability for Echo {
    fn call(&self, call: Call) -> Answering {
        // The input is read before the future is made, so that a delayed answer keeps nothing else of the call in
        // memory.
        let wanted = Wanted::read(&call);
        Box::pin(async move { wanted?.answer().await })
    }
}

/// Answer that the caller asked for.
struct Wanted {
    text: String,
    delay: Duration,
    fail: Option<Code>,
    frames: u64,
}

impl Wanted {
    fn read(call: &Call) -> Result<Wanted, CallError> {
        let fail = match text(&call.input, "fail")? {
            None => None,
            Some(code) => Some(Code::parse(code).ok_or_else(|| {
                Code::BAD_REQUEST.because("fail: expected one of the error codes of the bus")
            })?),
        };
        Ok(Wanted {
            text: text(&call.input, "text")?.unwrap_or_default().to_owned(),
            delay: Duration::from_millis(at_most(MAX_DELAY_MS, "delay_ms", call)?),
            fail,
            frames: at_most(MAX_FRAMES, "frames", call)?,
        })
    }

    async fn answer(self) -> Result<Answer, CallError> {
        if self.frames > 0 {
            return Ok(frames(Echoes { wanted: self, sent: 0 }));
        }
        self.wait().await;
        match self.fail {
            Some(code) => Err(code.because("as asked for")),
            None => Ok(Answer::Plain {
                output: json!({ "text": self.text }),
                meta: json!({ "ms": self.delay.as_millis() as u64 }),
            }),
        }
    }

    async fn wait(&self) {
        // A span of no time would only fill the trace.
        if !self.delay.is_zero() {
            trace::span("delay").wrap(sleep(self.delay)).await;
        }
    }
}

fn at_most(most: u64, name: &str, call: &Call) -> Result<u64, CallError> {
    match whole(&call.input, name)?.unwrap_or(0) {
        value if value <= most => Ok(value),
        _ => Err(Code::BAD_REQUEST.because(format!("{name}: expected at most {most}"))),
    }
}

/// The text in `frames` chunks, each after the delay.
struct Echoes {
    wanted: Wanted,
    sent: u64,
}

impl FrameSource for Echoes {
    async fn next(&mut self) -> Result<Frame, CallError> {
        if self.sent < self.wanted.frames {
            self.wanted.wait().await;
            self.sent += 1;
            return Ok(Frame::new("chunk", json!({ "text": self.wanted.text, "index": self.sent - 1 })));
        }
        match self.wanted.fail {
            Some(code) => Err(code.because("as asked for")),
            None => Ok(Frame::new(DONE, json!({ "frames": self.sent }))),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    async fn call(input: Value) -> Result<Answer, CallError> {
        Echo.call(Call::from_body(json!({ "input": input })).unwrap()).await
    }

    #[tokio::test]
    async fn the_input_is_bounded_and_typed() {
        let code = async |input| call(input).await.err().map(|error| error.code);
        assert_eq!(code(json!({ "fail": "partition" })).await, Some(Code::PARTITION));
        assert_eq!(code(json!({ "fail": "ok" })).await, Some(Code::BAD_REQUEST));
        assert_eq!(code(json!({ "delay_ms": MAX_DELAY_MS + 1 })).await, Some(Code::BAD_REQUEST));
        assert_eq!(code(json!({ "frames": MAX_FRAMES + 1 })).await, Some(Code::BAD_REQUEST));
        assert_eq!(code(json!({ "frames": "3" })).await, Some(Code::SCHEMA_MISMATCH));
        assert_eq!(code(json!({ "delay_ms": 0.5 })).await, Some(Code::SCHEMA_MISMATCH));
        assert_eq!(code(json!({ "text": 7 })).await, Some(Code::SCHEMA_MISMATCH));
        assert_eq!(code(json!({ "text": "hi" })).await, None);
    }
}

//! Reading of the answer to a call: one JSON body, or a stream that ends in exactly one `done` or `error`.

use std::io;
use std::time::Duration;

use axum::http::header;
use reqwest::Response;
use serde_json::{Value, json};

use super::end::End;
use super::printer::Printer;
use crate::failure::Failure;
use crate::wire::error::CallError;
use crate::wire::{client, sse};

/// Maximum size of an answer that is not streamed.
// Eight times the maximum of a call, as between nodes.
const MAX_ANSWER_BYTES: usize = 8 << 20;
/// Maximum time for the end of the connection after the last frame. A node closes the stream at once.
const END_PATIENCE: Duration = Duration::from_secs(1);

/// Reads the answer and prints it. `patience` is the maximum silence of the node.
pub(super) async fn print(
    response: Response,
    id: &str,
    patience: Duration,
    printer: &mut Printer,
) -> Result<(), End> {
    let content_type = response.headers().get(header::CONTENT_TYPE);
    // The type may have parameters, such as a charset.
    let is_stream = content_type.is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"));
    match is_stream && response.status().is_success() {
        true => {
            Stream { response, parser: sse::Parser::default(), patience, frames: 0 }.print(id, printer).await
        }
        false => print_plain(response, id, patience, printer).await,
    }
}

async fn print_plain(
    response: Response,
    id: &str,
    patience: Duration,
    printer: &mut Printer,
) -> Result<(), End> {
    let is_success = response.status().is_success();
    let bytes = client::read(response, MAX_ANSWER_BYTES, patience).await;
    let bytes = bytes.map_err(|error| Failure::error(format!("the answer broke off: {}", reason(&error))))?;
    let Ok(answer) = serde_json::from_slice::<Value>(&bytes) else { return Err(End::AnotherServer) };
    match is_success {
        true if answer.get("output").is_some() => printer.plain(id, &answer).map_err(End::from_print),
        false if answer["error"].is_string() => {
            printer.refusal(id, &answer).map_err(End::from_print)?;
            Err(End::refused(&answer))
        }
        // Another server on the port may answer JSON too.
        _ => Err(End::AnotherServer),
    }
}

/// Stream of frames.
struct Stream {
    response: Response,
    parser: sse::Parser,
    patience: Duration,
    /// Number of frames so far.
    frames: u64,
}

impl Stream {
    async fn print(mut self, id: &str, printer: &mut Printer) -> Result<(), End> {
        loop {
            let (event, data) = self.frame().await?;
            match event.as_str() {
                "done" => {
                    self.expect_end().await?;
                    return printer.last_frame(id, &event, &data).map_err(End::from_print);
                }
                "error" => {
                    // Text that is held back is no answer: it is incomplete.
                    printer.failed(id, &data).map_err(End::from_print)?;
                    return Err(End::refused(&data));
                }
                _ => printer.frame(&event, &data).map_err(End::from_print)?,
            }
        }
    }

    async fn frame(&mut self) -> Result<(String, Value), End> {
        let event = self.event().await?.ok_or_else(|| self.broken("it ended without its last frame"))?;
        let proper = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
        if !(1..=32).contains(&event.name.len()) || !event.name.bytes().all(proper) {
            return Err(self.broken("the name of a frame is invalid").into());
        }
        let data = serde_json::from_str(&event.data).map_err(|_| self.broken("a frame is not JSON"))?;
        self.frames += 1;
        Ok((event.name, data))
    }

    /// Returns the next event. Returns `None` at the end of the stream.
    async fn event(&mut self) -> Result<Option<sse::Event>, Failure> {
        loop {
            let next = self.parser.next().map_err(|error| self.broken(&reason(&error)))?;
            if next.is_some() {
                return Ok(next);
            }
            match client::next_piece(&mut self.response, self.patience).await {
                Ok(Some(piece)) => self.parser.push(&piece),
                Ok(None) => return Ok(None),
                Err(error) => return Err(self.broken(&reason(&error))),
            }
        }
    }

    /// Fails if another frame follows the last one.
    async fn expect_end(&mut self) -> Result<(), Failure> {
        match tokio::time::timeout(END_PATIENCE, self.event()).await {
            Ok(Ok(Some(_))) => Err(self.broken("it went on after its last frame")),
            // The answer is whole. A connection that stays open or breaks now takes nothing from it.
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn broken(&self, why: &str) -> Failure {
        let frames = self.frames;
        Failure::error(format!("the stream broke after {frames} frames, so the answer is incomplete: {why}"))
    }
}

/// Returns the cause of a failure while the answer was read.
fn reason(error: &CallError) -> String {
    error.cause()
}

impl Printer {
    /// Prints a stream's `error` frame, if the output is JSON.
    fn failed(&mut self, id: &str, data: &Value) -> io::Result<()> {
        match self.is_json() {
            true => {
                self.last_frame(id, "error", &json!({ "error": data["error"], "message": data["message"] }))
            }
            false => Ok(()),
        }
    }
}

//! Completion that arrives in pieces.

use reqwest::Response;
use serde_json::Value;

use super::backend::Backend;
use super::completion::{Completion, Report, invalid};
use super::failure::Chooser;
use super::message;
use crate::wire::error::{CallError, Code};
use crate::wire::{client, sse};

/// Piece of a streamed completion.
#[derive(Debug, PartialEq)]
pub(crate) struct Piece {
    pub(crate) report: Report,
    /// About one token. Empty in a piece with a summary only.
    pub(crate) text: String,
}

/// Pieces of a completion.
pub(crate) enum Pieces {
    // Boxed, because it is three times as large as a completion.
    Stream(Box<Stream>),
    /// Answer of a server that did not stream.
    Whole(Option<Completion>),
}

impl Pieces {
    /// Returns the next piece, and `None` after the last one.
    pub(crate) async fn next(&mut self) -> Result<Option<Piece>, CallError> {
        match self {
            Pieces::Stream(stream) => stream.next().await,
            Pieces::Whole(completion) => {
                let whole =
                    |completion: Completion| Piece { report: completion.report, text: completion.content };
                Ok(completion.take().map(whole))
            }
        }
    }
}

/// Completion that arrives as events.
pub(crate) struct Stream {
    response: Response,
    parser: sse::Parser,
    stopped: bool,
    backend: Backend,
    chooser: Chooser,
}

impl Stream {
    pub(super) fn new(response: Response, backend: Backend, chooser: Chooser) -> Stream {
        Stream { response, parser: sse::Parser::default(), stopped: false, backend, chooser }
    }

    async fn next(&mut self) -> Result<Option<Piece>, CallError> {
        self.read().await.map_err(|error| self.backend.explain(error))
    }

    async fn read(&mut self) -> Result<Option<Piece>, CallError> {
        loop {
            if let Some(event) = self.parser.next()? {
                let piece = piece_of(&event, self.chooser)?;
                // A stop reason says that the text is complete, even if the connection breaks afterwards.
                self.stopped |= piece.as_ref().is_some_and(|piece| piece.report.stop_reason.is_some());
                return Ok(piece);
            }
            match client::next_piece(&mut self.response, self.backend.patience()).await? {
                Some(bytes) => self.parser.push(&bytes),
                None => return self.end().map(|()| None),
            }
        }
    }

    /// Checks the end of the stream. Some servers send no `[DONE]`, or no blank line after it.
    fn end(&mut self) -> Result<(), CallError> {
        let last = self.parser.finish()?;
        let is_done = match &last {
            Some(event) if event.name == ERROR => return Err(self.chooser.event(&event.data)),
            last => last.as_ref().is_some_and(|event| event.data.trim() == DONE),
        };
        match is_done || self.stopped {
            true => Ok(()),
            // A text that was cut off must not look like a whole one.
            false => Err(Code::PARTITION.because("the stream of the language model ended early")),
        }
    }
}

/// Data of the event that ends a stream.
const DONE: &str = "[DONE]";

/// Name of an event that reports an error.
const ERROR: &str = "error";

/// Returns the piece in an event, and `None` for the last event.
fn piece_of(event: &sse::Event, chooser: Chooser) -> Result<Option<Piece>, CallError> {
    if event.name == ERROR {
        return Err(chooser.event(&event.data));
    }
    let data = event.data.trim();
    if data == DONE {
        return Ok(None);
    }
    if data.is_empty() {
        // Such an event keeps the connection open.
        return Ok(Some(Piece { report: Report::default(), text: String::new() }));
    }
    let chunk: Value = serde_json::from_str(data).map_err(|_| invalid())?;
    chooser.check(&chunk)?;
    let text = message::text(&chunk["choices"][0]["delta"]).unwrap_or_default();
    Ok(Some(Piece { report: Report::of(&chunk), text }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(data: &str) -> Result<Option<Piece>, CallError> {
        piece_of(&sse::Event { name: String::new(), data: data.to_owned() }, Chooser::Node)
    }

    fn reported(data: &str) -> Piece {
        read(data).unwrap().unwrap()
    }

    #[test]
    fn a_piece_holds_text_or_a_report() {
        assert_eq!(reported(r#"{"choices":[{"delta":{"content":"Hi"}}]}"#).text, "Hi");
        let last = reported(r#"{"choices":[{"delta":{},"finish_reason":"length"}]}"#);
        assert_eq!((last.text.as_str(), last.report.stop_reason.as_deref()), ("", Some("max_tokens")));
        assert_eq!(reported(r#"{"choices":[],"usage":{"completion_tokens":7}}"#).report.tokens, Some(7));
        assert_eq!(read("[DONE]"), Ok(None));
    }

    #[test]
    fn odd_events_are_errors_or_empty_pieces() {
        for data in ["{", r#"{"error":{"message":"out of memory"}}"#] {
            assert_eq!(read(data).unwrap_err().code, Code::INTERNAL_ERROR, "{data}");
        }
        for odd in
            ["", "3", "[]", r#"{"choices":3}"#, r#"{"usage":{"completion_tokens":18446744073709551615}}"#]
        {
            assert_eq!(reported(odd), Piece { report: Report::default(), text: String::new() }, "{odd}");
        }
    }
}

//! Printing of answers: text for people, or JSON.

use std::io::{self, IsTerminal as _};

use serde_json::{Value, json};

use crate::cli::output::{say_on_stderr, write};
use crate::cli::visible::{visible, visible_json, visible_lines};

/// Maximum size of an answer that is held back until its end.
// The same as the maximum of an answer that is not streamed.
const MAX_HELD_BYTES: usize = 8 << 20;
/// Maximum length of the line about the end of a call.
const MAX_SUMMARY_CHARS: usize = 200;

/// Name of the frames with text of a language model.
const TOKEN: &str = "token";

/// Printer of one answer.
#[derive(Debug)]
pub(super) struct Printer {
    json: bool,
    /// Print frames as they come. Otherwise they are held back until the answer is whole.
    live: bool,
    is_terminal: bool,
    held: String,
    /// The last character of the text was no line feed.
    is_mid_line: bool,
}

impl Printer {
    pub(super) fn new(json: bool, live: bool) -> Printer {
        Printer {
            json,
            live,
            is_terminal: io::stdout().is_terminal(),
            held: String::new(),
            is_mid_line: false,
        }
    }

    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    /// Prints an answer that is not streamed.
    pub(super) fn plain(&mut self, id: &str, answer: &Value) -> io::Result<()> {
        let (output, meta) = (&answer["output"], &answer["meta"]);
        if self.json {
            return write(&self.json_line(&json!({ "trace_id": id, "output": output, "meta": meta })));
        }
        write(&self.harmless(&format!("{output:#}\n")))?;
        summary(meta);
        Ok(())
    }

    /// Prints a refusal, if the output is JSON.
    pub(super) fn refusal(&mut self, id: &str, refusal: &Value) -> io::Result<()> {
        let (code, message) = (&refusal["error"], &refusal["message"]);
        match self.json {
            true => write(&self.json_line(&json!({ "trace_id": id, "error": code, "message": message }))),
            false => Ok(()),
        }
    }

    /// Prints a frame that is not the last one.
    pub(super) fn frame(&mut self, event: &str, data: &Value) -> io::Result<()> {
        if self.json {
            return self.put(&self.json_line(&json!({ "event": event, "data": data })));
        }
        match data["text"].as_str() {
            Some(text) if event == TOKEN => {
                self.is_mid_line = if text.is_empty() { self.is_mid_line } else { !text.ends_with('\n') };
                self.put(&visible_lines(text))
            }
            _ => {
                self.end_line()?;
                self.put(&self.json_line(data))
            }
        }
    }

    /// Prints the end of a stream: its `done` frame, or its `error` frame if the output is JSON.
    pub(super) fn last_frame(&mut self, id: &str, event: &str, data: &Value) -> io::Result<()> {
        if self.json {
            self.put(&self.json_line(&json!({ "event": event, "data": data, "trace_id": id })))?;
        }
        self.end_line()?;
        write(&std::mem::take(&mut self.held))?;
        if !self.json {
            summary(data);
        }
        Ok(())
    }

    /// Ends a line of text that is shown already, before another message follows.
    pub(super) fn end_shown_line(&mut self) {
        if self.live && self.is_mid_line {
            self.is_mid_line = false;
            // The failure that follows matters more.
            let _ = write("\n");
        }
    }

    fn end_line(&mut self) -> io::Result<()> {
        match std::mem::take(&mut self.is_mid_line) {
            true => self.put("\n"),
            false => Ok(()),
        }
    }

    fn put(&mut self, text: &str) -> io::Result<()> {
        if self.live {
            return write(text);
        }
        if self.held.len() + text.len() > MAX_HELD_BYTES {
            let problem =
                format!("the answer exceeds {MAX_HELD_BYTES} bytes; print it as it comes with --stream");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, problem));
        }
        self.held.push_str(text);
        Ok(())
    }

    fn json_line(&self, value: &Value) -> String {
        self.harmless(&format!("{value}\n"))
    }

    /// Returns JSON for stdout. A program gets it unchanged.
    fn harmless(&self, json: &str) -> String {
        if self.is_terminal { visible_json(json) } else { json.to_owned() }
    }
}

/// Tells the fields of `done` or `meta` on stderr.
fn summary(fields: &Value) {
    let Some(fields) = fields.as_object().filter(|fields| !fields.is_empty()) else { return };
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", text(value))).collect();
    let line: String = visible(&fields.join(" ")).chars().take(MAX_SUMMARY_CHARS).collect();
    say_on_stderr(format_args!("ok  {line}"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::terminal_unsafe::UNSAFE;

    fn held(json: bool, is_terminal: bool) -> Printer {
        Printer { json, live: false, is_terminal, held: String::new(), is_mid_line: false }
    }

    #[test]
    fn tokens_are_text_and_other_frames_are_lines_of_json() {
        let mut printer = held(false, false);
        for text in ["Hel", "lo,\n", "", "world"] {
            printer.frame(TOKEN, &json!({ "text": text })).unwrap();
        }
        printer.frame("chunk", &json!({ "text": "a", "index": 0 })).unwrap();
        assert_eq!(printer.held, "Hello,\nworld\n{\"index\":0,\"text\":\"a\"}\n");
    }

    #[test]
    fn hostile_text_is_harmless_and_json_for_programs_is_unchanged() {
        for letter in UNSAFE.iter().filter(|letter| !['\n', '\t'].contains(letter)) {
            let data = json!({ "text": format!("a{letter}b") });
            let shown = |json: bool, is_terminal: bool, event: &str| {
                let mut printer = held(json, is_terminal);
                printer.frame(event, &data).unwrap();
                printer.held
            };
            for (json, is_terminal, event) in
                [(false, true, TOKEN), (false, false, TOKEN), (true, true, TOKEN)]
            {
                assert!(
                    !shown(json, is_terminal, event).contains(*letter),
                    "{letter:?} {json} {is_terminal}"
                );
            }
            assert_eq!(shown(false, false, "chunk"), format!("{data}\n"));
        }
    }

    #[test]
    fn an_answer_that_is_held_back_is_bounded() {
        let mut printer = held(false, false);
        let piece = json!({ "text": "x".repeat(1 << 20) });
        let refused = (0..9).find_map(|_| printer.frame(TOKEN, &piece).err()).unwrap();
        assert!(refused.to_string().contains("--stream"), "{refused}");
    }
}

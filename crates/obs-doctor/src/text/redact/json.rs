//! Redaction of JSON: values by their names, and the text of the others. All else stays as it is written.

use serde::de::IgnoredAny;

use super::kind::SecretKind;
use super::names;
use super::pairs::is_harmless;
use super::redactor::Redactor;

/// Maximum depth of JSON texts within JSON texts.
const MAX_NESTED: usize = 4;
/// Minimum length of a value that is a secret by a weak name (`key`, `session`) and by its looks.
const MIN_LIKELY: usize = 8;

/// Returns the document without secrets; `None` if it is not JSON.
pub(super) fn rewritten(redactor: &mut Redactor, text: &str) -> Option<String> {
    within(redactor, text, 0)
}

fn within(redactor: &mut Redactor, text: &str, depth: usize) -> Option<String> {
    // Bounds the depth of the document too. From here on its form is known to be right.
    serde_json::from_str::<IgnoredAny>(text).ok()?;
    let rewriter =
        Rewriter { redactor, text, out: String::with_capacity(text.len()), frames: Vec::new(), depth };
    Some(rewriter.run())
}

struct Rewriter<'a> {
    redactor: &'a mut Redactor,
    text: &'a str,
    out: String,
    frames: Vec<Frame>,
    /// Number of JSON texts around this one.
    depth: usize,
}

/// Object or array that is being read.
#[derive(Default)]
struct Frame {
    is_object: bool,
    /// Whether the next string of the object is a name.
    awaits_name: bool,
    /// Name of the next value.
    name: String,
    /// Kind of everything inside, because the whole has the name of a secret.
    hidden: Option<SecretKind>,
    /// Kind that a value tells of the value beside it: `"name": "token", "value": …`, `["token", …]`.
    label: Option<SecretKind>,
    /// Places in the output of the values beside the label.
    labelled: Vec<(usize, usize)>,
    /// Number of values that an array has had.
    count: usize,
}

impl Rewriter<'_> {
    fn run(mut self) -> String {
        let (text, mut at) = (self.text, 0);
        let bytes = text.as_bytes();
        while at < bytes.len() {
            let end = match bytes[at] {
                b'"' => at + string_length(&bytes[at..]),
                b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => at + scalar_length(&bytes[at..]),
                _ => at + 1,
            };
            match bytes[at] {
                b'"' => self.string(&text[at..end]),
                b'{' | b'[' => self.open(bytes[at] == b'{'),
                b'}' | b']' => self.close(bytes[at] as char),
                b',' => {
                    if let Some(frame) = self.frames.last_mut() {
                        frame.awaits_name = frame.is_object;
                        frame.count += 1;
                    }
                    self.out.push(',');
                }
                _ if end > at + 1 || bytes[at].is_ascii_digit() => self.scalar(&text[at..end]),
                _ => self.out.push_str(&text[at..end]),
            }
            at = end;
        }
        self.out
    }

    fn open(&mut self, is_object: bool) {
        let hidden = self.kind_by_name();
        self.frames.push(Frame { is_object, awaits_name: is_object, hidden, ..Frame::default() });
        self.out.push(if is_object { '{' } else { '[' });
    }

    fn close(&mut self, sign: char) {
        if let Some(frame) = self.frames.pop()
            && let Some(kind) = frame.label
            && (frame.is_object || frame.count == 1)
        {
            // From the last, so that the places of the others stay.
            for (start, end) in frame.labelled.into_iter().rev() {
                let value = &self.out[start..end];
                if !is_harmless(value.trim_matches('"').as_bytes(), kind) {
                    let mark = format!("\"{}\"", self.redactor.mark(kind));
                    self.out.replace_range(start..end, &mark);
                }
            }
        }
        self.out.push(sign);
    }

    /// Returns the kind of the next value, by its name or the name of the whole.
    fn kind_by_name(&self) -> Option<SecretKind> {
        let frame = self.frames.last()?;
        frame.hidden.or_else(|| names::kind_of(frame.name.as_bytes()))
    }

    fn string(&mut self, quoted: &str) {
        let text = match quoted.contains('\\') {
            true => serde_json::from_str(quoted).unwrap_or_default(),
            false => quoted[1..quoted.len() - 1].to_owned(),
        };
        let is_name = self.frames.last().is_some_and(|frame| frame.awaits_name);
        let start = self.out.len();
        match self.hidden(&text, is_name) {
            Some(shown) if shown != text => {
                self.out.push_str(&serde_json::to_string(&shown).unwrap_or_else(|_| "\"\"".to_owned()));
            }
            _ => self.out.push_str(quoted),
        }
        self.note(text, is_name, start);
    }

    /// Returns the text to show in the place of `text`, if it may differ.
    fn hidden(&mut self, text: &str, is_name: bool) -> Option<String> {
        if !is_name
            && let Some(kind) = self.kind_by_name().or_else(|| self.likely(text))
            && !is_harmless(text.as_bytes(), kind)
        {
            return Some(self.redactor.mark(kind).to_owned());
        }
        let may_be_json = self.depth < MAX_NESTED && text.trim_start().starts_with(['{', '[']);
        let nested = may_be_json.then(|| within(self.redactor, text, self.depth + 1)).flatten();
        Some(nested.unwrap_or_else(|| self.redactor.text(text)))
    }

    /// Returns the kind of a value whose name alone does not say that it is a secret.
    fn likely(&self, text: &str) -> Option<SecretKind> {
        let frame = self.frames.last().filter(|frame| names::is_assigned(frame.name.as_bytes()))?;
        let is_likely = text.len() >= MIN_LIKELY
            && text.bytes().any(|byte| byte.is_ascii_digit())
            && !text.starts_with("ed25519:");
        (frame.is_object && is_likely).then_some(SecretKind::Parameter)
    }

    /// Remembers what the string says of the ones beside it.
    fn note(&mut self, text: String, is_name: bool, start: usize) {
        let end = self.out.len();
        let Some(frame) = self.frames.last_mut() else { return };
        if is_name {
            (frame.name, frame.awaits_name) = (text, false);
            return;
        }
        let tells = names::kind_of(text.as_bytes());
        if !frame.is_object {
            match frame.count {
                0 => frame.label = tells,
                // A list of names is none of a name and its value.
                1 if tells.is_none() => frame.labelled.push((start, end)),
                _ => {}
            }
        } else if names::is_label(frame.name.as_bytes()) && tells.is_some() {
            frame.label = tells;
        } else if names::is_labelled(frame.name.as_bytes()) {
            frame.labelled.push((start, end));
        }
    }

    fn scalar(&mut self, scalar: &str) {
        let is_number = scalar.starts_with(|c: char| c == '-' || c.is_ascii_digit());
        let in_list = self.frames.last().is_some_and(|frame| frame.hidden.is_some());
        match self.kind_by_name() {
            // The number of tokens, or the seed of a model, is a number. The bytes of a key are a list.
            Some(kind)
                if is_number && (in_list || matches!(kind, SecretKind::Password | SecretKind::Secret)) =>
            {
                let mark = self.redactor.mark(kind);
                self.out.extend(["\"", mark, "\""]);
            }
            _ => self.out.push_str(scalar),
        }
    }
}

/// Returns the length of the string at the start of `text`, with its quotes.
fn string_length(text: &[u8]) -> usize {
    let mut at = 1;
    while at < text.len() && text[at] != b'"' {
        at += 1 + usize::from(text[at] == b'\\');
    }
    (at + 1).min(text.len())
}

fn scalar_length(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte)).count()
}

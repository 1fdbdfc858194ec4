//! Syntax of the file, with explanations of the mistakes that people make.

use std::net::{IpAddr, SocketAddr};

use toml::Spanned;
use toml::de::DeTable;

use super::mistake::{Mistake, position, shown};

/// Maximum number of mistakes that are reported. One mistake often causes others in the lines below.
const MAX_MISTAKES: usize = 20;

/// Parses the text, or returns its mistakes, at most one a line.
pub(super) fn parse(text: &str) -> Result<Spanned<DeTable<'_>>, Vec<Mistake>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut mistakes: Vec<Mistake> = Vec::new();
    for error in &errors {
        let offset = error.span().map_or(0, |span| span.start);
        let (line, _) = position(text, offset);
        if mistakes.iter().all(|mistake| mistake.line != line) {
            mistakes.push(explained(text, offset, error.message()));
        }
        if mistakes.len() >= MAX_MISTAKES {
            break;
        }
    }
    mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
    if mistakes.is_empty() { Ok(document) } else { Err(mistakes) }
}

/// Returns the mistake that the parser found at `offset`.
fn explained(text: &str, offset: usize, message: &str) -> Mistake {
    let place = Place::of(text, offset);
    let field = place.field();
    let at = |problem: String, advice: String| Mistake::at((text, offset), field.clone(), problem, advice);
    if message.starts_with("duplicate key") {
        return match place.first_line() {
            Some(line) => at(format!("it is set in line {line} already"), "remove one of the two".to_owned()),
            None => at("it is there twice".to_owned(), "remove one of the two".to_owned()),
        };
    }
    if let Some((problem, advice)) = place.unquoted() {
        return at(problem, advice);
    }
    let advice = "look for a missing or extra quote, bracket, comma or `=` in this line";
    at(shown_message(message), advice.to_owned())
}

/// Returns the parser's message without a capital letter, because it follows a colon.
fn shown_message(message: &str) -> String {
    let mut letters = message.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

/// Line of the file, with the section that it is in.
struct Place<'a> {
    /// Text before the line.
    before: &'a str,
    section: &'a str,
    key: &'a str,
    /// Text after `=`, without a comment. `None` without `=`.
    value: Option<&'a str>,
}

impl<'a> Place<'a> {
    fn of(text: &'a str, offset: usize) -> Place<'a> {
        let mut offset = offset.min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        let start = text[..offset].rfind('\n').map_or(0, |newline| newline + 1);
        let line = text[start..].lines().next().unwrap_or_default();
        let before = &text[..start];
        match header(line) {
            Some(section) => Place { before, section, key: "", value: None },
            None => {
                let section = before.lines().rev().find_map(header).unwrap_or_default();
                let (key, value) = match line.split_once('=') {
                    Some((key, value)) => (key, Some(value.split('#').next().unwrap_or_default().trim())),
                    None => ("", None),
                };
                Place { before, section, key: key.trim(), value }
            }
        }
    }

    fn field(&self) -> String {
        let (section, key) = (shown(self.section), shown(self.key));
        match (section.is_empty(), key.is_empty()) {
            (true, _) => key,
            (_, true) => section,
            _ => format!("{section}.{key}"),
        }
    }

    /// Returns the number of the line that has the same section or key first.
    fn first_line(&self) -> Option<usize> {
        let mut section = "";
        for (at, line) in self.before.lines().enumerate() {
            let is_header = header(line).inspect(|found| section = found).is_some();
            let key = line.split_once('=').map_or("", |(key, _)| key.trim());
            let is_first = match self.key {
                "" => is_header && section == self.section,
                wanted => !is_header && section == self.section && key == wanted,
            };
            if is_first {
                return Some(at + 1);
            }
        }
        None
    }

    /// Returns problem and advice for a value that lacks its quotes.
    fn unquoted(&self) -> Option<(String, String)> {
        let value =
            self.value.filter(|value| !value.is_empty() && !value.starts_with(['"', '\'', '[', '{']))?;
        let key = shown(self.key);
        let is_address = value.parse::<IpAddr>().is_ok() || value.parse::<SocketAddr>().is_ok();
        // Four groups of digits are meant as an address, even if a group is too large.
        let looks_like_one =
            value.split('.').count() == 4 && value.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let is_size = value.starts_with(|first: char| first.is_ascii_digit())
            && value.trim_end_matches(|letter: char| letter.is_ascii_alphabetic()).parse::<f64>().is_ok();
        let quoted = || format!("put it in quotes: {key} = \"{value}\"");
        if is_address || looks_like_one {
            return Some((format!("the address {} has no quotes", shown(value)), quoted()));
        }
        if is_size && value.len() <= 20 {
            return Some((format!("{value} is neither a number nor a text in quotes"), quoted()));
        }
        if ["true", "false", "yes", "no", "on", "off"].iter().any(|word| word.eq_ignore_ascii_case(value)) {
            let problem = format!("`{value}` is not a value of TOML");
            return Some((problem, "write true or false, in small letters and without quotes".to_owned()));
        }
        // Not repeated: somebody may have put a key here.
        let has_quote = value.contains(['"', '\'']);
        (!has_quote && value.starts_with(|first: char| first.is_alphabetic() || "/~.@*".contains(first)))
            .then(|| ("the text has no quotes".to_owned(), format!("put it in quotes: {key} = \"...\"")))
    }
}

/// Returns the name in a line `[name]` or `[[name]]`.
fn header(line: &str) -> Option<&str> {
    let line = line.split('#').next()?.trim();
    let name = line.strip_prefix('[')?.trim_start_matches('[').trim_end_matches(']').trim();
    // An element of an array may have a line of its own.
    let is_name = |letter: char| letter.is_alphanumeric() || "_-. \"'".contains(letter);
    (!name.is_empty() && name.chars().all(is_name)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let mistakes = parse(text).unwrap_err();
        assert_eq!(mistakes[0].to_string(), expected);
    }

    #[test]
    fn a_value_without_quotes_is_explained() {
        check(
            "[transport]\nhost = 192.168.1.1\n",
            "2:15: transport.host: the address 192.168.1.1 has no quotes; put it in quotes: host = \"192.168.1.1\"",
        );
        check(
            "[observability]\nlog_max_bytes = 100MB # each\n",
            "2:17: observability.log_max_bytes: 100MB is neither a number nor a text in quotes; put it in quotes: \
             log_max_bytes = \"100MB\"",
        );
        check(
            "[observability]\nlog_console = True\n",
            "2:15: observability.log_console: `True` is not a value of TOML; write true or false, in small letters and \
             without quotes",
        );
        check(
            "[observability]\nlog_level = info\n",
            "2:13: observability.log_level: the text has no quotes; put it in quotes: log_level = \"...\"",
        );
    }

    #[test]
    fn a_key_or_section_that_is_there_twice_names_the_first() {
        check(
            "[transport]\nport = 1\nport = 2\n",
            "3:1: transport.port: it is set in line 2 already; remove one of the two",
        );
        check(
            "[transport]\nport = 1\n[identity]\n[transport]\n",
            "4:2: transport: it is set in line 1 already; remove one of the two",
        );
    }

    #[test]
    fn each_line_has_one_mistake_and_all_lines_are_found() {
        let mistakes = parse("[transport]\nhost = 10.0.0.1\n[discovery]\nudp_port = = 3\n").unwrap_err();
        let lines: Vec<_> = mistakes.iter().map(|mistake| mistake.line).collect();
        assert_eq!(lines, [2, 4]);
        assert!(parse(&"=\n".repeat(10_000)).unwrap_err().len() <= MAX_MISTAKES);
    }

    #[test]
    fn a_secret_is_not_repeated() {
        let mistakes = parse("[[llm.backends]]\napi_key_env = sk-123secret\n").unwrap_err();
        assert!(!mistakes[0].to_string().contains("secret"), "{}", mistakes[0]);
    }
}

//! Cause of a failed call, for the owner of the node.

use std::error::Error;

use reqwest::Url;

use super::redaction;

/// Cause of a failed call: what was asked, where, and what came back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cause {
    /// Request to another server, as `POST http://host:1/path`.
    asked: Option<String>,
    target: Option<String>,
    came_back: Option<String>,
    pub(super) advice: Option<&'static str>,
    pub(super) is_on_span: bool,
}

impl Cause {
    /// Sets the request. Credentials, query and fragment of `url` are left out.
    pub(super) fn ask(&mut self, method: &str, url: &Url) {
        let target = target(url);
        self.asked = Some(format!("{method} {target}{}", url.path()));
        self.target = Some(target);
    }

    pub(super) fn came_back(&mut self, text: String) {
        self.came_back = Some(text);
    }

    /// Replaces each occurrence of `secret`.
    pub(super) fn hide(&mut self, secret: &str) {
        if let Some(text) = self.came_back.as_mut().filter(|text| !secret.is_empty() && text.contains(secret))
        {
            *text = text.replace(secret, "[redacted]");
        }
    }

    /// Returns the scheme, host and port of the server that was asked.
    pub(super) fn target(&self) -> Option<&str> {
        self.target.as_deref()
    }

    /// Returns the cause in one line. `message` stands for what came back if nothing else is known.
    pub(super) fn line(&self, message: &str) -> String {
        let came_back = self.came_back.as_deref().unwrap_or(message);
        match &self.asked {
            Some(asked) => redaction::shown(&format!("{asked}: {came_back}")),
            None => redaction::shown(came_back),
        }
    }
}

/// Returns the scheme, host and port of a URL, such as `http://127.0.0.1:11434`.
pub(crate) fn target(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{}://{host}:{port}", url.scheme()),
        None => format!("{}://{host}", url.scheme()),
    }
}

/// Maximum number of errors that are followed. An error may be its own source.
const MAX_LINKS: usize = 16;

/// Returns the messages of `error` and its sources, outermost first.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let links =
        std::iter::successors(Some(error), |link: &&(dyn Error + 'static)| (*link).source()).take(MAX_LINKS);
    let mut chain = String::new();
    for link in links {
        let text = in_lower_case(&link.to_string());
        // Some errors repeat the message of their source.
        if text.is_empty() || chain.ends_with(&text) {
            continue;
        }
        if !chain.is_empty() {
            chain.push_str(": ");
        }
        chain.push_str(&text);
    }
    chain
}

/// Returns `text` with a small first letter, as it reads after a colon. Abbreviations such as `HTTP` stay.
fn in_lower_case(text: &str) -> String {
    let mut letters = text.chars();
    match (letters.next(), letters.next()) {
        (Some(first), Some(second)) if first.is_uppercase() && second.is_lowercase() => {
            first.to_lowercase().chain(text.chars().skip(1)).collect()
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_chain_names_every_link_once() {
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        assert_eq!(chain(&refused()), "connection refused");
        // `io::Error::other` shows the message of its source.
        assert_eq!(chain(&io::Error::other(refused())), "connection refused");
        assert_eq!(chain(&io::Error::other("HTTP is broken")), "HTTP is broken");
    }

    #[test]
    fn a_cause_names_the_request_without_credentials() {
        let mut cause = Cause::default();
        assert_eq!(cause.line("no model"), "no model");
        cause.ask("POST", &Url::parse("http://ada:pw@[::1]:7080/v1?key=1").unwrap());
        assert_eq!(cause.line("no model"), "POST http://[::1]:7080/v1: no model");
        cause.came_back("HTTP 401: my-own-key is wrong".to_owned());
        cause.hide("my-own-key");
        assert_eq!(cause.line("no model"), "POST http://[::1]:7080/v1: HTTP 401: [redacted] is wrong");
        assert_eq!(cause.target(), Some("http://[::1]:7080"));
    }
}

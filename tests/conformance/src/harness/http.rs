//! An HTTP client, and raw requests that such a client would not send.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;
use ureq::Agent;
use ureq::http::{HeaderMap, Request, Response};

use crate::case::{Outcome, Stop, equal, failed};
use crate::harness::strict_json;

/// Timeout of a request. A node answers every request of a case at once.
const LIMIT: Duration = Duration::from_secs(15);
/// Maximum length of an answer in bytes, more than any case needs.
const MOST_BYTES: u64 = 64 << 20;

/// Path of a bus call.
pub(crate) const CALL: &str = "/bus/v1/call";
pub(crate) const CAPABILITY: &str = "x-hearthnet-capability";
pub(crate) const REQUEST_ID: &str = "x-hearthnet-request-id";

/// Client of one node. It keeps its connections open.
#[derive(Clone)]
pub(crate) struct Client {
    agent: Agent,
    base: String,
}

/// Answer with any status.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// Request as a command line.
    by_hand: String,
}

impl Client {
    pub(crate) fn new(base: &str) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(LIMIT))
            .max_redirects(0)
            .proxy(None)
            .accept("")
            .accept_encoding("")
            .user_agent("hearthnet-conformance");
        Self { agent: config.build().new_agent(), base: base.to_owned() }
    }

    pub(crate) fn get(&self, path: &str) -> Outcome<Answer> {
        self.get_with(path, &[])
    }

    pub(crate) fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Outcome<Answer> {
        self.send("GET", path, headers, b"")
    }

    /// Makes a bus call with these headers besides the capability.
    pub(crate) fn call(&self, capability: &str, body: &[u8], headers: &[(&str, &str)]) -> Outcome<Answer> {
        let mut all = vec![(CAPABILITY, capability), ("content-type", "application/json")];
        all.extend_from_slice(headers);
        self.send("POST", CALL, &all, body)
    }

    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Outcome<Answer> {
        let url = format!("{}{path}", self.base);
        let mut request = Request::builder().method(method).uri(&url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let by_hand = curl(method, &url, headers, body);
        let sent = if method == "GET" {
            self.agent.run(request.body(())?)
        } else {
            self.agent.run(request.body(body)?)
        };
        let answer = sent.and_then(|response| Answer::read(response, by_hand.clone()));
        answer
            .map_err(|err| failed(format!("an answer to {method} {path}"), err.to_string()).by_hand(by_hand))
    }

    /// Sends raw bytes on a new connection and reads the answer to its end.
    pub(crate) fn raw(&self, request: &[u8]) -> Outcome<Answer> {
        let mut stream = self.connect()?;
        // A node may answer and close before it has read the whole request.
        let _ = stream.write_all(request);
        let mut bytes = Vec::new();
        let read = stream.take(MOST_BYTES).read_to_end(&mut bytes);
        let head: String = String::from_utf8_lossy(request).chars().take(400).collect();
        match Answer::from_wire(&bytes) {
            Some(answer) => Ok(answer),
            None => Err(failed(
                format!("an answer to the request {head:?}"),
                format!("{read:?}: {:?}", String::from_utf8_lossy(&bytes)),
            )),
        }
    }

    /// Opens a connection for a case that writes raw bytes itself.
    pub(crate) fn connect(&self) -> Outcome<TcpStream> {
        let authority = self.base.trim_start_matches("http://");
        let stream = TcpStream::connect(authority)?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.set_write_timeout(Some(LIMIT))?;
        Ok(stream)
    }
}

impl Answer {
    fn read(response: Response<ureq::Body>, by_hand: String) -> Result<Self, ureq::Error> {
        let (parts, mut body) = response.into_parts();
        let body = body.with_config().limit(MOST_BYTES).read_to_vec()?;
        Ok(Self { status: parts.status.as_u16(), headers: parts.headers, body, by_hand })
    }

    /// Parses the bytes of an answer. A chunked body stays as it is.
    fn from_wire(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(bytes.get(..end)?).into_owned();
        let mut lines = head.split("\r\n");
        let status = lines.next()?.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
        let mut headers = HeaderMap::new();
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            headers.append(
                ureq::http::HeaderName::from_bytes(name.as_bytes()).ok()?,
                value.trim().parse().ok()?,
            );
        }
        let body = bytes.get(end + 4..)?.to_vec();
        Some(Self { status, headers, body, by_hand: "see the request above".into() })
    }

    /// Fails unless the status is `status`.
    pub(crate) fn is(self, status: u16) -> Outcome<Self> {
        if self.status == status {
            return Ok(self);
        }
        let body: String = self.text().chars().take(400).collect();
        Err(failed(format!("status {status}"), format!("status {}: {body}", self.status))
            .by_hand(self.by_hand))
    }

    /// Fails unless the answer is an error of the bus with this status and, in a body of the specified form, this code.
    pub(crate) fn refuses(self, status: u16, code: &str) -> Outcome<Self> {
        let answer = self.is(status)?;
        let body = answer.json()?;
        equal("the error code", body["error"].as_str(), Some(code)).map_err(|stop| answer.shown(stop))?;
        if body["message"].as_str().is_none_or(str::is_empty) {
            return Err(answer.shown(failed("an error has a message", body.to_string())));
        }
        Ok(answer)
    }

    /// Returns the body as text. Bytes that are not UTF-8 are replaced.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Parses the body as JSON without repeated keys.
    pub(crate) fn json(&self) -> Outcome<Value> {
        strict_json::parse(&self.text())
            .map_err(|err| self.shown(failed("a body of JSON", format!("{err}: {}", self.text()))))
    }

    /// Returns the value of a header that occurs once.
    pub(crate) fn header(&self, name: &str) -> Outcome<&str> {
        let mut values = self.headers.get_all(name).iter();
        match (values.next().map(|value| value.to_str()), values.next()) {
            (Some(Ok(value)), None) => Ok(value),
            (None, _) => Err(self.shown(failed(format!("a header {name}"), "none"))),
            _ => {
                Err(self.shown(failed(format!("one readable header {name}"), format!("{:?}", self.headers))))
            }
        }
    }

    /// Returns the body's server-sent events as pairs of name and data.
    pub(crate) fn events(&self) -> Vec<(String, String)> {
        let text = self.text().replace("\r\n", "\n");
        let event = |block: &str| {
            let field = |name: &str| {
                let lines = block.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
                lines.map(|value| value.strip_prefix(' ').unwrap_or(value)).collect::<Vec<_>>().join("\n")
            };
            (field("event"), field("data"))
        };
        text.split("\n\n").filter(|block| !block.trim().is_empty()).map(event).collect()
    }

    /// Adds the request to a failure, as a command line.
    pub(crate) fn shown(&self, stop: Stop) -> Stop {
        stop.by_hand(&self.by_hand)
    }
}

fn curl(method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
    let mut words = vec!["curl -si".to_owned()];
    if method != "GET" {
        words.push(format!("-X {method}"));
    }
    words.extend(headers.iter().map(|(name, value)| format!("-H {}", quoted(&format!("{name}: {value}")))));
    match body.len() {
        0 => {}
        1..=2000 => words.push(format!("--data-binary {}", quoted(&String::from_utf8_lossy(body)))),
        long => words.push(format!("--data-binary @{long}-bytes")),
    }
    words.push(quoted(url));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::Answer;

    fn wire(text: &str) -> Answer {
        Answer::from_wire(text.as_bytes()).expect("an answer")
    }

    #[test]
    fn answers_are_read_off_the_wire() {
        let answer = wire("HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nX-A: 1\r\nX-A: 2\r\n\r\nno");
        assert_eq!((answer.status, answer.text()), (404, "no".to_owned()));
        assert!(matches!(answer.header("content-type"), Ok("text/plain")));
        assert!(answer.header("x-a").is_err(), "two values");
        assert!(Answer::from_wire(b"SSH-2.0\r\n\r\n").is_none());
    }

    #[test]
    fn events_are_taken_apart() {
        let answer =
            wire("HTTP/1.1 200 OK\r\n\r\nevent: token\ndata: {\"a\":\ndata: 1}\n\nevent: done\ndata:{}\n\n");
        assert_eq!(
            answer.events(),
            [("token".into(), "{\"a\":\n1}".into()), ("done".to_owned(), "{}".to_owned())]
        );
    }
}

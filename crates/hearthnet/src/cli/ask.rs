//! Questions to a node over HTTP.

use std::time::Duration;

use obs_facade::doctor::machine::{HttpError, HttpRequest, HttpResponse, Machine};
use reqwest::{Method, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::node_url::NodeUrl;
use super::visible::visible_ascii;
use crate::failure::Failure;
use crate::wire::client;

/// Bounds of an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Time from the connection to the last byte.
    pub(crate) time: Duration,
    pub(crate) bytes: usize,
}

/// Maximum length of a refusal that is shown.
const REFUSAL_SHOWN: usize = 300;

/// Sends a GET request to a route of `node`, and returns its answer as JSON and as text.
///
/// # Errors
///
/// The failure has the exit code 3 if no node is there.
pub(crate) fn json<T: DeserializeOwned>(
    node: &NodeUrl,
    url: &Url,
    bounds: Bounds,
) -> Result<(T, String), Failure> {
    let response = get(url, bounds).map_err(|error| no_answer(node, &error))?;
    // An error may come from another server, in any encoding.
    let text = String::from_utf8_lossy(&response.body).into_owned();
    match response.status {
        200 => match serde_json::from_str(&text) {
            Ok(answer) => Ok((answer, text)),
            Err(_) => Err(another_server(node)),
        },
        // Another server on the port answers 404, or a page of its own.
        404 => Err(another_server(node)),
        status => Err(Failure::error(format!("the node on {node} answered {status}: {}", refusal(&text)))),
    }
}

/// Sends a GET request, and returns an answer of any status.
pub(crate) fn get(url: &Url, bounds: Bounds) -> Result<HttpResponse, HttpError> {
    let request = HttpRequest::get(url.as_str()).timeout(bounds.time).max_body_bytes(bounds.bytes);
    Machine::default().http.send(&request)
}

/// Sends a request with a body of JSON or without one to a route of `node`, and returns an answer of any status.
///
/// # Errors
///
/// The failure has the exit code 3 if no node is there.
pub(crate) fn send<B: Serialize>(
    node: &NodeUrl,
    (method, url): (Method, Url),
    body: Option<&B>,
    bounds: Bounds,
) -> Result<(StatusCode, String), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::error(format!("cannot start a runtime: {error}")))?;
    let no_answer = |reason| Failure::error(format!("no answer from the node on {node}: {reason}"));
    runtime.block_on(async {
        let request = client::build([&url]).request(method, url).timeout(bounds.time);
        let request = body.into_iter().fold(request, |request, body| request.json(body));
        let response = request.send().await.map_err(|error| match error.is_connect() {
            true => {
                Failure::not_running(format!("no node is running on {node}; start one with `hearthnet run`"))
            }
            false => no_answer(client::reason(&error)),
        })?;
        let status = response.status();
        let body = client::read(response, bounds.bytes, bounds.time).await;
        let body = body.map_err(|error| no_answer(error.message.to_string()))?;
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    })
}

/// Returns the failure of a request without an answer.
pub(crate) fn no_answer(node: &NodeUrl, error: &HttpError) -> Failure {
    match error {
        HttpError::Refused => {
            Failure::not_running(format!("no node is running on {node}; start one with `hearthnet run`"))
        }
        HttpError::Unreached | HttpError::NoRoute | HttpError::NameNotFound | HttpError::NoNameServer => {
            Failure::not_running(format!("no node is reached at {node}: {error}; check the address"))
        }
        error => Failure::error(format!("no answer from the node on {node}: {error}")),
    }
}

/// Returns the failure of a question to something that is no node.
pub(crate) fn another_server(node: &NodeUrl) -> Failure {
    Failure::not_running(format!(
        "the server on {node} is no HearthNet node; choose another port with `--port`, or a node with `--url`"
    ))
}

/// Returns the message of a refusal, or the beginning of an answer that has none.
pub(crate) fn refusal(text: &str) -> String {
    let message = serde_json::from_str::<serde_json::Value>(text).ok();
    let message = message.as_ref().and_then(|refusal| refusal["message"].as_str());
    visible_ascii(message.unwrap_or(text)).chars().take(REFUSAL_SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::{SocketAddr, TcpListener};

    use serde_json::Value;

    use super::*;
    use crate::failure::{ERROR, NOT_RUNNING};

    /// Serves one answer, and returns the address of the server.
    fn answers(status: &str, body: &str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let answer =
            format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
            stream.write_all(answer.as_bytes()).unwrap();
        });
        address
    }

    fn ask(address: SocketAddr) -> Result<Value, Failure> {
        let node = NodeUrl::of(address);
        let bounds = Bounds { time: Duration::from_secs(5), bytes: 1 << 20 };
        json(&node, &node.route("/trace/recent", &[]), bounds).map(|(answer, _)| answer)
    }

    #[test]
    fn without_a_node_the_exit_code_is_3() {
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let failure = ask(closed).unwrap_err();
        assert!(failure.code() == NOT_RUNNING && failure.message().contains("hearthnet run"), "{failure}");

        for (status, body) in [("404 Not Found", "nothing"), ("200 OK", "<html>")] {
            let failure = ask(answers(status, body)).unwrap_err();
            assert!(failure.code() == NOT_RUNNING && failure.message().contains("--port"), "{failure}");
        }
        for body in ["{\"message\":\"\u{1b}[2J\"}", "\u{1b}[2J"] {
            let failure = ask(answers("400 Bad Request", body)).unwrap_err();
            let message = failure.message();
            assert!(
                failure.code() == ERROR && message.contains("400") && !message.contains('\u{1b}'),
                "{message}"
            );
        }
        assert_eq!(ask(answers("200 OK", r#"{"traces":[]}"#)).unwrap()["traces"], Value::Array(Vec::new()));
    }
}

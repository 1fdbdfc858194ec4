//! `hearthnet trace`: shows the last requests of the running node.

mod line;
mod recent;
mod text;
mod tree;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use obs_facade::doctor::machine::{HttpError, HttpRequest, Machine};
use obs_facade::doctor::render::{ColorChoice, TextStyle};

use self::recent::RecentTraces;
use crate::cli::output::{print, say_on_stderr};
use crate::cli::visible::visible_json;

/// Shows the last requests of the running node.
#[derive(Args, Debug)]
pub(crate) struct TraceArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Recent(RecentArgs),
}

/// Shows the last completed traces, each with its spans as a tree.
#[derive(Args, Debug)]
struct RecentArgs {
    /// Number of traces. The newest come first.
    #[arg(value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    n: u16,
    /// Show traces of this capability only.
    #[arg(long, value_name = "NAME")]
    capability: Option<String>,
    /// Print the JSON of the node.
    #[arg(long)]
    json: bool,
}

/// Exit code when no node is running.
const NOT_RUNNING: u8 = 3;

// A node under load may take a while to render ten thousand traces.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum size of an answer: ten thousand traces of a few kilobytes.
const MAX_BODY_BYTES: usize = 256 << 20;

/// Runs the command against the node at `node`.
pub(crate) fn run(args: &TraceArgs, node: SocketAddr) -> ExitCode {
    let What::Recent(recent) = &args.what;
    let body = match ask(node, &path(recent)) {
        Ok(body) => body,
        Err((code, message)) => {
            say_on_stderr(message);
            return ExitCode::from(code);
        }
    };
    match print(&if recent.json { visible_json(&body) } else { show(&body) }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say_on_stderr(format_args!("cannot write the traces: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn show(body: &str) -> String {
    let answer: RecentTraces = serde_json::from_str(body).expect("`ask` has read it");
    let now_ms = chrono::Utc::now().timestamp_millis();
    tree::render(&answer.traces, &TextStyle::for_stdout(ColorChoice::Auto), now_ms)
}

fn path(args: &RecentArgs) -> String {
    let capability = args.capability.as_ref().map(|name| format!("&capability={}", text::percent(name)));
    format!("/trace/recent?n={}{}", args.n, capability.unwrap_or_default())
}

/// Sends the request. An error is an exit code and a message.
fn ask(node: SocketAddr, path: &str) -> Result<String, (u8, String)> {
    let request =
        HttpRequest::get(format!("http://{node}{path}")).timeout(TIMEOUT).max_body_bytes(MAX_BODY_BYTES);
    let response = Machine::default().http.send(&request).map_err(|error| match error {
        HttpError::Refused => {
            (NOT_RUNNING, format!("no node is running on {node}; start one with `hearthnet run`"))
        }
        error => (1, format!("no answer from the node on {node}: {error}")),
    })?;
    // An error may come from another server, in any encoding.
    let body = String::from_utf8_lossy(&response.body).into_owned();
    match response.status {
        200 if serde_json::from_str::<RecentTraces>(&body).is_ok() => Ok(body),
        // Another server on the port answers 404, or a page of its own.
        200 | 404 => Err((
            NOT_RUNNING,
            format!("the server on {node} is no HearthNet node; choose another port with `--port`"),
        )),
        status => Err((1, format!("the node on {node} answered {status}: {}", text::visible(&body, true)))),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::TcpListener;

    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        trace: TraceArgs,
    }

    fn parse(line: &str) -> Result<RecentArgs, clap::Error> {
        let line = Line::try_parse_from(["trace"].into_iter().chain(line.split_whitespace()))?;
        let What::Recent(recent) = line.trace.what;
        Ok(recent)
    }

    #[test]
    fn arguments_become_a_query() {
        assert_eq!(path(&parse("recent").unwrap()), "/trace/recent?n=10");
        let args = parse("recent 3 --capability ü&n=9 --json").unwrap();
        assert_eq!(path(&args), "/trace/recent?n=3&capability=%C3%BC%26n%3D9");
        assert!(args.json);
        for bad in ["", "recent 0", "recent 10001", "recent x", "active"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

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

    #[test]
    fn without_a_node_the_exit_code_is_3() {
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let (code, message) = ask(closed, "/trace/recent").unwrap_err();
        assert!(code == NOT_RUNNING && message.contains("hearthnet run"), "{message}");

        for (status, body) in
            [("404 Not Found", "nothing"), ("200 OK", "<html>"), ("200 OK", r#"{"traces":3}"#)]
        {
            let (code, message) = ask(answers(status, body), "/trace/recent").unwrap_err();
            assert!(code == NOT_RUNNING && message.contains("--port"), "{message}");
        }
        let (code, message) =
            ask(answers("400 Bad Request", "{\"message\":\"\u{1b}[2J\"}"), "/").unwrap_err();
        assert!(code == 1 && message.contains("400") && !message.contains('\u{1b}'), "{message}");
        assert_eq!(ask(answers("200 OK", r#"{"traces":[]}"#), "/").unwrap(), r#"{"traces":[]}"#);
    }
}

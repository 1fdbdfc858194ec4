//! An OpenAI-compatible backend on loopback.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::case::Outcome;
use crate::harness::home::Home;

/// Tokens of each answer.
pub(crate) const TOKENS: u64 = 3;

/// Word in a prompt that holds back all tokens but the first until [`Backend::go_on`].
pub(crate) const SLOWLY: &str = "slowly";

/// Backend that answers until the program ends.
#[derive(Clone, Default)]
pub(crate) struct Backend(Arc<Pause>);

#[derive(Default)]
struct Pause {
    is_over: Mutex<bool>,
    over: Condvar,
}

/// Maximum time that an answer is held back.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

impl Backend {
    /// Releases the answers that are held back.
    pub(crate) fn go_on(&self) {
        *self.0.is_over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.over.notify_all();
    }

    fn wait(&self) {
        let is_over = self.0.is_over.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.0.over.wait_timeout_while(is_over, LONGEST_PAUSE, |is_over| !*is_over));
    }
}

/// Starts a backend and names it in a home's configuration, as `ollama` with the model `tiny`.
pub(crate) fn configure(home: &Home) -> Outcome<Backend> {
    let backend = Backend::default();
    let mut section = toml::Table::new();
    for (key, value) in [("name", "ollama"), ("url", &start(backend.clone())?), ("model", "tiny")] {
        section.insert(key.to_owned(), value.into());
    }
    home.configure("llm", "backends", vec![toml::Value::Table(section)])?;
    Ok(backend)
}

/// Starts the backend and returns its address, `http://127.0.0.1:port`.
fn start(backend: Backend) -> Outcome<String> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = format!("http://{}", listener.local_addr()?);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let backend = backend.clone();
            // A caller may disconnect halfway. That is no failure of the backend.
            std::thread::spawn(move || answer(stream, &backend));
        }
    });
    Ok(address)
}

fn answer(mut stream: TcpStream, backend: &Backend) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut length = 0;
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header)? == 0 || header.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = header.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap_or_default();
        }
    }
    let mut body = Vec::new();
    reader.take(length).read_to_end(&mut body)?;

    let slowly = String::from_utf8_lossy(&body).contains(SLOWLY);
    let asks_for_stream =
        serde_json::from_slice(&body).is_ok_and(|body: serde_json::Value| body["stream"] == true);
    let (status, kind, body) = if request.contains("/chat/completions") && asks_for_stream {
        ("200 OK", "text/event-stream", streamed())
    } else if request.contains("/chat/completions") {
        ("200 OK", "application/json", completion())
    } else if request.starts_with("GET /v1/models") {
        (
            "200 OK",
            "application/json",
            r#"{"object":"list","data":[{"id":"tiny","object":"model"}]}"#.to_owned(),
        )
    } else {
        ("404 Not Found", "application/json", r#"{"error":{"message":"not found"}}"#.to_owned())
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    )?;
    let (first, rest) = body.split_at(body.find("\n\n").map_or(0, |end| end + 2));
    stream.write_all(first.as_bytes())?;
    if slowly {
        backend.wait();
    }
    stream.write_all(rest.as_bytes())
}

fn completion() -> String {
    let message = serde_json::json!({ "role": "assistant", "content": "ha ha ha" });
    serde_json::json!({
        "model": "tiny",
        "choices": [{ "index": 0, "message": message, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 1, "completion_tokens": TOKENS },
    })
    .to_string()
}

fn streamed() -> String {
    let mut events = String::new();
    for _ in 0..TOKENS {
        events.push_str(
            "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"ha \"},\"finish_reason\":null}]}\n\n",
        );
    }
    events.push_str("data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n");
    events.push_str(&format!("data: {{\"choices\":[],\"usage\":{{\"completion_tokens\":{TOKENS}}}}}\n\n"));
    events.push_str("data: [DONE]\n\n");
    events
}

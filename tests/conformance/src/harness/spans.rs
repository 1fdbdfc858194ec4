//! Spans of OTLP exports, read by third-party programs.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::case::{Outcome, failed};
use crate::harness::home::Home;
use crate::harness::oracle;
use crate::harness::{Lab, free_port, wait};

/// Span as a collector shows it. IDs are hexadecimal.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Seen {
    pub(crate) trace_id: String,
    pub(crate) span_id: String,
    /// Empty for a root.
    pub(crate) parent_id: String,
    pub(crate) name: String,
    /// `SERVER`, `CLIENT`, `INTERNAL`.
    pub(crate) kind: String,
    /// `OK`, `ERROR`, or empty.
    pub(crate) status: String,
    /// The `service.instance.id` of the resource.
    pub(crate) instance: String,
}

/// Collector of the Python package `rotel`.
pub(crate) struct Rotel {
    child: Child,
    address: String,
    printed: Arc<Mutex<String>>,
}

impl Rotel {
    /// Starts the collector in the folder of `home` and waits until it listens.
    pub(crate) fn start(lab: &Lab, home: &Home) -> Outcome<Self> {
        let program = oracle::rotel(lab)?;
        let (http, grpc) = (format!("127.0.0.1:{}", free_port()), format!("127.0.0.1:{}", free_port()));
        let mut command = Command::new(program);
        command
            .args(["start", "--exporter", "blackhole"])
            .args(["--debug-log", "traces", "--debug-log-verbosity", "detailed"])
            .args(["--otlp-http-endpoint", &http, "--otlp-grpc-endpoint", &grpc])
            .arg("--pid-file")
            .arg(home.path().join("rotel.pid"))
            .arg("--log-file")
            .arg(home.path().join("rotel.log"));
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let printed = Arc::new(Mutex::new(String::new()));
        let (out, lines) = (child.stdout.take(), Arc::clone(&printed));
        std::thread::spawn(move || {
            for line in out.into_iter().flat_map(|out| BufReader::new(out).lines()).map_while(Result::ok) {
                let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
                lines.push_str(&line);
                lines.push('\n');
            }
        });
        let rotel = Self { child, address: format!("http://{http}"), printed };
        match wait::until(Duration::from_secs(10), || TcpStream::connect(&http).is_ok()) {
            true => Ok(rotel),
            false => Err(failed("rotel listens within 10 s", rotel.text())),
        }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Returns the collector's output so far.
    pub(crate) fn text(&self) -> String {
        self.printed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the spans that the collector has decoded so far.
    pub(crate) fn spans(&self) -> Vec<Seen> {
        read_printed(&self.text())
    }
}

impl Drop for Rotel {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Parses the collector's output. A span is a block of lines `Key : value` after its resource's attributes.
fn read_printed(text: &str) -> Vec<Seen> {
    let mut spans: Vec<Seen> = Vec::new();
    let mut instance = String::new();
    for line in text.lines().map(str::trim) {
        if let Some(id) = line.strip_prefix("-> service.instance.id: Str(") {
            instance = id.trim_end_matches(')').to_owned();
        }
        if line.starts_with("Span #") {
            spans.push(Seen { instance: instance.clone(), ..Seen::default() });
        }
        let (Some((key, value)), Some(span)) = (line.split_once(':'), spans.last_mut()) else { continue };
        let value = value.trim();
        match key.trim() {
            "Trace ID" => span.trace_id = value.to_owned(),
            "Parent ID" => span.parent_id = value.to_owned(),
            "ID" => span.span_id = value.to_owned(),
            "Name" => span.name = value.to_owned(),
            "Kind" => span.kind = value.trim_start_matches("SPAN_KIND_").to_owned(),
            "Status code" => span.status = value.trim_start_matches("STATUS_CODE_").to_owned(),
            _ => {}
        }
    }
    spans
}

/// Request of an export.
#[derive(Clone)]
struct Request {
    /// First line of its head.
    line: String,
    is_gzipped: bool,
    body: Vec<u8>,
}

/// Collector that accepts everything and keeps the bodies for another program.
pub(crate) struct Bodies {
    address: String,
    kept: Arc<Mutex<Vec<Request>>>,
}

impl Bodies {
    pub(crate) fn start() -> Outcome<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = format!("http://{}", listener.local_addr()?);
        let kept = Arc::<Mutex<Vec<_>>>::default();
        let bodies = Arc::clone(&kept);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if let Ok(request) = take(stream) {
                    bodies.lock().unwrap_or_else(PoisonError::into_inner).push(request);
                }
            }
        });
        Ok(Self { address, kept })
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn kept(&self) -> Vec<Vec<u8>> {
        self.requests().into_iter().map(|request| request.body).collect()
    }

    /// Returns the bodies of the requests for a path.
    pub(crate) fn kept_at(&self, path: &str) -> Vec<Vec<u8>> {
        let head = format!("POST {path} ");
        let requests = self.requests().into_iter().filter(|request| request.line.starts_with(&head));
        requests.map(|request| request.body).collect()
    }

    /// Returns whether every request came in gzip.
    pub(crate) fn all_gzipped(&self) -> bool {
        self.requests().iter().all(|request| request.is_gzipped)
    }

    fn requests(&self) -> Vec<Request> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn take(mut stream: TcpStream) -> std::io::Result<Request> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut length, mut is_gzipped, mut first) = (0, false, String::new());
    reader.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        let line = line.to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or_default();
        }
        is_gzipped |= line.strip_prefix("content-encoding:").is_some_and(|value| value.trim() == "gzip");
    }
    let mut sent = Vec::new();
    reader.take(length).read_to_end(&mut sent)?;
    let mut body = Vec::new();
    match is_gzipped {
        true => drop(flate2::read::GzDecoder::new(sent.as_slice()).read_to_end(&mut body)?),
        false => body = sent,
    }
    stream.write_all(
        b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
    )?;
    Ok(Request { line: first, is_gzipped, body })
}

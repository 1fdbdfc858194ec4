//! Collector that keeps the bodies of exports for another program.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::case::Outcome;

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

//! Load on a server: connections that are kept open, each of which sends its next request once it has its answer.
//!
//! The client is as small as one can be, because it runs beside the server and takes processor time from it.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::replies::ECHOED;

/// What the connections ask for.
pub(super) struct Load {
    pub(super) connections: usize,
    request: Vec<u8>,
}

/// Answers that came.
pub(super) struct Answers {
    pub(super) time: Duration,
    /// Nanoseconds from the first byte of a request to the last of its answer, sorted.
    pub(super) nanos: Vec<u32>,
}

impl Load {
    /// Requests that the server answers with their body.
    pub(super) fn echo(connections: usize) -> Load {
        let length = ECHOED.len();
        let request = format!(
            "POST /echo HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n{ECHOED}"
        );
        Load { connections, request: request.into() }
    }

    /// Requests of this path.
    pub(super) fn get(path: &str, connections: usize) -> Load {
        Load { connections, request: format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").into() }
    }

    /// Sends requests for this long. Each connection sends at least one.
    pub(super) fn run(&self, server: SocketAddr, time: Duration) -> io::Result<Answers> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        runtime.block_on(async {
            let mut open = Vec::new();
            for _ in 0..self.connections {
                open.push(Connection::open(server).await?);
            }
            let begin = Instant::now();
            let mut tasks = JoinSet::new();
            for connection in open {
                tasks.spawn(connection.repeat(self.request.clone(), begin + time));
            }
            let mut nanos = Vec::new();
            while let Some(task) = tasks.join_next().await {
                nanos.extend(task.expect("a connection does not panic")?);
            }
            let time = begin.elapsed();
            nanos.sort_unstable();
            Ok(Answers { time, nanos })
        })
    }

    /// Sends one request and returns the whole answer.
    pub(super) fn once(&self, server: SocketAddr) -> io::Result<String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        runtime.block_on(async {
            let mut connection = Connection::open(server).await?;
            connection.ask(&self.request).await?;
            Ok(String::from_utf8_lossy(&connection.answer).into_owned())
        })
    }
}

impl Answers {
    /// Returns the microseconds within which this part of the answers came.
    pub(super) fn micros(&self, part: f64) -> f64 {
        let at = (self.nanos.len() as f64 * part) as usize;
        self.nanos
            .get(at.min(self.nanos.len().saturating_sub(1)))
            .map_or(f64::NAN, |&nanos| f64::from(nanos) / 1e3)
    }
}

struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Connection {
    async fn open(server: SocketAddr) -> io::Result<Connection> {
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, answer: Vec::with_capacity(4 << 10) })
    }

    async fn repeat(mut self, request: Vec<u8>, end: Instant) -> io::Result<Vec<u32>> {
        let mut nanos = Vec::new();
        let mut begin = Instant::now();
        loop {
            self.ask(&request).await?;
            let now = Instant::now();
            nanos.push(u32::try_from((now - begin).as_nanos()).unwrap_or(u32::MAX));
            if now >= end {
                return Ok(nanos);
            }
            begin = now;
        }
    }

    async fn ask(&mut self, request: &[u8]) -> io::Result<()> {
        self.answer.clear();
        self.stream.write_all(request).await?;
        while !is_whole(&self.answer)? {
            if self.stream.read_buf(&mut self.answer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }
}

/// Returns whether the bytes are a whole answer. Every answer has a body, with its length or in chunks.
fn is_whole(answer: &[u8]) -> io::Result<bool> {
    const END_OF_HEAD: &[u8] = b"\r\n\r\n";
    const LENGTH: &[u8] = b"content-length: ";
    let Some(end) = find(answer, END_OF_HEAD) else { return Ok(false) };
    let (head, body) = (&answer[..end], &answer[end + END_OF_HEAD.len()..]);
    if !head.starts_with(b"HTTP/1.1 200") {
        return Err(io::Error::other(format!("the server answered {}", String::from_utf8_lossy(head))));
    }
    let Some(at) = find(head, LENGTH) else { return Ok(body.ends_with(b"\r\n0\r\n\r\n")) };
    let digits = head[at + LENGTH.len()..].iter().take_while(|byte| byte.is_ascii_digit());
    let length = digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0'));
    Ok(body.len() >= length)
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_with_its_last_byte() {
        for whole in [
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ndate: now\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        ] {
            for end in 0..whole.len() {
                // A prefix of the first line is no answer yet.
                assert!(!is_whole(&whole.as_bytes()[..end]).unwrap(), "{:?}", &whole[..end]);
            }
            assert!(is_whole(whole.as_bytes()).unwrap());
        }
        assert!(is_whole(b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n").is_err());
    }
}

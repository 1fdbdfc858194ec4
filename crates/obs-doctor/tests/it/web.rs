//! Small servers and fake HTTP clients.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use obs_doctor::machine::{Http, HttpError, HttpRequest, HttpResponse, Machine};

/// Serves `answer(path)` on loopback until the test ends.
pub(crate) fn serve(answer: impl Fn(&str) -> (u16, String, String) + Send + 'static) -> SocketAddr {
    serve_on(TcpListener::bind("127.0.0.1:0").unwrap(), answer)
}

pub(crate) fn serve_on(
    listener: TcpListener,
    answer: impl Fn(&str) -> (u16, String, String) + Send + 'static,
) -> SocketAddr {
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = [0; 4096];
            let n = stream.read(&mut request).unwrap_or(0);
            let text = String::from_utf8_lossy(&request[..n]).into_owned();
            let (status, headers, body) = answer(text.split(' ').nth(1).unwrap_or("/"));
            let head = format!(
                "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n",
                body.len()
            );
            let body = if text.starts_with("HEAD") { String::new() } else { body };
            let _ = stream.write_all((head + &body).as_bytes());
        }
    });
    address
}

/// Starts a server that lets `answer` write to each connection.
pub(crate) fn serve_raw(
    answer: impl Fn(&mut TcpStream) -> io::Result<()> + Send + Sync + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, answer) = (listener.local_addr().unwrap(), Arc::new(answer));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let answer = Arc::clone(&answer);
            thread::spawn(move || {
                let _ = stream.read(&mut [0; 4096]);
                // The client has closed the connection.
                let _ = answer(&mut stream);
            });
        }
    });
    address
}

/// HTTP client that is a function.
pub(crate) struct Web<F>(pub(crate) F);

impl<F> Http for Web<F>
where
    F: Fn(&HttpRequest) -> Result<HttpResponse, HttpError> + Send + Sync + 'static,
{
    fn send(&self, request: &HttpRequest) -> Result<HttpResponse, HttpError> {
        (self.0)(request)
    }
}

pub(crate) fn web<F>(answer: F) -> Machine
where
    F: Fn(&HttpRequest) -> Result<HttpResponse, HttpError> + Send + Sync + 'static,
{
    Machine::default().http(Web(answer))
}

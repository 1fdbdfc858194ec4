//! Language model and trace collector behind HTTPS, with a certificate of their own.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

pub(crate) struct TlsBackend {
    pub(crate) port: u16,
    /// Certificate in PEM.
    pub(crate) certificate: String,
}

impl TlsBackend {
    /// Serves a list of one model and accepts traces on `localhost`, for as long as the process lives.
    pub(crate) fn start() -> TlsBackend {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder().with_no_client_auth();
        let config = Arc::new(config.with_single_cert(vec![made.cert.der().clone()], key).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let config = Arc::clone(&config);
                thread::spawn(move || answer(stream.unwrap(), config));
            }
        });
        TlsBackend { port, certificate: made.cert.pem() }
    }
}

/// Answers one request. A client that does not trust the certificate leaves during the handshake.
fn answer(stream: TcpStream, config: Arc<ServerConfig>) {
    let mut stream = BufReader::new(StreamOwned::new(ServerConnection::new(config).unwrap(), stream));
    let (mut line, mut head) = (String::new(), String::new());
    while stream.read_line(&mut line).is_ok_and(|read| read > 2) {
        head.push_str(&line);
        line.clear();
    }
    let (kind, body) = if head.starts_with("POST /v1/traces ") {
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let _ = stream.read_exact(&mut vec![0; length.parse().unwrap()]);
        ("application/x-protobuf", "")
    } else {
        ("application/json", r#"{"models": [{"name": "tiny"}]}"#)
    };
    let _ = write!(
        stream.get_mut(),
        "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len(),
    );
    let _ = stream.get_mut().flush();
}

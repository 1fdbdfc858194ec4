//! A server with the console, and a plain client.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::ConnectInfo;
use http::request::Parts;
use obs_console::{Mode, Settings, Token, router};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::fake::Fake;

/// Longest wait of a test for anything.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) fake: Arc<Fake>,
    pub(crate) token: Token,
    runtime: Option<Runtime>,
}

/// Tells what the facade's guard tells of a connection.
pub(crate) fn by_loopback(request: &Parts) -> bool {
    let address = request.extensions.get::<ConnectInfo<SocketAddr>>();
    address.is_some_and(|ConnectInfo(address)| address.ip().to_canonical().is_loopback())
        && !request.headers.contains_key("x-forwarded-for")
}

/// Takes each connection as one of another machine.
pub(crate) fn by_none(_: &Parts) -> bool {
    false
}

impl Server {
    pub(crate) fn local() -> Self {
        Server::start("127.0.0.1", Mode::Local, by_loopback)
    }

    pub(crate) fn start(address: &str, mode: Mode, is_local_caller: fn(&Parts) -> bool) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.unwrap();
        let ip: IpAddr = address.parse().unwrap();
        let listener = runtime.block_on(TcpListener::bind(SocketAddr::new(ip, 0))).unwrap();
        let (address, fake) = (listener.local_addr().unwrap(), Arc::new(Fake::default()));
        let token = Token::random().unwrap();
        let settings = Settings::new(mode, is_local_caller)
            .token(token.clone())
            .port(address.port())
            .hosts(["home-server"])
            .stopping({
                let fake = fake.clone();
                move || fake.stops.load(std::sync::atomic::Ordering::SeqCst)
            });
        let routes: Router = router(fake.clone(), settings);
        let service = routes.into_make_service_with_connect_info::<SocketAddr>();
        runtime.spawn(async move { axum::serve(listener, service).await });
        Server { address, fake, token, runtime: Some(runtime) }
    }

    pub(crate) fn get(&self, path: &str, headers: &str) -> Answer {
        self.send(&format!("GET {path}"), headers, "")
    }

    /// Sends a request with a good `Host`, unless the headers have one.
    pub(crate) fn send(&self, target: &str, headers: &str, body: &str) -> Answer {
        let mut connection = self.connect();
        connection.write_all(self.request(target, headers, body).as_bytes()).unwrap();
        Answer::read(&mut connection)
    }

    pub(crate) fn request(&self, target: &str, headers: &str, body: &str) -> String {
        let has_host = headers.to_ascii_lowercase().starts_with("host:");
        let host = if has_host { String::new() } else { format!("Host: {}\r\n", self.host()) };
        let length =
            if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        format!("{target} HTTP/1.1\r\n{host}{headers}{length}Connection: close\r\n\r\n{body}")
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let ip = if self.address.is_ipv4() { "127.0.0.1" } else { "::1" };
        let connection = TcpStream::connect((ip, self.address.port())).unwrap();
        connection.set_read_timeout(Some(DEADLINE)).unwrap();
        connection
    }

    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.address.port())
    }

    /// Opens a session, and returns its cookie as a header.
    pub(crate) fn log_in(&self) -> String {
        let answer = self.post_token(self.token.expose());
        assert_eq!(answer.status, 200, "{}", answer.text);
        let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        format!("Cookie: {cookie}\r\n")
    }

    pub(crate) fn post_token(&self, token: &str) -> Answer {
        let body = format!("{{\"token\":\"{token}\"}}");
        self.send("POST /console/api/v1/session", &format!("Origin: http://{}\r\n", self.host()), &body)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) text: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn read(connection: &mut impl Read) -> Self {
        let (mut bytes, mut part, began) = (Vec::new(), [0; 1 << 16], Instant::now());
        loop {
            let read = connection.read(&mut part).unwrap();
            bytes.extend(&part[..read]);
            if read == 0 {
                return Answer::of(&bytes);
            }
            // A tail has no end.
            assert!(began.elapsed() < DEADLINE, "the answer has no end");
        }
    }

    pub(crate) fn of(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("the end of the head");
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head[9..12].parse().unwrap();
        let body = bytes[end + 4..].to_vec();
        Answer { status, head, text: String::from_utf8_lossy(&body).into_owned(), body }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.lines().filter_map(|line| line.split_once(": "));
        headers.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// Waits until a condition holds.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < DEADLINE, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

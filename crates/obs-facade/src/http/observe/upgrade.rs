//! Upgraded connections, such as WebSockets, whose call ends with the connection and not with the head.
//!
//! hyper gives a handler the future [`OnUpgrade`] in the extensions of the request, and only hyper can make one. So the
//! layer takes that future, and gives the handler one of a second connection: a connection of hyper in memory that reads
//! a written request, and waits for the real upgrade before it upgrades itself. The second upgrade hands over the I/O
//! object of the second connection. From then on that object passes everything on to the real one, without a copy, and
//! it holds the call, which therefore ends when the handler drops the socket.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::{OnUpgrade, Upgraded};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::call::Call;

/// An upgrade that the handler may still accept. Dropping it gives the upgrade up.
#[derive(Debug)]
pub(super) struct Pending {
    give: Option<oneshot::Sender<Call>>,
    task: AbortHandle,
    is_connect: bool,
}

impl Pending {
    /// Replaces the upgrade in the extensions of the request. `None` if the request asks for none, or outside of tokio.
    pub(super) fn replace<B>(request: &mut Request<B>) -> Option<Pending> {
        request.extensions().get::<OnUpgrade>()?;
        let runtime = Handle::try_current().ok()?;
        let real = request.extensions_mut().remove::<OnUpgrade>()?;
        let (give, call) = oneshot::channel();
        let (observed, second) = begin(real.clone(), call);
        // Without the second upgrade the handler keeps the real one, and the call ends with its head.
        let Some(observed) = observed else {
            request.extensions_mut().insert(real);
            return None;
        };
        request.extensions_mut().insert(observed);
        let task = runtime.spawn(second).abort_handle();
        let is_connect = request.method() == Method::CONNECT;
        Some(Pending { give: Some(give), task, is_connect })
    }

    /// Returns whether the response turns its connection into one of another protocol.
    pub(super) fn is_accepted<B>(&self, response: &Response<B>) -> bool {
        let status = response.status();
        status == StatusCode::SWITCHING_PROTOCOLS || (self.is_connect && status.is_success())
    }

    /// Keeps the call until the upgraded connection is dropped. A connection that is never upgraded cancels it.
    pub(super) fn accept(mut self, call: Call) {
        if let Some(give) = self.give.take() {
            // A receiver that is gone drops the call, and so ends it as cancelled.
            drop(give.send(call));
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        // The server keeps its side of a refused upgrade as long as the connection, so the task would wait for it.
        if self.give.is_some() {
            self.task.abort();
        }
    }
}

/// Begins the second connection. Returns its upgrade, and the future that completes it.
fn begin(
    real: OnUpgrade,
    call: oneshot::Receiver<Call>,
) -> (Option<OnUpgrade>, impl Future<Output = ()> + Send + 'static) {
    let (open, opened) = oneshot::channel();
    let job = Arc::new(Mutex::new(Job { waiting: Some((real, call, open)), upgrade: None }));
    let answer = {
        let job = Arc::clone(&job);
        service_fn(move |mut request: Request<Incoming>| {
            let mut job = job.lock().unwrap_or_else(PoisonError::into_inner);
            job.upgrade = Some(hyper::upgrade::on(&mut request));
            let waiting = job.waiting.take();
            async move { complete(waiting).await }
        })
    };
    let io = ObservedIo::Handshake { request: REQUEST, matched: 0, opened };
    let mut connection = Box::pin(http1::Builder::new().serve_connection(io, answer).with_upgrades());
    // One poll reads the whole request, which is there at once, and calls the service.
    let first = connection.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    let upgrade = job.lock().unwrap_or_else(PoisonError::into_inner).upgrade.take();
    (upgrade.filter(|_| first.is_pending()), async move {
        // The handler sees an error as the failure of its upgrade.
        _ = connection.await;
    })
}

/// Work of the second connection's service, which is called once.
struct Job {
    waiting: Option<(OnUpgrade, oneshot::Receiver<Call>, oneshot::Sender<Open>)>,
    upgrade: Option<OnUpgrade>,
}

/// Waits for the real upgrade, and then lets the second one happen.
async fn complete(
    waiting: Option<(OnUpgrade, oneshot::Receiver<Call>, oneshot::Sender<Open>)>,
) -> Result<Response<axum::body::Body>, io::Error> {
    let (real, call, open) = waiting.ok_or(io::ErrorKind::NotConnected)?;
    let io = real.await.map_err(io::Error::other)?;
    // There by now: the layer gives the call before the server sees the response.
    let call = call.await.map_err(io::Error::other)?;
    // The receiver is the connection that this service belongs to.
    drop(open.send(Open { io, call: Some(call) }));
    let mut response = Response::new(axum::body::Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    Ok(response)
}

/// Request of the second connection.
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: upgrade\r\nconnection: upgrade\r\nupgrade: observed\r\n\r\n";
/// End of the head of its response. Nothing is written after it before the upgrade.
const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// I/O object of the second connection: first its handshake, then the real connection.
enum ObservedIo {
    Handshake {
        /// Rest of the request.
        request: &'static [u8],
        /// Number of bytes of [`END_OF_HEAD`] that were written last.
        matched: usize,
        opened: oneshot::Receiver<Open>,
    },
    Open(Open),
}

/// A connection that has been upgraded, and its call.
struct Open {
    io: Upgraded,
    call: Option<Call>,
}

impl Drop for Open {
    fn drop(&mut self) {
        // If the handler unwinds, the drop of the call records a panic.
        if let Some(call) = self.call.take()
            && !std::thread::panicking()
        {
            call.end();
        }
    }
}

impl ObservedIo {
    /// Returns the real connection, once the handshake is over.
    fn open(&mut self) -> io::Result<Pin<&mut Upgraded>> {
        if let ObservedIo::Handshake { opened, .. } = self {
            let open = opened.try_recv().map_err(|_| io::ErrorKind::NotConnected)?;
            *self = ObservedIo::Open(open);
        }
        match self {
            ObservedIo::Open(open) => Ok(Pin::new(&mut open.io)),
            ObservedIo::Handshake { .. } => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn is_in_handshake(&self) -> bool {
        matches!(self, ObservedIo::Handshake { matched, .. } if *matched < END_OF_HEAD.len())
    }

    /// Takes bytes of the response's head, which nobody reads.
    fn discard(&mut self, bytes: &[u8]) -> usize {
        let ObservedIo::Handshake { matched, .. } = self else { return 0 };
        for (place, byte) in bytes.iter().enumerate() {
            // The pattern's only repetition begins with its first byte.
            *matched = match END_OF_HEAD.get(*matched) {
                Some(expected) if expected == byte => *matched + 1,
                _ => usize::from(*byte == END_OF_HEAD[0]),
            };
            if *matched == END_OF_HEAD.len() {
                return place + 1;
            }
        }
        bytes.len()
    }
}

impl Read for ObservedIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_in_handshake() {
            return match &mut *self {
                ObservedIo::Handshake { request, .. } if !request.is_empty() => {
                    let (now, later) = request.split_at(request.len().min(buf.remaining()));
                    buf.put_slice(now);
                    *request = later;
                    Poll::Ready(Ok(()))
                }
                // The service wakes the connection.
                _ => Poll::Pending,
            };
        }
        self.open()?.poll_read(cx, buf)
    }
}

impl Write for ObservedIo {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_in_handshake() {
            return Poll::Ready(Ok(self.discard(buf)));
        }
        self.open()?.poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.is_in_handshake() {
            let first = bufs.iter().find(|buf| !buf.is_empty());
            return Poll::Ready(Ok(first.map_or(0, |buf| self.discard(buf))));
        }
        self.open()?.poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        matches!(self, ObservedIo::Open(open) if open.io.is_write_vectored())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &*self {
            // The head has been taken, and the real connection has nothing to flush yet.
            ObservedIo::Handshake { .. } => Poll::Ready(Ok(())),
            ObservedIo::Open(_) => self.open()?.poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.open() {
            Ok(io) => io.poll_shutdown(cx),
            // A connection that was never upgraded.
            Err(_) => Poll::Ready(Ok(())),
        }
    }
}

//! Receiver of Alertmanager's webhook.

use std::net::Ipv4Addr;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Instant;

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use tokio::net::TcpListener;

use crate::Done;

/// Starts the receiver on a thread. Returns its URL, and the bodies with the time at which they came.
pub(crate) fn start() -> Done<(String, Receiver<(Instant, String)>)> {
    let (sender, bodies) = channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
    let url = format!("http://{}/alert", listener.local_addr()?);
    let router = Router::new().route("/alert", post(note)).with_state(sender);
    thread::spawn(move || {
        // An error ends the receiver, and the measurement then waits for an alert in vain and says so.
        _ = runtime.block_on(async { axum::serve(listener, router).await });
    });
    Ok((url, bodies))
}

async fn note(State(sender): State<Sender<(Instant, String)>>, body: String) {
    // An error means that the measurement is over.
    _ = sender.send((Instant::now(), body));
}

//! A program that is no HearthNet node, on actix-web, with the handler of the README of obs-metrics.
//!
//! It ends with exit code 0 when the page is right.

use std::error::Error;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::LazyLock;
use std::time::Duration;

use obs_metrics::CounterFamily;

static ORDERS: LazyLock<CounterFamily<1>> =
    LazyLock::new(|| obs_metrics::counter("shop_orders_total", "Orders.", ["result"]));

/// Bound of each wait for the server. A loaded machine takes seconds.
const PATIENCE: Duration = Duration::from_secs(60);

// `async fn serve(listener)`, made by `build.rs` of the README's code.
include!(concat!(env!("OUT_DIR"), "/readme.rs"));

fn main() -> Result<(), Box<dyn Error>> {
    obs_metrics::configure(&obs_metrics::Config::default().standard_families(false))?;
    ORDERS.with(["ok"]).add(3);

    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    // The thread ends with the process.
    std::thread::spawn(move || actix_web::rt::System::new().block_on(serve(listener)));

    let text = get(address, "text/plain")?;
    wants(
        &text,
        &["HTTP/1.1 200 OK", "content-type: text/plain; version=0.0.4", "shop_orders_total{result=\"ok\"} 3"],
    )?;
    let open = get(address, "application/openmetrics-text")?;
    wants(&open, &["content-type: application/openmetrics-text; version=1.0.0", "# EOF"])?;
    if text.contains("hearthnet_") {
        return Err(format!("families of a node in\n{text}").into());
    }
    Ok(())
}

/// Returns head and body of the page in the format for an `Accept` header.
fn get(address: std::net::SocketAddr, accept: &str) -> Result<String, Box<dyn Error>> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET /metrics HTTP/1.1\r\nhost: shop\r\naccept: {accept}\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn wants(answer: &str, parts: &[&str]) -> Result<(), Box<dyn Error>> {
    match parts.iter().find(|part| !answer.contains(**part)) {
        Some(part) => Err(format!("{part:?} not in\n{answer}").into()),
        None => Ok(()),
    }
}

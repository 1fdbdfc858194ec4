//! Ends traces at a steady rate while a collector on loopback accepts them, and prints how many the exporter dropped:
//! `cargo run --release -p obs-trace --features otlp --example export_load [traces a second] [seconds]`.

#![expect(clippy::print_stdout, reason = "a program that reports")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use obs_trace::otlp::{Config, Exporter};
use obs_trace::{Store, new_trace, span};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut numbers = std::env::args().skip(1).map(|number| number.parse::<u32>());
    let rate = numbers.next().transpose()?.unwrap_or(53_000);
    let seconds = numbers.next().transpose()?.unwrap_or(10);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = format!("http://{}", listener.local_addr()?);
    std::thread::spawn(move || listener.incoming().flatten().for_each(|stream| drop(accept(stream))));

    let store = Store::default();
    let exporter = Exporter::start(&store, &Config::new(address))?;
    let begin = Instant::now();
    std::thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| end_traces(&store, rate / 2, Duration::from_secs(seconds.into())));
        }
    });
    let took = begin.elapsed();
    let all_sent = exporter.flush(Duration::from_secs(30));
    let stats = exporter.stats();
    let share = |part: u64| 100.0 * part as f64 / stats.offered as f64;
    println!(
        "{:.0} traces a second for {:.1} s",
        stats.offered as f64 / took.as_secs_f64(),
        took.as_secs_f64()
    );
    println!("exported {} of {} in {} requests", stats.exported, stats.offered, stats.requests);
    println!(
        "dropped {} ({:.2} %), failed {}, all sent: {all_sent}",
        stats.dropped,
        share(stats.dropped),
        stats.failed
    );
    Ok(())
}

/// Ends `rate` traces a second at even intervals, each with one span and two fields.
fn end_traces(store: &Store, rate: u32, time: Duration) {
    let _scope = store.enter();
    let begin = Instant::now();
    let mut ended = 0_u64;
    while begin.elapsed() < time {
        let wanted = (begin.elapsed().as_secs_f64() * f64::from(rate)) as u64;
        for _ in ended..wanted {
            new_trace("llm.chat")
                .run(|| span("forward").field("to", "7H4G-Y9KL").field("attempt", 1).run(|| ()));
        }
        ended = wanted.max(ended);
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Reads one request and accepts its spans.
fn accept(mut stream: TcpStream) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut piece = [0; 1 << 16];
    loop {
        let read = stream.read(&mut piece)?;
        request.extend_from_slice(&piece[..read]);
        if read == 0 || is_whole(&request) {
            break;
        }
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
}

fn is_whole(request: &[u8]) -> bool {
    let Some(end) = request.windows(4).take(8_192).position(|window| window == b"\r\n\r\n") else {
        return false;
    };
    let head = String::from_utf8_lossy(&request[..end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    request.len() >= end + 4 + length.unwrap_or_default()
}

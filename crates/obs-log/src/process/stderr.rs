//! Messages on stderr about the log itself.
//!
//! stderr can block, because a terminal is stopped or nobody reads the pipe, and its writer then holds stderr's lock. The
//! log's writer must not wait for that, so a thread of its own writes the messages. It ends after the last one.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::json::timestamp::Stamper;
use crate::process::signal_mask;
use crate::sync::lock;

/// Maximum number of messages that wait while stderr blocks. Later ones are dropped.
const MAX_WAITING: usize = 16;
/// Maximum time that the end of the process waits for the messages.
const PATIENCE: Duration = Duration::from_millis(500);

static MESSAGES: Mutex<Messages> = Mutex::new(Messages { waiting: VecDeque::new(), has_thread: false });
/// Messages are JSON objects, as the console's lines are.
static JSON: AtomicBool = AtomicBool::new(false);
static WRITTEN: Condvar = Condvar::new();

#[derive(Debug)]
struct Messages {
    waiting: VecDeque<String>,
    /// The thread runs and will see every waiting message.
    has_thread: bool,
}

/// Sets whether messages are JSON objects.
pub(crate) fn set_json(on: bool) {
    JSON.store(on, Ordering::Relaxed);
}

/// Writes `text` to stderr soon.
pub(crate) fn say(text: String) {
    let mut messages = lock(&MESSAGES);
    if messages.waiting.len() < MAX_WAITING {
        messages.waiting.push_back(text);
    }
    start_thread(&mut messages);
}

/// Starts the thread if need be. If the process gets no thread, messages wait for the next one or for its end.
fn start_thread(messages: &mut Messages) {
    if !messages.has_thread && !messages.waiting.is_empty() {
        messages.has_thread =
            thread::Builder::new().name("obs-log-stderr".to_owned()).spawn(write_messages).is_ok();
    }
}

/// Waits for a moment until all messages are written.
pub(crate) fn finish() {
    let deadline = Instant::now() + PATIENCE;
    let mut messages = lock(&MESSAGES);
    start_thread(&mut messages);
    while messages.has_thread {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        messages = WRITTEN.wait_timeout(messages, left).unwrap_or_else(PoisonError::into_inner).0;
    }
}

fn write_messages() {
    signal_mask::block_all();
    loop {
        let mut messages = lock(&MESSAGES);
        let Some(text) = messages.waiting.pop_front() else {
            // Under the lock, so that a message after this one starts a new thread.
            messages.has_thread = false;
            return WRITTEN.notify_all();
        };
        drop(messages);
        // There is no place to report that stderr fails.
        let _ = io::stderr().write_all(form(&text).as_bytes());
    }
}

/// Returns the line of a message.
fn form(text: &str) -> String {
    if !JSON.load(Ordering::Relaxed) {
        return format!("obs-log: {text}\n");
    }
    let mut stamper = Stamper::default();
    let start = String::from_utf8_lossy(stamper.head(Clock::System.now()));
    let text = serde_json::Value::from(text);
    format!("{start},\"level\":\"warning\",\"logger\":\"obs_log\",\"msg\":{text}}}\n")
}

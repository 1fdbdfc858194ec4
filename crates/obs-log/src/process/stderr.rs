//! What is said on stderr because the log itself cannot say it.
//!
//! stderr can stand still, because somebody holds the terminal or nobody reads the pipe; and whoever writes to it then
//! holds its lock. The writer must not wait for that: a thread that ends with its last word does.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::process::at_exit;
use crate::sync::lock;

/// What waits at most while stderr stands still; what comes then is not said.
const MOST: usize = 16;
/// How long the end of the process may take for it.
const PATIENCE: Duration = Duration::from_millis(500);

static WORDS: Mutex<Words> = Mutex::new(Words { waiting: VecDeque::new(), speaking: false });
static SAID: Condvar = Condvar::new();

#[derive(Debug)]
struct Words {
    waiting: VecDeque<String>,
    /// The thread is there.
    speaking: bool,
}

/// Says `text` on stderr, soon.
pub(crate) fn say(text: String) {
    let mut words = lock(&WORDS);
    if words.waiting.len() < MOST {
        words.waiting.push_back(text);
    }
    start_speaking(&mut words);
}

/// Where the process gets no thread, the words wait for the next ones or for its end.
fn start_speaking(words: &mut Words) {
    if !words.speaking && !words.waiting.is_empty() {
        words.speaking = thread::Builder::new().name("obs-log-stderr".to_owned()).spawn(speak).is_ok();
    }
}

/// Waits until all is said, for a moment.
pub(crate) fn finish() {
    let deadline = Instant::now() + PATIENCE;
    let mut words = lock(&WORDS);
    start_speaking(&mut words);
    while words.speaking {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        words = SAID.wait_timeout(words, left).unwrap_or_else(PoisonError::into_inner).0;
    }
}

fn speak() {
    at_exit::block_signals();
    loop {
        let mut words = lock(&WORDS);
        let Some(text) = words.waiting.pop_front() else {
            words.speaking = false;
            return SAID.notify_all();
        };
        drop(words);
        // Nobody is there to hear that stderr fails.
        let _ = writeln!(io::stderr(), "obs-log: {text}");
    }
}

//! Console: lines for people, on stderr.
//!
//! ```text
//! 08:14:22.281 WARN  hearthnet.bus.router  peer is quarantined  node=7H4G-Y9KL suppressed=41
//! ```
//!
//! They can be JSON instead, for programs that collect stderr.
//!
//! Lines have a queue and a thread of their own, because a terminal can block for as long as its user stops it.

mod json;
mod render;
mod visible;

use std::io::{self, IsTerminal, Write as _};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use log::Record;

use self::render::{completed, draft_in, render};
use crate::backtrace::Unresolved;
use crate::clock::Clock;
use crate::config::redactor::Redactor;
use crate::journal::arena::Arena;
use crate::json::Encoder;
use crate::process::fork::in_forked_child;
use crate::process::signal_mask;
use crate::queue::Queue;
use crate::queue::backlog::{Backlog, Run};

/// Size of the queue in bytes: some thousand lines.
const QUEUE_BYTES: usize = 2 << 20;
/// Longest sleep of the thread. Every line wakes it, so the length does not matter.
const MAX_IDLE: Duration = Duration::from_secs(3600);

/// Queue to stderr.
#[derive(Debug)]
pub(crate) struct Terminal {
    queue: Arc<Queue>,
    colour: bool,
}

impl Terminal {
    /// Starts the thread that writes to stderr.
    pub(crate) fn start() -> io::Result<Terminal> {
        let queue = Arc::new(Queue::new(Arena::in_memory(QUEUE_BYTES)?));
        let theirs = Arc::clone(&queue);
        thread::Builder::new().name("obs-log-console".to_owned()).spawn(move || show(&theirs))?;
        Ok(Terminal { queue, colour: wants_colour() })
    }

    /// Queues the line of `record`.
    pub(crate) fn accept(
        &self,
        name: &str,
        record: &Record<'_>,
        redact: &Redactor,
        trace: Option<&Arc<Unresolved>>,
    ) {
        let nanos = Clock::System.now();
        let render = |record: &Record<'_>| render(nanos, name, record, redact, self.colour);
        let line = match trace {
            None => render(record),
            Some(trace) => trace.with_draft(record, render),
        };
        if in_forked_child() {
            return;
        }
        // Without waiting: lines that a blocked terminal cannot take are dropped here and are still in the file.
        let draft = trace.and_then(|trace| draft_in(&line, trace));
        self.queue.append_draft(0, record.level(), nanos, line.as_bytes(), draft, Duration::ZERO);
    }

    /// Queues the line of `record` as JSON.
    pub(crate) fn accept_json(
        &self,
        encoder: &mut Encoder,
        name: &str,
        record: &Record<'_>,
        redact: &Redactor,
        trace: Option<&Arc<Unresolved>>,
    ) {
        let nanos = Clock::System.now();
        let (line, draft) = json::encode(encoder, name, nanos, record, redact, trace);
        if !in_forked_child() {
            // Without waiting, as for text.
            self.queue.append_draft(0, record.level(), nanos, &line, draft, Duration::ZERO);
        }
    }

    /// Waits until all lines made before are shown. Returns `false` at `deadline`.
    pub(crate) fn flush(&self, deadline: Instant) -> bool {
        !in_forked_child() && self.queue.flush(deadline)
    }
}

/// Whether stderr is a terminal.
pub(crate) fn is_terminal() -> bool {
    io::stderr().is_terminal()
}

fn wants_colour() -> bool {
    is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

fn show(queue: &Queue) {
    signal_mask::block_all();
    let mut backlog = Backlog::default();
    let mut run = Run::default();
    let mut text = Vec::new();
    loop {
        let turn = queue.next_turn(Duration::ZERO, MAX_IDLE);
        backlog.take_from(queue);
        while backlog.next_run(&mut run) {
            text.clear();
            match backlog.draft(&run) {
                Some((draft, line)) if json::is_json(line) => text.extend_from_slice(&draft.complete(line)),
                Some((draft, line)) => text.extend_from_slice(completed(draft, line).as_bytes()),
                None => backlog.bytes(&run).for_each(|line| text.extend_from_slice(line)),
            }
            backlog.retire(&run, usize::MAX);
            // Before the write, so that callers get the memory back even if the terminal blocks.
            backlog.recycle(queue);
            // There is no place to report that stderr fails.
            let _ = io::stderr().write_all(&text);
        }
        queue.end_turn(turn, true);
    }
}

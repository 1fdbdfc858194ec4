//! Records and events that repeat a line.
//!
//! With its features `log` and `log-always`, `tracing` also makes `log` records of its events and of what happens to its
//! spans. `tracing-log` makes events of `log` records. A program may have both, and both end here.

use std::cell::Cell;
use std::sync::OnceLock;

use log::Record;
use obs_log::bridge::{self, Entry};

use crate::levels;
use crate::places::Place;

/// Target of the records that `tracing` makes of the life of a span, and prefix of that of its activity.
const SPAN_TARGET: &str = "tracing::span";

/// Function that says whether what this thread says through `tracing` comes here.
static REACHES: OnceLock<fn() -> bool> = OnceLock::new();

thread_local! {
    /// Record that this thread has just written, until its repetition comes.
    static WRITTEN: Cell<Option<(Identity, Source)>> = const { Cell::new(None) };
}

/// Identity of a record while it is being logged.
///
/// A logger that passes a record to several others passes the same one, whose message is at one address meanwhile. Later
/// records of the same place have that address too. They are told apart because each line and its repetition come in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    message: usize,
    file: Option<usize>,
    line: Option<u32>,
}

impl Identity {
    pub(super) fn new(message: usize, file: Option<usize>, line: Option<u32>) -> Identity {
        Identity { message, file, line }
    }

    fn of(record: &Record<'_>) -> Identity {
        let file = record.file().map(|file| file.as_ptr().addr());
        Identity { message: (&raw const *record.args()).addr(), file, line: record.line() }
    }
}

/// Form in which a record came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Record,
    Event,
}

/// Has the log leave out records that repeat an event. `reaches` says whether what a thread says through `tracing` comes to the
/// bridge.
pub(crate) fn recognise_echoes(reaches: fn() -> bool) {
    REACHES.get_or_init(|| reaches);
    bridge::set_echo_filter(is_echo);
}

/// Whether the event that `tracing-log` made of this record has no line to get, because the record has one.
pub(super) fn has_line(identity: Identity) -> bool {
    repeats(identity, Source::Event)
}

fn is_echo(record: &Record<'_>, entry: Entry) -> bool {
    // A `log` macro gives a record the static name of its file.
    if record.file_static().is_none() && repeats_an_event(record) {
        return true;
    }
    // Only a logger of the program itself can pass a record to the log and to `tracing-log`.
    entry == Entry::Handed && repeats(Identity::of(record), Source::Record)
}

/// Whether `tracing` made the record, and the bridge has its event or span.
fn repeats_an_event(record: &Record<'_>) -> bool {
    let is_of_tracing = record.target().starts_with(SPAN_TARGET)
        || Place::of(record.file(), record.line()).is_some_and(Place::is_known);
    is_of_tracing && levels::is_on() && REACHES.get().is_some_and(|reaches| reaches())
}

/// Whether this record came in the other form before. If not, it is remembered.
fn repeats(identity: Identity, source: Source) -> bool {
    // A thread that is ending has no memory, and gets a double line rather than none.
    WRITTEN
        .try_with(|written| {
            let repeated = written.get().is_some_and(|(before, form)| before == identity && form != source);
            written.set((!repeated).then_some((identity, source)));
            repeated
        })
        .unwrap_or(false)
}

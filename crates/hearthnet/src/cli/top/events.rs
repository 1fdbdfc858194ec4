//! Events for the loop: keys, signals and answers of the node, each watched by a thread.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::stdio::stdin;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::keys::{Key, Keys};
use super::model::Status;
use super::screen;
use super::source::Source;
use crate::cli::run::end_signal::EndSignals;
use crate::failure::Failure;

/// Number of events that wait. A flood of keys waits in the terminal.
const WAITING: usize = 64;
/// Time after which an escape is a key. The rest of a sequence follows at once, even over a slow line.
const ESCAPE_ALONE: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
/// Time for the view to end after a signal. A terminal that takes no output would keep it for ever.
const TIME_TO_END: Duration = Duration::from_secs(2);
/// Exit status after a terminal has gone, that of a process which SIGHUP ended.
const HUNG_UP: u8 = 129;
/// Exit status after SIGQUIT.
const QUIT: u8 = 131;

#[derive(Debug)]
pub(super) enum Event {
    Key(Key),
    /// The size of the terminal has changed.
    Resized,
    /// The process was stopped and goes on.
    Continued,
    Answer {
        answer: Result<Box<Status>, String>,
        at: Instant,
        taken: DateTime<Utc>,
    },
    /// The view must end with this exit status.
    End(u8),
}

/// Starts the threads. Each lasts until the end of the process.
pub(super) fn watch(source: Source, interval: Duration) -> Result<Receiver<Event>, Failure> {
    let (sender, events) = sync_channel(WAITING);
    let signals = Signals::listen()?;
    spawn("signals", &sender, move |sender| signals.watch(sender))?;
    spawn("keys", &sender, watch_keys)?;
    spawn("answers", &sender, move |sender| watch_node(&source, interval, sender))?;
    Ok(events)
}

fn spawn(
    name: &str,
    sender: &SyncSender<Event>,
    watch: impl FnOnce(&SyncSender<Event>) + Send + 'static,
) -> Result<(), Failure> {
    let ending = Ending(sender.clone());
    let started = thread::Builder::new().name(name.to_owned()).spawn(move || watch(&ending.0));
    started.map(|_| ()).map_err(|error| Failure::error(format!("cannot start a thread: {error}")))
}

/// Ends the view if its thread ends, as by a panic. A view without keys could not be left.
struct Ending(SyncSender<Event>);

impl Drop for Ending {
    fn drop(&mut self) {
        let _ = self.0.send(Event::End(1));
    }
}

fn watch_keys(sender: &SyncSender<Event>) {
    let (stdin, mut keys, mut bytes) = (stdin(), Keys::default(), [0; 256]);
    loop {
        let mut input = [PollFd::new(&stdin, PollFlags::IN)];
        let found = match poll(&mut input, keys.is_waiting().then_some(&ESCAPE_ALONE)) {
            Ok(0) => keys.end().into_iter().collect(),
            Ok(_) if input[0].revents().contains(PollFlags::IN) => {
                match rustix::io::read(stdin, &mut bytes) {
                    Ok(length @ 1..) => keys.feed(&bytes[..length]),
                    // A signal, or a background job that may not read now.
                    Err(Errno::INTR | Errno::AGAIN) => continue,
                    Ok(0) | Err(_) => return drop(sender.send(Event::End(HUNG_UP))),
                }
            }
            Ok(_) => return drop(sender.send(Event::End(HUNG_UP))),
            Err(Errno::INTR) => continue,
            Err(_) => return,
        };
        for key in found {
            if sender.send(Event::Key(key)).is_err() {
                return;
            }
        }
    }
}

fn watch_node(source: &Source, interval: Duration, sender: &SyncSender<Event>) {
    loop {
        // After the answer, so that a slow node is not asked again at once.
        thread::sleep(interval);
        let answer = source.ask().map(Box::new);
        let answer = Event::Answer { answer, at: Instant::now(), taken: Utc::now() };
        if sender.send(answer).is_err() {
            return;
        }
    }
}

/// Signals that concern the view.
struct Signals {
    runtime: Runtime,
    ends: EndSignals,
    quit: Signal,
    resized: Signal,
    continued: Signal,
}

impl Signals {
    fn listen() -> Result<Signals, Failure> {
        let failed = |error: io::Error| Failure::error(format!("cannot listen for signals: {error}"));
        let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let entered = runtime.enter();
        let ends = EndSignals::listen()?;
        let quit = signal(SignalKind::quit()).map_err(failed)?;
        let resized = signal(SignalKind::window_change()).map_err(failed)?;
        let continued = signal(SignalKind::from_raw(libc::SIGCONT)).map_err(failed)?;
        drop(entered);
        Ok(Signals { runtime, ends, quit, resized, continued })
    }

    fn watch(mut self, sender: &SyncSender<Event>) {
        loop {
            let event = self.runtime.block_on(async {
                tokio::select! {
                    signal = self.ends.first() => Event::End(signal.status),
                    _ = self.quit.recv() => Event::End(QUIT),
                    _ = self.resized.recv() => Event::Resized,
                    _ = self.continued.recv() => Event::Continued,
                }
            });
            match event {
                Event::End(status) => end(status, sender),
                // An end must not wait behind events that are not taken. A lost one only delays a redraw.
                event => drop(sender.try_send(event)),
            }
        }
    }
}

/// Ends the view, or the process if the view does not end.
fn end(status: u8, sender: &SyncSender<Event>) {
    let _ = sender.try_send(Event::End(status));
    thread::sleep(TIME_TO_END);
    screen::restore_mode();
    std::process::exit(i32::from(status));
}

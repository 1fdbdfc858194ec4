//! `hearthnet top`: shows the state of a node on the whole terminal, until it is left.
//!
//! Threads make events from keys, signals and answers of the node. The loop applies them to the state, and draws a
//! picture that depends on the state alone.

mod events;
mod figures;
mod keys;
mod model;
#[cfg(test)]
#[allow(dead_code, reason = "the tests of the command use the rest")]
#[path = "../../../tests/it/pty.rs"]
mod pty;
mod rates;
mod screen;
mod source;
mod state;
mod tables;
mod view;

use std::io::{self, IsTerminal as _};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use chrono::Utc;
use clap::Args;
use obs_facade::doctor::render::{ColorChoice, TextStyle};
use rustix::process::{Signal, getpid, kill_process};

use self::events::Event;
use self::screen::Screen;
use self::source::Source;
use self::state::{Outcome, State};
use self::view::Palette;
use crate::cli::node_url::UrlArg;
use crate::cli::overrides::Overrides;
use crate::failure::Failure;

/// Shows requests, failures, callers and peers of a running node, until `q` is pressed.
#[derive(Args, Debug)]
#[command(after_help = "Example: hearthnet top --interval 5\n\nThe key `?` lists the keys.")]
pub(crate) struct TopArgs {
    #[command(flatten)]
    url: UrlArg,
    /// Seconds between two questions to the node, from 0.2 to 3600.
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = parse_interval, allow_negative_numbers = true)]
    interval: Duration,
}

/// Time after which ages are drawn again. Nothing is written if they have not changed.
const REDRAW: Duration = Duration::from_secs(1);

fn parse_interval(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.2..=3600.0).contains(seconds));
    seconds
        .map(Duration::from_secs_f64)
        .ok_or_else(|| "expected a number of seconds from 0.2 to 3600".to_owned())
}

/// Runs the view of the node at `local`, or the one that `--url` names.
pub(crate) fn run(args: &TopArgs, local: SocketAddr, overrides: &Overrides) -> Result<ExitCode, Failure> {
    check_terminal()?;
    let style = TextStyle::for_stdout(ColorChoice::Auto);
    let source = Source::new(args.url.node(local), style.ascii);
    let status = source.first()?;
    let state = State::new(status, Instant::now(), Utc::now(), style.ascii, args.url.for_node(overrides));
    let failed = |error: io::Error| Failure::error(format!("cannot use the terminal: {error}"));
    // Signals are watched before the terminal is changed, so that none leaves it changed.
    let events = events::watch(source, args.interval)?;
    let mut screen = Screen::enter().map_err(failed)?;
    let ended = show(&mut screen, state, &Palette { color: style.color }, &events);
    drop(screen);
    ended.map(ExitCode::from).map_err(failed)
}

fn check_terminal() -> Result<(), Failure> {
    let advice = "use `hearthnet status`, or `hearthnet status --json` in a script";
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Err(Failure::usage(format!("top needs a terminal for its input and output; {advice}")));
    }
    if std::env::var_os("TERM").is_some_and(|name| name == "dumb") {
        return Err(Failure::usage(format!(
            "the terminal cannot move its cursor (TERM is `dumb`); {advice}"
        )));
    }
    Ok(())
}

/// Shows the state until the view is left, and returns the exit status.
fn show(
    screen: &mut Screen,
    mut state: State,
    palette: &Palette,
    events: &Receiver<Event>,
) -> io::Result<u8> {
    loop {
        screen.draw(|frame| view::draw(frame, &state, Utc::now(), palette))?;
        let first = match events.recv_timeout(REDRAW) {
            Ok(event) => event,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return Ok(1),
        };
        // All that waits is applied before the next picture, so that a held key does not lag behind.
        for event in std::iter::once(first).chain(events.try_iter()) {
            if let Some(status) = apply(event, &mut state, screen)? {
                return Ok(status);
            }
        }
    }
}

/// Applies the event. Returns the exit status if it ends the view.
fn apply(event: Event, state: &mut State, screen: &mut Screen) -> io::Result<Option<u8>> {
    match event {
        Event::Answer { answer, at, taken } => state.take(answer.map(|status| *status), at, taken),
        // Drawing follows the size.
        Event::Resized => {}
        Event::Continued => screen.renew()?,
        Event::End(status) => return Ok(Some(status)),
        Event::Key(key) => match state.press(key, Utc::now()) {
            Outcome::Stay => {}
            Outcome::Clear => screen.clear()?,
            Outcome::Suspend => suspend(screen)?,
            Outcome::Quit => return Ok(Some(0)),
        },
    }
    Ok(None)
}

/// Stops the process, as Ctrl-Z does. Without a shell that could continue it, the system ignores the signal.
fn suspend(screen: &mut Screen) -> io::Result<()> {
    screen.release();
    kill_process(getpid(), Signal::TSTP)?;
    screen.renew()
}

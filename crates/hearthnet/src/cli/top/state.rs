//! State of the view, which answers and keys change.

use std::time::Instant;

use chrono::{DateTime, Utc};

use super::figures::Figures;
use super::keys::Key;
use super::model::Status;
use super::rates::Rates;
use super::tables::{self, Kind, Row, Table};

/// Rows that Page Up and Page Down move by.
const PAGE: usize = 10;
/// Maximum number of lines that a box is scrolled by.
const MAX_SCROLL: usize = 500;

pub(super) struct State {
    live: Shown,
    /// Copy that is shown during a pause.
    frozen: Option<Shown>,
    pub(super) focus: Kind,
    views: [TableView; Kind::ALL.len()],
    pub(super) overlay: Option<Overlay>,
    pub(super) ascii: bool,
    /// Options that make a command ask the same node.
    options: String,
}

/// Last report of the node, with the rates since.
#[derive(Clone)]
pub(super) struct Shown {
    pub(super) status: Status,
    pub(super) rates: Rates,
    /// Time of `status`.
    pub(super) taken: DateTime<Utc>,
    /// Reason for which later questions had no answer.
    pub(super) silence: Option<String>,
}

/// Order and cursor of a table.
#[derive(Clone, Debug, Default)]
struct TableView {
    order: usize,
    index: usize,
    /// Identity of the row under the cursor, which stays on it when the order changes.
    key: Option<String>,
}

/// Box above the tables.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Overlay {
    Help { scroll: u16 },
    Details { texts: Vec<(&'static str, String)>, scroll: u16 },
}

/// Consequence of a key for the loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Stay,
    /// The screen is drawn anew as a whole.
    Clear,
    Suspend,
    Quit,
}

impl State {
    pub(super) fn new(
        status: Status,
        at: Instant,
        taken: DateTime<Utc>,
        ascii: bool,
        options: String,
    ) -> State {
        let mut rates = Rates::default();
        rates.add(&status, at);
        State {
            live: Shown { status, rates, taken, silence: None },
            frozen: None,
            focus: Kind::Capabilities,
            views: Default::default(),
            overlay: None,
            ascii,
            options,
        }
    }

    /// Takes the answer of the node, or the reason for which there is none.
    pub(super) fn take(&mut self, answer: Result<Status, String>, at: Instant, taken: DateTime<Utc>) {
        match answer {
            Ok(status) => {
                self.live.rates.add(&status, at);
                (self.live.status, self.live.taken, self.live.silence) = (status, taken, None);
            }
            Err(why) => {
                self.live.rates.add_gap();
                self.live.silence = Some(why);
            }
        }
    }

    pub(super) fn shown(&self) -> &Shown {
        self.frozen.as_ref().unwrap_or(&self.live)
    }

    pub(super) fn is_paused(&self) -> bool {
        self.frozen.is_some()
    }

    pub(super) fn figures(&self, now: DateTime<Utc>) -> Figures<'_> {
        // Ages stand still with the values they belong to.
        let now = self.frozen.as_ref().map_or(now, |frozen| frozen.taken);
        Figures { ascii: self.ascii, now, options: &self.options }
    }

    pub(super) fn table(&self, kind: Kind, now: DateTime<Utc>) -> Table {
        tables::table(kind, &self.shown().status, self.views[kind as usize].order, &self.figures(now))
    }

    /// Returns the index of the row under the cursor of the table `kind`.
    pub(super) fn cursor(&self, kind: Kind, rows: &[Row]) -> usize {
        let view = &self.views[kind as usize];
        let same = rows.iter().position(|row| Some(&row.key) == view.key.as_ref());
        same.unwrap_or(view.index).min(rows.len().saturating_sub(1))
    }

    pub(super) fn press(&mut self, key: Key, now: DateTime<Utc>) -> Outcome {
        match key {
            Key::Char('q') | Key::Ctrl('c') => return Outcome::Quit,
            Key::Ctrl('z') => return Outcome::Suspend,
            Key::Ctrl('l') => return Outcome::Clear,
            key => match &mut self.overlay {
                Some(overlay) => {
                    if overlay.press(key) {
                        self.overlay = None;
                    }
                }
                None => return self.press_in_tables(key, now),
            },
        }
        Outcome::Stay
    }

    fn press_in_tables(&mut self, key: Key, now: DateTime<Utc>) -> Outcome {
        match key {
            Key::Escape => return Outcome::Quit,
            Key::Char('?' | 'h') | Key::F1 => self.overlay = Some(Overlay::Help { scroll: 0 }),
            Key::Tab | Key::Right => self.focus = self.focus.after(1),
            Key::BackTab | Key::Left => self.focus = self.focus.after(Kind::ALL.len() - 1),
            Key::Char('s') => self.sort(1),
            Key::Char('S') => self.sort(self.focus.orders() - 1),
            Key::Char('p' | ' ') => self.pause(),
            Key::Enter => self.open(now),
            key => {
                if let Some(to) = moved(key) {
                    self.go(to, now);
                }
            }
        }
        Outcome::Stay
    }

    fn sort(&mut self, steps: usize) {
        let view = &mut self.views[self.focus as usize];
        view.order = (view.order + steps) % self.focus.orders();
        // The row of interest is the first one of the new order.
        (view.index, view.key) = (0, None);
    }

    fn pause(&mut self) {
        self.frozen = match self.frozen {
            None => Some(self.live.clone()),
            Some(_) => None,
        };
    }

    fn go(&mut self, to: fn(usize) -> usize, now: DateTime<Utc>) {
        let rows = self.table(self.focus, now).rows;
        let index = to(self.cursor(self.focus, &rows)).min(rows.len().saturating_sub(1));
        let view = &mut self.views[self.focus as usize];
        // At the top the cursor stays at the top, where the worst is, and follows no row.
        let key = rows.get(index).filter(|_| index > 0).map(|row| row.key.clone());
        (view.index, view.key) = (index, key);
    }

    fn open(&mut self, now: DateTime<Utc>) {
        let mut rows = self.table(self.focus, now).rows;
        if !rows.is_empty() {
            let texts = rows.swap_remove(self.cursor(self.focus, &rows)).details;
            self.overlay = Some(Overlay::Details { texts, scroll: 0 });
        }
    }
}

impl Overlay {
    /// Scrolls the box. Returns whether the key closes it.
    fn press(&mut self, key: Key) -> bool {
        let (Overlay::Help { scroll } | Overlay::Details { scroll, .. }) = self;
        if let Some(to) = moved(key) {
            // The end is known once it is drawn. A bound keeps the way back short.
            *scroll = to(usize::from(*scroll)).min(MAX_SCROLL).try_into().unwrap_or(u16::MAX);
        }
        matches!(key, Key::Escape | Key::Enter | Key::Char('?' | 'h') | Key::F1)
    }
}

/// Returns the move of a key, from the index of a row to another one.
fn moved(key: Key) -> Option<fn(usize) -> usize> {
    Some(match key {
        Key::Down | Key::Char('j') => |index| index + 1,
        Key::Up | Key::Char('k') => |index| index.saturating_sub(1),
        Key::PageDown => |index| index + PAGE,
        Key::PageUp => |index| index.saturating_sub(PAGE),
        Key::Home | Key::Char('g') => |_| 0,
        Key::End | Key::Char('G') => |_| usize::from(u16::MAX),
        _ => return None,
    })
}

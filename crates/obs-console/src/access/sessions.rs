//! Sessions of viewers who showed the token.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use chrono::{DateTime, SecondsFormat, Utc};

use super::place::Place;
use crate::api::Session;

/// Sessions at a time. A further one ends the session that was not used for the longest time.
const MOST_SESSIONS: usize = 64;

/// Time without a request after which a session ends.
const LONGEST_PAUSE: Duration = Duration::from_secs(12 * 3600);

/// Age at which a session ends.
const LONGEST_LIFE: Duration = Duration::from_secs(14 * 24 * 3600);

/// Open sessions.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    // Held for a look-up or a walk over the bounded table.
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    by_secret: HashMap<String, Entry>,
    opened: u64,
}

/// A session. It is bound to its place, because the browser sends its cookie to the servers on all ports of the host.
#[derive(Clone, Debug)]
struct Entry {
    id: u64,
    place: Place,
    begun: (Instant, SystemTime),
    used: (Instant, SystemTime),
}

impl Sessions {
    /// Opens a session and returns it.
    pub(super) fn open(&self, secret: String, place: Place, now: Instant) -> Session {
        let mut table = self.lock(now);
        if table.by_secret.len() >= MOST_SESSIONS {
            let oldest = table.by_secret.iter().min_by_key(|(_, entry)| entry.used.0);
            if let Some(secret) = oldest.map(|(secret, _)| secret.clone()) {
                table.by_secret.remove(&secret);
            }
        }
        table.opened += 1;
        let time = (now, SystemTime::now());
        let entry = Entry { id: table.opened, place, begun: time, used: time };
        let session = entry.shown(Some(entry.id));
        table.by_secret.insert(secret, entry);
        session
    }

    /// Returns the ID of the session with this secret, if it belongs to the place. The session counts as used.
    pub(super) fn find(&self, secret: &str, place: Place, now: Instant) -> Option<u64> {
        let mut table = self.lock(now);
        let entry = table.by_secret.get_mut(secret).filter(|entry| entry.place == place)?;
        entry.used = (now, SystemTime::now());
        Some(entry.id)
    }

    /// Returns whether a session is open. A tail that is watched keeps its session open.
    pub(super) fn keep(&self, id: u64, now: Instant) -> bool {
        let mut table = self.lock(now);
        let entry = table.by_secret.values_mut().find(|entry| entry.id == id);
        entry.map(|entry| entry.used = (now, SystemTime::now())).is_some()
    }

    /// Returns the open sessions, newest first.
    pub(super) fn list(&self, own: Option<u64>, now: Instant) -> Vec<Session> {
        let table = self.lock(now);
        let mut entries: Vec<_> = table.by_secret.values().collect();
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.id));
        entries.into_iter().map(|entry| entry.shown(own)).collect()
    }

    /// Ends a session. Returns whether there was one.
    pub(super) fn end(&self, id: u64, now: Instant) -> bool {
        let mut table = self.lock(now);
        let before = table.by_secret.len();
        table.by_secret.retain(|_, entry| entry.id != id);
        table.by_secret.len() < before
    }

    /// Locks the table without the sessions that are over.
    fn lock(&self, now: Instant) -> std::sync::MutexGuard<'_, Table> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.by_secret.retain(|_, entry| {
            now.saturating_duration_since(entry.used.0) < LONGEST_PAUSE
                && now.saturating_duration_since(entry.begun.0) < LONGEST_LIFE
        });
        table
    }
}

impl Entry {
    fn shown(&self, own: Option<u64>) -> Session {
        Session {
            id: self.id.to_string(),
            address: self.place.address.to_string(),
            since: instant(self.begun.1),
            last_seen: instant(self.used.1),
            is_own: own == Some(self.id),
        }
    }
}

fn instant(time: SystemTime) -> String {
    DateTime::<Utc>::from(time).to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: Place = Place { address: std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), user: Some(7) };

    #[test]
    fn a_session_belongs_to_its_place() {
        let sessions = Sessions::default();
        let now = Instant::now();
        let session = sessions.open("secret".to_owned(), HOME, now);
        assert!(session.is_own && session.since.ends_with('Z'));
        assert_eq!(sessions.find("secret", HOME, now), Some(1));
        assert_eq!(sessions.find("other", HOME, now), None);
        assert_eq!(sessions.find("secret", Place { user: Some(8), ..HOME }, now), None, "another user");
        assert_eq!(sessions.find("secret", Place { user: None, ..HOME }, now), None, "an unknown user");
        let elsewhere = Place { address: "10.0.0.1".parse().unwrap(), ..HOME };
        assert_eq!(sessions.find("secret", elsewhere, now), None, "another machine");
    }

    #[test]
    fn sessions_are_bounded_and_the_one_in_use_stays() {
        let sessions = Sessions::default();
        let now = Instant::now();
        for n in 0..1000 {
            let now = now + Duration::from_secs(n);
            sessions.open(n.to_string(), HOME, now);
            assert_eq!(sessions.find("0", HOME, now), Some(1));
        }
        let listed = sessions.list(Some(1000), now);
        assert_eq!(listed.len(), MOST_SESSIONS);
        assert!(listed[0].is_own && listed[0].id == "1000" && !listed[1].is_own);
    }

    #[test]
    fn a_session_ends_by_request_or_pause_or_age() {
        let sessions = Sessions::default();
        let now = Instant::now();
        for secret in ["a", "b"] {
            sessions.open(secret.to_owned(), HOME, now);
        }
        assert!(sessions.end(1, now) && !sessions.end(1, now));
        assert_eq!(sessions.find("a", HOME, now), None);
        let mut then = now;
        while then < now + LONGEST_LIFE {
            assert!(sessions.keep(2, then), "in use");
            then += LONGEST_PAUSE / 2;
        }
        assert!(!sessions.keep(2, then), "too old");
        sessions.open("c".to_owned(), HOME, then);
        assert!(sessions.list(None, then + LONGEST_PAUSE).is_empty());
    }
}

//! Decision about a request.

use std::net::SocketAddr;
use std::time::Instant;

use axum::extract::ConnectInfo;
use http::StatusCode;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::uri::Authority;

use super::attempts::Attempts;
use super::owner::{ConnectionUser, is_own_or_root, own_user};
use super::place::Place;
use super::sessions::Sessions;
use super::settings::{Mode, Settings};
use super::token::random_letters;
use super::{cookie, host, site};
use crate::api::Session;
use crate::refused::Refused;

/// Access to the console: the settings and the sessions.
#[derive(Debug)]
pub(crate) struct Gate {
    settings: Settings,
    /// User of this process, if the system has users.
    own_user: Option<u32>,
    sessions: Sessions,
    attempts: Attempts,
}

/// A viewer who may use the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Viewer {
    /// The node's own user or root on this machine.
    Owner,
    /// A session.
    Session(u64),
    /// A program that shows the token with each request.
    Program,
}

/// Facts about a request that are known before the owner of its connection is looked up.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    address: SocketAddr,
    is_local: bool,
    connection: ConnectionUser,
    host: Authority,
    secrets: Vec<String>,
    bearer: Option<String>,
}

/// A new session.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) session: Session,
    /// Value of `Set-Cookie`.
    pub(crate) cookie: String,
}

impl Gate {
    pub(crate) fn new(settings: Settings) -> Self {
        let (sessions, attempts) = (Sessions::default(), Attempts::default());
        Gate { settings, own_user: own_user(), sessions, attempts }
    }

    /// Checks a request for the page and its files, which hold nothing of the node. Returns the named host.
    pub(crate) fn admit_to_page(&self, request: &Parts) -> Result<Authority, Refused> {
        let host = host::named_host(request, &self.settings.hosts)?;
        if self.settings.mode != Mode::Lan && !(self.settings.is_local_caller)(request) {
            return Err(Refused::forbidden(
                "the console answers callers on this machine only, by address and without a proxy; set `console = \"lan\"` for others",
            ));
        }
        Ok(host)
    }

    /// Checks what a request of the API says about itself.
    pub(crate) fn examine(&self, request: &Parts) -> Result<Caller, Refused> {
        let host = self.admit_to_page(request)?;
        site::require_own_page(request, &host)?;
        let Some(ConnectInfo(address)) = request.extensions.get::<ConnectInfo<SocketAddr>>() else {
            return Err(Refused::forbidden("the server does not record the caller's address"));
        };
        Ok(Caller {
            address: *address,
            is_local: (self.settings.is_local_caller)(request),
            connection: request.extensions.get().cloned().unwrap_or_default(),
            secrets: cookie::values(&request.headers, &host).map(str::to_owned).collect(),
            bearer: bearer(request).map(str::to_owned),
            host,
        })
    }

    /// Decides whether the caller may use the API. It may read files; see [`Caller::is_looked_up`].
    pub(crate) fn admit(&self, caller: &Caller) -> Result<Viewer, Refused> {
        let place = self.place(caller);
        if self.is_owner(place) {
            return Ok(Viewer::Owner);
        }
        let now = Instant::now();
        let mut secrets = caller.secrets.iter();
        if let Some(id) = secrets.find_map(|secret| self.sessions.find(secret, place, now)) {
            return Ok(Viewer::Session(id));
        }
        match &caller.bearer {
            Some(token) => self.check(token, place).map(|()| Viewer::Program),
            None => Err(self.needs_token()),
        }
    }

    /// Opens a session for a caller with the token. It may read files; see [`Caller::is_looked_up`].
    pub(crate) fn log_in(&self, caller: &Caller, token: &str) -> Result<Opened, Refused> {
        let place = self.place(caller);
        self.check(token, place)?;
        let secret = random_letters()
            .map_err(|error| Refused::new(StatusCode::SERVICE_UNAVAILABLE, error.problem().to_owned()))?;
        let cookie = cookie::set(&caller.host, &secret);
        Ok(Opened { session: self.sessions.open(secret, place, Instant::now()), cookie })
    }

    /// Checks that a viewer may still use the API, and that the node does not stop.
    pub(crate) fn require_open(&self, viewer: Viewer) -> Result<(), Refused> {
        if self.settings.is_stopping.ask() {
            return Err(Refused::busy("the node stops"));
        }
        match viewer {
            Viewer::Session(id) if !self.sessions.keep(id, Instant::now()) => {
                Err(Refused::new(StatusCode::UNAUTHORIZED, "the session has ended"))
            }
            _ => Ok(()),
        }
    }

    /// Returns the open sessions.
    pub(crate) fn sessions(&self, viewer: Viewer) -> Vec<Session> {
        let own = if let Viewer::Session(id) = viewer { Some(id) } else { None };
        self.sessions.list(own, Instant::now())
    }

    /// Ends a session. Returns a value of `Set-Cookie` that removes its cookie if it was the viewer's own.
    pub(crate) fn end(&self, id: u64, viewer: Viewer, host: &Authority) -> Result<Option<String>, Refused> {
        match self.sessions.end(id, Instant::now()) {
            true => Ok((viewer == Viewer::Session(id)).then(|| cookie::remove(host))),
            false => Err(Refused::not_found("there is no such session")),
        }
    }

    fn place(&self, caller: &Caller) -> Place {
        let look_up = || caller.connection.look_up(caller.address, self.settings.port);
        let user = caller.is_local.then(look_up).flatten();
        Place { address: caller.address.ip().to_canonical(), user }
    }

    /// Returns whether a connection belongs to the node's own user or root. A place has a user only if it is on this machine.
    fn is_owner(&self, place: Place) -> bool {
        place.user.is_some_and(|user| is_own_or_root(user, self.own_user))
    }

    fn check(&self, token: &str, place: Place) -> Result<(), Refused> {
        let now = Instant::now();
        self.attempts.require_few(place, now)?;
        if self.settings.token.as_ref().is_some_and(|own| own.is(token)) {
            return Ok(());
        }
        self.attempts.fail(place, now);
        Err(Refused::new(
            StatusCode::UNAUTHORIZED,
            "the token is wrong; `hearthnet console` prints a link with it",
        ))
    }

    fn needs_token(&self) -> Refused {
        let reason = match self.settings.token {
            Some(_) => "the token of the console is needed; `hearthnet console` prints a link with it",
            None => "only the node's own user and root are answered, on this machine",
        };
        Refused::new(StatusCode::UNAUTHORIZED, reason)
    }
}

impl Caller {
    /// Whether a decision about the caller reads files.
    pub(crate) fn is_looked_up(&self) -> bool {
        self.is_local && self.connection.known().is_none()
    }

    /// Host and port that the request names.
    pub(crate) fn host(&self) -> &Authority {
        &self.host
    }
}

/// Returns the token of `Authorization: Bearer`.
fn bearer(request: &Parts) -> Option<&str> {
    let value = request.headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

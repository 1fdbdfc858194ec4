//! Settings of the console.

use std::fmt;
use std::sync::Arc;

use http::request::Parts;

use super::token::Token;

/// Callers that the console answers.
///
/// ```
/// assert_eq!(obs_console::Mode::default(), obs_console::Mode::Local);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Callers on this machine. The node's own user and root need no token, others do.
    #[default]
    Local,
    /// Callers of any machine with the token. The node's own user and root on this machine need none.
    Lan,
    /// None. There are no routes.
    Off,
}

/// Settings of [`router`](crate::router).
///
/// ```
/// use obs_console::{Mode, Settings, Token};
///
/// fn is_local_caller(_: &http::request::Parts) -> bool {
///     false // the facade has a guard for this
/// }
///
/// let settings = Settings::new(Mode::Lan, is_local_caller)
///     .token(Token::random()?)
///     .port(7080)
///     .hosts(["home-server", "home-server.local"]);
/// # let _ = settings;
/// # Ok::<(), obs_console::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Settings {
    pub(crate) mode: Mode,
    pub(crate) is_local_caller: fn(&Parts) -> bool,
    pub(crate) token: Option<Token>,
    pub(crate) port: Option<u16>,
    pub(crate) hosts: Vec<String>,
    pub(crate) is_stopping: Stopping,
}

/// Question whether the node stops.
#[derive(Clone)]
pub(crate) struct Stopping(Arc<dyn Fn() -> bool + Send + Sync>);

impl Stopping {
    pub(crate) fn ask(&self) -> bool {
        (self.0)()
    }
}

impl fmt::Debug for Stopping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stopping")
    }
}

impl Settings {
    /// Returns settings for a mode.
    ///
    /// `is_local_caller` tells whether the request was made on this machine, by the address of its connection, and neither
    /// came through a proxy nor from a page of another site. The facade's function of this name does so.
    pub fn new(mode: Mode, is_local_caller: fn(&Parts) -> bool) -> Self {
        let is_stopping = Stopping(Arc::new(|| false));
        Settings { mode, is_local_caller, token: None, port: None, hosts: Vec::new(), is_stopping }
    }

    /// Sets the token. Without one, nobody is answered but the node's own user and root on this machine.
    pub fn token(mut self, token: Token) -> Self {
        self.token = Some(token);
        self
    }

    /// Sets the port of the server, which tells connections to it from others of the same user of this machine. A connection
    /// whose owner is ambiguous without it needs the token. 0 stands for a port that is not known yet.
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port).filter(|port| *port != 0);
        self
    }

    /// Sets the names of this machine. A request must name its host by address, as `localhost` or by one of them.
    pub fn hosts<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.hosts = names.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the question whether the node stops, which must not block. Tails end within a second then, so that the server
    /// does not wait for their viewers.
    pub fn stopping(mut self, is_stopping: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        self.is_stopping = Stopping(Arc::new(is_stopping));
        self
    }
}

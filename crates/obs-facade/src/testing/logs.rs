//! Captured lines.

use serde_json::Value;

/// Captured lines; see [`Capture::logs`](crate::testing::Capture::logs).
///
/// ```
/// let obs = obs_facade::testing::Capture::new();
/// obs.run(|| obs_facade::warn!(peers = 3; "lonely"));
/// assert_eq!(obs.logs().all().len(), 1);
/// obs.logs().single("lonely").field("level", "warning").field("peers", 3);
/// ```
#[derive(Debug)]
pub struct Logs(pub(super) Vec<Value>);

impl Logs {
    /// Returns all lines, each as the JSON object of a day file.
    #[must_use]
    pub fn all(&self) -> &[Value] {
        &self.0
    }

    /// Returns the lines of the loggers with this name or below it: `hearthnet.bus` has those of `hearthnet.bus.router` too.
    ///
    /// ```
    /// use obs_facade::{Logger, info};
    ///
    /// let obs = obs_facade::testing::Capture::new();
    /// obs.run(|| {
    ///     info!(logger: Logger::new("hearthnet.bus.router"), "routed");
    ///     info!(logger: Logger::new("hearthnet.business"), "routed");
    /// });
    /// obs.logs().of("hearthnet.bus").single("routed").field("logger", "hearthnet.bus.router");
    /// ```
    #[must_use]
    pub fn of(&self, logger: &str) -> Logs {
        let logger = logger.replace("::", ".");
        let is_of = |line: &&Value| {
            let rest = line["logger"].as_str().and_then(|name| name.strip_prefix(&*logger));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        Logs(self.0.iter().filter(is_of).cloned().collect())
    }

    /// Returns the one line with this message.
    ///
    /// ```should_panic
    /// let obs = obs_facade::testing::Capture::new();
    /// obs.run(|| obs_facade::info!("routed"));
    /// obs.logs().single("rooted"); // no line with the message "rooted"; did you mean "routed"? …
    /// ```
    ///
    /// # Panics
    ///
    /// If there is none or more than one. The message shows all lines, and the nearest message if there is none.
    #[track_caller]
    pub fn single(&self, message: &str) -> Line<'_> {
        let mut with_message = self.0.iter().filter(|line| line["msg"] == message);
        match (with_message.next(), with_message.count()) {
            (Some(line), 0) => Line(line),
            (Some(_), more) => {
                panic!("{} lines with the message {message:?}, expected one, among {:#?}", 1 + more, self.0)
            }
            (None, _) => {
                let messages = self.0.iter().filter_map(|line| line["msg"].as_str());
                panic!("no line with the message {message:?}{} among {:#?}", meant(message, messages), self.0)
            }
        }
    }
}

/// Returns a question about the name that a misspelt one may stand for.
fn meant<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    // A long text is no misspelt one, and the comparison takes the square of the length.
    let short = known.filter(|known| known.len() <= 200);
    match obs_metrics::testing::nearest(name, short).filter(|_| name.len() <= 200) {
        Some(known) => format!("; did you mean {known:?}?"),
        None => String::new(),
    }
}

/// A captured line; see [`Logs::single`].
#[derive(Clone, Copy, Debug)]
pub struct Line<'a>(&'a Value);

impl Line<'_> {
    /// Asserts the value of a field.
    ///
    /// # Panics
    ///
    /// If the field is missing or has another value. The message shows the line, and the nearest name if the field is missing.
    #[track_caller]
    pub fn field(self, name: &str, expected: impl Into<Value>) -> Self {
        let Some(found) = self.0.get(name) else {
            let names = self.0.as_object().into_iter().flat_map(|line| line.keys().map(String::as_str));
            panic!("no field {name:?}{} in {:#}", meant(name, names), self.0);
        };
        assert_eq!(*found, expected.into(), "field {name:?} of {:#}", self.0);
        self
    }

    /// Returns the line as JSON.
    #[must_use]
    pub fn json(&self) -> &Value {
        self.0
    }
}

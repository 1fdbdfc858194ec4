//! Checks: name, dependencies, needs and work.

mod context;
mod probe;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

pub use context::Context;
pub use probe::Probe;

use crate::report::{Category, CheckResult};

/// A check that can be registered with a [`Doctor`](crate::Doctor).
///
/// It is made from a closure as below, or from a type that implements [`Probe`].
///
/// ```
/// use obs_doctor::{Category, Check, CheckResult};
///
/// let check = Check::new("vector_store")
///     .category(Category::new("Stores"))
///     .after("disk_space")
///     .run(|cx| async move {
///         match tokio::task::yield_now().await {
///             () if cx.config.data_dir.exists() => CheckResult::pass("12 vectors"),
///             () => CheckResult::fail("no vectors").fix("run `hearthnet rag reindex`"),
///         }
///     });
/// assert_eq!(check.name(), "vector_store");
/// ```
#[derive(Clone)]
pub struct Check {
    inner: Arc<Inner>,
}

struct Inner {
    plan: CheckBuilder,
    body: Body,
    /// Abandoned threads of earlier runs that have not finished.
    stuck: Arc<AtomicUsize>,
}

/// Work of a check.
pub(crate) enum Body {
    Blocking(Box<dyn Fn(&Context) -> CheckResult + Send + Sync>),
    Async(Box<dyn Fn(Context) -> LocalFuture + Send + Sync>),
}

type LocalFuture = Pin<Box<dyn Future<Output = CheckResult>>>;

impl Check {
    /// Starts the description of a check called `name`: 1 to 64 of `a-z 0-9 _ - .`, which registration verifies.
    #[expect(clippy::new_ret_no_self, reason = "a check is complete only with its work")]
    pub fn new(name: impl Into<String>) -> CheckBuilder {
        CheckBuilder {
            name: name.into(),
            category: Category::OTHER,
            after: Vec::new(),
            deadline: None,
            needs: Needs::default(),
        }
    }

    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.plan.name
    }

    /// Returns the heading of the report that the check is listed under.
    #[must_use]
    pub fn category(&self) -> &Category {
        &self.inner.plan.category
    }

    /// Returns the names of the checks that it runs after.
    #[must_use]
    pub fn dependencies(&self) -> &[String] {
        &self.inner.plan.after
    }

    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.inner.plan.deadline
    }

    pub(crate) fn needs(&self) -> Needs {
        self.inner.plan.needs
    }

    pub(crate) fn body(&self) -> &Body {
        &self.inner.body
    }

    pub(crate) fn stuck(&self) -> &Arc<AtomicUsize> {
        &self.inner.stuck
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Check").field(&self.inner.plan).finish()
    }
}

/// Builder of a [`Check`]. [`run`](Self::run) or [`run_blocking`](Self::run_blocking) completes it.
///
/// ```
/// use std::time::Duration;
/// use obs_doctor::{Check, CheckResult};
///
/// let check = Check::new("weather_station")
///     .deadline(Duration::from_millis(500))
///     .needs_internet()
///     .run_blocking(|cx| CheckResult::pass(format!("asked from port {}", cx.config.port)));
/// assert!(check.dependencies().is_empty());
/// ```
#[derive(Debug, Clone)]
#[must_use = "a check is made by `run` or `run_blocking`"]
pub struct CheckBuilder {
    name: String,
    category: Category,
    after: Vec<String>,
    deadline: Option<Duration>,
    needs: Needs,
}

/// Conditions under which a check runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    pub(crate) internet: bool,
    pub(crate) node: bool,
    pub(crate) root: bool,
}

impl CheckBuilder {
    /// Sets the heading of the report that the check is listed under. Default: [`Category::OTHER`].
    pub fn category(mut self, category: Category) -> Self {
        self.category = category;
        self
    }

    /// Adds a dependency: the check runs after the check `name`, and is skipped when that one fails.
    pub fn after(mut self, name: impl Into<String>) -> Self {
        self.after.push(name.into());
        self
    }

    /// Sets a deadline instead of [`Limits::per_check`](crate::Limits::per_check).
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Skips the check when the configuration is [`offline`](crate::Config::offline).
    pub fn needs_internet(mut self) -> Self {
        self.needs.internet = true;
        self
    }

    /// Skips the check when no node is running.
    pub fn needs_node(mut self) -> Self {
        self.needs.node = true;
        self
    }

    /// Skips the check unless the process runs as root.
    pub fn needs_root(mut self) -> Self {
        self.needs.root = true;
        self
    }

    /// Completes the check with asynchronous work. It runs on a tokio runtime of its own and is dropped at the deadline.
    pub fn run<F, Fut>(self, work: F) -> Check
    where
        F: Fn(Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = CheckResult> + 'static,
    {
        self.finish(Body::Async(Box::new(move |cx| Box::pin(work(cx)))))
    }

    /// Completes the check with blocking work. It runs on a thread of its own, which is abandoned at the deadline.
    pub fn run_blocking<F>(self, work: F) -> Check
    where
        F: Fn(&Context) -> CheckResult + Send + Sync + 'static,
    {
        self.finish(Body::Blocking(Box::new(work)))
    }

    fn finish(self, body: Body) -> Check {
        Check { inner: Arc::new(Inner { plan: self, body, stuck: Arc::default() }) }
    }
}

//! One check: its name, what it needs, and what it does.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use crate::bus::CapabilityBus;
use crate::config::Config;
use crate::machine::System;
use crate::report::{Category, CheckResult};

/// A check that can be registered with a [`Doctor`](crate::Doctor).
///
/// Made from a closure as below, or from a type that implements [`Probe`].
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
    /// Threads of earlier runs that never came back.
    stuck: Arc<AtomicUsize>,
}

pub(crate) enum Body {
    Blocking(Box<dyn Fn(&Context) -> CheckResult + Send + Sync>),
    Async(Box<dyn Fn(Context) -> LocalFuture + Send + Sync>),
}

type LocalFuture = Pin<Box<dyn Future<Output = CheckResult>>>;

impl Check {
    /// Begins a check called `name`: 1 to 64 of `a-z 0-9 _ - .`, looked at when it is registered.
    #[expect(clippy::new_ret_no_self, reason = "a check is whole only once it can run")]
    pub fn new(name: impl Into<String>) -> CheckBuilder {
        CheckBuilder {
            name: name.into(),
            category: Category::OTHER,
            after: Vec::new(),
            deadline: None,
            needs: Needs::default(),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.plan.name
    }

    /// The heading it stands under.
    #[must_use]
    pub fn category(&self) -> &Category {
        &self.inner.plan.category
    }

    /// The checks it runs after.
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

/// A [`Check`] that is being described; [`run`](Self::run) or [`run_blocking`](Self::run_blocking) ends it.
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

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    pub(crate) internet: bool,
    pub(crate) node: bool,
    pub(crate) root: bool,
}

impl CheckBuilder {
    /// The heading it stands under; [`Category::OTHER`] unless told.
    pub fn category(mut self, category: Category) -> Self {
        self.category = category;
        self
    }

    /// Run it after the check `name`, and skip it when that one fails.
    pub fn after(mut self, name: impl Into<String>) -> Self {
        self.after.push(name.into());
        self
    }

    /// A deadline of its own instead of [`Limits::per_check`](crate::Limits::per_check).
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Skip it when the configuration says [`offline`](Config::offline).
    pub fn needs_internet(mut self) -> Self {
        self.needs.internet = true;
        self
    }

    /// Skip it when no node is running.
    pub fn needs_node(mut self) -> Self {
        self.needs.node = true;
        self
    }

    /// Skip it unless the process runs as root.
    pub fn needs_root(mut self) -> Self {
        self.needs.root = true;
        self
    }

    /// Ends it with asynchronous work, which runs on a small tokio runtime of its own and is dropped at the deadline.
    pub fn run<F, Fut>(self, work: F) -> Check
    where
        F: Fn(Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = CheckResult> + 'static,
    {
        self.finish(Body::Async(Box::new(move |cx| Box::pin(work(cx)))))
    }

    /// Ends it with blocking work, which runs on a thread of its own and is abandoned at the deadline.
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

/// A check as a type, for those with state or of a family.
///
/// ```
/// use obs_doctor::{Check, CheckResult, Context, Doctor, Probe};
///
/// struct FolderExists(&'static str);
///
/// impl Probe for FolderExists {
///     fn name(&self) -> String {
///         format!("folder_{}", self.0)
///     }
///     fn run(&self, cx: &Context) -> CheckResult {
///         match cx.config.data_dir.join(self.0).is_dir() {
///             true => CheckResult::pass("there"),
///             false => CheckResult::warn("not there").fix("run `hearthnet init`"),
///         }
///     }
/// }
/// let mut doctor = Doctor::empty();
/// doctor.register(FolderExists("blobs"))?;
/// # Ok::<(), obs_doctor::Error>(())
/// ```
pub trait Probe: Send + Sync + 'static {
    /// Its name, as in [`Check::new`]; asked once, at registration.
    fn name(&self) -> String;

    /// The heading it stands under.
    fn category(&self) -> Category {
        Category::OTHER
    }

    /// The checks it runs after.
    fn dependencies(&self) -> Vec<String> {
        Vec::new()
    }

    /// A deadline of its own instead of [`Limits::per_check`](crate::Limits::per_check).
    fn deadline(&self) -> Option<Duration> {
        None
    }

    /// Looks, changes nothing, and says what it saw. It may block; it runs on a thread of its own.
    fn run(&self, cx: &Context) -> CheckResult;
}

impl<P: Probe> From<P> for Check {
    fn from(probe: P) -> Self {
        let mut builder = Self::new(probe.name()).category(probe.category());
        builder.after = probe.dependencies();
        builder.deadline = probe.deadline();
        builder.run_blocking(move |cx| probe.run(cx))
    }
}

/// What a check has to work with.
///
/// ```
/// use obs_doctor::{Check, CheckResult};
/// let check = Check::new("port_is_high").run_blocking(|cx| match cx.config.port {
///     1024.. => CheckResult::pass("needs no privilege"),
///     port => CheckResult::warn(format!("port {port} needs a privilege")),
/// });
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Context {
    /// The configuration of the run.
    pub config: Arc<Config>,
    /// The node, or [`NoBus`](crate::NoBus).
    pub bus: Arc<dyn CapabilityBus>,
    /// Clock, sockets, HTTP and disks, which tests replace.
    pub system: System,
}

impl Context {
    pub(crate) fn new(config: &Config, bus: &Arc<dyn CapabilityBus>, system: &System) -> Self {
        Self { config: Arc::new(config.clone()), bus: Arc::clone(bus), system: system.clone() }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("config", &self.config).finish_non_exhaustive()
    }
}

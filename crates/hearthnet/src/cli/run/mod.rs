//! `hearthnet run`: start, service and shutdown of the node.

mod banner;
pub(crate) mod end_signal;
mod notes;
mod port_owner;
mod reload;
mod runtime;
mod service_manager;
mod sign_of_life;

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use clap::Args;
use obs_facade::http::Checkup;
use obs_facade::{Logger, info, warn};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::timeout;

use self::banner::Banner;
use self::end_signal::{EndSignal, EndSignals};
use self::reload::Reload;
use self::service_manager::Message;
use self::sign_of_life::Marker;
use super::overrides::Overrides;
use crate::bus::Profile;
use crate::community::{self, Federation};
use crate::config::Config;
use crate::config::paths::Paths;
use crate::console;
use crate::failure::Failure;
use crate::levels;
use crate::marks;
use crate::node::Node;
use crate::problems;
use crate::server::{self, descriptors};
use crate::state::home;
use crate::state::run_marker::LastRun;
use crate::status::{self, Status};
use crate::version::VERSION;
use crate::watch::beat::{self, Beating, Beats, Look};
use crate::watch::blobs::Blobs;
use crate::watch::emergency::Emergency;
use crate::watch::events::Events;

static LOG: Logger = Logger::new("hearthnet::run");

/// Maximum time for open requests after the signal.
// Docker waits 10 s before it kills: grace, blocking work and the last event must fit.
const GRACE: Duration = Duration::from_secs(5);
/// Maximum time for blocking work after that.
const LAST_CALLS: Duration = Duration::from_secs(2);

/// Starts the node, and creates missing files first.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Log in more detail, on stderr too.
    #[arg(long)]
    debug: bool,
}

/// Runs the node until SIGINT, SIGTERM or the SIGHUP of a closed terminal, and returns 0. A second signal cuts the
/// shutdown short and determines the exit code.
pub(crate) fn run(
    args: &RunArgs,
    mut config: Config,
    config_file: Option<&Path>,
    paths: &Paths,
    overrides: &Overrides,
) -> Result<ExitCode, Failure> {
    descriptors::check_limit()?;
    if let Some(file) = overrides.config.as_deref().or(config_file) {
        notes::require_variables(&config, file)?;
    }
    let name = config.node_name();
    let banner = Banner::of(&config);
    let home = home::ensure(&config, config_file, paths, &name, &mut |what, path, creation| {
        banner.made(what, path, creation);
    })?;
    let started_with = reload::needing_restart(&config);
    config.observability = reload::observability(&config, args.debug, home.identity.node_id());
    // Held until the end, because dropping it flushes the log.
    let _guard = obs_facade::configure(&config.observability)
        .map_err(|error| Failure::error(format!("cannot set up observability: {error}")))?;
    notes::log(&config.notes);
    let runtime = runtime::start()?;
    let identity = Arc::new(home.identity);
    let node_id = identity.node_id().to_owned();
    let events = Events::new(identity.clone(), &home.community_id, &home.event_log);
    let node = Node::new(&config, Profile { identity, community_id: home.community_id, display_name: name });
    let checkup =
        Checkup::new(config.for_doctor(paths), node.clone()).remote(config.observability.is_doctor_remote());
    let reload = Reload {
        file: overrides.config.clone(),
        port: overrides.port,
        paths: paths.clone(),
        debug: args.debug,
        node_id: node_id.clone(),
        node: node.clone(),
        started_with,
        unused: config.notes.unused.clone(),
    };
    let named_or_default = overrides.config.as_deref().or(config_file);
    let marker = Marker::default();
    let serving = Serving {
        config: &config,
        config_file: named_or_default.unwrap_or(Path::new("config.toml")),
        node,
        checkup,
        community: &home.community,
        blobs: &home.blobs,
        events: &events,
        data: paths.data(&config.identity.keys_dir).to_owned(),
        marker: &marker,
    };
    let served = runtime.block_on(serving.until_signal(overrides, reload));
    let in_a_hurry = served.as_ref().ok().copied().flatten();
    runtime.shutdown_timeout(if in_a_hurry.is_some() { Duration::ZERO } else { LAST_CALLS });
    served?;
    note_end(events, marker);
    info!(logger: LOG, "stopped");
    Ok(in_a_hurry.map_or(ExitCode::SUCCESS, |signal| ExitCode::from(signal.status)))
}

/// Appends the last event, and notes that the run ended in order. A hanging disk does not delay the end of the node for
/// long.
fn note_end(events: Events, marker: Marker) {
    let (done, ended) = mpsc::channel();
    // A thread of its own, because SQLite may block on a dead disk for as long as it likes.
    let started = std::thread::Builder::new().spawn(move || {
        events.append("node.stopped", &json!({}));
        sign_of_life::end(&marker);
        let _ = done.send(());
    });
    if let Err(error) = started {
        warn!(logger: LOG, error:% = error; "the last event cannot be appended");
    }
    let _ = ended.recv_timeout(LAST_CALLS);
}

/// Parts that a node serves from.
struct Serving<'a> {
    config: &'a Config,
    config_file: &'a Path,
    node: Arc<Node>,
    checkup: Checkup,
    /// Manifest of the community.
    community: &'a Value,
    blobs: &'a Path,
    events: &'a Events,
    /// Folder of the node's data.
    data: PathBuf,
    marker: &'a Marker,
}

impl Serving<'_> {
    /// Serves until a signal. Returns the second signal if it came before the open requests had ended.
    async fn until_signal(self, overrides: &Overrides, reload: Reload) -> Result<Option<EndSignal>, Failure> {
        let Serving { config, config_file, node, checkup, community, blobs, events, data, marker } = self;
        let mut signals = EndSignals::listen()?;
        let is_stopping = Arc::new(AtomicBool::new(false));
        let end = async {
            // Outside of the macro, which evaluates its fields only if the level is logged.
            let signal = signals.first().await;
            info!(logger: LOG, signal = signal.name; "stopping");
            // The flag guards no other data.
            is_stopping.store(true, Ordering::Relaxed);
            service_manager::tell(&[Message::Stopping, Message::Status("stopping")]);
            signals
        };
        let listener = match TcpListener::bind(config.address()).await {
            Ok(listener) => listener,
            Err(error) => return Err(cannot_listen(config, &error)),
        };
        // Only now that the port is taken: a second node that cannot start is no run.
        let last_run = begin_run(config, &node, events, marker, &data).await;
        let status = Status::new(
            config,
            node.bus().clone(),
            checkup.clone(),
            events.clone(),
            community,
            last_run.clone(),
        );
        let console = console::routes(config, node.bus(), &checkup, &data, is_stopping.clone());
        // Dropping the set at the end of this function cancels all of them.
        let (beats, of_tasks) = Beats::new();
        let mut watching = node.watch_peers(&beats);
        let _courier = marks::carry(node.bus());
        let _looking = looks(config, blobs, events, &node, marker, of_tasks)?;
        if let Some(interval) = config.observability.doctor_interval() {
            let is_routine = config.observability.is_doctor_routine();
            let checkup = if is_routine { checkup.routine() } else { checkup.clone() };
            watching.spawn(checkup.watch(interval));
        }
        watching.spawn(reload::on_hangup(reload));
        let banner = Banner::of(config);
        banner.last_run(&last_run);
        banner.listening(config, config_file, overrides);
        service_manager::tell(&[Message::Ready]);
        let peers = config.discovery.static_peers.len();
        watching.spawn(service_manager::report(node.clone(), peers, config.address().to_string(), beats));
        info!(logger: LOG, address:% = config.address(); "listening");
        let port = config.transport.port;
        let local = status::routes(status).merge(levels::routes(port)).merge(problems::routes(port));
        let federation = Federation::new(config, node.bus().clone(), node.snapshots());
        watching.spawn(community::watch(federation.clone()));
        // Every node sees them, as those of the console choose their callers themselves.
        let app = node.router(&checkup, local, console.merge(community::routes(federation)));
        Ok(server::serve(listener, app, end, grace).await.flatten())
    }
}

/// Notes that a run has begun, and returns how the one before ended.
async fn begin_run(config: &Config, node: &Node, events: &Events, marker: &Marker, data: &Path) -> LastRun {
    let (ours, begun, address) = (marker.clone(), events.clone(), config.address());
    let runs = data.join("runs");
    let node_id = node.bus().node_id().to_owned();
    let last_run =
        tokio::task::spawn_blocking(move || sign_of_life::begin(&ours, &runs, address, &node_id, &begun));
    let last_run = last_run.await.unwrap_or(LastRun::UNKNOWN);
    node.set_last_run(last_run.clone());
    // Behind the start, because both wait for the disk. The runtime waits for them at its end, so that the first event comes
    // before the last one.
    let (ours, begun) = (marker.clone(), events.clone());
    tokio::task::spawn_blocking(move || {
        begun.append("node.started", &json!({ "version": VERSION }));
        sign_of_life::sync(&ours);
    });
    last_run
}

/// Begins the looks at the surroundings of the node, until the result is dropped.
fn looks(
    config: &Config,
    blobs: &Path,
    events: &Events,
    node: &Node,
    marker: &Marker,
    of_tasks: Look,
) -> Result<[Beating; 2], Failure> {
    let mut emergency = Emergency::new(config.emergency.probe_targets.clone());
    let clock_steps = node.clock_steps();
    // The order counts: a look at the internet waits for its answers.
    let without_disk: Vec<Look> =
        vec![of_tasks, Box::new(move || clock_steps.look()), Box::new(move || emergency.look())];
    let (events, mut blobs) = (events.clone(), Blobs::new(blobs.to_owned()));
    let on_disk: Vec<Look> = vec![
        Box::new(sign_of_life::keeper(marker.clone())),
        Box::new(move || events.measure()),
        Box::new(move || blobs.look()),
    ];
    let start = Instant::now();
    let begin = |name, looks| {
        beat::begin(name, start, looks)
            .map_err(|error| Failure::error(format!("cannot start a thread: {error}")))
    };
    Ok([begin("beat", without_disk)?, begin("beat-disk", on_disk)?])
}

/// Waits for the maximum time of open requests, or for the second signal, which is returned. From then on one more
/// signal kills the process, whatever the disk or a task does.
async fn grace(mut signals: EndSignals) -> Option<EndSignal> {
    let signal = timeout(GRACE, signals.second()).await.ok();
    if let Some(signal) = signal {
        info!(logger: LOG, signal = signal.name; "stopping at once");
    }
    signal
}

fn cannot_listen(config: &Config, error: &io::Error) -> Failure {
    let reason = match error.kind() {
        ErrorKind::AddrInUse => {
            let owner = port_owner::describe(config.local_address());
            format!("the port is taken by {owner}: stop it, or choose another port with --port")
        }
        // Lower ports need a privilege on most systems.
        ErrorKind::PermissionDenied => format!("{error}: choose a port from 1024 with --port"),
        _ => error.to_string(),
    };
    Failure::error(format!("cannot listen on {}: {reason}", config.address()))
}

//! `hearthnet report --open`: an archive in the console, without its node.

mod files;
mod lines;
mod overview;
mod problems;
mod source;
mod traces;

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use axum::Router;
use axum::response::Redirect;
use axum::routing::get;
use obs_facade::console::{Mode, Settings, router};
use obs_facade::http::is_local_caller;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use self::files::Files;
use self::source::ArchiveSource;
use crate::cli::output::{not_written, print};
use crate::cli::visible::visible;
use crate::console;
use crate::failure::Failure;
use crate::server;

/// Serves the archive on a free port of loopback until the process is interrupted.
pub(super) fn run(archive: &Path) -> Result<ExitCode, Failure> {
    let files = Files::read(archive)?;
    let source = ArchiveSource::of(&files);
    let failed = |error: std::io::Error| Failure::error(format!("cannot serve the report: {error}"));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().map_err(failed)?;
    runtime.block_on(async {
        // Before the address is told, so that an early signal is not missed.
        let (mut interrupt, mut terminate) =
            (signal(SignalKind::interrupt()).map_err(failed)?, signal(SignalKind::terminate()).map_err(failed)?);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        let text = format!(
            "http://127.0.0.1:{port}{}\n{} of {}, made at {}. This user and root can open it; Ctrl-C ends it.\n",
            console::PATH,
            visible(&archive.display().to_string()),
            visible(source.node()),
            visible(source.made_at()),
        );
        print(&text).map_err(|error| not_written(&error))?;
        let settings = Settings::new(Mode::Local, is_local_caller).port(port);
        let app = Router::new()
            .route("/", get(async || Redirect::to(console::PATH)))
            .merge(router(Arc::new(source), settings));
        let end = async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        };
        // A page keeps a connection open for the tail, which nothing is worth a wait for.
        server::serve(listener, app, end, async |()| ()).await;
        Ok(ExitCode::SUCCESS)
    })
}

//! `hearthnet console`: the address of the node's console.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use clap::Args;
use obs_facade::ConsoleAccess;
use obs_facade::console::Token;

use super::output::{not_written, print};
use crate::config::Config;
use crate::console;
use crate::failure::Failure;

/// Prints the address of the node's console, with its token where other machines may open it.
#[derive(Args, Debug)]
#[command(after_help = "Example: hearthnet console --open")]
pub(crate) struct ConsoleArgs {
    /// Print the address alone.
    #[arg(long)]
    url_only: bool,
    /// Add the token, which another user of this machine needs.
    #[arg(long)]
    token: bool,
    /// Open it in the browser of this machine.
    #[arg(long)]
    open: bool,
}

/// Runs the command. `data` is the folder of the node's data.
pub(crate) fn run(args: &ConsoleArgs, config: &Config, data: &Path) -> Result<ExitCode, Failure> {
    let access = config.observability.console_access();
    let local = format!("http://{}{}", config.local_address(), console::PATH);
    let link = match access {
        ConsoleAccess::Off => return Err(off()),
        ConsoleAccess::Lan => format!("http://{}{}#token={}", seen(config), console::PATH, token(data)?),
        _ if args.token => format!("{local}#token={}", token(data)?),
        _ => local.clone(),
    };
    let text = match (access, args.url_only) {
        (_, true) => format!("{link}\n"),
        (ConsoleAccess::Lan, false) => format!(
            "on this machine       {local}\non the local network  {link}\nWhoever has the second link can open the console.\n"
        ),
        _ => format!(
            "{link}\nThis user and root can open it on this machine; `console = \"lan\"` opens it to others.\n"
        ),
    };
    print(&text).map_err(|error| not_written(&error))?;
    if args.open {
        // Without the token, which other users of this machine could read in the list of processes.
        open(&local)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn off() -> Failure {
    Failure::error(
        "the console is off; set `console = \"local\"` under `[observability]`, and restart the node"
            .to_owned(),
    )
}

fn token(data: &Path) -> Result<String, Failure> {
    let token = Token::read_or_create(console::token_file(data));
    let token = token.map_err(|error| Failure::error(format!("no token of the console: {error}")))?;
    Ok(token.expose().to_owned())
}

/// Returns the address at which other machines reach the node.
fn seen(config: &Config) -> SocketAddr {
    let address = config.address();
    if !address.ip().is_unspecified() {
        return address;
    }
    SocketAddr::new(own_address().unwrap_or(config.local_address().ip()), address.port())
}

/// Returns the address of this machine in its network.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    // Sends nothing: it asks the system which address it would use. The other one is for documentation.
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|ip| !ip.is_unspecified())
}

/// Opens an address in the browser of this machine.
fn open(address: &str) -> Result<(), Failure> {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let null = Stdio::null;
    let started = Command::new(program).arg(address).stdin(null()).stdout(null()).stderr(null()).status();
    let failed = |why: String| {
        Failure::error(format!("cannot open a browser with `{program}`: {why}; open the address yourself"))
    };
    match started {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(failed(status.to_string())),
        Err(error) => Err(failed(error.to_string())),
    }
}

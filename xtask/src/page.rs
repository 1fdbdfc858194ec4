//! The console's page: its built files are those of its source, and it works in a browser.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use crate::cargo;
use crate::steps::{Step, Verdict, both, there_is};

pub(crate) const PAGE: Step = ("page", page);
pub(crate) const BROWSER: Step = ("browser", browser);

/// Time in which a node must answer after its start.
const START: Duration = Duration::from_secs(60);

/// Builds the page from its source and compares it with the files that are part of the program.
fn page() -> Verdict {
    if let Some(missing) = no_npm() {
        return missing;
    }
    let built = cargo::root().join("target/page");
    let build = || {
        let out = built.to_string_lossy();
        npm(&["run", "build", "--", "--outDir", &out, "--emptyOutDir", "--logLevel", "warn"])
    };
    both(packages(), || both(npm(&["run", "check"]), || both(build(), || same(&built))))
}

fn same(built: &Path) -> Verdict {
    let committed = web().join("../page");
    let files = |folder: &Path| -> std::io::Result<Vec<(PathBuf, Vec<u8>)>> {
        let mut found = Vec::new();
        for part in ["", "assets"] {
            for entry in fs::read_dir(folder.join(part))?.flatten().filter(|entry| entry.path().is_file()) {
                found.push((Path::new(part).join(entry.file_name()), fs::read(entry.path())?));
            }
        }
        found.sort();
        Ok(found)
    };
    match (files(built), files(&committed)) {
        (Ok(built), Ok(committed)) if built == committed => Verdict::Passed,
        (Ok(built), Ok(committed)) => {
            let other: Vec<_> = built
                .iter()
                .filter(|file| !committed.contains(file))
                .map(|(name, _)| name.display().to_string())
                .collect();
            Verdict::Failed(format!(
                "crates/obs-console/page is not what its source makes ({}); run `npm ci && npm run build` in \
                 crates/obs-console/web",
                other.join(", ")
            ))
        }
        (Err(error), _) | (_, Err(error)) => Verdict::Failed(format!("the page could not be read: {error}")),
    }
}

/// Runs the browser's tests on made-up data, and then on nodes.
fn browser() -> Verdict {
    if let Some(missing) = no_npm() {
        return missing;
    }
    let chromium = env::var_os("CHROMIUM").unwrap_or_else(|| "chromium".into());
    if !there_is(Command::new(&chromium).arg("--version")) {
        return Verdict::ToolMissing("chromium is not installed (Debian's package has this name)".into());
    }
    both(packages(), || both(npm(&["test"]), on_a_node))
}

fn on_a_node() -> Verdict {
    match Node::start() {
        Ok(node) => {
            // Traces and lines to look at: calls that pass and calls that fail.
            for call in 0..12 {
                node.call(if call % 4 == 3 { "experimental.absent" } else { "experimental.echo" });
            }
            let mut test = Command::new("npm");
            test.arg("test").env("CONSOLE_URL", format!("http://127.0.0.1:{}/console/", node.port));
            // Some tests start nodes of their own, such as three that are peers.
            test.env("HEARTHNET", &node.command);
            in_web(&mut test)
        }
        Err(reason) => Verdict::Failed(reason),
    }
}

/// A node with a home of its own.
struct Node {
    child: Child,
    command: PathBuf,
    home: PathBuf,
    port: u16,
}

impl Node {
    fn start() -> Result<Self, String> {
        let command = cargo::build_binaries(&["hearthnet"])?.remove(0);
        let home = cargo::root().join("target/browser-home");
        let _ = fs::remove_dir_all(&home);
        fs::create_dir_all(&home).map_err(|error| format!("{}: {error}", home.display()))?;
        let port = TcpListener::bind(("127.0.0.1", 0))
            .and_then(|listener| listener.local_addr())
            .map_err(|error| format!("no free port: {error}"))?
            .port();
        let mut run = of_home(&command, &home);
        run.args(["--port", &port.to_string(), "run"]).stdout(Stdio::null()).stderr(Stdio::null());
        let child = run.spawn().map_err(|error| format!("the node could not be started: {error}"))?;
        let node = Node { child, command, home, port };
        node.wait()?;
        Ok(node)
    }

    fn wait(&self) -> Result<(), String> {
        let begun = Instant::now();
        while begun.elapsed() < START {
            if std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(50));
        }
        Err(format!("the node did not answer within {} s", START.as_secs()))
    }

    /// Calls a capability. Some of the calls are meant to fail.
    fn call(&self, capability: &str) {
        let mut call = of_home(&self.command, &self.home);
        call.args(["--port", &self.port.to_string(), "call", capability, "--body", "{}"]);
        let _ = call.stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn of_home(command: &Path, home: &Path) -> Command {
    let mut command = Command::new(command);
    command.env("HOME", home);
    for name in ["XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"] {
        command.env(name, home.join(name.to_lowercase()));
    }
    command
}

fn no_npm() -> Option<Verdict> {
    let missing = !there_is(Command::new("npm").arg("--version"));
    missing.then(|| Verdict::ToolMissing("npm is not installed (Debian's package has this name)".into()))
}

/// Installs the packages that the page is built of, at the versions of its lock file.
fn packages() -> Verdict {
    npm(&["ci", "--no-audit", "--no-fund"])
}

fn npm(args: &[&str]) -> Verdict {
    in_web(Command::new("npm").args(args))
}

fn in_web(npm: &mut Command) -> Verdict {
    let args: Vec<_> = npm.get_args().map(|arg| arg.to_string_lossy().into_owned()).collect();
    match cargo::status(npm.current_dir(web())) {
        Ok(true) => Verdict::Passed,
        Ok(false) => Verdict::Failed(format!("npm {}", args.join(" "))),
        Err(error) => Verdict::Failed(format!("npm {}: {error}", args.join(" "))),
    }
}

fn web() -> PathBuf {
    cargo::root().join("crates/obs-console/web")
}

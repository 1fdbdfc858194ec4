//! Start and end of the command: exit codes and messages.

use std::net::TcpListener;

use rustix::process::Signal;

use crate::case::{Outcome, contains, ensure};
use crate::harness::Lab;
use crate::harness::home::Home;
use crate::harness::node::Node;

/// Both signals end the node with exit code 0, and the last log lines say so.
pub(super) fn signals(lab: &Lab) -> Outcome {
    for signal in [Signal::TERM, Signal::INT] {
        let node = Node::start(Home::initialised(lab)?)?;
        node.client().call("experimental.echo", br#"{"params":{},"input":{"text":"last"}}"#, &[])?.is(200)?;
        let lines = node.end(signal)?.log_lines()?;
        let done = lines.iter().filter(|line| line.msg() == "done").count();
        ensure(done == 1, "the last call in the log", &lines)?;
    }
    Ok(())
}

/// A bad configuration ends with 1 and names file, line, field and the allowed values.
pub(super) fn bad_config(lab: &Lab) -> Outcome {
    let faults = [
        ("[observability]\nlog_level = \"loud\"\n", "log_level", 2, "warning"),
        ("[transport]\n\nport = 0\n", "port", 3, "65535"),
        ("[transport]\nport = \"many\"\n", "port", 2, ""),
        ("[transport]\nport = 70000\n", "port", 2, "65535"),
        ("[transport]\nhost = 7\n", "host", 2, ""),
        ("[discovery]\nstatic_peers = [\"ftp://a\"]\n", "static_peers", 2, "http"),
        ("[observability\n", "", 1, ""),
        ("[transport]\nprot = 7080\n", "prot", 2, "port"),
    ];
    for (text, field, line, allowed) in faults {
        let home = Home::initialised(lab)?;
        std::fs::write(home.config_file(), text)?;
        let said =
            home.hearthnet(&["run"]).and_then(|ran| ran.exits(1)).map_err(|stop| stop.at(text))?.stderr;
        let place = format!("config.toml, line {line}");
        let file = home.config_file().display().to_string();
        for part in [&file, field, &line.to_string(), allowed] {
            contains("the error", &said, part).map_err(|stop| stop.at(&format!("{text:?} ({place})")))?;
        }
    }
    let home = Home::initialised(lab)?;
    let missing = home.path().join("nosuch.toml").display().to_string();
    let ran = home.hearthnet(&["run", "--config", &missing])?.exits(1)?;
    contains("the error", &ran.stderr, &missing)
}

/// A port in use ends with 1 and names its owner.
pub(super) fn port_taken(lab: &Lab) -> Outcome {
    let taken = TcpListener::bind(("0.0.0.0", 0))?;
    let port = taken.local_addr()?.port().to_string();
    let ran = Home::initialised(lab)?.hearthnet(&["run", "--port", &port])?.exits(1)?;
    contains("the error", &ran.stderr, &port)?;
    contains("the error", &ran.stderr, &std::process::id().to_string())?;
    drop(taken);

    let first = Node::start(Home::initialised(lab)?)?;
    let ran = Home::initialised(lab)?.hearthnet(&["run", "--port", first.port()])?.exits(1)?;
    contains("the error", &ran.stderr, "hearthnet")
}

/// A log folder that is a file ends with 1 and names the path. A file in its place stops root too.
pub(super) fn unusable_log_folder(lab: &Lab) -> Outcome {
    let home = Home::initialised(lab)?;
    let place = home.path().join("occupied");
    std::fs::write(&place, "a file")?;
    let folder = place.join("log").display().to_string();
    home.configure("observability", "log_dir", folder.clone())?;
    let ran = home.hearthnet(&["run", "--port", "1"])?.exits(1)?;
    contains("the error", &ran.stderr, &folder)
}

pub(super) fn bad_usage(lab: &Lab) -> Outcome {
    let home = Home::empty(lab)?;
    let lines: [&[&str]; 6] = [
        &["nosuch"],
        &["run", "--nosuch"],
        &["run", "--port", "many"],
        &["log", "--level", "loud"],
        &["trace", "recent", "many"],
        &[],
    ];
    for line in lines {
        let ran = home.hearthnet(line)?.exits(2)?;
        ensure(!ran.stderr.trim().is_empty(), "a word on stderr", &ran)?;
    }
    Ok(())
}

pub(super) fn version(lab: &Lab) -> Outcome {
    let ran = Home::empty(lab)?.hearthnet(&["version"])?.exits(0)?;
    contains("the version", &ran.stdout, env!("CARGO_PKG_VERSION"))
}

/// Commands that need a running node end with 3 when there is none.
pub(super) fn no_running_node(lab: &Lab) -> Outcome {
    let home = Home::initialised(lab)?;
    home.configure("transport", "port", i64::from(crate::harness::free_port()))?;
    home.hearthnet(&["trace", "recent"])?.exits(3).map(drop)
}

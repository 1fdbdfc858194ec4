//! Command line: created files, refusals and exit codes.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;

use crate::node::{Home, Node, free_port, text_of};

fn snapshot(dir: &Path, found: &mut BTreeMap<PathBuf, (u32, Vec<u8>)>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        if path.is_dir() {
            found.insert(path.clone(), (mode, Vec::new()));
            snapshot(&path, found);
        } else {
            found.insert(path.clone(), (mode, fs::read(&path).unwrap()));
        }
    }
}

fn files(home: &Home) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    snapshot(home.path(), &mut found);
    found
}

#[test]
fn init_prints_its_files_and_a_second_run_changes_no_byte() {
    let home = Home::new();
    let first = home.run(&["init", "--name", "garage", "--non-interactive"]);
    assert_eq!(first.status.code(), Some(0));
    let said = text_of(&first.stdout);
    let made = files(&home);
    for (path, (mode, _)) in &made {
        if path.is_file() {
            assert!(said.contains(path.to_str().unwrap()), "{said}\ndoes not name {path:?}");
        }
        assert_eq!(mode & 0o022, 0, "{path:?} may be written by others");
    }
    let mode = |path: &str| made[&home.data().join(path)].0;
    assert_eq!((mode("keys"), mode("keys/device.ed25519"), mode("keys/device.pub")), (0o700, 0o600, 0o644));
    let manifest = made.keys().find(|path| path.ends_with("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&made[manifest].1).unwrap();
    assert_eq!(manifest["name"], "garage");
    assert_eq!(manifest["community_id"], manifest["members"][0]["node_id"]);

    let second = home.run(&["init"]);
    assert_eq!(second.status.code(), Some(0));
    assert!(text_of(&second.stdout).contains("nothing was changed"));
    let third: Value = serde_json::from_slice(&home.run(&["init", "--json"]).stdout).unwrap();
    let listed = third["files"].as_array().unwrap();
    assert!(listed.len() >= 6 && listed.iter().all(|file| file["created"] == false), "{third}");
    assert_eq!(third["node_id"], manifest["members"][0]["node_id"]);
    assert_eq!(files(&home), made);
}

#[test]
fn init_writes_the_port_and_never_changes_one() {
    let home = Home::new();
    let first = home.run(&["init", "--non-interactive", "--port", "7444"]);
    assert_eq!(first.status.code(), Some(0));
    let text = fs::read_to_string(home.config()).unwrap();
    assert!(text.contains("\nport = 7444\n"), "{text}");
    // The configuration has the port, so that no command needs the option.
    assert!(text_of(&first.stdout).ends_with("Start it with: hearthnet run\n"), "{first:?}");
    assert_eq!(home.run(&["init", "--port", "7444"]).stderr, b"");

    let second = home.run(&["init", "--port", "7445"]);
    assert_eq!(second.status.code(), Some(0));
    let said = text_of(&second.stderr);
    assert!(said.contains("config.toml exists and keeps its port 7444"), "{said}");
    assert!(said.contains("hearthnet run --port 7445"), "{said}");
    assert_eq!(fs::read_to_string(home.config()).unwrap(), text);
}

#[test]
fn an_interrupted_init_is_completed() {
    let home = Home::new();
    assert!(home.run(&["init", "--non-interactive"]).status.success());
    let key = fs::read(home.data().join("keys/device.ed25519")).unwrap();
    fs::remove_file(home.data().join("keys/device.pub")).unwrap();
    fs::remove_file(home.config()).unwrap();
    assert!(home.run(&["init", "--non-interactive"]).status.success());
    assert_eq!(fs::read(home.data().join("keys/device.ed25519")).unwrap(), key);
    assert!(home.data().join("keys/device.pub").exists() && home.config().exists());
}

#[test]
fn a_bad_configuration_is_refused_with_file_line_field_and_allowed_values() {
    let home = Home::new();
    for (text, wanted) in [
        ("[transport]\nport = 0\n", "config.toml:2:8: transport.port"),
        ("[transport]\nport = \"7080\"\n", "a port from 1 to 65535"),
        ("\n\n[observability]\nlog_level = \"loud\"\n", "config.toml:4:13: observability.log_level"),
        ("[observability]\nlog_level = \"loud\"\n", "warning"),
        ("[transport]\nprot = 7080\n", "expected one of `host`, `port`"),
        ("[transport\n", "config.toml:1:11"),
    ] {
        home.write_config(text);
        for command in ["run", "init", "doctor"] {
            let refused = home.run(&[command]);
            assert_eq!(refused.status.code(), Some(1), "{command} with {text}");
            assert!(
                text_of(&refused.stderr).contains(wanted),
                "{}\nlacks {wanted}",
                text_of(&refused.stderr)
            );
        }
    }
    assert!(!home.data().exists(), "nothing is made before the configuration is read");
}

#[test]
fn a_named_configuration_must_exist() {
    let home = Home::new();
    for path in ["/nonexistent/hearthnet.toml", home.path().to_str().unwrap()] {
        let refused = home.run(&["run", "--config", path]);
        assert_eq!(refused.status.code(), Some(1));
        assert!(text_of(&refused.stderr).contains(path), "{}", text_of(&refused.stderr));
    }
}

#[test]
fn bad_usage_is_exit_2_with_the_allowed_values() {
    let home = Home::new();
    for (args, wanted) in [
        (&["run", "--port", "0"][..], "1..=65535"),
        (&["run", "--port", "x"], "invalid digit"),
        (&["init", "--name", ""], "1 to 64 characters"),
        (&["fly"], "unrecognized subcommand"),
        (&[], "Usage"),
        (&["doctor", "--check", "nosuch"], "keys_present"),
    ] {
        let refused = home.run(args);
        assert_eq!(refused.status.code(), Some(2), "{args:?}");
        assert!(text_of(&refused.stderr).contains(wanted), "{}", text_of(&refused.stderr));
    }
}

#[test]
fn version() {
    let home = Home::new();
    let json: Value = serde_json::from_slice(&home.run(&["version", "--json"]).stdout).unwrap();
    assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
    let commit = json["commit"].as_str().unwrap();
    let is_hex = commit.len() == 7 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    assert!(is_hex || commit == "unknown", "{commit}");
    let expected = format!("hearthnet {} ({commit})\n", env!("CARGO_PKG_VERSION"));
    for args in [["version"], ["--version"]] {
        assert_eq!(text_of(&home.run(&args).stdout), expected);
    }
}

#[tokio::test]
async fn a_taken_port_is_exit_1_and_names_its_owner() {
    let node = Home::new().start("");
    let port = node.port.to_string();
    let refused = Home::new().run(&["run", "--port", &port]);
    assert_eq!(refused.status.code(), Some(1));
    let said = text_of(&refused.stderr);
    assert!(said.contains(&node.id().await) && said.contains("(pid "), "{said}");

    let stranger = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = stranger.local_addr().unwrap().port().to_string();
    let refused = Home::new().run(&["run", "--port", &port]);
    assert_eq!(refused.status.code(), Some(1));
    let said = text_of(&refused.stderr);
    assert!(said.contains(&format!("(pid {},", std::process::id())), "{said}");
}

#[test]
fn an_unusable_log_folder_is_exit_1_and_is_named() {
    let home = Home::new();
    fs::create_dir_all(home.log().parent().unwrap()).unwrap();
    // A file stands where the folder should be. Root may write to any other folder.
    fs::write(home.log(), "").unwrap();
    let refused = home.run(&["run", "--port", &free_port().to_string()]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text_of(&refused.stderr).contains(home.log().to_str().unwrap()), "{}", text_of(&refused.stderr));
}

#[test]
fn an_edited_manifest_is_exit_4() {
    let home = Home::new();
    assert!(home.run(&["init", "--name", "garage"]).status.success());
    let manifest = files(&home).into_keys().find(|path| path.ends_with("manifest.json")).unwrap();
    fs::write(&manifest, fs::read_to_string(&manifest).unwrap().replace("garage", "attic")).unwrap();
    let refused = home.run(&["run", "--port", &free_port().to_string()]);
    assert_eq!(refused.status.code(), Some(4));
    assert!(text_of(&refused.stderr).contains(manifest.to_str().unwrap()));
}

#[tokio::test]
async fn nodes_with_folders_of_their_own_run_side_by_side() {
    let (one, two) = (Home::new().start(""), Home::new().start(""));
    assert_ne!(one.id().await, two.id().await);
    assert!(one.greeting.contains(&format!("hearthnet: listening on http://127.0.0.1:{}", one.port)));
}

#[tokio::test]
async fn run_on_an_empty_home_creates_all_files_and_keeps_them() {
    let (home, port) = (Home::new(), free_port());
    home.write_config(&format!("transport.port = {port}\n"));
    let node = Node::start(home, port);
    let id = node.id().await;
    let home = node.stop();
    let node = Node::start(home, port);
    assert_eq!(node.id().await, id);
    assert!(!node.greeting.contains("made the"), "{}", node.greeting);
}

/// Opening a pipe without a writer blocks for ever. A relative HOME would mean another node in each folder.
#[test]
fn a_pipe_as_configuration_and_a_relative_home_are_refused() {
    let home = Home::new();
    home.run(&["init"]);
    fs::remove_file(home.config()).unwrap();
    let pipe = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, home.config(), pipe, 0o600.into(), 0).unwrap();
    for command in [&["doctor"][..], &["log"], &["run"]] {
        let refused = home.run(command);
        assert_eq!(refused.status.code(), Some(1));
        let said = text_of(&refused.stderr);
        assert!(said.contains("config.toml") && said.contains("it is a pipe"), "{said}");
    }
    let mut command = home.command(&["doctor"]);
    for name in ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"] {
        command.env_remove(name);
    }
    let refused = command.env("HOME", "relative").output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(text_of(&refused.stderr).contains("set HOME to an absolute path"), "{refused:?}");
}

/// A user without HOME and passwd entry needs only the folders that its command uses.
#[test]
fn a_service_user_without_a_home_needs_only_the_folders_it_uses() {
    use std::os::unix::process::CommandExt as _;
    let home = Home::new();
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        let _ = std::io::Write::write_all(&mut std::io::stderr(), b"skipped: another user needs root\n");
        return;
    }
    const NO_PASSWD_ENTRY: u32 = 424_242;
    let all = [home.path().to_owned(), home.path().join("made")];
    fs::create_dir(&all[1]).unwrap();
    for folder in &all {
        std::os::unix::fs::chown(folder, Some(NO_PASSWD_ENTRY), None).unwrap();
    }
    let command = |args: &[&str], without: &[&str]| {
        let mut command = home.command(args);
        command.uid(NO_PASSWD_ENTRY).env_remove("HOME");
        for name in without {
            command.env_remove(name);
        }
        command
    };
    let run = |args: &[&str], without: &[&str]| command(args, without).output().unwrap();
    let made = run(&["init", "--non-interactive", "--name", "a"], &[]);
    assert_eq!(made.status.code(), Some(0), "{made:?}");
    // `log` finds the place of the folder. `run` creates the folder.
    let no_folder = |shown: &std::process::Output, place: &str| {
        let said = text_of(&shown.stderr);
        assert!(said.contains("no log folder at") && said.contains(place), "{said}");
    };
    no_folder(&run(&["log"], &[]), "state/hearthnet/log");

    // A configuration with absolute folders needs no variable at all.
    let every = ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"];
    let file = all[1].join("own.toml");
    let place = |name| all[1].join(name).display().to_string();
    let text = format!(
        "[identity]\nkeys_dir = {:?}\n[community]\nstate_dir = {:?}\n[observability]\nlog_dir = {:?}\n",
        place("data/keys"),
        place("data/communities"),
        place("log"),
    );
    fs::write(&file, text).unwrap();
    let named = ["--config", file.to_str().unwrap()];
    let made = run(&[&["init", "--non-interactive", "--name", "a"][..], &named].concat(), &every);
    assert_eq!(made.status.code(), Some(0), "{made:?}");
    no_folder(&run(&[&["log"][..], &named].concat(), &every), "made/log");
    assert!(all[1].join("data/blobs").is_dir());

    // A command that needs no folder needs none of the variables either.
    let port = free_port().to_string();
    let mut node = command(&[&["run", "--port", &port][..], &named].concat(), &every);
    let mut node = node.stdout(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    let mut stdout = BufReader::new(node.stdout.take().unwrap());
    while !said.contains("listening on") {
        assert!(stdout.read_line(&mut said).unwrap() > 0, "the node ended: {said}");
    }
    for args in [&["log"][..], &["trace", "recent"], &["doctor", "--check", "keys_present"]] {
        let done = run(&[args, &["--port", &port], &named].concat(), &every);
        assert_eq!(done.status.code(), Some(0), "{args:?}: {done:?}");
    }
    node.kill().unwrap();
    node.wait().unwrap();

    // A command needs a place only for the folders that it uses. The advice names what is missing.
    for (command, variable, what) in [
        (&["log"][..], "XDG_CONFIG_HOME", "configuration"),
        (&["trace", "recent"], "XDG_CONFIG_HOME", "configuration"),
        (&["doctor", "--check", "keys_present"], "XDG_DATA_HOME", "keys"),
        (&["run"], "XDG_DATA_HOME", "keys"),
        (&["init", "--non-interactive"], "XDG_DATA_HOME", "keys"),
        (&["run"], "XDG_STATE_HOME", "log"),
        (&["log"], "XDG_STATE_HOME", "log"),
    ] {
        let refused = run(command, &[variable]);
        let said = text_of(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1), "{command:?}: {said}");
        assert!(said.contains(what) && said.contains(variable), "{said}");
        assert!(every.iter().all(|name| name == &variable || !said.contains(name)), "{said}");
    }
    no_folder(&run(&["log"], &["XDG_DATA_HOME"]), "state/hearthnet/log");
    let traces = run(&["trace", "recent", "--port", &port], &["XDG_DATA_HOME", "XDG_STATE_HOME"]);
    assert_eq!(traces.status.code(), Some(3), "no node is running: {traces:?}");
    let checked = run(&["doctor", "--check", "keys_present"], &["XDG_STATE_HOME"]);
    assert_eq!(checked.status.code(), Some(0), "{checked:?}");
    let kept = run(&["init", "--non-interactive"], &["XDG_STATE_HOME"]);
    assert_eq!(kept.status.code(), Some(0), "{kept:?}");
}

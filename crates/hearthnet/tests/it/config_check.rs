//! `hearthnet config check`, and what a node says of its configuration.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;

use serde_json::{Value, json};

use crate::node::{Home, text_of};

/// Returns the exit code, stdout and stderr of the command.
fn check(home: &Home, more: &[&str]) -> (Option<i32>, String, String) {
    let args: Vec<_> = ["config", "check"].into_iter().chain(more.iter().copied()).collect();
    let output = home.run(&args);
    (output.status.code(), text_of(&output.stdout), text_of(&output.stderr))
}

#[test]
fn a_right_file_is_ok_with_what_differs_and_what_is_unused() {
    let home = Home::new();
    let file = home.config().display().to_string();
    let (code, said, _) = check(&home, &[]);
    assert_eq!(code, Some(0));
    assert_eq!(said, format!("ok  there is no {file}, so that all values are the defaults\n"));
    home.write_config("[transport]\nport = 7080\n");
    assert_eq!(check(&home, &[]).1, format!("ok  {file}\nall values are the defaults\n"));

    home.write_config(
        "[transport]\nhost = \"0.0.0.0\"\nport = 7081\ntls_cert = \"c\"\n[rag]\nx = 1\n[ui]\nport = 1\n\
         [observability]\nlog_max_bytes = \"100MB\"\n",
    );
    let (code, said, _) = check(&home, &[]);
    assert_eq!(code, Some(0));
    let expected = format!(
        "ok  {file}\ndiffers from the defaults:\n  transport.port               7081  (line 3)\n\
         \x20 observability.log_max_bytes  \"100MB\"  (line 10)\n\
         not used by this version: rag, transport.tls_cert, ui\n"
    );
    assert_eq!(said, expected);
    let (_, said, _) = check(&home, &["--port", "7090", "--json"]);
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        (&report["ok"], &report["exists"], &report["mistakes"]),
        (&json!(true), &json!(true), &json!([]))
    );
    assert_eq!(report["unused"], json!(["rag", "transport.tls_cert", "ui"]));
    let port = json!({ "key": "transport.port", "value": "7090", "origin": "command line", "line": null });
    assert!(report["differs_from_default"].as_array().unwrap().contains(&port), "{report}");
    assert!(!home.data().exists() && !home.log().exists(), "nothing is made");
}

#[test]
fn each_mistake_is_a_line_with_its_place_and_advice() {
    let home = Home::new();
    home.write_config("[transport]\nprot = 1\nport = 0\n[[llm.backends]]\nname = \"a\"\nurl = \"http://a\"\napi_key_env = \"sk-hunter2\"\n");
    let file = home.config().display().to_string();
    let (code, said, _) = check(&home, &[]);
    assert_eq!(code, Some(1));
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines.len(), 3, "{said}");
    assert!(
        lines[0].starts_with(&format!("{file}:2:1: transport: unknown key `prot`; did you mean `port`?")),
        "{said}"
    );
    assert!(lines[1].starts_with(&format!("{file}:3:8: transport.port: ")), "{said}");
    assert!(lines[1].ends_with("; expected a port from 1 to 65535"), "{said}");
    assert!(lines[2].starts_with(&format!("{file}:7:15: llm.backends[0].api_key_env: ")), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
    let report: Value = serde_json::from_str(&check(&home, &["--json"]).1).unwrap();
    assert_eq!((&report["ok"], &report["mistakes"][1]["line"]), (&json!(false), &json!(3)));
    assert_eq!(report["mistakes"][1]["advice"], "expected a port from 1 to 65535");

    home.write_config("[transport]\nhost = 192.168.1.1\n");
    let (code, said, _) = check(&home, &[]);
    assert_eq!(code, Some(1));
    assert!(
        said.contains("transport.host: the address 192.168.1.1 has no quotes; put it in quotes: host ="),
        "{said}"
    );

    let (code, _, said) = check(&home, &["--config", "/nonexistent.toml"]);
    assert!(code == Some(1) && said.contains("/nonexistent.toml"), "{said}");
    let (code, said, _) = check(&home, &["--config", "/nonexistent.toml", "--json"]);
    let report: Value = serde_json::from_str(&said).unwrap();
    assert!(code == Some(1) && report["ok"] == false, "{said}");
    for wrong in [&["config"][..], &["config", "chek"], &["config", "check", "x"]] {
        assert_eq!(home.run(wrong).status.code(), Some(2), "{wrong:?}");
    }
}

#[test]
fn a_node_names_unused_settings_once_and_a_missing_key() {
    let home = Home::new().start(
        "ui = { port = 7860 }\nbus = { prefer_local = true }\n[[llm.backends]]\nname = \"a\"\nurl = \"http://127.0.0.1:9\"\n\
         api_key_env = \"HEARTHNET_TEST_NO_SUCH_KEY\"\n",
    );
    let lines = home.stop().lines();
    let named: Vec<_> =
        lines.iter().filter(|line| line.to_string().contains("\"bus.prefer_local, ui\"")).collect();
    let [line] = named[..] else { panic!("one line: {named:?}") };
    assert_eq!((&line["level"], &line["settings"]), (&json!("info"), &json!("bus.prefer_local, ui")));
    let missing = lines.iter().find(|line| line["msg"] == "a key is missing").unwrap();
    assert_eq!(
        (&missing["level"], &missing["field"]),
        (&json!("warning"), &json!("llm.backends[0].api_key_env"))
    );
    assert!(
        missing["problem"].as_str().unwrap().contains("HEARTHNET_TEST_NO_SUCH_KEY is not set"),
        "{missing}"
    );

    let home = Home::new();
    home.configure_free_port(
        "[observability]\notlp_endpoint = \"http://127.0.0.1:9\"\notlp_headers_env = \"HEARTHNET_TEST_NO_SUCH_KEY\"\n",
    );
    let refused = home.run(&["run"]);
    assert_eq!(refused.status.code(), Some(1));
    let said = text_of(&refused.stderr);
    assert!(said.contains("config.toml:5:20: observability.otlp_headers_env: "), "{said}");
    assert!(said.contains("HEARTHNET_TEST_NO_SUCH_KEY is not set; set it where"), "{said}");
    assert!(!home.data().exists(), "nothing is made");
}

/// Returns what `config check` prints and what `run` says, both as `uid`. Both must refuse.
fn refused_by_both(home: &Home, uid: Option<u32>) -> (String, String) {
    let output = |args: &[&str]| {
        let mut command = home.command(args);
        uid.map(|uid| command.uid(uid));
        command.output().unwrap()
    };
    let (checked, refused) = (output(&["config", "check"]), output(&["run"]));
    assert_eq!((checked.status.code(), refused.status.code()), (Some(1), Some(1)), "{checked:?} {refused:?}");
    (text_of(&checked.stdout), text_of(&refused.stderr))
}

#[test]
fn a_group_that_does_not_exist_is_a_mistake() {
    let home = Home::new();
    home.configure_free_port("[observability]\nlog_group = \"no-such-group\"\n");
    let (checked, refused) = refused_by_both(&home, None);
    let problem = "log_group: the group `no-such-group` does not exist; make it with `groupadd`";
    let place = format!("{}:4:13: observability.{problem}", home.config().display());
    assert!(checked.starts_with(&place), "{checked}");
    assert!(refused.contains(problem), "{refused}");
    let report: Value = serde_json::from_str(&check(&home, &["--json"]).1).unwrap();
    assert_eq!(report["mistakes"][0]["field"], "observability.log_group");
}

#[test]
fn a_folder_that_cannot_be_made_is_a_mistake() {
    let home = Home::new();
    let file = home.path().join("file");
    fs::write(&file, "").unwrap();
    let below = file.join("log").display().to_string();
    home.configure_free_port(&format!("[observability]\nlog_dir = {below:?}\n"));
    let (checked, refused) = refused_by_both(&home, None);
    let problem = format!("log_dir: {below} is not a folder; name another folder or remove what is there");
    assert!(checked.ends_with(&format!(":4:11: observability.{problem}\n")), "{checked}");
    assert!(refused.contains(&problem), "{refused}");

    let home = Home::new();
    home.configure_free_port(&format!(
        "[identity]\nkeys_dir = {below:?}\n[community]\nstate_dir = {below:?}\n"
    ));
    let (checked, refused) = refused_by_both(&home, None);
    let problem = format!("cannot make the folder {below}: ");
    assert!(checked.contains(&format!(":4:12: identity.keys_dir: {problem}")), "{checked}");
    assert!(checked.contains(&format!(":6:13: community.state_dir: {problem}")), "{checked}");
    assert!(refused.contains(&problem), "{refused}");
    assert!(!home.data().exists() && !home.log().exists(), "nothing is made");
}

/// The configuration is in a folder of root, as below `/etc`.
#[test]
fn a_folder_that_the_user_may_not_write_is_a_mistake() {
    if !rustix::process::geteuid().is_root() {
        let _ = std::io::stderr().write_all(b"skipped: another user needs root\n");
        return;
    }
    const NOBODY: u32 = 424_242;
    let home = Home::new();
    home.configure_free_port("[observability]\nlog_dir = \"relative/log\"\n");
    // The user has all other folders, and may read the configuration.
    for folder in ["data", "state"] {
        fs::create_dir(home.path().join(folder)).unwrap();
        chown(home.path().join(folder), Some(NOBODY), None).unwrap();
    }
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let (checked, refused) = refused_by_both(&home, Some(NOBODY));
    let dir = home.config().with_file_name("relative/log");
    let problem = format!("log_dir: {} cannot be written (Permission denied", dir.display());
    assert!(checked.contains(&format!(":4:11: observability.{problem}")), "{checked}");
    assert!(refused.contains(&problem), "{refused}");
    assert!(!dir.exists() && !home.log().exists(), "nothing is made");
    assert_eq!(check(&home, &[]).0, Some(0), "root may write everywhere");

    // A default folder has no place in the file.
    home.configure_free_port("");
    chown(home.path().join("state"), Some(0), None).unwrap();
    let checked = home.command(&["config", "check"]).uid(NOBODY).output().unwrap();
    assert_eq!(checked.status.code(), Some(1), "{checked:?}");
    let problem = format!("hearthnet: log_dir: {} cannot be written", home.log().display());
    assert!(text_of(&checked.stderr).starts_with(&problem), "{checked:?}");
}

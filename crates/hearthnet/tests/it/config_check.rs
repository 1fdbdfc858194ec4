//! `hearthnet config check`, and what a node says of its configuration.

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

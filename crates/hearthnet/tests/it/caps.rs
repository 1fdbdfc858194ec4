//! `hearthnet caps` with real nodes.

use serde_json::{Value, json};

use crate::node::{ECHO, Home, Node, free_port, text_of};

/// Returns stdout and stderr of `hearthnet caps`.
fn caps(node: &Node, args: &[&str]) -> (String, String) {
    let done = node.home.run(&[&["caps"], args].concat());
    assert_eq!(done.status.code(), Some(0), "{args:?}: {done:?}");
    (text_of(&done.stdout), text_of(&done.stderr))
}

fn names(node: &Node, args: &[&str]) -> Vec<String> {
    let (shown, _) = caps(node, &[args, &["--json"]].concat());
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let name = |capability: &Value| capability["name"].as_str().unwrap().to_owned();
    shown["capabilities"].as_array().unwrap().iter().map(name).collect()
}

#[tokio::test]
async fn own_capabilities_and_those_of_peers_are_listed_and_filtered() {
    const STATUS: &str = "experimental.node.status";
    let first = Home::new().start("identity = { display_name = \"attic\" }\n");
    let second = Home::new().start(&format!(
        "discovery = {{ static_peers = [\"http://127.0.0.1:{}\", \"http://127.0.0.1:{}\"] }}\n\
         bus = {{ offer = [\"{STATUS}\"] }}\n\
         [[llm.backends]]\nname = \"b\"\nurl = \"http://127.0.0.1:1\"\nmodel = \"tiny\"\n",
        first.port,
        free_port()
    ));
    second.wait_for_metric("hearthnet_nodes_online", &first.id().await, 1.0).await;
    second.call(ECHO, &json!({ "input": { "text": "x" } })).send().await.unwrap();
    let (table, said) = caps(&second, &[]);
    let lines: Vec<&str> = table.lines().collect();
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(
        words(lines[0]),
        ["name", "version", "stability", "node", "model/params", "health", "p50ms", "in_flight"]
    );
    assert_eq!((lines.len(), said.as_str()), (4, ""), "{table}");
    let echo = lines.iter().find(|line| line.starts_with(ECHO)).unwrap();
    assert!(echo.contains(" attic ") && echo.contains(" 100 % "), "{table}");

    assert_eq!(names(&second, &[]), [STATUS, ECHO, STATUS]);
    assert_eq!(names(&second, &["--local-only"]), [STATUS]);
    assert_eq!(names(&second, &["--remote-only"]), [ECHO, STATUS]);
    assert_eq!(names(&second, &["--name", "ECHO"]), [ECHO]);
    assert_eq!(names(&second, &["--name", "*.status", "--remote-only"]), [STATUS]);
    assert_eq!(names(&second, &["--name", "node*"]), [""; 0]);
}

#[tokio::test]
async fn an_empty_list_says_why() {
    let node = Home::new().start("bus = { offer = [\"experimental.echo\"] }\n");
    for (args, wanted) in [
        (&["--remote-only"][..], "the node has no peers; name one in `static_peers`"),
        (
            &["--name", "experimental.ecko"],
            "none of the 1 capabilities matches \"experimental.ecko\"; did you mean",
        ),
        (&["--name", "\u{1b}[2J"], "matches \"\\u{1b}[2j\""),
    ] {
        let (table, said) = caps(&node, args);
        assert_eq!(table, "");
        assert!(said.contains(wanted), "{said}");
    }
    let closed = free_port();
    let node = Home::new().start(&format!(
        "discovery = {{ static_peers = [\"http://127.0.0.1:{closed}\"] }}\nbus = {{ offer = [] }}\n"
    ));
    let (_, said) = caps(&node, &["--remote-only"]);
    assert!(said.contains("1 of 1 peers do not answer: http"), "{said}");
    let (_, said) = caps(&node, &["--local-only"]);
    assert!(said.contains("offers no capability; see `offer`"), "{said}");
    let refused = node.home.run(&["caps", "--local-only", "--remote-only"]);
    assert_eq!(refused.status.code(), Some(2));
}

/// To callers on other machines the report of a node does not exist. Its manifest does.
#[tokio::test]
async fn another_machine_sees_the_own_capabilities_of_a_node() {
    use axum::routing::get;
    let node = Home::new().start("");
    let manifest = node.get("/manifest").await.to_string();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = listener.local_addr().unwrap().to_string();
    let app = axum::Router::new().route("/manifest", get(|| async { manifest }));
    tokio::spawn(crate::backend::serve(listener, app));
    let (home, args) = (Home::new(), ["caps", "--url", &url].map(str::to_owned));
    let shown = tokio::task::spawn_blocking(move || home.run(&args.each_ref().map(String::as_str)));
    let shown = shown.await.unwrap();
    assert_eq!(shown.status.code(), Some(0), "{shown:?}");
    assert!(text_of(&shown.stdout).contains(ECHO), "{shown:?}");
    assert!(text_of(&shown.stderr).contains("its own capabilities alone"), "{shown:?}");
}

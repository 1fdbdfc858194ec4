//! What a node tells its own machine of itself: `status`, `/status`, `/callers` and `/log/level`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::case::{Outcome, contains, ensure, equal, failed};
use crate::harness::home::Home;
use crate::harness::http::Client;
use crate::harness::node::Node;
use crate::harness::{Lab, free_port, strict_json, wait};

const ECHO: &str = "experimental.echo";

/// Starts a node on the port of its configuration, so that its commands find it.
pub(super) fn node(lab: &Lab) -> Outcome<Node> {
    let (home, port) = (Home::initialised(lab)?, free_port());
    home.configure("transport", "port", i64::from(port))?;
    Node::start_on(home, port)
}

/// The route and `status --json` answer with the documented form, and the text fits a terminal of 24 lines.
pub(super) fn status(lab: &Lab) -> Outcome {
    let node = node(lab)?;
    node.client().call(ECHO, br#"{"input":{}}"#, &[])?.is(200)?;
    node.client().call("no.such.capability", br#"{"input":{}}"#, &[])?.refuses(404, "not_found")?;
    let schema: Value = serde_json::from_slice(&std::fs::read(lab.root().join("docs/status.schema.json"))?)?;
    let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
    compiler.add_resource("mem:///status", schema).map_err(|err| failed("a schema", err.to_string()))?;
    let of_status = compiler.compile("mem:///status", &mut schemas);
    let of_status = of_status.map_err(|err| failed("a schema", err.to_string()))?;
    let command = node.home().hearthnet(&["status", "--json"])?.exits(0)?.stdout;
    let command = strict_json::parse(&command).map_err(|err| failed("JSON alone on stdout", err))?;
    for document in [node.client().get("/status")?.is(200)?.json()?, command] {
        let valid = schemas.validate(&document, of_status);
        valid.map_err(|err| failed("a document of docs/status.schema.json", err.to_string()))?;
        let recent = &document["recent"];
        equal("requests and errors", (&recent["requests"], &recent["errors"]), (&json!(2), &json!(1)))?;
        equal("its code", &recent["causes"][0]["code"], "not_found")?;
    }
    let text = node.home().hearthnet(&["status"])?.exits(0)?.stdout;
    for part in ["listens", node.port(), "not_found", "no known node", "this is the first run"] {
        contains("the screen", &text, part)?;
    }
    ensure(text.lines().count() <= 24, "at most 24 lines", &text)?;
    let home = node.stop()?;
    home.hearthnet(&["status"])?.exits(3).map(drop)
}

/// `/callers` has exact counts, and answers neither a proxy nor a page of another site.
pub(super) fn callers(lab: &Lab) -> Outcome {
    let node = node(lab)?;
    for _ in 0..3 {
        node.client().call(ECHO, br#"{"input":{}}"#, &[])?.is(200)?;
    }
    node.client().call(ECHO, b"{", &[])?.refuses(400, "bad_request")?;
    let callers = node.client().get("/callers?n=1")?.is(200)?.json()?;
    let [caller] = callers["by_calls"].as_array().map(Vec::as_slice).unwrap_or_default() else {
        return Err(failed("one caller", callers.to_string()));
    };
    equal("its address", &caller["address"], "127.0.0.1")?;
    equal("its calls and errors", (&caller["calls"], &caller["errors"]), (&json!(4), &json!(1)))?;
    node.client().get("/callers?n=many")?.refuses(400, "bad_request")?;
    for path in ["/callers", "/status", "/log/level"] {
        for header in
            [("x-forwarded-for", "192.168.1.40"), ("host", "evil.example"), ("origin", "http://evil.example")]
        {
            node.client().get_with(path, &[header])?.refuses(404, "not_found")?;
        }
    }
    Ok(())
}

/// `log level` changes the levels at once, and they fall back by themselves.
pub(super) fn levels(lab: &Lab) -> Outcome {
    let node = node(lab)?;
    let in_force = |client: &Client| client.get("/log/level")?.is(200)?.json();
    let said = node.home().hearthnet(&["log", "level", "hearthnet.bus=debug", "--for", "1s"])?.exits(0)?;
    contains("the answer", &said.stdout, "hearthnet.bus=debug")?;
    let fell_back = || in_force(&node.client()).is_ok_and(|levels| levels["change"].is_null());
    ensure(wait::until(Duration::from_secs(10), fell_back), "the configured levels again", "still changed")?;
    let levels = in_force(&node.client())?;
    equal("the levels in force", &levels["in_force"], &levels["configured"])?;
    for (args, allowed) in [
        (&["log", "level", "loud"][..], "warning"),
        (&["log", "level", "debug", "--for", "25h"], "24h"),
        (&["log", "level", "hearthnet.buss=debug"], "hearthnet.bus"),
    ] {
        contains("the refusal", &node.home().hearthnet(args)?.exits(2)?.stderr, allowed)?;
    }
    node.client().send("PUT", "/log/level", &[], b"{\"levle\":1}")?.refuses(400, "bad_request")?;
    let lines = node.stop()?.log_lines()?;
    let changes = lines.iter().filter(|line| line.logger().starts_with("hearthnet.levels")).count();
    ensure(changes >= 2, "a line of the change and one of its end", lines)
}

/// `call` prints the answer, and its exit code tells the outcome.
pub(super) fn call(lab: &Lab) -> Outcome {
    let node = node(lab)?;
    let call = |args: &[&str]| node.home().hearthnet(&[&["call"], args].concat());
    let ran = call(&[ECHO, "--body", r#"{"text":"hello"}"#, "--json"])?.exits(0)?;
    let answer = strict_json::parse(&ran.stdout).map_err(|err| failed("JSON alone on stdout", err))?;
    contains("the answer", &answer.to_string(), "hello")?;
    let id = ran.stderr.split([' ', ',']).find(|word| word.parse::<ulid::Ulid>().is_ok());
    let id = id.ok_or_else(|| failed("the trace ID on stderr", &ran.stderr))?;
    let streamed = call(&[ECHO, "--stream", "--json", "--body", r#"{"text":"a","frames":3}"#])?.exits(0)?;
    ensure(streamed.stdout.lines().count() >= 3, "a line for each frame", &streamed)?;
    let shown = node.home().hearthnet(&["trace", "show", id])?.exits(0)?.stdout;
    contains("the trace", &shown, ECHO)?;
    for (args, code, word) in [
        (&["experimental.ehco"][..], 1, "experimental.echo"),
        (&[ECHO, "--body", r#"{"frames":"3"}"#], 1, "schema_mismatch"),
        (&[ECHO, "--body", "{"], 2, "JSON"),
        (&[ECHO, "--timeout", "0"], 2, "86400"),
        (&[ECHO, "--url", "127.0.0.1:1"], 3, "no node"),
    ] {
        contains("the reason", &call(args)?.exits(code)?.stderr, word)?;
    }
    Ok(())
}

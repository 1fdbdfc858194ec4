//! Lines that say why a call failed.

use crate::case::{Outcome, contains, equal, failed};
use crate::harness::home::Home;
use crate::harness::http::{Client, REQUEST_ID};
use crate::harness::node::Node;
use crate::harness::{Lab, free_port};

/// Call that fails: its code, its capability, its body, and a part of its cause.
const FAILURES: [(&str, &str, &str, &str); 5] = [
    ("bad_request", "experimental.echo", "{", "not JSON"),
    ("schema_mismatch", "experimental.echo", r#"{"input":{"frames":"3"}}"#, "frames"),
    ("not_found", "no.such.capability", r#"{"input":{}}"#, "no known node"),
    (
        "not_implemented",
        "llm.chat",
        r#"{"params":{"model":"huge"},"input":{"messages":[{"role":"user","content":"a"}],"stream":false}}"#,
        "huge",
    ),
    (
        "partition",
        "llm.chat",
        r#"{"input":{"messages":[{"role":"user","content":"a"}],"stream":false}}"#,
        "connection refused",
    ),
];

/// Each failed call has one line with its code, cause, target and advice, and its trace has the same cause.
pub(super) fn explained(lab: &Lab) -> Outcome {
    let home = Home::initialised(lab)?;
    let mut gone = toml::Table::new();
    let url = format!("http://127.0.0.1:{}/v1", free_port());
    for (key, value) in [("name", "gone"), ("url", &url), ("model", "tiny")] {
        gone.insert(key.to_owned(), value.into());
    }
    home.configure("llm", "backends", vec![toml::Value::Table(gone)])?;
    let node = Node::start(home)?;
    let mut ids = Vec::new();
    for (code, capability, body, _) in FAILURES {
        ids.push(failing(&node.client(), code, capability, body)?);
    }
    let recent = node.client().get("/trace/recent?n=10&status=failed")?.is(200)?.text();
    let lines = node.stop()?.log_lines()?;
    for ((code, _, _, part), id) in FAILURES.into_iter().zip(&ids) {
        let of_call = || lines.iter().filter(|line| line.trace_id() == Some(id));
        let explaining: Vec<_> = of_call().filter(|line| line.msg() == "call failed").collect();
        let [line] = explaining[..] else {
            return Err(failed(format!("one line that explains {code}"), format!("{explaining:?}")));
        };
        equal("its code", line.text("code"), Some(code))?;
        equal("its level", line.level(), "warning")?;
        contains("its cause", line.text("cause").unwrap_or_default(), part)?;
        contains("the traces", &recent, part)?;
        for key in ["target", "address", "advice"] {
            line.text(key).ok_or_else(|| failed(format!("a field {key}"), format!("{line:?}")))?;
        }
        let done = of_call().find(|line| line.msg() == "done");
        equal("the level of the done line", done.map(|line| line.level()), Some("warning"))?;
    }
    Ok(())
}

/// Makes a call that fails with this code, and returns the ID of its trace.
fn failing(client: &Client, code: &str, capability: &str, body: &str) -> Outcome<String> {
    let answer = client.call(capability, body.as_bytes(), &[])?;
    equal("the code", answer.json()?["error"].as_str(), Some(code)).map_err(|stop| answer.shown(stop))?;
    Ok(answer.header(REQUEST_ID)?.to_owned())
}

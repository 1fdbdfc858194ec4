//! A call is one trace and one line `done`, whatever its outcome.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::time::Duration;

use ulid::Ulid;

use super::recent::is_of_the_form;
use super::traces;
use crate::case::{Outcome, ensure, equal, failed};
use crate::harness::home::Home;
use crate::harness::http::{CALL, CAPABILITY, REQUEST_ID};
use crate::harness::mixed::Mixed;
use crate::harness::node::Node;
use crate::harness::{Lab, wait};

/// `/trace/recent` shows each of the mixed calls once, with its ID, capability and status.
pub(super) fn one_trace_each(lab: &Lab) -> Outcome {
    let mixed = Mixed::of(lab)?;
    mixed.traces.iter().try_for_each(is_of_the_form)?;
    let text = |trace: &serde_json::Value, key: &str| trace[key].as_str().unwrap_or_default().to_owned();
    let shown: BTreeMap<_, _> = mixed
        .traces
        .iter()
        .map(|trace| (text(trace, "trace_id"), (text(trace, "capability"), text(trace, "status"))))
        .collect();
    equal("different traces", shown.len(), mixed.traces.len())?;
    for call in &mixed.calls {
        let expected = (call.capability.to_owned(), call.result.to_owned());
        equal(
            &format!("capability and status of the trace {}", call.id),
            shown.get(&call.id),
            Some(&expected),
        )?;
    }
    equal("traces", mixed.traces.len(), mixed.calls.len())
}

/// Each of the mixed calls has one line `done` with its trace ID, capability, status, milliseconds and number of spans.
pub(super) fn one_done_line_each(lab: &Lab) -> Outcome {
    let mixed = Mixed::of(lab)?;
    let mut done = BTreeMap::new();
    for line in mixed.lines.iter().filter(|line| line.msg() == "done") {
        let id =
            line.trace_id().ok_or_else(|| failed("a trace ID on each line done", format!("{line:?}")))?;
        ensure(done.insert(id, line).is_none(), "one line done for each trace", line)?;
        let keys = line.field_keys();
        for key in ["capability", "status", "ms", "spans"] {
            ensure(keys.contains(&key), &format!("a field {key}"), line)?;
        }
        ensure(line.get("ms").is_some_and(serde_json::Value::is_number), "ms as a number", line)?;
        ensure(line.get("spans").is_some_and(serde_json::Value::is_u64), "spans as a number", line)?;
    }
    for call in &mixed.calls {
        let found = done.get(call.id.as_str()).map(|line| (line.text("capability"), line.text("status")));
        let expected = Some((Some(call.capability), Some(call.result)));
        equal(&format!("capability and status of the line of {}", call.id), found, expected)?;
    }
    equal("lines done", done.len(), mixed.calls.len())
}

/// A caller that disconnects leaves one trace with status `cancelled`, one line, one count and no open stream.
pub(super) fn caller_gone(lab: &Lab) -> Outcome {
    let node = Node::start(Home::initialised(lab)?)?;
    let client = node.client();
    let (waiting, streaming) = (Ulid::generate().to_string(), Ulid::generate().to_string());
    for (id, input) in [(&waiting, r#""delay_ms":3000"#), (&streaming, r#""delay_ms":500,"frames":1000"#)] {
        let body = format!(r#"{{"params":{{}},"input":{{"text":"a",{input}}}}}"#);
        let head = format!(
            "POST {CALL} HTTP/1.1\r\nhost: node\r\n{CAPABILITY}: experimental.echo\r\n{REQUEST_ID}: {id}\r\n"
        );
        let mut stream = client.connect()?;
        stream.write_all(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).as_bytes())?;
        if id == &streaming {
            // The answer has begun once its first byte has arrived.
            stream.read_exact(&mut [0; 1])?;
        } else {
            std::thread::sleep(Duration::from_millis(200));
        }
    }
    let status = |id: &str| -> Outcome<Vec<String>> {
        let all = traces(&client, "?n=50")?;
        let of_call = all.iter().filter(|trace| trace["trace_id"] == id);
        Ok(of_call.map(|trace| trace["status"].as_str().unwrap_or_default().to_owned()).collect())
    };
    let ended = || [&waiting, &streaming].iter().all(|id| status(id).is_ok_and(|found| !found.is_empty()));
    wait::until(Duration::from_secs(8), ended);
    equal("status of the call that waited", status(&waiting)?, vec!["cancelled"])?;
    equal("status of the call that streamed", status(&streaming)?, vec!["cancelled"])?;

    let page = client.get("/metrics")?.is(200)?.text();
    let page = crate::harness::exposition::Page::parse(&page, crate::harness::exposition::Format::Text)
        .map_err(|fault| failed("a well-formed page", fault))?;
    equal(
        "calls counted as cancelled",
        page.sum("hearthnet_requests_total", &[("result", "cancelled")]),
        2.0,
    )?;
    equal("open streams", page.sum("hearthnet_active_streams", &[]), 0.0)?;
    let lines = node.stop()?.log_lines()?;
    let done =
        lines.iter().filter(|line| line.msg() == "done" && line.text("status") == Some("cancelled")).count();
    equal("lines done with status cancelled", done, 2)
}

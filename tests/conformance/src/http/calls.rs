//! `POST /bus/v1/call`: answers, errors, limits.

use serde_json::{Value, json};

use crate::case::{Outcome, Stop, contains, ensure, equal};
use crate::harness::Lab;
use crate::harness::home::Home;
use crate::harness::http::{Answer, CALL, CAPABILITY, Client};
use crate::harness::node::Node;

const ECHO: &str = "experimental.echo";
const MIB: usize = 1 << 20;

/// Error codes of a call and their status.
const CODES: [(&str, u16); 13] = [
    ("bad_request", 400),
    ("schema_mismatch", 400),
    ("invalid_signature", 401),
    ("unauthorized", 401),
    ("revoked", 403),
    ("not_found", 404),
    ("timeout", 408),
    ("expired", 410),
    ("rate_limited", 429),
    ("capacity_exceeded", 429),
    ("internal_error", 500),
    ("not_implemented", 501),
    ("partition", 503),
];

/// Returns a client, or skips the case when the node does not offer the capability that it calls.
fn client_of_echo(lab: &Lab) -> Outcome<Client> {
    let client = Client::new(lab.base()?);
    let manifest = client.get("/manifest")?;
    if manifest.status == 200 && manifest.text().contains(ECHO) {
        return Ok(client);
    }
    Err(Stop::Skip(format!("the node does not offer {ECHO}")))
}

fn echo(client: &Client, input: Value) -> Outcome<Answer> {
    client.call(ECHO, json!({"params": {}, "input": input}).to_string().as_bytes(), &[])
}

pub(super) fn plain_answer(lab: &Lab) -> Outcome {
    let answer = echo(&client_of_echo(lab)?, json!({"text": "Grüße \u{1F98A}\n"}))?.is(200)?;
    contains("the content type", answer.header("content-type")?, "application/json")?;
    let body = answer.json()?;
    equal("output.text", body["output"]["text"].as_str(), Some("Grüße \u{1F98A}\n"))?;
    ensure(body["meta"].is_object(), "an object meta", &body)
}

/// Returns the names of the answer's server-sent events.
fn frames(answer: &Answer) -> Outcome<Vec<(String, Value)>> {
    contains("the content type", answer.header("content-type")?, "text/event-stream")?;
    let events = answer.events();
    let frame = |(name, data): (String, String)| Ok((name, serde_json::from_str(&data)?));
    events.into_iter().map(frame).collect()
}

fn closing(frames: &[(String, Value)]) -> usize {
    frames.iter().filter(|(name, _)| name == "done" || name == "error").count()
}

pub(super) fn streamed_answer(lab: &Lab) -> Outcome {
    let answer = echo(&client_of_echo(lab)?, json!({"text": "a", "frames": 3}))?.is(200)?;
    let frames = frames(&answer)?;
    equal("frames", frames.len(), 4).map_err(|stop| answer.shown(stop))?;
    equal("closing frames", closing(&frames), 1)?;
    equal("the last frame", frames.last().map(|(name, _)| name.as_str()), Some("done"))
}

/// A stream has status 200, and its last frame carries the code.
pub(super) fn streamed_error(lab: &Lab) -> Outcome {
    let answer =
        echo(&client_of_echo(lab)?, json!({"text": "a", "frames": 2, "fail": "partition"}))?.is(200)?;
    let frames = frames(&answer)?;
    equal("closing frames", closing(&frames), 1)?;
    let last = frames.last().map(|(name, data)| (name.as_str(), data["error"].as_str()));
    equal("the last frame", last, Some(("error", Some("partition")))).map_err(|stop| answer.shown(stop))
}

pub(super) fn error_codes(lab: &Lab) -> Outcome {
    let client = client_of_echo(lab)?;
    for (code, status) in CODES {
        echo(&client, json!({"text": "a", "fail": code}))?.refuses(status, code)?;
    }
    Ok(())
}

/// Any text as a capability's name gets 404.
pub(super) fn unknown_capability(lab: &Lab) -> Outcome {
    let client = Client::new(lab.base()?);
    let long = "x".repeat(1_000);
    for name in ["experimental.nobody.offers.this", "../../etc/passwd", "a\"b\\c{}", "llm.chat.", &long] {
        client
            .call(name, br#"{"params":{},"input":{}}"#, &[])?
            .refuses(404, "not_found")
            .map_err(|stop| stop.at(name))?;
    }
    Ok(())
}

pub(super) fn missing_capability(lab: &Lab) -> Outcome {
    let client = Client::new(lab.base()?);
    let body = br#"{"params":{},"input":{}}"#;
    client.send("POST", CALL, &[], body)?.refuses(400, "bad_request").map_err(|stop| stop.at("none"))?;
    client
        .send("POST", CALL, &[(CAPABILITY, "")], body)?
        .refuses(400, "bad_request")
        .map_err(|stop| stop.at("empty"))?;
    let twice = client.send("POST", CALL, &[(CAPABILITY, ECHO), (CAPABILITY, "experimental.other")], body)?;
    twice.refuses(400, "bad_request").map_err(|stop| stop.at("two values")).map(drop)
}

pub(super) fn malformed_body(lab: &Lab) -> Outcome {
    let client = client_of_echo(lab)?;
    let deep = "[".repeat(100_000);
    let no_json: [&[u8]; 5] = [b"", b"{", b"{\"input\": {}} {}", b"{\"input\": \"\xff\"}", deep.as_bytes()];
    let another_shape: [&[u8]; 3] = [b"null", b"[]", b"{\"input\": []}"];
    for (bodies, code) in [(&no_json[..], "bad_request"), (&another_shape[..], "schema_mismatch")] {
        for body in bodies {
            let shown = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
            client.call(ECHO, body, &[])?.refuses(400, code).map_err(|stop| stop.at(&shown))?;
        }
    }
    Ok(())
}

pub(super) fn only_post(lab: &Lab) -> Outcome {
    Client::new(lab.base()?).get(CALL)?.is(405).map(drop)
}

/// A body of 1 MiB passes. A longer one is refused, with and without a declared length.
pub(super) fn oversized_body(lab: &Lab) -> Outcome {
    let client = client_of_echo(lab)?;
    let frame = r#"{"params":{},"input":{"text":""}}"#.len();
    let of_bytes =
        |size: usize| format!(r#"{{"params":{{}},"input":{{"text":"{}"}}}}"#, "x".repeat(size - frame));
    client.call(ECHO, of_bytes(MIB).as_bytes(), &[])?.is(200).map_err(|stop| stop.at("exactly 1 MiB"))?;

    let body = of_bytes(MIB + 1);
    let head = format!("POST {CALL} HTTP/1.1\r\nhost: node\r\n{CAPABILITY}: {ECHO}\r\nconnection: close\r\n");
    let sized = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
    too_large(&client.raw(sized.as_bytes())?).map_err(|stop| stop.at("1 MiB and a byte"))?;
    let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    too_large(&client.raw(chunked.as_bytes())?).map_err(|stop| stop.at("in chunks"))
}

fn too_large(answer: &Answer) -> Outcome {
    equal("status", answer.status, 413)?;
    contains("the body", &answer.text(), "\"bad_request\"")
}

/// The node survives malformed requests and connections that end halfway.
pub(super) fn broken_requests(lab: &Lab) -> Outcome {
    use std::io::Write as _;
    let home = Home::initialised(lab)?;
    home.without_rate_limit()?;
    let node = Node::start(home)?;
    let client = node.client();
    let requests: [&[u8]; 6] = [
        b"\0\0\0\0",
        b"GET\r\n\r\n",
        b"POST /bus/v1/call HTTP/1.1\r\nhost: a\r\nx-hearthnet-capability: \xff\xfe\r\ncontent-length: 2\r\n\r\n{}",
        b"POST /bus/v1/call HTTP/1.1\r\nhost: a\r\nx-hearthnet-capability: experimental.echo\r\ncontent-length: 99\r\n\r\n{",
        b"POST /bus/v1/call HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n",
        b"GET /trace/recent?n=%ff%00 HTTP/1.1\r\nhost: a\r\n\r\n",
    ];
    for request in requests {
        let mut stream = client.connect()?;
        // The node may refuse the request before it has been sent.
        let _ = stream.write_all(request);
        drop(stream);
        client.get("/health")?.is(200)?;
    }
    node.stop()?.log_lines().map(drop)
}

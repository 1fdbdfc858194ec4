//! `traceparent`: the cases of the public W3C test suite that a node's answer can show.

use ulid::Ulid;

use crate::case::{Outcome, ensure, equal};
use crate::harness::Lab;
use crate::harness::http::{CALL, CAPABILITY, Client, REQUEST_ID};
use crate::harness::log_line::is_ulid;

const NOBODY: &str = "experimental.nobody.offers.this";
const ID: &str = "12345678901234567890123456789012";

fn taken_over() -> String {
    Ulid(u128::from_str_radix(ID, 16).unwrap_or_default()).to_string()
}

/// Returns the ID under which the node traced a call with these raw header lines.
fn traced_as(client: &Client, lines: &[&str]) -> Outcome<String> {
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    let request = format!(
        "POST {CALL} HTTP/1.1\r\nhost: node\r\nconnection: close\r\n{CAPABILITY}: {NOBODY}\r\n{lines}content-length: 2\r\n\r\n{{}}"
    );
    let answer = client.raw(request.as_bytes())?;
    let id = answer.header(REQUEST_ID)?.to_owned();
    ensure(is_ulid(&id), "a ULID", &id)?;
    Ok(id)
}

/// The node takes over each ID that the suite wants taken over.
pub(super) fn accepted(lab: &Lab) -> Outcome {
    let client = Client::new(lab.base()?);
    for line in [
        // test_traceparent_included_tracestate_missing
        format!("traceparent: 00-{ID}-1234567890123456-01"),
        format!("traceparent: 00-{ID}-1234567890123456-00"),
        // test_traceparent_header_name_valid_casing
        format!("TraceParent: 00-{ID}-1234567890123456-01"),
        format!("TrAcEpArEnT: 00-{ID}-1234567890123456-01"),
        format!("TRACEPARENT: 00-{ID}-1234567890123456-01"),
        // test_traceparent_version_0xcc
        format!("traceparent: cc-{ID}-1234567890123456-01"),
        format!("traceparent: cc-{ID}-1234567890123456-01-what-the-future-will-be-like"),
        // test_traceparent_ows_handling
        format!("traceparent:  00-{ID}-1234567890123456-01"),
        format!("traceparent:\t00-{ID}-1234567890123456-01"),
        format!("traceparent: 00-{ID}-1234567890123456-01 "),
        format!("traceparent: 00-{ID}-1234567890123456-01\t"),
        format!("traceparent: \t 00-{ID}-1234567890123456-01 \t"),
    ] {
        equal(&format!("the ID for {line:?}"), traced_as(&client, &[&line])?, taken_over())?;
    }
    // test_tracestate_*: no value of it changes the reading of traceparent.
    let parent = format!("traceparent: 00-{ID}-1234567890123456-00");
    for state in
        ["foo=1,bar=2", "", "foo=1,foo=1", "foo =1", "FOO=1", "foo@=1,bar=2", "foo=bar=baz", "foo=,bar=3"]
    {
        let id = traced_as(&client, &[&parent, &format!("tracestate: {state}")])?;
        equal(&format!("the ID with the state {state:?}"), id, taken_over())?;
    }
    Ok(())
}

/// Each header that the suite wants replaced gets a fresh ID.
pub(super) fn refused(lab: &Lab) -> Outcome {
    let client = Client::new(lab.base()?);
    let other = "12345678901234567890123456789011";
    let cases: Vec<Vec<String>> = [
        // test_both_traceparent_and_tracestate_missing, test_tracestate_included_traceparent_missing
        vec![],
        vec!["tracestate: foo=1".to_owned()],
        // test_traceparent_header_name
        vec![format!("trace-parent: 00-{ID}-1234567890123456-01")],
        vec![format!("trace.parent: 00-{ID}-1234567890123456-01")],
    ]
    .into_iter()
    // test_traceparent_duplicated
    .chain([
        vec![
            format!("traceparent: 00-{other}-1234567890123456-01"),
            format!("traceparent: 00-{ID}-1234567890123456-01"),
        ],
        vec![format!("traceparent: 00-{ID}-1234567890123456-01"); 2],
    ])
    .chain(
        [
            // test_traceparent_version_*
            format!("00-{ID}-1234567890123456-01."),
            format!("00-{ID}-1234567890123456-01-what-the-future-will-be-like"),
            format!("cc-{ID}-1234567890123456-01.what-the-future-will-be-like"),
            format!("ff-{ID}-1234567890123456-01"),
            format!(".0-{ID}-1234567890123456-01"),
            format!("0.-{ID}-1234567890123456-01"),
            format!("000-{ID}-1234567890123456-01"),
            format!("0000-{ID}-1234567890123456-01"),
            format!("0-{ID}-1234567890123456-01"),
            // test_traceparent_trace_id_*
            "00-00000000000000000000000000000000-1234567890123456-01".to_owned(),
            "00-.2345678901234567890123456789012-1234567890123456-01".to_owned(),
            "00-1234567890123456789012345678901.-1234567890123456-01".to_owned(),
            "00-123456789012345678901234567890123-1234567890123456-01".to_owned(),
            "00-1234567890123456789012345678901-1234567890123456-01".to_owned(),
            // test_traceparent_parent_id_*
            format!("00-{ID}-0000000000000000-01"),
            format!("00-{ID}-.234567890123456-01"),
            format!("00-{ID}-123456789012345.-01"),
            format!("00-{ID}-12345678901234567-01"),
            format!("00-{ID}-123456789012345-01"),
            // test_traceparent_trace_flags_*
            format!("00-{ID}-1234567890123456-.0"),
            format!("00-{ID}-1234567890123456-0."),
            format!("00-{ID}-1234567890123456-001"),
            format!("00-{ID}-1234567890123456-1"),
        ]
        .map(|value| vec![format!("traceparent: {value}")]),
    )
    .collect();
    let mut seen = vec![taken_over(), Ulid(0x1234_5678_9012_3456_7890_1234_5678_9011).to_string()];
    for lines in cases {
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        let id = traced_as(&client, &lines)?;
        ensure(!seen.contains(&id), &format!("a fresh ID for {lines:?}"), &id)?;
        seen.push(id);
    }
    Ok(())
}

/// The request ID wins when both headers are well-formed.
pub(super) fn request_id_wins(lab: &Lab) -> Outcome {
    let client = Client::new(lab.base()?);
    let parent = format!("traceparent: 00-{ID}-1234567890123456-01");
    let id = Ulid::generate().to_string();
    let both = traced_as(&client, &[&parent, &format!("{REQUEST_ID}: {id}")])?;
    equal("the ID of a call with both", both, id)
}

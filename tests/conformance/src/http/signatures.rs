//! Calls with `X-HearthNet-Signature`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer as _, SigningKey};
use ulid::Ulid;

use crate::case::{Outcome, equal, failed};
use crate::harness::Lab;
use crate::harness::exposition::{Format, Page};
use crate::harness::home::Home;
use crate::harness::http::{Answer, Client, REQUEST_ID};
use crate::harness::node::Node;

const CAPABILITY: &str = "experimental.echo";
const BODY: &str = r#"{"input":{"text":"Grüße"},"params":{}}"#;
const TIMESTAMP: &str = "x-hearthnet-timestamp";
const SIGNATURE: &str = "x-hearthnet-signature";
const FROM: &str = "x-hearthnet-from";

/// Returns the headers of a signed call.
struct Signed {
    headers: Vec<(&'static str, String)>,
}

impl Signed {
    fn by(key: &SigningKey, community: &str) -> Self {
        let from = format!("ed25519:{}", URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes()));
        let (id, timestamp) = (Ulid::generate().to_string(), now());
        // Canonical JSON: keys are sorted at every level, without blanks and needless escapes.
        let text = format!(
            r#"{{"body":{BODY},"capability":"{CAPABILITY}","community":"{community}","from":"{from}","request_id":"{id}","timestamp":"{timestamp}","version":"1.0"}}"#
        );
        let signature = URL_SAFE_NO_PAD.encode(key.sign(text.as_bytes()).to_bytes());
        let headers = vec![
            ("x-hearthnet-capability-version", "1.0".to_owned()),
            (REQUEST_ID, id),
            (FROM, from),
            ("x-hearthnet-community", community.to_owned()),
            (TIMESTAMP, timestamp),
            (SIGNATURE, format!("ed25519:{signature}")),
        ];
        Self { headers }
    }

    fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        let value = value.into();
        self.headers
            .iter_mut()
            .filter(|(known, _)| *known == name)
            .for_each(|(_, old)| old.clone_from(&value));
        self
    }

    fn send(&self, client: &Client, body: &str) -> Outcome<Answer> {
        let headers: Vec<_> = self.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        client.call(CAPABILITY, body.as_bytes(), &headers)
    }
}

/// Returns the time in RFC 3339.
fn now() -> String {
    let mut date = std::process::Command::new("date");
    let output =
        date.args(["-u", "+%Y-%m-%dT%H:%M:%SZ"]).output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&output).trim().to_owned()
}

/// Starts a node and reads the ID of its community from `/manifest`.
fn start(lab: &Lab) -> Outcome<(Node, String)> {
    let home = Home::initialised(lab)?;
    home.without_rate_limit()?;
    let node = Node::start(home)?;
    let manifest = node.client().get("/manifest")?.is(200)?.json()?;
    let community =
        manifest["community_id"].as_str().ok_or_else(|| failed("a community", manifest.to_string()))?;
    Ok((node, community.to_owned()))
}

pub(super) fn right(lab: &Lab) -> Outcome {
    let (node, community) = start(lab)?;
    let key = SigningKey::from_bytes(&[7; 32]);
    let client = node.client();
    Signed::by(&key, &community).send(&client, BODY)?.is(200)?;
    // The signature covers the body's canonical form, not its bytes.
    let spaced = "{ \"params\": {}, \"input\": { \"text\": \"Gr\\u00fc\\u00dfe\" } }";
    Signed::by(&key, &community).send(&client, spaced)?.is(200).map(drop)
}

/// Each wrong signature is refused, counted by reason, and recorded as one call with that result.
pub(super) fn wrong(lab: &Lab) -> Outcome {
    let (node, community) = start(lab)?;
    let (key, other) = (SigningKey::from_bytes(&[7; 32]), SigningKey::from_bytes(&[8; 32]));
    let signed = || Signed::by(&key, &community);
    let another_id = format!("ed25519:{}", URL_SAFE_NO_PAD.encode(other.verifying_key().as_bytes()));
    let client = node.client();
    let answers = [
        ("another body", signed().send(&client, r#"{"input":{"text":"hello"},"params":{}}"#)),
        ("another sender", signed().with(FROM, another_id).send(&client, BODY)),
        ("another request ID", signed().with(REQUEST_ID, Ulid::generate().to_string()).send(&client, BODY)),
        ("another time", signed().with(TIMESTAMP, "2020-01-01T00:00:00Z").send(&client, BODY)),
        ("no key", signed().with(FROM, "ed25519:AAAA").send(&client, BODY)),
        ("a sender that is no node ID", signed().with(FROM, "nobody").send(&client, BODY)),
        ("no signature", signed().with(SIGNATURE, "ed25519:").send(&client, BODY)),
        ("a signature of another kind", signed().with(SIGNATURE, "rsa:AAAA").send(&client, BODY)),
    ];
    let count = answers.len() as f64;
    for (what, answer) in answers {
        answer?.refuses(401, "invalid_signature").map_err(|stop| stop.at(what))?;
    }
    let text = client.get("/metrics")?.is(200)?.text();
    let page = Page::parse(&text, Format::Text).map_err(|fault| failed("a well-formed page", fault))?;
    equal("hearthnet_signature_failures_total", page.sum("hearthnet_signature_failures_total", &[]), count)?;
    equal(
        "hearthnet_requests_total",
        page.sum("hearthnet_requests_total", &[("result", "invalid_signature")]),
        count,
    )
}

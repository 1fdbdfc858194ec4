//! Signed calls, and rate limits of callers with and without a verified identity.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer as _, SigningKey};
use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::node::{ECHO, Home, Node, free_port};

const ID: &str = "01HXR3F2Q4T6V8X0Z2B4D6F8HJ";

/// Caller with a key.
pub(crate) struct Signer(SigningKey);

impl Signer {
    pub(crate) fn new(seed: u8) -> Signer {
        Signer(SigningKey::from_bytes(&[seed; 32]))
    }

    pub(crate) fn id(&self) -> String {
        text_of(self.0.verifying_key().as_bytes())
    }

    /// Signs a call of `body` at `timestamp`.
    fn sign(&self, body: &Value, timestamp: &str) -> String {
        self.sign_as(ECHO, body, timestamp)
    }

    fn sign_as(&self, name: &str, body: &Value, timestamp: &str) -> String {
        // serde_json sorts the keys. This payload needs nothing else for its canonical form.
        let signed = json!({
            "body": body, "capability": name, "community": "c", "from": self.id(), "request_id": ID,
            "timestamp": timestamp, "version": "1.0",
        });
        text_of(&self.0.sign(signed.to_string().as_bytes()).to_bytes())
    }

    /// Prepares a call that names this signer as its caller.
    fn call(&self, node: &Node, body: &Value, timestamp: &str, signature: &str) -> RequestBuilder {
        self.name(node.call(ECHO, body), timestamp, signature)
    }

    /// Prepares a request to `path` that is no call, signed now with `name` in the place of a capability.
    pub(crate) fn signed_request(&self, node: &Node, path: &str, name: &str, body: &Value) -> RequestBuilder {
        let now = now();
        let request = node.http.post(node.url(path)).body(body.to_string());
        self.name(request, &now, &self.sign_as(name, body, &now))
    }

    fn name(&self, request: RequestBuilder, timestamp: &str, signature: &str) -> RequestBuilder {
        request
            .header("X-HearthNet-Capability-Version", "1.0")
            .header("X-HearthNet-Request-Id", ID)
            .header("X-HearthNet-From", self.id())
            .header("X-HearthNet-Community", "c")
            .header("X-HearthNet-Timestamp", timestamp)
            .header("X-HearthNet-Signature", signature)
    }

    /// Prepares a call that is signed now.
    pub(crate) fn signed_call(&self, node: &Node, body: &Value) -> RequestBuilder {
        let now = now();
        self.call(node, body, &now, &self.sign(body, &now))
    }
}

fn text_of(bytes: &[u8]) -> String {
    format!("ed25519:{}", URL_SAFE_NO_PAD.encode(bytes))
}

fn now() -> String {
    chrono::Utc::now().format("%FT%T%.6fZ").to_string()
}

async fn status(call: RequestBuilder) -> u16 {
    call.send().await.unwrap().status().as_u16()
}

/// Starts a node that allows a caller five calls a second.
fn limited() -> Node {
    let (home, port) = (Home::new(), free_port());
    home.write_config(&format!(
        "transport = {{ host = \"127.0.0.1\", port = {port}, rate_limit_soft_rps = 2, rate_limit_hard_rps = 5 }}\n\
         emergency.probe_targets = []\n"
    ));
    Node::start(home, port)
}

#[tokio::test]
async fn a_signed_call_is_verified() {
    let node = Home::new().start("");
    let (ada, body) = (Signer::new(9), json!({ "input": { "text": "Grüße", "delay_ms": 0 } }));
    // Other programs write whole seconds. The test begins in the second in which the node started.
    let now = chrono::Utc::now().format("%FT%TZ").to_string();
    let signature = ada.sign(&body, &now);
    let call = |body: &Value, timestamp: &str| ada.call(&node, body, timestamp, &signature);
    assert_eq!(status(call(&body, &now)).await, 200);
    let refused = call(&json!({ "input": {} }), &now).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(refused.json::<Value>().await.unwrap()["error"], "invalid_signature");
    status(call(&body, "2020-01-01T00:00:00Z")).await;
    for reason in ["mismatch", "expired"] {
        let labels = format!("reason=\"{reason}\"");
        assert_eq!(node.metric("hearthnet_signature_failures_total", &labels).await, Some(1.0), "{reason}");
    }
}

#[tokio::test]
async fn a_signed_call_is_answered_once() {
    let node = Home::new().start("");
    let (ada, body, now) = (Signer::new(9), json!({ "input": { "n": 1.0 } }), now());
    // A forged copy that arrives first does not use up the call itself.
    assert_eq!(status(ada.call(&node, &body, &now, &Signer::new(8).sign(&body, &now))).await, 401);
    let signature = ada.sign(&json!({ "input": { "n": 1 } }), &now);
    let call = || ada.call(&node, &body, &now, &signature);
    let answers = futures_util::future::join_all((0..20).map(|_| status(call()))).await;
    assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
    assert_eq!(answers.iter().filter(|status| **status == 401).count(), 19, "{answers:?}");
    let refused = call().body("{ \"input\": { \"n\": 1 } }").send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED, "the same call in other bytes");
    assert_eq!(refused.json::<Value>().await.unwrap()["error"], "invalid_signature");
    let counted = node.metric("hearthnet_signature_failures_total", "reason=\"replayed\"").await;
    assert_eq!(counted, Some(20.0));
    assert_eq!(status(ada.signed_call(&node, &json!({}))).await, 200, "a later call");
}

#[tokio::test]
async fn a_call_that_was_signed_before_the_start_is_refused() {
    let early = (chrono::Utc::now() - chrono::TimeDelta::seconds(2)).format("%FT%TZ").to_string();
    let node = Home::new().start("");
    let (ada, body) = (Signer::new(9), json!({}));
    assert_eq!(status(ada.call(&node, &body, &early, &ada.sign(&body, &early))).await, 401);
    let counted = node.metric("hearthnet_signature_failures_total", "reason=\"before_start\"").await;
    assert_eq!(counted, Some(1.0));
}

#[tokio::test]
async fn the_soft_limit_is_counted_and_the_hard_one_refuses() {
    let node = limited();
    let mut refused = 0;
    for call in 0..30 {
        // Another name for each call does not evade the limit.
        let from = format!("ed25519:{call}");
        let response = node.call(ECHO, &json!({})).header("X-HearthNet-From", from).send().await.unwrap();
        if response.status() == StatusCode::TOO_MANY_REQUESTS {
            let body: Value = response.json().await.unwrap();
            assert_eq!(body["error"], "rate_limited");
            refused += 1;
        }
    }
    assert!((1..=25).contains(&refused), "{refused}");
    let counted = async |reason: &str| {
        node.metric("hearthnet_rate_limited_total", &format!("reason=\"{reason}\"")).await
    };
    assert_eq!(counted("hard").await, Some(f64::from(refused)));
    assert!(counted("soft").await >= Some(1.0));
    assert_eq!(node.metric("hearthnet_requests_total", "rate_limited").await, Some(f64::from(refused)));
}

#[tokio::test]
async fn a_stranger_that_borrows_a_name_or_a_call_does_not_spend_the_budget_of_its_owner() {
    let node = limited();
    let (ada, body, now) = (Signer::new(9), json!({}), now());
    let signature = ada.sign(&body, &now);
    assert_eq!(status(ada.call(&node, &body, &now, &signature)).await, 200);
    for _ in 0..30 {
        status(node.call(ECHO, &body).header("X-HearthNet-From", ada.id())).await;
        let replayed = status(ada.call(&node, &body, &now, &signature)).await;
        assert!([401, 429].contains(&replayed), "{replayed}");
        let forged = status(ada.call(&node, &body, &now, &Signer::new(8).sign(&body, &now))).await;
        assert!([401, 429].contains(&forged), "{forged}");
    }
    assert_eq!(status(ada.signed_call(&node, &body)).await, 200);
    let flood = (0..30).map(|_| status(ada.signed_call(&node, &body)));
    let answers = futures_util::future::join_all(flood).await;
    assert!(answers.contains(&429), "a signer has a limit too: {answers:?}");
    assert_eq!(status(Signer::new(7).signed_call(&node, &body)).await, 200, "another signer");
}

#[tokio::test]
async fn an_address_whose_signatures_keep_failing_is_refused_before_the_next_is_verified() {
    let node = limited();
    let (eve, body) = (Signer::new(9), json!({}));
    let begun = std::time::Instant::now();
    let mut refused = 0;
    for call in 0..600 {
        let now = now();
        // The signature has the right form, and its name changes.
        let forged = Signer::new((call % 200) as u8).sign(&json!(call), &now);
        refused += u32::from(status(eve.call(&node, &body, &now, &forged)).await == 429);
    }
    let seconds = begun.elapsed().as_secs() as u32;
    let verified = node.metric("hearthnet_signature_failures_total", "").await.unwrap() as u32;
    assert!(verified <= 100 * (seconds + 2), "{verified} in {seconds} s");
    assert!(refused >= 600 - verified);

    let elsewhere = reqwest::Client::builder().no_proxy().local_address("127.0.0.2".parse().ok()).build();
    let ada = Signer::new(8);
    let (client, call) = (elsewhere.unwrap(), ada.signed_call(&node, &body).build().unwrap());
    assert_eq!(client.execute(call).await.unwrap().status(), 200, "another address");
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    assert_eq!(status(ada.signed_call(&node, &body)).await, 200, "the same address a second later");
}

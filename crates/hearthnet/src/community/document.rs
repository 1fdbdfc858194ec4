//! Share of a node as it goes over the wire: signed, for one collector and one period.

use obs_community::Share;
use serde_json::{Value, json};

use super::federation::Federation;
use crate::wire::signing::identity;

/// Returns the share of this node for its collector.
pub(super) fn own(federation: &Federation, period: u64, share: &Share) -> Value {
    let bus = &federation.bus;
    bus.sign_document(json!({
        "version": 1,
        "node_id": bus.node_id(),
        "community_id": bus.community_id(),
        // Another node cannot pass it on as one that it got.
        "aggregator": federation.collector(),
        "tick_seconds": federation.interval().as_secs(),
        "period": period,
        "share": share.to_json(),
    }))
}

/// Values that the document of a peer must have.
pub(super) struct Expected<'a> {
    pub(super) node_id: &'a str,
    pub(super) community_id: &'a str,
    pub(super) tick_seconds: u64,
    pub(super) period: u64,
}

/// Share that a peer has given.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) node_id: String,
    pub(super) period: u64,
    pub(super) share: Share,
}

/// Reason for which an answer is refused, as a result of `hearthnet_community_shares_total`.
pub(super) type Wrong = &'static str;

impl Expected<'_> {
    /// Reads the answer of a peer, which is not trusted.
    pub(super) fn read(&self, bytes: &[u8]) -> Result<Received, Wrong> {
        let document: Value = serde_json::from_slice(bytes).map_err(|_| "malformed")?;
        let node_id = document["node_id"].as_str().ok_or("malformed")?;
        identity::verify_document(&document, node_id).map_err(|_| "bad_signature")?;
        let is_for_us =
            document["community_id"] == self.community_id && document["aggregator"] == self.node_id;
        // A node that asks itself would count twice.
        if !is_for_us || node_id == self.node_id {
            return Err("foreign");
        }
        let period = document["period"].as_u64().ok_or("malformed")?;
        // The clock of a peer may be a little behind.
        let is_current = period == self.period || period.checked_add(1) == Some(self.period);
        if !is_current || document["tick_seconds"] != self.tick_seconds {
            return Err("stale");
        }
        let share = Share::read(&document["share"]).map_err(|_| "malformed")?;
        Ok(Received { node_id: node_id.to_owned(), period, share })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::signing::identity::Identity;

    #[test]
    fn a_share_counts_for_its_collector_in_its_period_alone() {
        let (us, peer) = (Identity::from_seed(&[7; 32]), Identity::from_seed(&[8; 32]));
        let expected = Expected { node_id: us.node_id(), community_id: "c", tick_seconds: 60, period: 1000 };
        let right = json!({
            "node_id": peer.node_id(), "community_id": "c", "aggregator": us.node_id(), "tick_seconds": 60,
            "period": 1000, "share": { "calls": { "llm.chat": 7 } },
        });
        let read = |document: &Value| expected.read(document.to_string().as_bytes());
        let signed = peer.sign_document(right.clone());
        let received = read(&signed).unwrap();
        assert_eq!((received.node_id.as_str(), received.period), (peer.node_id(), 1000));
        assert_eq!(received.share, Share::default().calls("llm.chat", 7));

        let changed = |signer: &Identity, field: &str, value: Value| {
            let mut document = right.clone();
            document[field] = value;
            read(&signer.sign_document(document)).map(drop)
        };
        assert_eq!(changed(&peer, "period", json!(999)), Ok(()));
        assert_eq!(changed(&us, "node_id", json!(us.node_id())), Err("foreign"));
        assert_eq!(changed(&us, "version", json!(1)), Err("bad_signature"), "in the name of another");
        for (field, value, wrong) in [
            ("community_id", json!("d"), "foreign"),
            ("aggregator", json!(peer.node_id()), "foreign"),
            ("period", json!(998), "stale"),
            ("period", json!(1001), "stale"),
            ("period", json!(u64::MAX), "stale"),
            ("period", json!("1000"), "malformed"),
            ("tick_seconds", json!(10), "stale"),
            ("share", json!({ "calls": { "a b": 1 } }), "malformed"),
            ("share", Value::Null, "malformed"),
        ] {
            assert_eq!(changed(&peer, field, value.clone()), Err(wrong), "{field} {value}");
        }
        let mut edited = signed;
        edited["share"]["calls"]["llm.chat"] = json!(8);
        assert_eq!(read(&edited).map(drop), Err("bad_signature"));
        for malformed in [&b"\xff"[..], b"[]", b"7", b"{}", "[".repeat(10_000).as_bytes()] {
            assert_eq!(expected.read(malformed).map(drop), Err("malformed"));
        }
    }
}

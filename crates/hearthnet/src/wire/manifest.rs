//! Manifests of peers.

use serde::Deserialize;
use serde_json::Value;

use crate::wire::signing::identity;

/// The part of a peer's manifest that a node needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub(crate) node_id: String,
    pub(crate) community_id: String,
    pub(crate) capabilities: Vec<String>,
}

// Names become labels of metrics, which are kept for as long as the node runs.
const MAX_NAME_BYTES: usize = 128;
// Each capability of a peer costs a few series.
const MAX_CAPABILITIES: usize = 64;

impl Manifest {
    /// Parses the manifest of a peer, which is not trusted. The error is a reason for the log.
    ///
    /// If there is a signature, it must be valid. A missing one proves no less: the owner of this node configured the
    /// address, and any server there could sign with a key of its own.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Manifest, &'static str> {
        let document: Value = serde_json::from_slice(bytes).map_err(|_| "the manifest is not JSON")?;
        let fields = Fields::deserialize(&document)
            .map_err(|_| "a field of the manifest is missing or has the wrong type")?;
        let names: Vec<String> = fields.capabilities.into_iter().map(Offer::name).collect();
        if names.len() > MAX_CAPABILITIES || !names.iter().all(|name| is_capability(name)) {
            return Err("the manifest has too many capabilities or an invalid name");
        }
        if !is_short_text(&fields.node_id) || !is_short_text(&fields.community_id) {
            return Err("an ID in the manifest is invalid");
        }
        if document.get("signature").is_some()
            && identity::verify_document(&document, &fields.node_id).is_err()
        {
            return Err("the signature of the manifest is invalid");
        }
        Ok(Manifest { node_id: fields.node_id, community_id: fields.community_id, capabilities: names })
    }
}

#[derive(Deserialize)]
struct Fields {
    node_id: String,
    community_id: String,
    #[serde(default)]
    capabilities: Vec<Offer>,
}

/// Capability in a manifest: an object with its name, or the name alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum Offer {
    Described { name: String },
    Named(String),
}

impl Offer {
    fn name(self) -> String {
        match self {
            Offer::Described { name } | Offer::Named(name) => name,
        }
    }
}

fn is_short_text(text: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&text.len()) && !text.contains(char::is_control)
}

/// Returns whether `name` has the form of a capability's name.
pub(crate) fn is_capability(name: &str) -> bool {
    let usual = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(usual)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::wire::signing::identity::Identity;

    #[test]
    fn hostile_manifests_are_refused() {
        let parse = |text: &Value| Manifest::parse(text.to_string().as_bytes());
        let plain = json!({ "node_id": "ed25519:a", "community_id": "c", "capabilities": ["rag.query", { "name": "llm.chat" }] });
        assert_eq!(parse(&plain).unwrap().capabilities, ["rag.query", "llm.chat"]);
        for (field, hostile) in [
            ("node_id", json!("")),
            ("node_id", json!("a\nb")),
            ("node_id", json!(7)),
            ("community_id", json!("x".repeat(129))),
            ("capabilities", json!(["a b"])),
            ("capabilities", json!(vec!["a"; 65])),
            ("signature", json!("ed25519:zzz")),
            ("signature", Value::Null),
        ] {
            let mut manifest = plain.clone();
            manifest[field] = hostile;
            assert!(parse(&manifest).is_err(), "{manifest}");
        }
        assert!(Manifest::parse(b"\xff").is_err());
    }

    #[test]
    fn a_signed_manifest_is_valid_until_it_is_edited() {
        let peer = Identity::from_seed(&[9; 32]);
        let fields = json!({ "node_id": peer.node_id(), "community_id": "c", "capabilities": [] });
        let mut signed = peer.sign_document(fields);
        assert!(Manifest::parse(signed.to_string().as_bytes()).is_ok());
        signed["community_id"] = json!("d");
        assert!(Manifest::parse(signed.to_string().as_bytes()).is_err());
    }
}

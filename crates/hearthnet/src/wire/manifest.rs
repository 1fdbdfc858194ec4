//! Manifests of peers.

use serde::Deserialize;
use serde_json::Value;

use crate::wire::signing::identity;

/// The part of a peer's manifest that a node needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub(crate) node_id: String,
    pub(crate) community_id: String,
    /// Name of the node for people.
    pub(crate) display_name: Option<String>,
    pub(crate) capabilities: Vec<Offered>,
    /// Version of its program, if it tells.
    pub(crate) program_version: Option<String>,
    /// Number of its open problems, if it tells.
    pub(crate) problems_open: Option<u32>,
}

/// Capability in the manifest of a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offered {
    pub(crate) name: String,
    pub(crate) version: Option<String>,
    pub(crate) stability: Option<String>,
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
        let capabilities: Vec<Offered> = fields.capabilities.into_iter().map(Offer::read).collect();
        if capabilities.len() > MAX_CAPABILITIES
            || !capabilities.iter().all(|offered| is_capability(&offered.name))
        {
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
        Ok(Manifest {
            node_id: fields.node_id,
            community_id: fields.community_id,
            display_name: shown(fields.display_name),
            capabilities,
            program_version: shown(fields.program_version),
            // A number of another form or size is no number of problems.
            problems_open: fields.problems_open.as_u64().and_then(|open| u32::try_from(open).ok()),
        })
    }

    pub(crate) fn offers(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|offered| offered.name == capability)
    }
}

#[derive(Deserialize)]
struct Fields {
    node_id: String,
    community_id: String,
    // A value of any type, because a peer with an odd name still answers calls.
    #[serde(default)]
    display_name: Value,
    #[serde(default)]
    program_version: Value,
    #[serde(default)]
    problems_open: Value,
    #[serde(default)]
    capabilities: Vec<Offer>,
}

/// Capability in a manifest: an object with its name, or the name alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum Offer {
    Described {
        name: String,
        #[serde(default)]
        version: Value,
        #[serde(default)]
        stability: Value,
    },
    Named(String),
}

impl Offer {
    fn read(self) -> Offered {
        match self {
            Offer::Described { name, version, stability } => {
                Offered { name, version: shown(version), stability: shown(stability) }
            }
            Offer::Named(name) => Offered { name, version: None, stability: None },
        }
    }
}

/// Returns a text that is only shown to people; `None` if it is no short text.
fn shown(text: Value) -> Option<String> {
    match text {
        Value::String(text) if is_short_text(&text) => Some(text),
        _ => None,
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
        let names: Vec<_> =
            parse(&plain).unwrap().capabilities.into_iter().map(|offered| offered.name).collect();
        assert_eq!(names, ["rag.query", "llm.chat"]);
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
    fn texts_for_people_are_left_out_if_they_are_odd() {
        let parse = |name: Value, version: Value| {
            let capabilities = json!([{ "name": "llm.chat", "version": version, "stability": "stable" }]);
            let manifest = json!({
                "node_id": "ed25519:a", "community_id": "c", "display_name": name, "capabilities": capabilities
            });
            let manifest = Manifest::parse(manifest.to_string().as_bytes()).unwrap();
            (manifest.display_name, manifest.capabilities[0].version.clone())
        };
        assert_eq!(parse(json!("bob"), json!("1.0")), (Some("bob".to_owned()), Some("1.0".to_owned())));
        for odd in [json!(7), json!(""), json!("a\u{1b}[2J"), json!("x".repeat(129)), Value::Null] {
            assert_eq!(parse(odd.clone(), odd.clone()), (None, None), "{odd}");
        }
    }

    #[test]
    fn a_peer_may_tell_of_itself_and_odd_values_are_left_out() {
        let parse = |version: Value, problems: Value| {
            let manifest = json!({
                "node_id": "ed25519:a", "community_id": "c", "program_version": version, "problems_open": problems
            });
            let manifest = Manifest::parse(manifest.to_string().as_bytes()).unwrap();
            (manifest.program_version, manifest.problems_open)
        };
        assert_eq!(parse(json!("0.2.0"), json!(3)), (Some("0.2.0".to_owned()), Some(3)));
        for odd in [json!(-1), json!(1.5), json!(u64::MAX), json!("\n"), json!([]), Value::Null] {
            assert_eq!(parse(odd.clone(), odd.clone()), (None, None), "{odd}");
        }
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

//! Ed25519 identity of a device, and signatures of JSON.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde_json::Value;

use super::canonical;

const TAG: &str = "ed25519:";

/// Keys of this device.
pub(crate) struct Identity {
    signing: SigningKey,
    node_id: String,
}

impl std::fmt::Debug for Identity {
    /// Shows the node ID alone, never the seed.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Identity").field(&self.node_id).finish()
    }
}

impl Identity {
    pub(crate) fn from_seed(seed: &[u8; 32]) -> Identity {
        let signing = SigningKey::from_bytes(seed);
        let node_id = text_of(signing.verifying_key().as_bytes());
        Identity { signing, node_id }
    }

    /// Returns the node ID: `ed25519:` and the public key in base64url.
    pub(crate) fn node_id(&self) -> &str {
        &self.node_id
    }

    pub(crate) fn public(&self) -> [u8; 32] {
        self.signing.verifying_key().to_bytes()
    }

    /// Returns the signature of the canonical form of `payload`.
    pub(crate) fn sign(&self, payload: &Value) -> String {
        text_of(&self.signing.sign(canonical::json(payload).as_bytes()).to_bytes())
    }

    /// Returns the object `document` with a `signature` of its other fields.
    pub(crate) fn sign_document(&self, mut document: Value) -> Value {
        let signature = Value::String(self.sign(&document));
        if let Some(fields) = document.as_object_mut() {
            // After signing: a signature cannot cover itself.
            fields.insert("signature".to_owned(), signature);
        }
        document
    }
}

fn text_of(bytes: &[u8]) -> String {
    format!("{TAG}{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// Decodes `ed25519:<base64url>` of exactly `N` bytes.
fn bytes_of<const N: usize>(text: &str) -> Option<[u8; N]> {
    URL_SAFE_NO_PAD.decode(text.strip_prefix(TAG)?).ok()?.try_into().ok()
}

/// Returns whether `text` has the form of a node or community ID. An ID is safe as the name of a folder.
pub(crate) fn is_id(text: &str) -> bool {
    key_of(text).is_some()
}

/// Returns the public key in an ID. Each key has only one ID.
pub(crate) fn key_of(id: &str) -> Option<[u8; 32]> {
    bytes_of(id)
}

/// Returns the ID of a public key.
pub(crate) fn id_of(key: &[u8; 32]) -> String {
    text_of(key)
}

/// Reason for which a signature is invalid. Its names are those of `hearthnet_signature_failures_total{reason}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadSignature {
    /// The signature is not `ed25519:` and 64 bytes in base64url.
    Malformed,
    /// The signer's ID is not an Ed25519 public key.
    BadKey,
    /// The key did not make this signature of this payload.
    Mismatch,
}

/// Verifies the `signature` of the canonical form of `payload` with the key in `signer`.
pub(crate) fn verify(payload: &Value, signature: &str, signer: &str) -> Result<(), BadSignature> {
    let signature = bytes_of::<64>(signature).ok_or(BadSignature::Malformed)?;
    let key = bytes_of::<32>(signer).ok_or(BadSignature::BadKey)?;
    let key = VerifyingKey::from_bytes(&key).map_err(|_| BadSignature::BadKey)?;
    // The strict variant refuses weak keys and other encodings of a signature, with which a signed call could be
    // replayed.
    key.verify_strict(canonical::json(payload).as_bytes(), &Signature::from_bytes(&signature))
        .map_err(|_| BadSignature::Mismatch)
}

/// Verifies the `signature` field of `document`.
pub(crate) fn verify_document(document: &Value, signer: &str) -> Result<(), BadSignature> {
    let mut unsigned = document.as_object().ok_or(BadSignature::Malformed)?.clone();
    let signature = unsigned.remove("signature").ok_or(BadSignature::Malformed)?;
    verify(&Value::Object(unsigned), signature.as_str().ok_or(BadSignature::Malformed)?, signer)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_signature_is_valid_for_its_own_payload_and_key_only() {
        let (ours, other) = (Identity::from_seed(&[7; 32]), Identity::from_seed(&[8; 32]));
        let payload = json!({ "b": 1.0, "a": "Grüße" });
        let signature = ours.sign(&payload);
        assert_eq!(verify(&json!({ "a": "Grüße", "b": 1 }), &signature, ours.node_id()), Ok(()));
        assert_eq!(verify(&payload, &signature, other.node_id()), Err(BadSignature::Mismatch));
        assert_eq!(verify(&json!({}), &signature, ours.node_id()), Err(BadSignature::Mismatch));
        assert_eq!(verify(&payload, "ed25519:AAAA", ours.node_id()), Err(BadSignature::Malformed));
        for not_a_key in ["", "ed25519:", "ed25519:%%", "7H4G-Y9KL"] {
            assert_eq!(verify(&payload, &signature, not_a_key), Err(BadSignature::BadKey), "{not_a_key}");
        }
    }

    #[test]
    fn a_signed_document_verifies_until_a_byte_of_it_changes() {
        let ours = Identity::from_seed(&[7; 32]);
        let mut document = ours.sign_document(json!({ "name": "Niederrhein" }));
        assert_eq!(verify_document(&document, ours.node_id()), Ok(()));
        document["name"] = json!("niederrhein");
        assert_eq!(verify_document(&document, ours.node_id()), Err(BadSignature::Mismatch));
        assert_eq!(verify_document(&json!([]), ours.node_id()), Err(BadSignature::Malformed));
    }

    #[test]
    fn an_id_is_a_key_of_32_bytes_and_safe_as_a_folder_name() {
        assert!(is_id(Identity::from_seed(&[7; 32]).node_id()));
        for hostile in ["", "ed25519:", "../../etc", "ed25519:../../../../etc/passwd", "ed25519:AAAA"] {
            assert!(!is_id(hostile), "{hostile}");
        }
    }

    #[test]
    fn the_seed_does_not_show_in_debug_output() {
        let identity = Identity::from_seed(&[7; 32]);
        assert_eq!(format!("{identity:?}"), format!("Identity({:?})", identity.node_id()));
    }
}

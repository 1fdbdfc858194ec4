//! Signed manifest of a community.

use std::path::Path;

use serde_json::{Value, json};

use crate::failure::Failure;
use crate::wire::signing::identity::{self, Identity};

/// Returns the manifest of a new community whose only member is `founder`. The ID of the community is the founder's
/// key.
pub(crate) fn found(founder: &Identity, name: &str) -> Value {
    let (id, now) = (founder.node_id(), crate::wire::clock::now_text());
    founder.sign_document(json!({
        "version": 1,
        "community_id": id,
        "name": name,
        "root_key": id,
        "created_at": now,
        "lamport_at_creation": 0,
        "policy": {
            "min_signatures_to_invite": 1,
            "min_signatures_to_demote": 3,
            "min_signatures_to_revoke": 3,
            "capability_token_ttl_seconds": 86400,
            "federation_enabled": true,
            "default_member_can_invite": true,
        },
        "members": [{ "node_id": id, "level": "anchor", "added_at": now, "added_by": id }],
        "revoked": [],
        "head_lamport": 0,
    }))
}

/// Reads the manifest of the community `id`, and checks that its root key or this node signed it.
///
/// The signature of another anchor is not accepted: the manifest itself says who is an anchor, and only the events
/// behind it could prove that.
pub(crate) fn load(file: &Path, id: &str, ours: &Identity) -> Result<Value, Failure> {
    let text = std::fs::read(file).map_err(|error| Failure::io("read", file, &error))?;
    let manifest: Value = serde_json::from_slice(&text)
        .map_err(|error| Failure::error(format!("{} is not JSON: {error}", file.display())))?;
    // A valid manifest of another community must not be taken for this one.
    if manifest["community_id"] != id {
        return Err(Failure::error(format!("{} is not the manifest of {id}", file.display())));
    }
    // The ID of a community is its root key.
    match [id, ours.node_id()].iter().any(|signer| identity::verify_document(&manifest, signer).is_ok()) {
        true => Ok(manifest),
        false => Err(Failure::signature(format!(
            "{}: the signature is invalid: restore the file from a backup",
            file.display()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::SIGNATURE;

    #[test]
    fn a_founded_community_loads_until_it_is_edited() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("manifest.json");
        let founder = Identity::from_seed(&[7; 32]);
        let mut manifest = found(&founder, "Niederrhein");
        std::fs::write(&file, manifest.to_string()).unwrap();
        assert_eq!(load(&file, founder.node_id(), &founder).unwrap()["name"], "Niederrhein");

        manifest["name"] = json!("Oberrhein");
        std::fs::write(&file, manifest.to_string()).unwrap();
        assert_eq!(load(&file, founder.node_id(), &founder).unwrap_err().code(), SIGNATURE);
    }
}

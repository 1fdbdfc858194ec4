//! Signed request of a call.

use std::path::Path;

use axum::http::{HeaderMap, HeaderValue, header};
use obs_facade::http::{CAPABILITY, REQUEST_ID};
use serde_json::Value;
use ulid::Ulid;

use super::target::Target;
use crate::config::Config;
use crate::failure::Failure;
use crate::state::keys;
use crate::wire::signing::identity::Identity;
use crate::wire::signing::signature::{self, VERSION_HEADER};

/// Caller: the node of this home, if its key can be read.
pub(super) struct Caller {
    identity: Identity,
    community: String,
}

impl Caller {
    /// Returns this node as the caller, or the reason for which the call cannot be signed.
    pub(super) fn load(config: &Config) -> Result<Caller, String> {
        let keys_dir = config.identity.keys_dir.as_path();
        if keys_dir == Path::new("") {
            return Err("there is no home with a device key".to_owned());
        }
        let identity = keys::load(keys_dir).map_err(|failure| failure.to_string())?;
        // A node that names no community has founded one, which has the ID of the node.
        let community = config.community.community_id.clone();
        let community = community.unwrap_or_else(|| identity.node_id().to_owned());
        Ok(Caller { identity, community })
    }
}

/// Returns the headers of a call and its trace ID.
pub(super) fn headers(
    target: &Target,
    caller: Option<&Caller>,
    body: &Value,
) -> Result<(HeaderMap, String), Failure> {
    let id = Ulid::generate().to_string();
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in [(CAPABILITY, &target.name), (VERSION_HEADER, &target.version), (REQUEST_ID, &id)] {
        let value = HeaderValue::from_str(value)
            .map_err(|_| Failure::usage(format!("{value:?} cannot be sent in a header")))?;
        headers.insert(name, value);
    }
    if let Some(Caller { identity, community }) = caller {
        signature::sign(&mut headers, &target.name, identity, community, body)
            .map_err(|error| Failure::error(format!("cannot sign the call: {}", error.message)))?;
    }
    Ok((headers, id))
}

//! Signed requests between nodes that are no calls, such as those with marks of traces.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue};
use obs_facade::http::REQUEST_ID;
use serde_json::Value;
use ulid::Ulid;

use super::limiter::Party;
use super::state::Bus;
use crate::wire::body;
use crate::wire::body_budget::Reservation;
use crate::wire::caller::Caller;
use crate::wire::error::{CallError, Code};
use crate::wire::signing::signature;

/// Node ID that a request was signed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Signer {
    /// Configured peer.
    Peer(String),
    /// Any other key.
    Stranger(String),
}

impl Bus {
    /// Reads a request that has to be signed with `name` in the place of a capability, within the limits of calls.
    pub(crate) async fn prove_request(
        &self,
        headers: &HeaderMap,
        caller: &Caller,
        name: &str,
        body: Body,
    ) -> Result<(Signer, Value), CallError> {
        let address = caller.address();
        let admitted = match signature::is_signed(headers) {
            true => self.limiter.admit_signature(address, name),
            false => Err(Code::UNAUTHORIZED.because("the request has to be signed")),
        };
        if let Err(error) = admitted {
            body::discard(body).await;
            return Err(error);
        }
        let mut reservation = Reservation::default();
        let proven = self.prove(headers, caller, name, body, &mut reservation).await;
        if proven.as_ref().is_err_and(|error| error.code == Code::INVALID_SIGNATURE) {
            self.limiter.count_failed_signature(address);
        }
        let (_, body, party) = proven?;
        self.limiter.admit(party, name)?;
        let signer = match party {
            Party::Peer(id) => Signer::Peer(id.to_owned()),
            Party::Signer(id, _) => Signer::Stranger(id.to_owned()),
            Party::Address(_) => return Err(Code::UNAUTHORIZED.because("the request has to be signed")),
        };
        Ok((signer, body))
    }

    /// Returns the object `document` with a signature of this node.
    pub(crate) fn sign_document(&self, document: Value) -> Value {
        self.profile.identity.sign_document(document)
    }

    /// Signs a request to a peer, with `name` in the place of a capability.
    pub(crate) fn sign_request(
        &self,
        headers: &mut HeaderMap,
        name: &str,
        body: &Value,
    ) -> Result<(), CallError> {
        // No trace goes with it. The signature covers an ID in any case.
        let id = HeaderValue::from_str(&Ulid::generate().to_string());
        headers.insert(REQUEST_ID, id.map_err(|_| Code::INTERNAL_ERROR.because("cannot sign the request"))?);
        signature::sign(headers, name, &self.profile.identity, &self.profile.community_id, body)
    }
}

//! `POST /bus/v1/call`: limits, signature, route and answer of a call.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::FutureExt as _;
use obs_facade::http::{CAPABILITY, LocalAddress};
use obs_facade::info;
use serde_json::Value;

use super::answer::{self, Answer};
use super::capability::Capability;
use super::forward;
use super::health::Served;
use super::limiter::Party;
use super::logger::LOG;
use super::peers::{self, Peer};
use super::progress::Progress;
use super::state::Bus;
use crate::wire::arguments::Call;
use crate::wire::body_budget::Reservation;
use crate::wire::caller::Caller;
use crate::wire::error::{CallError, Code};
use crate::wire::manifest::is_capability;
use crate::wire::signing::signature;
use crate::wire::signing::signature::VERSION_HEADER;
use crate::wire::{VERSION, body};

/// Answers a call. Every failure is an answer too, which the facade's layer around this handler records.
pub(super) async fn handle(
    State(bus): State<Arc<Bus>>,
    ConnectInfo(remote): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let capability = request.headers().get(CAPABILITY).cloned();
    let name = capability.as_ref().and_then(|name| name.to_str().ok()).unwrap_or_default();
    let name = bus.offered_name(name);
    let caller = Caller::of(request.headers(), remote.ip());
    let mut progress = Progress::begin(&bus.recent, &bus.callers, name, caller);
    match answer(&bus, request, &mut progress).await {
        Ok((answer, served, reservation)) => reservation.held_by(answer.into_response(served, progress)),
        Err(error) => {
            progress.failed(&error);
            error.into_response()
        }
    }
}

async fn answer(
    bus: &Bus,
    request: Request,
    progress: &mut Progress,
) -> Result<(Answer, Served, Reservation), CallError> {
    let (head, body) = request.into_parts();
    let headers = &head.headers;
    let address = progress.caller().address();
    let capability = match bus.admit_unread(headers, progress.caller()) {
        Ok(capability) => capability,
        Err(error) => {
            // Most clients read the answer only after they have sent the body.
            body::discard(body).await;
            return Err(error);
        }
    };
    // It lives until the answer is sent, because the answer may be as large as the call.
    let mut reservation = Reservation::default();
    let proven = bus.prove(headers, progress.caller(), capability, body, &mut reservation).await;
    if let Ok((_, _, Party::Signer(signer, _) | Party::Peer(signer))) = proven {
        progress.proven(signer);
    }
    // A signed call is counted once its signer is known. A call with an invalid signature counts against its address,
    // so that forging costs the forger.
    if signature::is_signed(headers) {
        if proven.as_ref().is_err_and(|error| error.code == Code::INVALID_SIGNATURE) {
            bus.limiter.count_failed_signature(address);
        }
        let party = proven.as_ref().map_or(Party::Address(address), |(_, _, party)| *party);
        bus.admit(party, capability, progress.caller())?;
    }
    // Only now, so that a refused signature has been counted too.
    let (raw, body, party) = proven?;

    let route = bus.route(&head, capability, party)?;
    let node_id = route.node_id(bus);
    info!(
        logger: progress.caller().on(&LOG), capability = capability, to = node_id,
        local = matches!(route, Route::Local(_)), bytes_in = raw.len(); "routed"
    );
    // From here on the outcome says something about the node that answers.
    let served = bus.health.begin(capability, node_id);
    let version = headers.get(VERSION_HEADER);
    let answered = match &route {
        Route::Local(local) => answer_here(local.as_ref(), version, body).await,
        Route::Peer(peer) => forward::forward(bus, peer, capability, version, raw, body).await,
    };
    match answered {
        Ok(answer) => Ok((answer, served, reservation)),
        Err(error) => {
            served.end(false);
            Err(error)
        }
    }
}

/// Capability or peer that answers a call.
enum Route {
    Local(Arc<dyn Capability>),
    Peer(Peer),
}

impl Route {
    fn node_id<'a>(&'a self, us: &'a Bus) -> &'a str {
        match self {
            Route::Local(_) => us.profile.identity.node_id(),
            Route::Peer(peer) => &peer.node_id,
        }
    }
}

impl Bus {
    /// Returns the capability that the call names. Before its body is read, an unsigned call is counted against its
    /// address, and a signed one is refused if signatures from its address keep failing.
    fn admit_unread<'a>(&self, headers: &'a HeaderMap, caller: &Caller) -> Result<&'a str, CallError> {
        let (capability, address) = (capability_of(headers)?, caller.address());
        match signature::is_signed(headers) {
            true => self.limiter.admit_signature(address, self.offered_name(capability))?,
            false => self.admit(Party::Address(address), capability, caller)?,
        }
        Ok(capability)
    }

    fn admit(&self, party: Party<'_>, capability: &str, caller: &Caller) -> Result<(), CallError> {
        let capability = self.offered_name(capability);
        self.limiter.admit(party, capability)?.log(capability, caller);
        Ok(())
    }

    /// Reads the body of a call and verifies its signature.
    pub(super) async fn prove<'a>(
        &self,
        headers: &'a HeaderMap,
        caller: &Caller,
        capability: &str,
        body: Body,
        reservation: &mut Reservation,
    ) -> Result<(Bytes, Value, Party<'a>), CallError> {
        let raw = body::read(headers, body, reservation).await?;
        let body = parse(&raw)?;
        let address = caller.address();
        let Some(proof) = signature::check(headers, capability, &body, caller)? else {
            return Ok((raw, body, Party::Address(address)));
        };
        // Anyone can make a key. Only the configuration makes a signer a peer.
        let peer = self.peers.contains(proof.signer);
        self.replays
            .take(&proof, peer, address, chrono::Utc::now())
            .map_err(|reason| signature::refused(reason, caller))?;
        let party = if peer { Party::Peer(proof.signer) } else { Party::Signer(proof.signer, address) };
        Ok((raw, body, party))
    }

    fn route(&self, head: &Parts, capability: &str, party: Party<'_>) -> Result<Route, CallError> {
        let us = self.profile.identity.node_id();
        let own_address = head.extensions.get::<LocalAddress>();
        match self.capabilities.get(capability) {
            // The node's own capability comes first: it saves a hop.
            Some(local) => Ok(Route::Local(local.clone())),
            None if forward::may_forward(&head.headers, us, is_own(party, us, own_address)) => {
                self.peers.offering(capability).map(Route::Peer)
            }
            None => Err(Code::NOT_FOUND
                .because("this node does not offer the capability, and does not forward a call twice")),
        }
    }

    /// Returns the name that the limiter counts the capability by. All capabilities that no node offers share one
    /// name.
    fn offered_name<'a>(&self, capability: &'a str) -> &'a str {
        match self.capabilities.contains_key(capability) || self.peers.is_offered(capability) {
            // A name that no node offers would let a caller create limits without bound.
            true => capability,
            false => "unknown",
        }
    }
}

/// Returns whether the owner of this node made the call: on this machine, and with this node's key.
fn is_own(party: Party<'_>, us: &str, own_address: Option<&LocalAddress>) -> bool {
    let Party::Signer(signer, address) = party else { return false };
    let address = address.to_canonical();
    let is_here =
        address.is_loopback() || own_address.is_some_and(|own| own.0.ip().to_canonical() == address);
    is_here && signer == us
}

fn capability_of(headers: &HeaderMap) -> Result<&str, CallError> {
    let mut values = headers.get_all(CAPABILITY).iter();
    let name = values.next().and_then(|value| value.to_str().ok()).filter(|name| !name.is_empty());
    let name = name.filter(|_| values.next().is_none()).ok_or_else(|| {
        Code::BAD_REQUEST.because("X-HearthNet-Capability: expected the name of one capability")
    })?;
    // No node offers a name of another form. Peers are not searched for it.
    match is_capability(name) {
        true => Ok(name),
        false => Err(peers::no_node_offers()),
    }
}

fn parse(raw: &[u8]) -> Result<Value, CallError> {
    // The message names line and column. It does not repeat the text, which may hold secrets.
    serde_json::from_slice(raw).map_err(|error| {
        let place = format!("line {} column {}", error.line(), error.column());
        Code::BAD_REQUEST.because(format!("the body of the call is not JSON ({place})"))
    })
}

async fn answer_here(
    capability: &dyn Capability,
    version: Option<&HeaderValue>,
    body: Value,
) -> Result<Answer, CallError> {
    if version.is_some_and(|version| version != VERSION) {
        // A missing version means the current one.
        return Err(Code::SCHEMA_MISMATCH.because(format!("this capability has the version {VERSION}")));
    }
    let call = Call::from_body(body)?;
    // A panic must not take the connection with it. The capability is called inside the future, because the call
    // itself may panic too.
    let answered = AssertUnwindSafe(async { capability.call(call).await }).catch_unwind().await;
    answered.unwrap_or_else(|panic| Err(answer::panicked(&*panic)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::capability::Answering;
    use super::*;

    struct Panics;

    impl Capability for Panics {
        fn call(&self, call: Call) -> Answering {
            Box::pin(async move { panic!("{} is too much", call.input.len()) })
        }
    }

    #[tokio::test]
    async fn a_panic_in_a_capability_is_an_internal_error_without_its_message() {
        let error = answer_here(&Panics, None, json!({})).await.err().unwrap();
        assert_eq!(error.code, Code::INTERNAL_ERROR);
        assert!(!error.message.contains("too much"));
    }
}

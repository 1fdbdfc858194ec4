//! Caller as the table knows it.

use std::net::IpAddr;

/// Caller, as far as its identity is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// Public key whose signature was valid.
    Node([u8; 32]),
    /// Address of an unsigned call, or of one whose signature is invalid.
    Address(IpAddr),
}

//! Origin of a connection, as far as it is known.

use std::net::{IpAddr, Ipv6Addr};

/// Address of a viewer, and the user who owns the connection if it comes from this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    /// Canonical address.
    pub(super) address: IpAddr,
    pub(super) user: Option<u32>,
}

impl Place {
    /// Returns the place for counts. A machine has all addresses of an IPv6 network of 64 bits.
    pub(super) fn network(self) -> Self {
        let address = match self.address {
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
            IpAddr::V4(_) => self.address,
        };
        Place { address, ..self }
    }
}

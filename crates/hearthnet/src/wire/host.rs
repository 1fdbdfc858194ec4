//! Addresses by the host that owns them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub(crate) fn is_localhost(address: IpAddr) -> bool {
    [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()].contains(&address.to_canonical())
}

/// Returns the host that owns `address`: an IPv4 address, or the /64 network of an IPv6 address, which is the smallest
/// part that providers assign.
pub(crate) fn host(address: IpAddr) -> IpAddr {
    // The upper half of the address.
    const NETWORK: u128 = !0 << 64;
    // An IPv4 address may arrive as an IPv6 one (`::ffff:192.0.2.1`).
    match address.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & NETWORK).into(),
        ip => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_of_a_network_are_one_host() {
        assert_eq!(host("2001:db8::1".parse().unwrap()), host("2001:db8::ffff:1".parse().unwrap()));
        assert_ne!(host("2001:db8::1".parse().unwrap()), host("2001:db8:0:1::1".parse().unwrap()));
    }
}

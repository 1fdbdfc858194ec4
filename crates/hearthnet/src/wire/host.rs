//! Hosts by their addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub(crate) fn is_localhost(address: IpAddr) -> bool {
    [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()].contains(&address.to_canonical())
}

/// The host behind `address`. It has one IPv4 address, and all IPv6 addresses of its /64.
pub(crate) fn host(address: IpAddr) -> IpAddr {
    const NETWORK: u128 = !0 << 64;
    match address.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & NETWORK).into(),
        ip => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r1_the_addresses_of_a_network_are_one_host() {
        assert_eq!(host("2001:db8::1".parse().unwrap()), host("2001:db8::ffff:1".parse().unwrap()));
        assert_ne!(host("2001:db8::1".parse().unwrap()), host("2001:db8:0:1::1".parse().unwrap()));
    }
}

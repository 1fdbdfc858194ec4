//! Addresses of the simulated nodes in 127.0.0.0/8.

use std::net::Ipv4Addr;

/// Maximum number of nodes.
pub(crate) const MOST: usize = 250 * 250 * 100;

/// Returns the address of a node. 127.0.x.y is left to other programs.
pub(crate) fn of(node: usize) -> Ipv4Addr {
    Ipv4Addr::new(127, 1 + (node / 62_500) as u8, (node / 250 % 250) as u8, 1 + (node % 250) as u8)
}

/// Returns the node at an address. `None` for one that no node has.
pub(crate) fn node_at(address: Ipv4Addr) -> Option<usize> {
    let [_, high, middle, low] = address.octets().map(usize::from);
    Some(high.checked_sub(1)? * 62_500 + middle * 250 + low.checked_sub(1)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_node_has_an_address_of_its_own() {
        for node in [0, 1, 249, 250, 62_499, 62_500, MOST - 1] {
            assert_eq!(node_at(of(node)), Some(node));
            assert!(of(node).is_loopback());
        }
        assert_eq!(node_at(Ipv4Addr::LOCALHOST), None);
    }
}

//! Name of a caller on this machine, for the log.

use std::net::SocketAddr;

/// Returns the address of a caller, with the user that owns its end of the connection where the system shows it. Reads a
/// file of the system.
pub(super) fn describe(caller: SocketAddr) -> String {
    match user_id(caller) {
        Some(uid) => match user_name(uid) {
            Some(name) => format!("{name} (uid {uid}) at {caller}"),
            None => format!("uid {uid} at {caller}"),
        },
        None => caller.to_string(),
    }
}

#[cfg(target_os = "linux")]
fn user_id(caller: SocketAddr) -> Option<u32> {
    let canonical = SocketAddr::new(caller.ip().to_canonical(), caller.port());
    // A caller by IPv4 may have used a socket of either family.
    ["/proc/net/tcp", "/proc/net/tcp6"].into_iter().find_map(|table| owner_in(&read(table)?, canonical))
}

#[cfg(not(target_os = "linux"))]
fn user_id(_: SocketAddr) -> Option<u32> {
    None
}

/// Reads a file of the system, up to a size that holds ten thousands of connections or users.
fn read(file: &str) -> Option<String> {
    use std::io::Read as _;

    const MAX_BYTES: u64 = 4 << 20;
    let mut text = String::new();
    std::fs::File::open(file).ok()?.take(MAX_BYTES).read_to_string(&mut text).ok()?;
    Some(text)
}

/// Returns the owner of the socket with the local address `caller` in a table of the kernel.
#[cfg(target_os = "linux")]
fn owner_in(table: &str, caller: SocketAddr) -> Option<u32> {
    // sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
    table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let local = address(fields.next()?)?;
        (local == caller).then(|| fields.nth(5)?.parse().ok()).flatten()
    })
}

/// Parses an address of the table: words in the byte order of the machine, then the port.
#[cfg(target_os = "linux")]
fn address(text: &str) -> Option<SocketAddr> {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| u32::from_str_radix(ip.get(at..at + 8)?, 16).ok().map(u32::to_ne_bytes);
    let ip: IpAddr = match ip.len() {
        8 => Ipv4Addr::from(word(0)?).into(),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?];
            let mut bytes = [0; 16];
            bytes.copy_from_slice(words.as_flattened());
            Ipv6Addr::from(bytes).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// Returns the name of a user on this machine.
fn user_name(uid: u32) -> Option<String> {
    let uid = uid.to_string();
    read("/etc/passwd")?.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1) == Some(&uid)).then(|| name.to_owned())
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn a_caller_of_this_machine_has_its_user() {
        let uid = std::fs::metadata("/proc/self").unwrap().uid();
        for host in ["127.0.0.1:0", "[::1]:0"] {
            // A machine may have no IPv6.
            let Ok(listener) = TcpListener::bind(host) else { continue };
            let caller = TcpStream::connect(listener.local_addr().unwrap()).unwrap().local_addr().unwrap();
            // The socket is closed already and may be gone.
            assert!(describe(caller).ends_with(&caller.to_string()));
            let open = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let caller = open.local_addr().unwrap();
            let found = describe(caller);
            assert!(
                found.contains(&format!("uid {uid}")) && found.ends_with(&format!("at {caller}")),
                "{found}"
            );
        }
        assert_eq!(describe("127.0.0.1:1".parse().unwrap()), "127.0.0.1:1");
    }

    #[test]
    fn a_damaged_table_has_no_owner() {
        let caller = "127.0.0.1:80".parse().unwrap();
        for table in
            ["", "sl\n", "sl\n 0: 0100007F", "sl\n 0: 0100007F:0050 x y", "sl\n 0: ü:0050 0 0 0 0 0 0"]
        {
            assert_eq!(owner_in(table, caller), None, "{table}");
        }
    }
}

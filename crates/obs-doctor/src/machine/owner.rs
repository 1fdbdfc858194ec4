//! Owner of a port, from `/proc`.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

/// Transport protocol of a port.
///
/// ```
/// assert_ne!(obs_doctor::machine::Protocol::Tcp, obs_doctor::machine::Protocol::Udp);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// A listening TCP port.
    Tcp,
    /// A bound UDP port.
    Udp,
}

/// Owner of a socket, as far as the kernel shows it to this user.
///
/// ```
/// let owner = obs_doctor::machine::Owner { uid: 0, pid: Some(812), process: Some("nginx".into()) };
/// assert_eq!(owner.to_string(), "nginx (pid 812, uid 0)");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// User ID.
    pub uid: u32,
    /// Process ID; `None` for a process that this user may not inspect.
    pub pid: Option<u32>,
    /// Name of the program, 15 bytes at most.
    pub process: Option<String>,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.process, self.pid) {
            (Some(process), Some(pid)) => write!(f, "{process} (pid {pid}, uid {})", self.uid),
            (_, Some(pid)) => write!(f, "process {pid} of uid {}", self.uid),
            _ => write!(f, "a process of uid {}", self.uid),
        }
    }
}

/// Returns a process that listens on (TCP) or has bound (UDP) `port` at any address; `None` where `/proc` shows none.
pub(super) fn find(protocol: Protocol, port: u16) -> Option<Owner> {
    rows(protocol, port).first().map(owner_of)
}

/// Returns the processes whose sockets answer at `address`, or prevent binding it.
pub(super) fn find_at(protocol: Protocol, address: SocketAddr) -> Vec<Owner> {
    answering(rows(protocol, address.port()), address.ip()).iter().map(owner_of).collect()
}

fn owner_of(row: &SocketEntry) -> Owner {
    let pid = process_with(row.inode);
    let process = pid.and_then(|pid| fs::read_to_string(format!("/proc/{pid}/comm")).ok());
    Owner { uid: row.uid, pid, process: process.map(|name| name.trim_end().to_owned()) }
}

/// Attempts to find the sockets of a port, which a reading may have skipped: see [`read_table`].
const ATTEMPTS: usize = 2;

/// Returns the sockets of a port.
fn rows(protocol: Protocol, port: u16) -> Vec<SocketEntry> {
    (0..ATTEMPTS).map(|_| listed(protocol, port)).find(|rows| !rows.is_empty()).unwrap_or_default()
}

fn listed(protocol: Protocol, port: u16) -> Vec<SocketEntry> {
    let tables = match protocol {
        Protocol::Tcp => ["tcp", "tcp6"],
        Protocol::Udp => ["udp", "udp6"],
    };
    // `thread-self` instead of `self`: a thread may be in another network namespace than the process.
    let read = |name| read_table(Path::new(&format!("/proc/thread-self/net/{name}"))).unwrap_or_default();
    tables.into_iter().flat_map(|name| in_table(&read(name), protocol, port)).collect()
}

/// Reads a table of sockets, in as few steps as the kernel allows.
///
/// The kernel finds the place of the next read by the number of the row. If a socket is closed between two reads, the rows
/// behind it move up, and the next read skips one. One read returns up to 4 KiB, which are some 30 rows, if the buffer has
/// room. The first buffer of [`fs::read_to_string`] has room for less than a row.
fn read_table(path: &Path) -> io::Result<String> {
    let mut text = String::with_capacity(64 << 10);
    File::open(path)?.read_to_string(&mut text)?;
    Ok(text)
}

/// Returns the sockets that receive what is sent to `ip`. A socket on the address itself wins over a wildcard of its
/// family, which wins over the IPv6 wildcard, which accepts IPv4 too. For a wildcard `ip` all sockets are returned, because
/// each of them prevents binding it.
fn answering(rows: Vec<SocketEntry>, ip: IpAddr) -> Vec<SocketEntry> {
    // A socket on an IPv4-mapped address answers IPv4 callers.
    let ip = ip.to_canonical();
    if ip.is_unspecified() {
        return rows;
    }
    let own_wildcard = match ip {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let tiers = [ip, own_wildcard, IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
    let wanted = tiers.into_iter().find(|tier| rows.iter().any(|row| row.ip == *tier));
    rows.into_iter().filter(|row| Some(row.ip) == wanted).collect()
}

#[derive(Debug, PartialEq)]
struct SocketEntry {
    ip: IpAddr,
    uid: u32,
    inode: u64,
}

/// State of a listening socket in `/proc/net/tcp`.
const LISTEN: &str = "0A";

fn in_table(table: &str, protocol: Protocol, port: u16) -> Vec<SocketEntry> {
    let entry = |line: &str| {
        // sl local_address rem_address st tx:rx tr:tm retrnsmt uid timeout inode
        let columns: Vec<&str> = line.split_ascii_whitespace().collect();
        let (ip, local_port) = columns.get(1)?.rsplit_once(':')?;
        let right_port = u16::from_str_radix(local_port, 16).ok()? == port;
        let right_state = protocol == Protocol::Udp || *columns.get(3)? == LISTEN;
        let (uid, inode) = (columns.get(7)?.parse().ok()?, columns.get(9)?.parse().ok()?);
        // Inode 0 is a socket without a file, such as a connection in TIME_WAIT.
        (right_port && right_state && inode != 0).then_some(SocketEntry { ip: parse_ip(ip)?, uid, inode })
    };
    table.lines().skip(1).filter_map(entry).collect()
}

/// Parses an address in the kernel's form: 32-bit words in the machine's byte order, in hexadecimal.
fn parse_ip(text: &str) -> Option<IpAddr> {
    let word = |at| Some(u32::from_str_radix(text.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    match text.len() {
        8 => Some(IpAddr::from(word(0)?)),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?];
            let bytes: [u8; 16] = words.concat().try_into().ok()?;
            Some(IpAddr::from(bytes).to_canonical())
        }
        _ => None,
    }
}

/// Returns the process that has the socket open.
fn process_with(inode: u64) -> Option<u32> {
    let wanted = format!("socket:[{inode}]");
    let pids =
        fs::read_dir("/proc").ok()?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    pids.into_iter().find(|pid| has_link(&Path::new("/proc").join(pid.to_string()).join("fd"), &wanted))
}

fn has_link(folder: &Path, wanted: &str) -> bool {
    let Ok(links) = fs::read_dir(folder) else { return false };
    links.flatten().any(|link| fs::read_link(link.path()).is_ok_and(|target| target.as_os_str() == wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1BA8 0100007F:C350 01 00000000:00000000 00:00000000 00000000  1000        0 77 1 0 20 4 30 10 -1
   1: 00000000:1BA8 00000000:0000 0A 00000000:00000000 00:00000000 00000000   107        0 4242 1 0 100 0 0 10 0
   2: garbage
";

    #[test]
    fn the_listener_is_found_and_not_a_connection() {
        let ip = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        assert_eq!(in_table(TABLE, Protocol::Tcp, 7080), [SocketEntry { ip, uid: 107, inode: 4242 }]);
        assert_eq!(in_table(TABLE, Protocol::Tcp, 7081), []);
    }

    proptest::proptest! {
        #[test]
        fn parsing_any_table_never_panics(table in "([0-9A-F]{0,8}[: ]|0A |\\n|\\PC){0,80}", port: u16) {
            in_table(&table, Protocol::Tcp, port);
            in_table(&format!("\n{TABLE}{table}"), Protocol::Udp, port);
        }
    }

    #[test]
    fn this_process_is_found_by_its_port() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let owner = find(Protocol::Tcp, listener.local_addr().unwrap().port()).unwrap();
        assert_eq!(owner.pid, Some(std::process::id()));
    }

    /// Address, port and wildcard together decide which sockets answer.
    #[test]
    fn the_most_specific_sockets_answer() {
        #[track_caller]
        fn check(rows: &[&str], asked: &str, answers: &[u32]) {
            let entry = |(at, ip): (usize, &&str)| SocketEntry {
                ip: ip.parse::<IpAddr>().unwrap().to_canonical(),
                uid: at as u32,
                inode: 1,
            };
            let rows = rows.iter().enumerate().map(entry).collect();
            let uids: Vec<u32> = answering(rows, asked.parse().unwrap()).iter().map(|row| row.uid).collect();
            assert_eq!(uids, answers);
        }
        check(&["127.0.0.1", "127.0.0.5"], "127.0.0.5", &[1]);
        check(&["127.0.0.1", "127.0.0.5"], "127.0.0.9", &[]);
        check(&["0.0.0.0", "127.0.0.5"], "127.0.0.5", &[1]);
        check(&["0.0.0.0", "::"], "127.0.0.5", &[0]);
        check(&["::"], "127.0.0.5", &[0]);
        check(&["0.0.0.0", "::"], "::1", &[1]);
        check(&["0.0.0.0"], "::1", &[]);
        check(&["::ffff:127.0.0.5", "::"], "127.0.0.5", &[0]);
        check(&["127.0.0.5", "::"], "::ffff:127.0.0.5", &[0]);
        check(&["127.0.0.5", "127.0.0.5"], "127.0.0.5", &[0, 1]);
        check(&["127.0.0.1", "::1"], "0.0.0.0", &[0, 1]);
    }

    #[test]
    fn a_listener_is_found_by_its_address() {
        for host in ["127.0.0.5", "::1", "::", "0.0.0.0"] {
            let Ok(listener) = std::net::TcpListener::bind((host, 0)) else { continue };
            let address = listener.local_addr().unwrap();
            let owners = find_at(Protocol::Tcp, address);
            assert!(owners.iter().any(|owner| owner.pid == Some(std::process::id())), "{host}: {owners:?}");
            let elsewhere = SocketAddr::new("127.0.0.9".parse().unwrap(), address.port());
            assert_eq!(
                find_at(Protocol::Tcp, elsewhere).is_empty(),
                !address.ip().is_unspecified(),
                "{host}"
            );
        }
    }
}

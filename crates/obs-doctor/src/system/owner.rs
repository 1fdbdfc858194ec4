//! Which process has a port, read from `/proc`.

use std::fmt;
use std::fs;
use std::path::Path;

use super::sockets::Protocol;

/// The owner of a socket, as far as the kernel tells it to this user.
///
/// ```
/// let owner = obs_doctor::system::Owner { uid: 0, pid: Some(812), process: Some("nginx".into()) };
/// assert_eq!(owner.to_string(), "nginx (pid 812, uid 0)");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The user.
    pub uid: u32,
    /// The process; another user's is not visible to everybody.
    pub pid: Option<u32>,
    /// The name of its program, at most 15 bytes.
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

/// Who listens on (TCP) or has bound (UDP) `port`; `None` where `/proc` is missing or says nothing.
pub(super) fn find(protocol: Protocol, port: u16) -> Option<Owner> {
    let tables = match protocol {
        Protocol::Tcp => ["/proc/net/tcp", "/proc/net/tcp6"],
        Protocol::Udp => ["/proc/net/udp", "/proc/net/udp6"],
    };
    let socket =
        tables.iter().find_map(|table| in_table(&fs::read_to_string(table).ok()?, protocol, port))?;
    let pid = process_with(socket.inode);
    let process = pid.and_then(|pid| fs::read_to_string(format!("/proc/{pid}/comm")).ok());
    Some(Owner { uid: socket.uid, pid, process: process.map(|name| name.trim_end().to_owned()) })
}

#[derive(Debug, PartialEq)]
struct SocketEntry {
    uid: u32,
    inode: u64,
}

const LISTEN: &str = "0A";

fn in_table(table: &str, protocol: Protocol, port: u16) -> Option<SocketEntry> {
    table.lines().skip(1).find_map(|line| {
        // sl local_address rem_address st tx:rx tr:tm retrnsmt uid timeout inode
        let columns: Vec<&str> = line.split_ascii_whitespace().collect();
        let local_port = columns.get(1)?.rsplit_once(':')?.1;
        let right_port = u16::from_str_radix(local_port, 16).ok()? == port;
        let right_state = protocol == Protocol::Udp || *columns.get(3)? == LISTEN;
        let entry = SocketEntry { uid: columns.get(7)?.parse().ok()?, inode: columns.get(9)?.parse().ok()? };
        (right_port && right_state && entry.inode != 0).then_some(entry)
    })
}

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
    fn takes_the_listener_and_not_a_connection() {
        assert_eq!(in_table(TABLE, Protocol::Tcp, 7080), Some(SocketEntry { uid: 107, inode: 4242 }));
        assert_eq!(in_table(TABLE, Protocol::Tcp, 7081), None);
    }

    proptest::proptest! {
        #[test]
        fn r1_any_table_is_read_without_a_panic(table in "([0-9A-F]{0,8}[: ]|0A |\\n|\\PC){0,80}", port: u16) {
            in_table(&table, Protocol::Tcp, port);
            in_table(&format!("\n{TABLE}{table}"), Protocol::Udp, port);
        }
    }

    #[test]
    fn names_this_process() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let owner = find(Protocol::Tcp, listener.local_addr().unwrap().port()).unwrap();
        assert_eq!(owner.pid, Some(std::process::id()));
    }
}

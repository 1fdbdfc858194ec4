//! The user who owns the client's end of a connection within this machine.
//!
//! Linux lists the sockets of a network namespace with their owners in `/proc/net/tcp` and `/proc/net/tcp6`.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, OnceLock};

/// The user who may see and do everything on this machine.
const ROOT: u32 = 0;

const TABLES: [&str; 2] = ["/proc/net/tcp", "/proc/net/tcp6"];

/// Attempts to find a socket. The kernel lists a table in pieces, and a row can be missed when others come and go meanwhile.
const ATTEMPTS: usize = 2;

/// State of an established connection in the tables.
const ESTABLISHED: &[u8] = b"01";

/// Bytes of a table that are read. This is more than a hundred thousand rows.
const MOST_BYTES: u64 = 32 << 20;

/// User of a connection, looked up at its first request.
///
/// The system lists its sockets slowly: 6 ms a table on a machine with 24 GB of memory. A server makes one of these for each
/// connection that it accepts and puts it into the extensions of the connection's requests. Without it, the console looks at each
/// request.
///
/// ```
/// use obs_console::ConnectionUser;
///
/// # let mut request = http::Request::new(());
/// let connection = ConnectionUser::default();
/// request.extensions_mut().insert(connection.clone());
/// ```
#[derive(Clone, Debug, Default)]
pub struct ConnectionUser(Arc<OnceLock<u32>>);

impl ConnectionUser {
    pub(super) fn known(&self) -> Option<u32> {
        self.0.get().copied()
    }

    /// Remembers the owner of the client's end. It never changes: a socket keeps the user who made it.
    pub(super) fn look_up(&self, client: SocketAddr, port: Option<u16>) -> Option<u32> {
        let user = self.known().or_else(|| socket_owner(client, port))?;
        Some(*self.0.get_or_init(|| user))
    }
}

/// Returns the ID of the user who owns the socket with this address on this machine, which is connected to the server's port.
/// `None` if it cannot be told: on a system without these tables, of a socket in another network or user namespace, and of
/// one that is closed. Reads files of the system.
///
/// Without the port, all sockets with the address must have one owner.
///
/// ```
/// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let client = std::net::TcpStream::connect(listener.local_addr()?)?;
/// let port = listener.local_addr()?.port();
/// if let Some(user) = obs_console::socket_owner(client.local_addr()?, Some(port)) {
///     println!("user {user}");
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use]
pub fn socket_owner(client: SocketAddr, port: Option<u16>) -> Option<u32> {
    let found = (0..ATTEMPTS).find_map(|_| find(client, port))?;
    is_of_this_namespace(found, overflow_user()).then_some(found)
}

/// Returns whether the socket with this address belongs to the user of this process or to root. `None` if its owner cannot be
/// told; see [`socket_owner`]. Reads files of the system.
///
/// ```
/// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let client = std::net::TcpStream::connect(listener.local_addr()?)?;
/// let port = listener.local_addr()?.port();
/// assert_ne!(obs_console::is_own_socket(client.local_addr()?, Some(port)), Some(false));
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use]
pub fn is_own_socket(client: SocketAddr, port: Option<u16>) -> Option<bool> {
    let own = own_user();
    socket_owner(client, port).map(|user| is_own_or_root(user, own))
}

/// Returns whether a user is that of this process or root.
pub(super) fn is_own_or_root(user: u32, own: Option<u32>) -> bool {
    user == ROOT || Some(user) == own
}

/// Returns the user of this process, if the system has users.
#[cfg(unix)]
pub(super) fn own_user() -> Option<u32> {
    Some(rustix::process::geteuid().as_raw())
}

/// Returns the user of this process, if the system has users.
#[cfg(not(unix))]
pub(super) fn own_user() -> Option<u32> {
    None
}

/// Returns whether a user is one of this process's user namespace. `overflow` stands for the users of all others.
fn is_of_this_namespace(user: u32, overflow: Option<u32>) -> bool {
    Some(user) != overflow
}

fn find(client: SocketAddr, port: Option<u16>) -> Option<u32> {
    let mut owners = Owners::default();
    for table in TABLES {
        // A kernel without IPv6 has one table.
        if let Ok(table) = File::open(table) {
            let table = BufReader::with_capacity(1 << 16, std::io::Read::take(table, MOST_BYTES));
            owners.read(table, client, port);
        }
    }
    owners.only()
}

/// Returns the user that stands for all users of other user namespaces. Its name proves nothing.
fn overflow_user() -> Option<u32> {
    std::fs::read_to_string("/proc/sys/kernel/overflowuid").ok()?.trim().parse().ok()
}

/// Owners of the sockets that match.
#[derive(Debug, Default)]
struct Owners {
    user: Option<u32>,
    is_ambiguous: bool,
}

impl Owners {
    fn read(&mut self, mut table: impl BufRead, client: SocketAddr, port: Option<u16>) {
        let mut row = Vec::new();
        loop {
            row.clear();
            match table.read_until(b'\n', &mut row) {
                Ok(0) => return,
                Ok(_) => self.add(&row, client, port),
                Err(_) => {
                    // The rest of the table could have another owner.
                    self.is_ambiguous = true;
                    return;
                }
            }
        }
    }

    fn add(&mut self, row: &[u8], client: SocketAddr, port: Option<u16>) {
        let mut fields = row.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
        let mut next = || fields.next();
        let (Some(_), Some(local), Some(remote), Some(state)) = (next(), next(), next(), next()) else {
            return;
        };
        let Some(address) = address(local) else { return };
        if address.port() != client.port() || address.ip() != client.ip().to_canonical() {
            return;
        }
        if port.is_some_and(|port| self::address(remote).is_none_or(|remote| remote.port() != port)) {
            return;
        }
        let user = fields.nth(3).and_then(number);
        let inode = fields.nth(1).and_then(number::<u64>);
        // A socket that its process has closed is listed as one of root, without an inode.
        let is_held = state == ESTABLISHED && inode.is_some_and(|inode| inode != 0);
        self.is_ambiguous |= user.is_none() || !is_held || self.user.is_some_and(|other| Some(other) != user);
        self.user = user;
    }

    fn only(self) -> Option<u32> {
        self.user.filter(|_| !self.is_ambiguous)
    }
}

fn number<N: std::str::FromStr>(digits: &[u8]) -> Option<N> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Reads an address such as `0100007F:1B80`: words of the machine's byte order and a port. The address is canonical.
fn address(field: &[u8]) -> Option<SocketAddr> {
    let (address, port) = std::str::from_utf8(field).ok()?.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| -> Option<[u8; 4]> {
        let digits = address.get(at..at + 8)?;
        u32::from_str_radix(digits, 16).ok().map(u32::to_ne_bytes)
    };
    let ip = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?];
            IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(words.concat()).ok()?)).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(all(test, target_endian = "little"))]
mod tests {
    use super::*;

    const HEAD: &str =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

    fn row(local: &str, remote: &str, state: &str, user: u32, inode: u32) -> String {
        format!(
            "   0: {local} {remote} {state} 00000000:00000000 00:00000000 00000000  {user}        0 {inode} 1 0\n"
        )
    }

    fn owner_in(rows: &[String], client: &str, port: Option<u16>) -> Option<u32> {
        let mut owners = Owners::default();
        owners.read(format!("{HEAD}{}", rows.concat()).as_bytes(), client.parse().unwrap(), port);
        owners.only()
    }

    #[test]
    fn the_owner_stands_in_the_row_of_the_clients_end() {
        let rows = [
            row("0100007F:1BA8", "0100007F:9C40", "01", 0, 11), // the server's end
            row("0100007F:9C40", "0100007F:1BA8", "01", 1000, 12),
            row("0100007F:9C41", "0100007F:1BA8", "01", 1001, 13),
            row(
                "0000000000000000FFFF00000100007F:9C42",
                "0000000000000000FFFF00000100007F:1BA8",
                "01",
                1002,
                14,
            ),
            row(
                "00000000000000000000000001000000:9C43",
                "00000000000000000000000001000000:1BA8",
                "01",
                1003,
                15,
            ),
        ];
        for port in [None, Some(7080)] {
            assert_eq!(owner_in(&rows, "127.0.0.1:40000", port), Some(1000));
            assert_eq!(owner_in(&rows, "[::ffff:127.0.0.1]:40000", port), Some(1000));
            assert_eq!(owner_in(&rows, "127.0.0.1:40001", port), Some(1001));
            assert_eq!(owner_in(&rows, "127.0.0.1:40002", port), Some(1002));
            assert_eq!(owner_in(&rows, "[::1]:40003", port), Some(1003));
            assert_eq!(owner_in(&rows, "127.0.0.1:40009", port), None);
            assert_eq!(owner_in(&rows, "127.0.0.2:40000", port), None);
        }
        assert_eq!(owner_in(&rows, "127.0.0.1:40000", Some(7081)), None);
    }

    #[test]
    fn a_closed_socket_is_not_one_of_root() {
        for (state, inode) in [("01", 0), ("04", 12), ("05", 0), ("06", 0), ("08", 12)] {
            let rows = [row("0100007F:9C40", "0100007F:1BA8", state, 0, inode)];
            assert_eq!(owner_in(&rows, "127.0.0.1:40000", Some(7080)), None, "{state} {inode}");
        }
    }

    #[test]
    fn two_sockets_with_one_address_are_told_apart_by_port_alone() {
        let rows = [
            row("0100007F:9C40", "0100007F:1BA8", "01", 1000, 12),
            row("0100007F:9C40", "0100007F:1EB4", "01", 1001, 13),
            row("0100007F:9C40", "0200007F:1EB4", "01", 1002, 14),
        ];
        assert_eq!(owner_in(&rows, "127.0.0.1:40000", None), None);
        assert_eq!(owner_in(&rows, "127.0.0.1:40000", Some(7080)), Some(1000));
        assert_eq!(owner_in(&rows, "127.0.0.1:40000", Some(7860)), None, "two owners");
    }

    #[test]
    fn the_user_of_another_namespace_is_not_the_node_that_runs_as_nobody() {
        assert!(!is_of_this_namespace(65_534, Some(65_534)));
        assert!(is_of_this_namespace(65_534, None) && is_of_this_namespace(0, Some(65_534)));
    }

    #[test]
    fn a_connection_is_looked_up_once_and_only_if_it_has_an_owner() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (address, port) = (client.local_addr().unwrap(), Some(listener.local_addr().unwrap().port()));
        let user = ConnectionUser::default();
        assert_eq!((user.look_up(address, Some(1)), user.known()), (None, None), "of another connection");
        let found = user.look_up(address, port);
        assert_eq!(found, own_user());
        drop((client, listener));
        assert_eq!((user.look_up(address, port), user.known()), (found, found), "the socket is gone");
        assert_eq!(ConnectionUser::default().look_up(address, port), None, "another connection");
    }

    #[test]
    fn damaged_rows_have_no_owner() {
        let whole = row("0100007F:9C40", "0100007F:1BA8", "01", 1000, 12);
        for end in 0..whole.len() {
            // A cut inode is another number; all shorter rows lack it.
            let owner = owner_in(&[whole[..end].to_owned()], "127.0.0.1:40000", Some(7080));
            assert!(owner.is_none() || whole[..end].contains(" 1"), "{end}");
        }
        for local in ["0100007F9C40", ":", "zz:9C40", "0100007F:", "é100007F:9C40", "0100007F:19C40"] {
            assert_eq!(owner_in(&[row(local, "0100007F:1BA8", "01", 1, 1)], "127.0.0.1:40000", None), None);
        }
    }

    /// Fails after the rows before it.
    struct Torn;

    impl std::io::Read for Torn {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("torn"))
        }
    }

    #[test]
    fn a_table_that_cannot_be_read_to_its_end_tells_nothing() {
        let text = format!("{HEAD}{}", row("0100007F:9C40", "0100007F:1BA8", "01", 1000, 12));
        let mut owners = Owners::default();
        owners.read(text.as_bytes(), "127.0.0.1:40000".parse().unwrap(), Some(7080));
        assert_eq!(owners.only(), Some(1000));
        let table = BufReader::new(std::io::Read::chain(text.as_bytes(), Torn));
        let mut owners = Owners::default();
        owners.read(table, "127.0.0.1:40000".parse().unwrap(), Some(7080));
        assert_eq!(owners.only(), None);
    }
}

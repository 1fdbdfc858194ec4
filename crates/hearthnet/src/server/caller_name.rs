//! Name of a caller on this machine, for the log.

use std::net::SocketAddr;

use obs_facade::console::socket_owner;

/// Returns the address of a caller, with the user that owns its end of the connection where the system shows it. Reads a
/// file of the system.
pub(crate) fn describe(caller: SocketAddr) -> String {
    match socket_owner(caller, None) {
        Some(uid) => match user_name(uid) {
            Some(name) => format!("{name} (uid {uid}) at {caller}"),
            None => format!("uid {uid} at {caller}"),
        },
        None => caller.to_string(),
    }
}

/// Reads a file of the system, up to a size that holds ten thousands of users.
fn read(file: &str) -> Option<String> {
    use std::io::Read as _;

    const MAX_BYTES: u64 = 4 << 20;
    let mut text = String::new();
    std::fs::File::open(file).ok()?.take(MAX_BYTES).read_to_string(&mut text).ok()?;
    Some(text)
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
}

//! Access to the console.

use std::io::Write;

use obs_console::Mode;

use crate::server::{Answer, Server, by_loopback, by_none};

const OVERVIEW: &str = "/console/api/v1/overview";

/// A user that is neither the one of the tests nor root, nor the one that stands for unknown users.
#[cfg(target_os = "linux")]
const OTHER_USER: u32 = 12_345;

/// Sends a request as another user of this machine. `None` if the tests do not run as root.
#[cfg(target_os = "linux")]
fn as_other_user(server: &Server, request: &str) -> Option<Answer> {
    as_user_at(OTHER_USER, "127.0.0.1", server, request)
}

/// Sends a request as a user of this machine to one of its addresses. `None` if the tests do not run as root.
#[cfg(target_os = "linux")]
fn as_user_at(user: u32, address: &str, server: &Server, request: &str) -> Option<Answer> {
    use std::os::unix::process::CommandExt;

    let port = server.address.port();
    let script =
        format!("exec 3<>/dev/tcp/{address}/{port}; printf '%s' \"$1\" >&3; exec timeout 30 cat <&3");
    let mut command = std::process::Command::new("bash");
    command.args(["-c", &script, "bash", request]).current_dir("/").uid(user).gid(user);
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(Answer::of(&output.stdout))
}

#[test]
fn the_nodes_own_user_needs_no_token_on_this_machine() {
    for (address, mode) in [("127.0.0.1", Mode::Local), ("0.0.0.0", Mode::Lan)] {
        let server = Server::start(address, mode, by_loopback);
        let answer = server.get(OVERVIEW, "");
        assert_eq!(answer.status, 200, "{mode:?}: {}", answer.text);
    }
    if std::net::TcpListener::bind("[::1]:0").is_ok() {
        let server = Server::start("::", Mode::Local, by_loopback);
        assert_eq!(server.get(OVERVIEW, "").status, 200);
        // A client of IPv4 has an IPv4-mapped address at this server.
        let mut connection = std::net::TcpStream::connect(("127.0.0.1", server.address.port())).unwrap();
        connection.write_all(server.request(&format!("GET {OVERVIEW}"), "", "").as_bytes()).unwrap();
        assert_eq!(Answer::read(&mut connection).status, 200);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn another_user_of_this_machine_needs_the_token() {
    let server = Server::local();
    let request = |headers: &str| server.request(&format!("GET {OVERVIEW}"), headers, "");
    let Some(refused) = as_other_user(&server, &request("")) else { return };
    assert_eq!(refused.status, 401, "{}", refused.text);
    assert!(refused.text.contains("hearthnet console") && !refused.text.contains("node"), "{}", refused.text);
    let bearer = format!("Authorization: Bearer {}\r\n", server.token.expose());
    assert_eq!(as_other_user(&server, &request(&bearer)).unwrap().status, 200);
    // A server on another port gets the cookie of the browser's user. It is of no use there.
    let cookie = server.log_in();
    assert_eq!(as_other_user(&server, &request(&cookie)).unwrap().status, 401);
    let reads = [
        "overview",
        "series?family=a",
        "traces",
        "traces/01HXR3F2M9Z5T1V8Q4W7N6K0JD",
        "logs",
        "logs/tail",
        "logs/download",
        "metrics",
        "doctor",
        "problems",
        "sessions",
        "peers",
    ];
    let writes = ["POST doctor/run", "POST problems/7/mute", "POST session", "DELETE sessions/1"];
    let before = server.fake.asked.lock().unwrap().len();
    for asked in reads.map(|path| format!("GET {path}")).into_iter().chain(writes.map(str::to_owned)) {
        let request = asked.replacen(' ', " /console/api/v1/", 1);
        let request = server.request(&request, "X-HearthNet-Console: 1\r\n", "{\"token\":\"guessed\"}");
        assert_eq!(as_other_user(&server, &request).unwrap().status, 401, "{asked}");
    }
    assert_eq!(server.fake.asked.lock().unwrap().len(), before, "the source was not asked");
}

/// The owner of a connection stands in another table for IPv6, and an IPv4-mapped one is in that table for one end alone.
#[cfg(target_os = "linux")]
#[test]
fn another_user_is_told_over_ipv6_too() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        return;
    }
    let server = Server::start("::", Mode::Local, by_loopback);
    for from in ["::1", "127.0.0.1", "::ffff:127.0.0.1"] {
        let request = server.request(&format!("GET {OVERVIEW}"), "", "");
        let Some(refused) = as_user_at(OTHER_USER, from, &server, &request) else { return };
        assert_eq!(refused.status, 401, "{from}: {}", refused.text);
        assert_eq!(as_user_at(0, from, &server, &request).unwrap().status, 200, "{from}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_socket_that_was_closed_after_its_request_is_not_taken_for_root() {
    let server = Server::local();
    let port = server.address.port();
    let request = server.request("POST /console/api/v1/doctor/run", "X-HearthNet-Console: 1\r\n", "");
    use std::os::unix::process::CommandExt;
    let script = format!(
        "for n in {{1..30}}; do exec 3<>/dev/tcp/127.0.0.1/{port}; printf '%s' \"$1\" >&3; exec 3>&-; done"
    );
    let mut command = std::process::Command::new("bash");
    command.args(["-c", &script, "bash", &request]).current_dir("/").uid(OTHER_USER).gid(OTHER_USER);
    if !command.status().is_ok_and(|status| status.success()) {
        return;
    }
    // The look-ups take turns, so that this one comes after nearly all of theirs.
    assert_eq!(server.get(OVERVIEW, "").status, 200);
    let asked = server.fake.asked.lock().unwrap();
    assert!(!asked.iter().any(|call| call.starts_with("doctor")), "{asked:?}");
}

#[test]
fn a_caller_whose_user_cannot_be_told_needs_the_token() {
    let server = Server::start("127.0.0.1", Mode::Lan, by_none);
    let refused = server.get(OVERVIEW, "");
    assert_eq!(refused.status, 401);
    assert!(refused.header("www-authenticate").is_some());
    assert_eq!(server.get("/console/", "").status, 200, "the page asks for the token");
    let cookie = server.log_in();
    assert_eq!(server.get(OVERVIEW, &cookie).status, 200);
    let tampered = cookie.replace("=", "=0");
    assert_eq!(server.get(OVERVIEW, &tampered).status, 401);
}

#[test]
fn a_caller_of_another_machine_is_refused_in_local_mode_even_with_the_token() {
    let server = Server::start("127.0.0.1", Mode::Local, by_none);
    let bearer = format!("Authorization: Bearer {}\r\n", server.token.expose());
    for path in ["/console/", OVERVIEW] {
        assert_eq!(server.get(path, &bearer).status, 403, "{path}");
    }
    assert_eq!(server.post_token(server.token.expose()).status, 403);
}

#[test]
fn a_proxys_caller_is_never_local() {
    let header = "X-Forwarded-For: 127.0.0.1\r\n";
    assert_eq!(Server::local().get(OVERVIEW, header).status, 403);
    let server = Server::start("127.0.0.1", Mode::Lan, by_loopback);
    assert_eq!(server.get(OVERVIEW, header).status, 401);
    let far = Server::start("127.0.0.1", Mode::Lan, by_none);
    assert_eq!(far.get(OVERVIEW, header).status, 401, "its word for the address counts for nothing");
}

#[test]
fn there_is_no_route_when_the_console_is_off() {
    let server = Server::start("127.0.0.1", Mode::Off, by_loopback);
    for path in ["/console", "/console/", OVERVIEW, "/console/assets/x.js"] {
        let answer = server.get(path, "");
        assert_eq!((answer.status, answer.text.as_str()), (404, ""), "{path}");
    }
}

#[test]
fn a_rebound_name_is_refused_in_each_mode() {
    for (mode, local) in
        [(Mode::Local, by_loopback as fn(&_) -> _), (Mode::Lan, by_loopback), (Mode::Lan, by_none)]
    {
        let server = Server::start("127.0.0.1", mode, local);
        let cookie = server.log_in();
        for host in ["evil.example", "127.0.0.1.evil.example", ""] {
            let headers = format!("Host: {host}:{}\r\n{cookie}", server.address.port());
            for path in ["/console", "/console/", "/console/assets/x.js", OVERVIEW] {
                assert_eq!(server.get(path, &headers).status, 403, "{mode:?} {host} {path}");
            }
        }
        let own = format!("Host: home-server:{}\r\n", server.address.port());
        assert_eq!(server.get("/console/", &own).status, 200);
    }
}

#[test]
fn a_page_of_another_origin_reads_nothing() {
    let server = Server::local();
    let cookie = server.log_in();
    let port = server.address.port();
    for headers in [
        "Origin: http://evil.example\r\n".to_owned(),
        "Origin: http://127.0.0.1:7860\r\n".to_owned(),
        format!("Origin: http://localhost:{port}\r\n"),
        "Origin: null\r\n".to_owned(),
        "Sec-Fetch-Site: cross-site\r\n".to_owned(),
        "Sec-Fetch-Site: same-site\r\n".to_owned(),
    ] {
        for path in ["overview", "logs/tail", "logs/download", "traces"] {
            let answer = server.get(&format!("/console/api/v1/{path}"), &format!("{headers}{cookie}"));
            assert_eq!(answer.status, 403, "{headers} {path}");
            assert!(!answer.head.to_ascii_lowercase().contains("access-control"), "{}", answer.head);
        }
        let preflight = format!("{headers}Access-Control-Request-Method: POST\r\n");
        let answer = server.send("OPTIONS /console/api/v1/doctor/run", &preflight, "");
        assert!(answer.status >= 400 && !answer.head.to_ascii_lowercase().contains("access-control"));
    }
}

#[test]
fn a_write_needs_proof_of_its_page_or_program() {
    let server = Server::local();
    let cookie = server.log_in();
    let port = server.address.port();
    let write = |headers: &str| {
        let mute = server.send("POST /console/api/v1/problems/a/mute", headers, "{\"until\":1}").status;
        assert_eq!(server.send("POST /console/api/v1/doctor/run", headers, "").status == 403, mute == 403);
        assert_eq!(server.send("DELETE /console/api/v1/sessions/99", headers, "").status == 403, mute == 403);
        mute
    };
    for forged in [
        String::new(),
        cookie.clone(),
        format!("Origin: http://evil.example\r\n{cookie}"),
        format!("Origin: http://127.0.0.1:7860\r\n{cookie}"),
        format!("Origin: null\r\n{cookie}"),
        format!("Sec-Fetch-Site: same-site\r\n{cookie}"),
        format!("Sec-Fetch-Site: none\r\n{cookie}"),
        format!("Origin: http://evil.example\r\nX-HearthNet-Console: 1\r\n{cookie}"),
    ] {
        assert_eq!(write(&forged), 403, "{forged}");
    }
    assert!(server.fake.asked.lock().unwrap().is_empty());
    for own in [
        format!("Origin: http://127.0.0.1:{port}\r\n"),
        "Sec-Fetch-Site: same-origin\r\n".to_owned(),
        "X-HearthNet-Console: 1\r\n".to_owned(),
    ] {
        assert_eq!(write(&own), 204, "{own}");
    }
}

#[test]
fn no_page_can_frame_the_console_or_run_foreign_code_in_it() {
    let server = Server::local();
    for path in ["/console", "/console/", "/console/none.js", OVERVIEW, "/console/api/v1/none"] {
        let answer = server.get(path, "");
        let policy = answer.header("content-security-policy").unwrap();
        for part in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        for (name, value) in [
            ("x-frame-options", "DENY"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}");
        }
    }
    assert_eq!(server.get(OVERVIEW, "").header("cache-control"), Some("no-store"));
    assert_eq!(server.get("/console", "").header("location"), Some("/console/"));
}

#[test]
fn sessions_are_listed_and_ended_and_their_cookie_is_guarded() {
    let server = Server::start("127.0.0.1", Mode::Lan, by_none);
    let answer = server.post_token(server.token.expose());
    let cookie = answer.header("set-cookie").unwrap();
    for part in ["; HttpOnly", "; SameSite=Strict", "; Path=/console"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(cookie.starts_with(&format!("hearthnet-console-{}=", server.address.port())), "{cookie}");
    assert!(!answer.text.contains(server.token.expose()), "{}", answer.text);
    let own = server.log_in();
    let listed = server.get("/console/api/v1/sessions", &own);
    let sessions: obs_console::api::Sessions = serde_json::from_str(&listed.text).unwrap();
    let ids: Vec<_> = sessions.sessions.iter().map(|session| (session.id.as_str(), session.is_own)).collect();
    assert_eq!(ids, [("2", true), ("1", false)]);
    let secret = own.trim().rsplit('=').next().unwrap();
    assert!(!listed.text.contains(secret));
    let program = format!("X-HearthNet-Console: 1\r\n{own}");
    let delete = |id: &str| server.send(&format!("DELETE /console/api/v1/sessions/{id}"), &program, "");
    assert_eq!((delete("1").status, delete("1").status, delete("x").status), (204, 404, 400));
    assert!(delete("2").header("set-cookie").unwrap().contains("Max-Age=0"));
    assert_eq!(server.get(OVERVIEW, &own).status, 401);
}

#[test]
fn wrong_tokens_are_slowed_down() {
    let server = Server::start("127.0.0.1", Mode::Lan, by_none);
    let own = server.log_in();
    let statuses: Vec<_> = (0..12).map(|n| server.post_token(&n.to_string()).status).collect();
    assert_eq!(statuses[..10], [401; 10]);
    assert_eq!(statuses[10..], [429; 2]);
    let refused = server.post_token(server.token.expose());
    assert_eq!(refused.status, 429, "a guess cannot be told from the token meanwhile");
    assert!(refused.header("retry-after").is_some());
    let bearer = format!("Authorization: Bearer {}\r\n", server.token.expose());
    assert_eq!(server.get(OVERVIEW, &bearer).status, 429);
    assert_eq!(server.get(OVERVIEW, &own).status, 200, "open sessions go on");
}

//! Tests of the redaction of reports: 200 secrets of ten kinds, and text that must stay.

use std::path::Path;

use super::planted_secrets::{COUNT, Planted, meanings, planted};
use super::{Redactor, SecretKind};

fn redactor() -> Redactor {
    Redactor::new().home(Path::new("/srv/people/ada")).private_addresses(true)
}

#[track_caller]
fn check_hidden(shown: &str, planted: &Planted, form: &str) {
    for meaning in meanings(shown) {
        for needle in &planted.needles {
            assert!(!meaning.contains(needle.as_str()), "{} {form}: {needle} in {shown}", planted.kind);
        }
    }
}

#[test]
fn no_planted_secret_survives_in_any_form() {
    for seed in 0..5 {
        let all = planted(seed);
        assert_eq!(all.len(), COUNT);
        for planted in all {
            for (form, text) in planted.forms() {
                check_hidden(&redactor().text(&text), &planted, form);
                let line =
                    serde_json::json!({ "ts": "2026-11-28T02:00:00.000Z", "msg": text, "n": 1 }).to_string();
                let shown = redactor().json(&line);
                check_hidden(&shown, &planted, form);
                let value: serde_json::Value = serde_json::from_str(&shown).unwrap();
                assert!(value["ts"] == "2026-11-28T02:00:00.000Z" && value["n"] == 1, "{shown}");
            }
            // A line of a log breaks a text with many lines, or a field does.
            let mut redactor = redactor();
            for line in planted.text.lines() {
                check_hidden(
                    &redactor.json(&serde_json::json!({ "msg": line }).to_string()),
                    &planted,
                    "lines",
                );
            }
            let Some((name, value)) = &planted.pair else { continue };
            let inner = serde_json::json!({ name.as_str(): { "a": [value] } }).to_string();
            check_hidden(&redactor.json(&inner), &planted, "value within");
            for line in [
                serde_json::json!({ name.as_str(): value }),
                serde_json::json!({ "name": name, "value": value }),
                serde_json::json!({ "a": [[name, value], ["x", "y"]] }),
                serde_json::json!({ "headers": format!("{{\"{name}\": \"{value}\"}}") }),
                serde_json::json!({ "headers": format!("[(\"{name}\", \"{value}\")]") }),
                serde_json::json!({ "debug": format!("Request {{ {name}: Some(\"{value}\"), n: 5 }}") }),
                serde_json::json!({ "toml": format!("{name} = \"\"\"{value}\"\"\"\n") }),
                serde_json::json!({ "fields": format!("name={name} value=\"{value}\"") }),
            ] {
                check_hidden(&redactor.json(&line.to_string()), &planted, "fields");
                check_hidden(&redactor.text(&line.to_string()), &planted, "fields as text");
            }
        }
    }
}

#[test]
fn ordinary_text_stays() {
    for text in [
        "connect http://127.0.0.1:11434: connection refused",
        "connect http://127.0.0.1:11434/v1/chat: connection refused (os error 111)",
        "http://192.168.1.4:7080/health answered 503",
        "peer ed25519:YSBzZWVkIHRoYXQgbXVzdCBub3QgYmUgcHJpbnRlZCE is slow",
        "peer=ed25519%3AYSBzZWVkIHRoYXQgbXVzdCBub3QgYmUgcHJpbnRlZCE",
        "trace 01M8A0G3D5K2VW2YF5NDMDVJVN took 12.345 ms",
        "request-01M8A0G3D5K2VW2YF5NDMDVJVN-retry",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "model meta-llama-3.1-8b-instruct-q4_K_M-imatrix",
        "model Qwen2-VL-72B-Instruct-AWQ-Int4",
        "prompt_tokens=512 max_tokens: 100 completion_tokens=7 exit code=1",
        "hearthnet_requests_total{capability=\"llm.chat\",result=\"ok\",le=\"0.5\"} 12 1764280000.123",
        "4 of 19 checks: 15 pass, 3 warn, 1 fail",
        "~/.local/share/hearthnet/keys/device.ed25519, 0600",
        "/var/log/hearthnet/2026-11-28.log: no space left on device",
        "basic authentication failed, no token is set",
        "thread 'main' panicked at crates/obs-log/src/api/mod.rs:12:5: obs_log::token::parse",
        "GET /trace/recent?n=100&capability=llm.chat&sort=slowest",
        "2026-11-28T02:00:00.000Z",
        "level=warn logger=hearthnet.bus",
        "c0ffee00-1111-4222-8333-444455556666",
        "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "100 % of 5 MiB; a=b&c=d",
        "hf_transfer_enabled sk-learn task-list",
        "TlsConnectionRefusedByPeerBecauseOfVersion13",
    ] {
        let mut redactor = Redactor::new().home(Path::new("/srv/people/ada"));
        assert_eq!(redactor.text(text), text);
        let line = serde_json::json!({ "msg": text, "trace_id": "01M8A0G3D5K2VW2YF5NDMDVJVN" }).to_string();
        assert_eq!(redactor.json(&line), line);
        assert_eq!(SecretKind::ALL.map(|kind| redactor.count(kind)), [0; 10]);
    }
}

#[test]
fn what_goes_without_a_secret_is_none() {
    let line = r#"{"open_without_credentials":["/health","/ready"],"n":1}"#;
    assert_eq!(redactor().json(line), line);
    assert_eq!(redactor().text("without_password = 12 days"), "without_password = 12 days");
    let hidden = redactor().json(r#"{"without_doubt_password":"abc","credentials":["d"]}"#);
    assert!(!hidden.contains("abc") && !hidden.contains("\"d\""), "{hidden}");
}

#[test]
fn each_mark_says_the_kind() {
    for (text, expected, kind) in [
        ("DB_PASSWORD=abc next", "DB_PASSWORD=[secret] next", SecretKind::Secret),
        ("password: abc", "password: [password]", SecretKind::Password),
        ("http://ann:b@nas.lan/", "http://[password]@nas.lan/", SecretKind::Password),
        ("http://a:b@h/", "http://[password]@h/", SecretKind::Password),
        ("http://h/?n=1&code=abc&m=2", "http://h/?n=1&code=[parameter]&m=2", SecretKind::Parameter),
        ("Cookie: a=b; c=d", "Cookie: [cookie]", SecretKind::Cookie),
        ("Authorization: Bearer abc", "Authorization: Bearer [authorization]", SecretKind::Authorization),
        ("to ann@example.org.", "to [email].", SecretKind::Email),
        ("/home/ada/x and /srv/people/ada/y", "~/x and ~/y", SecretKind::Home),
        ("at 192.168.1.4:7080", "at [private-address]:7080", SecretKind::PrivateAddress),
        ("used ghp_0123456789abcdefABCD", "used [token]", SecretKind::Token),
        (
            "password=[redacted], token: 12, seed = 42",
            "password=[redacted], token: 12, seed = 42",
            SecretKind::Key,
        ),
    ] {
        let mut redactor = redactor();
        assert_eq!(redactor.text(text), expected);
        let expected = text.matches("/ada/").count().max(usize::from(text != expected));
        assert_eq!(redactor.count(kind), expected as u64, "{text}");
        assert!(!format!("{redactor:?}").contains("abc"));
    }
}

#[test]
fn a_known_key_is_found_in_every_form() {
    let seed: Vec<u8> = (0..32).map(|byte| byte * 7 + 3).collect();
    let mut redactor = Redactor::new().secret(&seed).secret(b"horse-staple");
    let hex: String = seed.iter().map(|byte| format!("{byte:02x}")).collect();
    use base64::Engine as _;
    let encode = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    for text in [
        hex[..40].to_owned(),
        format!("x{}", hex.to_uppercase()),
        encode(&seed)[..30].to_owned(),
        encode(&[&[9; 16][..], &seed].concat()),
        encode(&[&[9; 17][..], &seed].concat()),
        "horse-staple".to_owned(),
    ] {
        let shown = redactor.text(&format!("is {text} here"));
        assert!(shown.starts_with("is [key]"), "{text}: {shown}");
    }
    let list = format!("{{\"seed\":{seed:?},\"n\":[1]}}");
    let shown = redactor.json(&list);
    assert!(!shown.contains("10,") && shown.ends_with("\"n\":[1]}"), "{shown}");
    assert_eq!(redactor.text(&format!("seed: {seed:?}")), "seed: [[key]]");
}

proptest::proptest! {
    #[test]
    fn any_text_is_redacted_without_a_panic_and_json_stays_json(text in "(\\PC|[%\\\\\"'=:@/{\\[,u0-9a-f]){0,120}") {
        let _ = redactor().text(&text);
        let line = serde_json::json!({ "a": text, "token": [text, { "x": 1 }] }).to_string();
        serde_json::from_str::<serde::de::IgnoredAny>(&redactor().json(&line)).unwrap();
    }
}

//! Secrets of ten kinds in the forms in which they get into logs, settings, traces and metrics.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// Number of secrets.
pub(crate) const COUNT: usize = 200;

/// Secret in the text around it.
pub(crate) struct Planted {
    pub(crate) kind: &'static str,
    pub(crate) text: String,
    /// What must not be found: the secret, or each of its parts.
    pub(crate) needles: Vec<String>,
    /// Name and value, where a field or header has them apart.
    pub(crate) pair: Option<(String, String)>,
}

/// Small generator of numbers. Equal seeds give equal secrets.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    fn of(&mut self, alphabet: &str, length: usize) -> String {
        let letters: Vec<char> = alphabet.chars().collect();
        (0..length).map(|_| letters[self.below(letters.len())]).collect()
    }

    fn word(&mut self, length: usize) -> String {
        self.of("abcdefghijkmnopqrstuvwxyz", length)
    }

    fn mixed(&mut self, length: usize) -> String {
        // One of each kind, as a generator of passwords makes them.
        self.of("ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz0123456789", length - 3)
            + &self.of("QXZ", 1)
            + &self.of("789", 1)
            + &self.of("jqx", 1)
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.below(256) as u8).collect()
    }
}

/// Returns the secrets of a seed.
pub(crate) fn planted(seed: u64) -> Vec<Planted> {
    let mut random = Random(seed);
    let makers = [key, token, url, authorization, cookie, variable, email, home, parameter, address];
    (0..COUNT).map(|at| makers[at % makers.len()](&mut random, at / makers.len())).collect()
}

fn of(kind: &'static str, text: String, secret: &str) -> Planted {
    Planted { kind, text, needles: vec![secret.to_owned()], pair: None }
}

fn named(kind: &'static str, text: String, name: &str, secret: &str) -> Planted {
    Planted { pair: Some((name.to_owned(), secret.to_owned())), ..of(kind, text, secret) }
}

fn key(random: &mut Random, at: usize) -> Planted {
    let bytes = random.bytes(32);
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    match at % 5 {
        0 => {
            let body = STANDARD.encode(random.bytes(140));
            let lines: Vec<&str> =
                body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
            let text =
                format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----", lines.join("\n"));
            let needles = lines.iter().map(|line| (*line).to_owned()).collect();
            Planted { kind: "key", text: format!("read {text} at start"), needles, pair: None }
        }
        1 => of("key", format!("seed {hex} of the device"), &hex),
        2 => of("key", format!("SEED {} of the device", hex.to_uppercase()), &hex.to_uppercase()),
        3 => {
            let key = STANDARD.encode(&bytes);
            let key = key.trim_end_matches('=');
            of("key", format!("device key ({key}=) was read"), key)
        }
        _ => {
            let key = URL_SAFE_NO_PAD.encode(&bytes);
            named("key", format!("private_key: {key}"), "private_key", &key)
        }
    }
}

fn token(random: &mut Random, at: usize) -> Planted {
    let token = match at % 6 {
        0 => format!("sk-{}", random.mixed(48)),
        1 => format!("ghp_{}", random.mixed(36)),
        2 => format!("xoxb-{}-{}", random.of("0123456789", 11), random.mixed(24)),
        3 => format!("AKIA{}", random.of("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16)),
        4 => format!("glpat-{}", random.mixed(20)),
        _ => {
            let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
            let user = random.word(8);
            let claims = part(&format!("{{\"sub\":\"{user}\",\"iat\":1764280000}}"));
            format!("{}.{claims}.{}", part("{\"alg\":\"HS256\",\"typ\":\"JWT\"}"), random.mixed(43))
        }
    };
    of("token", format!("the backend refused {token}, code 401"), &token)
}

fn url(random: &mut Random, at: usize) -> Planted {
    let (user, password) = (random.word(5), random.mixed(14));
    let scheme = ["http", "https", "postgres", "redis", "ftp"][at % 5];
    of("url", format!("connect {scheme}://{user}:{password}@nas.lan:8443/v1 failed"), &password)
}

fn authorization(random: &mut Random, at: usize) -> Planted {
    let secret = random.mixed(24);
    let (user, password) = (random.word(5), random.mixed(12));
    match at % 3 {
        0 => named(
            "authorization",
            format!("Authorization: Bearer {secret}"),
            "Authorization",
            &format!("Bearer {secret}"),
        ),
        1 => {
            let basic = STANDARD.encode(format!("{user}:{password}"));
            let basic = basic.trim_end_matches('=');
            let mut planted = of("authorization", format!("sent authorization: Basic {basic} to it"), basic);
            planted.needles.push(password);
            planted
        }
        _ => named("authorization", format!("curl -H 'X-Api-Key: {secret}' http://h"), "X-Api-Key", &secret),
    }
    .with_needle(&secret, at.is_multiple_of(3))
}

fn cookie(random: &mut Random, at: usize) -> Planted {
    let (session, other) = (random.mixed(26), random.mixed(16));
    let (name, text) = match at % 2 {
        0 => ("Cookie", format!("Cookie: sid={session}; theme={other}")),
        _ => ("Set-Cookie", format!("Set-Cookie: session={session}; Path=/; tag={other}; HttpOnly")),
    };
    let value = text.split_once(": ").unwrap().1.to_owned();
    Planted { kind: "cookie", text, needles: vec![session, other], pair: Some((name.to_owned(), value)) }
}

fn variable(random: &mut Random, at: usize) -> Planted {
    let secret = random.mixed(18);
    let name =
        ["DB_PASSWORD", "STRIPE_SECRET", "OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "GH_TOKEN", "SMTP_PASS"]
            [at % 6];
    let text = match at % 3 {
        0 => format!("{name}={secret}"),
        1 => format!("export {name}=\"{secret} {secret}\""),
        _ => format!("env {name}='{secret}' hearthnet run"),
    };
    named("variable", text, name, &secret)
}

fn email(random: &mut Random, at: usize) -> Planted {
    let address =
        format!("{}.{}@{}.{}", random.word(5), random.word(6), random.word(8), ["org", "com", "de"][at % 3]);
    of("email", format!("invited {address} to the community"), &address)
}

fn home(random: &mut Random, at: usize) -> Planted {
    let user = random.word(9);
    let text = match at % 3 {
        0 => format!("cannot open /home/{user}/models/a.gguf: permission denied"),
        1 => format!("cannot open /Users/{user}/models/a.gguf: permission denied"),
        _ => format!("file:///home/{user}/notes.txt is gone"),
    };
    of("home", text, &user)
}

fn parameter(random: &mut Random, at: usize) -> Planted {
    let secret = random.mixed(20);
    let name = ["token", "api_key", "access_token", "sig", "key", "code"][at % 6];
    of(
        "parameter",
        format!("GET https://h.example/v1/models?n=5&{name}={secret}&page=2 answered 401"),
        &secret,
    )
}

fn address(random: &mut Random, at: usize) -> Planted {
    let mut part = || 1 + random.below(250);
    let address = match at % 3 {
        0 => format!("192.168.{}.{}", part(), part()),
        1 => format!("10.{}.{}.{}", part(), part(), part()),
        _ => format!("172.20.{}.{}", part(), part()),
    };
    of("address", format!("peer at {address}:7080 does not answer"), &address)
}

impl Planted {
    fn with_needle(mut self, secret: &str, is_part: bool) -> Planted {
        if is_part {
            // The word before it is no secret.
            self.needles = vec![secret.to_owned()];
        }
        self
    }

    /// Returns the text as it gets into a string: as it is, with escapes, with percent signs, within JSON.
    pub(crate) fn forms(&self) -> Vec<(&'static str, String)> {
        let json = |text: &str| serde_json::to_string(text).unwrap();
        vec![
            ("plain", self.text.clone()),
            ("escaped", self.text.chars().map(escaped).collect()),
            ("percent", percent(&self.text)),
            ("nested", format!("{{\"body\":{}}}", json(&format!("{{\"msg\":{}}}", json(&self.text))))),
        ]
    }
}

fn escaped(c: char) -> String {
    match c.is_ascii_alphanumeric() {
        true => c.to_string(),
        false => format!("\\u{:04x}", u32::from(c)),
    }
}

pub(crate) fn percent(text: &str) -> String {
    let encoded = |byte: u8| match byte.is_ascii_alphanumeric() {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(encoded).collect()
}

/// Returns the text, and what it means without escapes, percent signs and base64.
pub(crate) fn meanings(text: &str) -> Vec<String> {
    let mut meanings = vec![text.to_owned()];
    for _ in 0..3 {
        let last = meanings.last().unwrap();
        let next = unescaped(last);
        if next == *last {
            break;
        }
        meanings.push(next);
    }
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || "+/".contains(c);
    let runs = text.split(|c| !is_base64(c)).filter(|run| run.len() >= 16);
    let decoded = runs.filter_map(|run| STANDARD.decode(&run[..run.len() / 4 * 4]).ok());
    meanings.push(
        decoded.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect::<Vec<_>>().join("\n"),
    );
    meanings
}

fn unescaped(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::new(), 0);
    let hex = |from: usize, digits: usize| {
        let digits = text.get(from..from + digits)?;
        u32::from_str_radix(digits, 16).ok()
    };
    while at < bytes.len() {
        let (byte, length) = match (bytes[at], bytes.get(at + 1)) {
            (b'%', _) => hex(at + 1, 2).map_or((b'%', 1), |byte| (byte as u8, 3)),
            (b'\\', Some(b'u')) => hex(at + 2, 4).map_or((b'\\', 1), |code| (code.min(127) as u8, 6)),
            (b'\\', Some(b'n')) => (b'\n', 2),
            (b'\\', Some(next @ (b'"' | b'\\' | b'/'))) => (*next, 2),
            (byte, _) => (byte, 1),
        };
        out.push(byte);
        at += length;
    }
    String::from_utf8_lossy(&out).into_owned()
}

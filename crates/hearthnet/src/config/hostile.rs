//! Property tests: any file is read, or refused with file, line and field. No file causes a panic.

use proptest::prelude::*;

use super::*;

const FILE: &str = "/etc/hearthnet/config.toml";

/// File with every field that the node reads, each with a valid value.
const WHOLE: &str = r#"
[identity]
keys_dir = "keys"
display_name = "Ada's node"
[community]
community_id = "ed25519:KdHncXGb4su5F1r_gDhiJl14dIcK5oefXbnoEzsiFpA"
state_dir = "/srv/communities"
[transport]
host = "0.0.0.0"
port = 7080
rate_limit_soft_rps = 10
rate_limit_hard_rps = 100
call_timeout_seconds = 30
[discovery]
mdns_enabled = true
udp_enabled = false
udp_multicast_group = "239.255.42.42"
udp_port = 42424
static_peers = ["http://192.168.1.20:7080", "http://[::1]:7081/base"]
[[llm.backends]]
name = "ollama"
url = "http://127.0.0.1:11434/v1"
model = "qwen2.5:7b-instruct"
api_key_env = "KEY"
timeout_seconds = 120
[emergency]
probe_targets = ["1.1.1.1", "[::1]:53"]
[observability]
log_level = "info,hearthnet.bus=debug"
log_dir = "log"
log_console = true
log_max_bytes = 104857600
log_compress = true
metrics_enabled = true
tracing = true
tracing_roots = ["my_crate::jobs"]
doctor_interval_seconds = 300
doctor_remote = false
doctor_clock_anchors = ["http://example.com/"]
[rag]
anything = { is = ["theirs", 1979-05-27T07:32:00Z] }
"#;

fn parse(text: &str) -> Result<Config, String> {
    let paths = Paths::under(Path::new("/home/ada"));
    Config::parse(text, Path::new(FILE), &paths).map_err(|failure| failure.message().to_owned())
}

/// Returns the line that a refusal names. It must be a line of the file.
fn line_of(message: &str, text: &str) -> usize {
    let place = message.strip_prefix(FILE).and_then(|rest| rest.strip_prefix(':'));
    let mut parts = place.expect("the file comes first").splitn(3, ':');
    let mut number =
        || parts.next().and_then(|part| part.parse::<usize>().ok()).expect("then line and column");
    let (line, column) = (number(), number());
    assert!((1..=text.matches('\n').count() + 1).contains(&line) && column >= 1, "{message}");
    assert!(parts.next().is_some_and(|why| why.len() > 4), "{message}");
    line
}

#[test]
fn the_whole_file_is_read() {
    parse(WHOLE).unwrap();
}

#[test]
fn deep_nesting_is_refused_and_no_stack_overflows() {
    for (open, close) in [("[", "]"), ("{a=", "}"), ("[{a=", "}]")] {
        for section in ["rag", "transport", "emergency"] {
            let (open, close) = (open.repeat(100_000), close.repeat(100_000));
            for value in [open.clone(), format!("{open}1{close}")] {
                let text = format!("[{section}]\nport = {value}\n");
                line_of(&parse(&text).unwrap_err(), &text);
            }
        }
    }
    let keys = format!("{}b = 1", "a.".repeat(100_000));
    line_of(&parse(&keys).unwrap_err(), &keys);
}

/// Pieces of TOML in any order, and any text.
fn scraps() -> impl Strategy<Value = String> {
    let scrap = prop_oneof![
        Just("[".to_owned()),
        Just("]".to_owned()),
        Just("[[".to_owned()),
        Just("=".to_owned()),
        Just("\n".to_owned()),
        Just("\"".to_owned()),
        Just("'''".to_owned()),
        Just("{".to_owned()),
        Just("\\u0000".to_owned()),
        Just("#".to_owned()),
        "transport|port|llm|backends|url|identity|rag|[0-9]{1,30}|-?inf|nan|true|0x[0-9a-f]{1,20}",
        "\\PC{0,5}",
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(scrap, 0..40).prop_map(|scraps| scraps.concat())
}

/// The whole file with a few bytes changed, removed or doubled.
fn damaged() -> impl Strategy<Value = String> {
    let change = (0..WHOLE.len(), 0..30_usize, any::<u8>(), 0..4_u8);
    prop::collection::vec(change, 1..6).prop_map(|changes| {
        let mut bytes = WHOLE.as_bytes().to_vec();
        for (at, many, byte, how) in changes {
            let at = at.min(bytes.len().saturating_sub(1));
            let end = (at + many).min(bytes.len());
            match how {
                0 => drop(bytes.drain(at..end)),
                1 => bytes.insert(at, byte),
                2 => bytes[at] = byte,
                _ => bytes.extend_from_within(at..end),
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn value() -> impl Strategy<Value = toml::Value> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(toml::Value::Integer),
        any::<f64>().prop_map(toml::Value::Float),
        any::<bool>().prop_map(toml::Value::Boolean),
        "\\PC{0,40}".prop_map(toml::Value::String),
        any::<char>().prop_map(|c| toml::Value::String(c.to_string())),
        Just(toml::Value::Datetime("1979-05-27T07:32:00Z".parse().unwrap())),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(toml::Value::Array),
            prop::collection::btree_map("[a-z]{1,6}", inner, 0..4)
                .prop_map(|table| toml::Value::Table(table.into_iter().collect())),
        ]
    })
}

/// Section and field of each line of the whole file, except those of other modules.
fn fields() -> Vec<(&'static str, &'static str)> {
    let mut section = "";
    let mut fields = Vec::new();
    for line in WHOLE.lines() {
        match line.split_once(" = ") {
            Some((field, _)) => fields.push((section, field)),
            None => section = line.trim_matches(['[', ']']),
        }
    }
    fields.retain(|(section, _)| *section != "rag");
    fields
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_or_refused_with_its_line(text in prop_oneof![scraps(), damaged(), "\\PC{0,200}"]) {
        if let Err(message) = parse(&text) {
            line_of(&message, &text);
        }
    }

    /// Any value in any field is taken, or refused with the name of the field and its line.
    #[test]
    fn any_value_is_taken_or_refused_with_its_field(value in value(), at in 0..fields().len()) {
        let (section, field) = fields()[at];
        let text = WHOLE.lines().map(|line| match line.starts_with(&format!("{field} =")) {
            true => format!("{field} = {value}\n"),
            false => format!("{line}\n"),
        });
        let text: String = text.collect();
        if let Err(message) = parse(&text) {
            let line = line_of(&message, &text);
            let wanted = text.lines().position(|line| line.starts_with(&format!("{field} ="))).unwrap() + 1;
            prop_assert!(line >= wanted, "{message}\n{text}");
            prop_assert!(message.contains(field), "{} lacks {}.{}", message, section, field);
        }
    }
}

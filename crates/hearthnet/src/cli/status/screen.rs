//! The document as a screen of 80 columns and 24 lines, or of more where the terminal has them.

use std::fmt::Display;

use chrono::{DateTime, TimeZone};
use obs_facade::doctor::render::TextStyle;

use super::document::{Caller, Cause, Counted, Document, Exporting, Peer};
use super::figures::{ago, count, percent, short_time, since, size, span, squeezed};
use crate::cli::trace::line::{Color, Line};
use crate::cli::trace::text::{shortened, visible};
use crate::cli::visible::short_id;
use crate::wire::clock;

// Together with the other lines and the least causes these fill 23 of 24 lines, so that the prompt of the shell fits too.
const MAX_PEERS: usize = 2;
const MAX_CAPABILITIES: usize = 3;
/// Number of causes that are shown on a small terminal too.
const LEAST_CAUSES: usize = 2;
/// Maximum number of causes.
const MAX_CAUSES: usize = 5;
const MAX_CALLERS: usize = 3;
const MAX_CHECKS: usize = 1;
/// Maximum number of exports. A node has one for each signal.
const MAX_EXPORTS: usize = 3;

/// Width of the names at the left.
const LABEL: usize = 10;
/// Width of a column of names, and the maximum length of a name on a terminal of [`USUAL_WIDTH`].
const NAME: usize = 22;
/// Columns that the screen is made for. A wider terminal has longer names.
const USUAL_WIDTH: usize = 80;
/// Maximum length of the name of an own capability. Its line has no columns.
const OFFERED: usize = 40;

/// Renders the screen. `rows` is the height of the terminal, if there is one.
pub(super) fn render<Tz: TimeZone<Offset: Display>>(
    document: &Document,
    style: &TextStyle,
    rows: Option<usize>,
    now: DateTime<Tz>,
) -> String {
    let screen = Screen { document, style, now };
    let before = [
        vec![screen.node()],
        vec![screen.last_run()],
        screen.listening(),
        vec![screen.community()],
        vec![screen.offers()],
        screen.peers(),
        screen.calls(),
    ];
    let after = [
        screen.callers(),
        vec![screen.disk()],
        vec![screen.drops()],
        screen.exports(),
        screen.problems(),
        screen.checks(),
    ];
    let taken: usize = before.iter().chain(&after).map(Vec::len).sum();
    // One line is for the prompt of the shell.
    let room = rows.map_or(usize::MAX, |rows| rows.saturating_sub(taken + 1));
    let causes = screen.causes(room);
    before
        .iter()
        .flatten()
        .chain(&causes)
        .chain(after.iter().flatten())
        .map(|line| line.painted(style))
        .collect()
}

struct Screen<'a, Tz: TimeZone> {
    document: &'a Document,
    style: &'a TextStyle,
    now: DateTime<Tz>,
}

/// Begins a line. An empty label continues the part above.
fn line(label: &str) -> Line {
    Line::new().with(Color::Dim, format!("{label:LABEL$}"))
}

/// Returns the width of a column with these names.
fn column(names: impl Iterator<Item = String>) -> usize {
    names.map(|name| name.chars().count()).max().unwrap_or_default().max(NAME)
}

/// Renders a number of calls, with the number at the right of a column.
fn calls(number: u64) -> String {
    let unit = if number == 1 { "call" } else { "calls" };
    format!("{:>6} {unit}", count(number))
}

impl<Tz: TimeZone<Offset: Display>> Screen<'_, Tz> {
    /// Makes a text of the document safe for the terminal.
    fn safe(&self, text: &str) -> String {
        visible(text, self.style.ascii)
    }

    fn name(&self, text: &str) -> String {
        // A line has two texts that vary, so that half of what is left is for the name.
        let more = self.style.width.map_or(usize::MAX - NAME, |width| width.saturating_sub(USUAL_WIDTH) / 2);
        shortened(&self.safe(text), NAME + more, self.style.ascii)
    }

    /// Makes a text safe that takes the rest of a line after `used` characters. Its end matters most, and then its
    /// beginning, so that its middle is left out on a narrow terminal.
    fn rest(&self, used: usize, text: &str) -> String {
        let text = self.safe(text);
        let left = self.style.width.map_or(usize::MAX, |width| width.saturating_sub(LABEL + used));
        squeezed(&text, left, if self.style.ascii { '~' } else { '…' })
    }

    fn id(&self, id: &str) -> String {
        // The prefix `ed25519:` and four characters that differ.
        const HEAD: usize = 12;
        short_id(id, HEAD, if self.style.ascii { '~' } else { '…' })
    }

    fn ago(&self, time: Option<&str>) -> String {
        ago(time, &self.now)
    }

    fn node(&self) -> Line {
        let node = &self.document.node;
        let (version, commit) = (self.safe(&node.version), self.safe(&node.commit));
        Line::new()
            .with(Color::Bold, self.name(&node.name))
            .plain(format!("  {}  hearthnet {version} ({commit})", self.id(&node.id)))
            .plain(format!("  up {}", span(node.uptime_seconds)))
    }

    fn last_run(&self) -> Line {
        let Some(last) = &self.document.last_run else { return line("last run").plain("not known") };
        let at = last.at.as_deref().and_then(clock::parse).map_or_else(String::new, |at| {
            let shown = at.with_timezone(&self.now.timezone()).format("%Y-%m-%d %H:%M");
            format!(" {shown} ({})", self.ago(last.at.as_deref()))
        });
        let told = match last.ended.as_str() {
            "in_order" => line("last run").plain(format!("ended in order{at}")),
            "killed" if last.machine_restarted => {
                line("last run").with(Color::Yellow, "machine went down").plain(at)
            }
            "killed" => line("last run").with(Color::Yellow, "killed").plain(at),
            "none" => line("last run").plain("none: this is the first run in this home"),
            _ => line("last run").plain("it is not known how it ended"),
        };
        match last.recovered_lines {
            0 => told,
            1 => told.plain(", 1 log line recovered"),
            lines => told.plain(format!(", {} log lines recovered", count(lines))),
        }
    }

    fn listening(&self) -> Vec<Line> {
        let open: Vec<_> = self
            .document
            .open_without_credentials
            .iter()
            .filter(|path| !matches!(path.as_str(), "/health" | "/ready" | "/manifest" | "/trace/active"))
            .map(|path| self.safe(path))
            .collect();
        let shown = self.document.listening.iter().enumerate().map(|(at, place)| {
            let begun = line(if at == 0 { "listens" } else { "" }).plain(self.safe(&place.address));
            match place.reachable_from.as_str() {
                "network" if !open.is_empty() => begun
                    .plain("; ")
                    .with(Color::Yellow, format!("the network can read {}", open.join(" and "))),
                "network" => begun.plain("; the network reaches it"),
                _ => begun.plain("; only this machine reaches it"),
            }
        });
        shown.collect()
    }

    fn community(&self) -> Line {
        let community = &self.document.community;
        let members = match community.members {
            Some(1) => ", 1 member".to_owned(),
            Some(members) => format!(", {members} members"),
            None => String::new(),
        };
        let head = self.document.lamport_head.map(|head| format!(", event {head}")).unwrap_or_default();
        line("community").plain(format!("{}{members}{head}", self.id(&community.id)))
    }

    fn offers(&self) -> Line {
        let (mut local, of_peers): (Vec<_>, Vec<_>) =
            self.document.capabilities.iter().partition(|capability| capability.local);
        // Those that people call come first.
        local.sort_by_key(|capability| capability.name.starts_with("experimental."));
        let offered = |name: &str| shortened(&self.safe(name), OFFERED, self.style.ascii);
        let names = local.iter().map(|capability| match &capability.model {
            Some(model) => format!("{} ({})", offered(&capability.name), self.name(model)),
            None => offered(&capability.name),
        });
        let names = names.collect::<Vec<_>>().join(", ");
        let peers =
            if of_peers.is_empty() { String::new() } else { format!(", {} of peers", of_peers.len()) };
        line("offers").plain(format!("{} here{peers}: ", local.len())).plain(names)
    }

    fn peers(&self) -> Vec<Line> {
        let peers = &self.document.peers;
        if peers.is_empty() {
            return vec![line("peers").plain("none configured")];
        }
        let (answering, silent): (Vec<_>, Vec<_>) = peers.iter().partition(|peer| peer.state == "answers");
        let names: Vec<_> = answering.iter().map(|peer| self.peer_name(peer)).collect();
        let summary = format!("{} of {} answer", answering.len(), peers.len());
        let color = if silent.is_empty() { Color::Green } else { Color::Red };
        let first = line("peers").with(color, summary);
        let first = if names.is_empty() { first } else { first.plain(format!(": {}", names.join(", "))) };
        let rest = silent.iter().take(MAX_PEERS).map(|peer| {
            let reason = peer.error.as_deref().unwrap_or("no answer yet");
            let since = since(peer.since.as_deref(), &self.now);
            // The address is what the owner configured.
            let name = match peer.name {
                Some(_) => format!("{} at {}", self.peer_name(peer), self.safe(&peer.url)),
                None => self.safe(&peer.url),
            };
            let begun = format!("{name} for {since}: ");
            let reason = self.rest(begun.chars().count(), reason);
            line("").plain(begun).with(Color::Red, reason)
        });
        std::iter::once(first).chain(rest).collect()
    }

    fn peer_name(&self, peer: &Peer) -> String {
        match (&peer.name, &peer.node_id) {
            (Some(name), _) => self.name(name),
            (None, Some(id)) => self.id(id),
            (None, None) => self.safe(&peer.url),
        }
    }

    fn calls(&self) -> Vec<Line> {
        let recent = &self.document.recent;
        let minutes = recent.window_seconds / 60;
        let label = format!("{minutes} min");
        let mut first = line(&label).plain(match recent.requests {
            0 => "no calls".to_owned(),
            1 => "1 call".to_owned(),
            calls => format!("{} calls", count(calls)),
        });
        if recent.errors > 0 {
            let share = percent(recent.errors, recent.requests);
            first = first.plain(", ").with(Color::Red, format!("{} failed ({share})", count(recent.errors)));
            first = match recent.causes.len() {
                0 | 1 => first,
                causes => first.plain(format!(" for {causes} causes")),
            };
        } else if recent.requests > 0 {
            first = first.plain(", ").with(Color::Green, "none failed");
        }
        let in_flight = self.document.calls_in_flight;
        if in_flight > 0 {
            first = first.plain(format!(", {in_flight} running now"));
        }
        let more = recent.by_capability.len().saturating_sub(MAX_CAPABILITIES);
        let shown = &recent.by_capability[..recent.by_capability.len().min(MAX_CAPABILITIES)];
        let column = column(shown.iter().map(|counted| self.called(&counted.capability)));
        let rows = shown.iter().enumerate().map(|(at, counted)| {
            // The rows have no room for it.
            let is_last = more > 0 && at == MAX_CAPABILITIES - 1;
            let label = if is_last { format!("(+{more} more)") } else { String::new() };
            self.counted(line(&label), counted, column)
        });
        std::iter::once(first).chain(rows).collect()
    }

    /// Returns the name of a capability that was called.
    fn called(&self, capability: &str) -> String {
        if capability == "unknown" { "(unknown names)".to_owned() } else { self.name(capability) }
    }

    fn counted(&self, begun: Line, counted: &Counted, column: usize) -> Line {
        let name = self.called(&counted.capability);
        // As wide as the plural, because columns follow.
        let calls = format!("{:<12}", calls(counted.requests));
        let failed = format!("{:>6} failed", count(counted.errors));
        let row = begun.plain(format!("{name:column$}{calls}"));
        let row = if counted.errors > 0 { row.with(Color::Red, failed) } else { row.plain(failed) };
        match (counted.p50_ms, counted.p99_ms) {
            (Some(p50), Some(p99)) => row.plain(format!(" p50 {} p99 {}", short_time(p50), short_time(p99))),
            _ => row,
        }
    }

    /// Renders the causes of failures, of which the node has sent its own faults first, in about `room` lines.
    fn causes(&self, room: usize) -> Vec<Line> {
        let causes = &self.document.recent.causes;
        let most = match causes.len() <= MAX_CAUSES && causes.len() * 2 <= room {
            true => causes.len(),
            // A line is for the number of the others.
            false => (room.saturating_sub(1) / 2).clamp(LEAST_CAUSES, MAX_CAUSES),
        };
        let more = causes.len().saturating_sub(most);
        let has_line = most * 2 < room;
        let shown = causes.iter().take(most).enumerate();
        let mut lines: Vec<Line> = shown
            .flat_map(|(at, cause)| {
                let is_last = more > 0 && !has_line && at == most - 1;
                let label = if is_last { format!("+{more} more") } else { String::new() };
                self.cause(at, cause, &label)
            })
            .collect();
        if more > 0 && has_line {
            lines.push(line("").plain(format!("+{more} more: hearthnet problems")));
        }
        lines
    }

    /// Renders a cause. `label` is what stands before its second line.
    fn cause(&self, at: usize, cause: &Cause, label: &str) -> [Line; 2] {
        let (last, times) = (self.ago(cause.last_at.as_deref()), count(cause.count));
        let trace =
            cause.trace_id.as_deref().map(|id| format!("  trace {}", self.trace(id))).unwrap_or_default();
        let times = format!("{times} {}", if cause.count == 1 { "time" } else { "times" });
        let name = self.called(&cause.capability);
        [
            line(if at == 0 { "failing" } else { "" })
                .plain(format!("{name}  "))
                .with(Color::Red, self.safe(&cause.code))
                .plain(format!("  {times}, last {last}{trace}")),
            line(label).plain(self.rest(0, &cause.cause)),
        ]
    }

    fn trace(&self, id: &str) -> String {
        const HEAD: usize = 6;
        short_id(id, HEAD, if self.style.ascii { '~' } else { '…' })
    }

    fn callers(&self) -> Vec<Line> {
        let callers = &self.document.callers.top;
        // The line of the exports takes the place of a caller.
        let most = MAX_CALLERS - usize::from(!self.document.exports.is_empty());
        let shown = &callers[..callers.len().min(most)];
        let column = column(shown.iter().map(|caller| self.who(caller)));
        let rows = shown.iter().enumerate();
        rows.map(|(at, caller)| self.caller(line(if at == 0 { "callers" } else { "" }), caller, column))
            .collect()
    }

    fn who(&self, caller: &Caller) -> String {
        let known = |id: &str| self.document.peers.iter().find(|peer| peer.node_id.as_deref() == Some(id));
        match &caller.node_id {
            Some(id) => match known(id) {
                Some(peer) => self.peer_name(peer),
                None => self.id(id),
            },
            None => format!("{} (unsigned)", self.address(caller)),
        }
    }

    fn address(&self, caller: &Caller) -> String {
        caller.address.as_deref().map(|address| self.name(address)).unwrap_or_default()
    }

    fn caller(&self, begun: Line, caller: &Caller, column: usize) -> Line {
        let (address, who) = (self.address(caller), self.who(caller));
        let mut told = begun.plain(format!("{who:column$}{}", calls(caller.calls)));
        if caller.errors > 0 {
            told = told.plain(", ").with(Color::Red, format!("{} failed", count(caller.errors)));
        }
        if caller.refused > 0 {
            told = told.plain(", ").with(Color::Red, format!("{} refused", count(caller.refused)));
        }
        match caller.node_id {
            Some(_) if !address.is_empty() => told.plain(format!("  from {address}")),
            _ => told,
        }
    }

    fn disk(&self) -> Line {
        let disk = &self.document.disk;
        let (Some(free), Some(total), Some(log)) = (disk.free_bytes, disk.total_bytes, disk.log_bytes) else {
            let told = format!("{} does not answer", self.safe(&disk.path));
            return line("disk").with(Color::Red, told);
        };
        let free_text = format!("{} of {} free", size(free), size(total));
        // The doctor warns at a gigabyte too.
        let is_low = free < 1_000_000_000;
        let begun = line("disk").plain(format!("log {}, ", size(log)));
        if is_low { begun.with(Color::Red, free_text) } else { begun.plain(free_text) }
    }

    fn drops(&self) -> Line {
        let drops = &self.document.drops;
        let history = drops.history.as_ref();
        let lost = [
            (drops.log_lines, "log lines"),
            (drops.spans, "spans"),
            (drops.log_write_errors, "errors of the log's disk"),
            (history.map_or(0, |history| history.minutes), "minutes of the history"),
            (history.map_or(0, |history| history.traces), "traces of the history"),
        ];
        let lost: Vec<_> = lost
            .iter()
            .filter(|(number, _)| *number > 0)
            .map(|(number, what)| format!("{} {what}", count(*number)))
            .collect();
        let begun = match lost.is_empty() {
            true => line("lost").with(Color::Green, "nothing"),
            false => line("lost").with(Color::Red, lost.join(", ")),
        };
        let begun = match history.is_some_and(|history| history.failing) {
            true => begun.plain("; ").with(Color::Red, "the history cannot be written now"),
            false => begun,
        };
        match drops.log_crash_safe {
            true => begun.plain("; the log survives a kill"),
            false => begun.plain("; ").with(Color::Yellow, "a kill would lose the last lines of the log"),
        }
    }

    /// Renders the number of items that each export has sent, and what is wrong with it.
    fn exports(&self) -> Vec<Line> {
        let exports = &self.document.exports;
        let Some(first) = exports.first() else { return Vec::new() };
        let mut told = line("exports");
        for (at, export) in exports.iter().take(MAX_EXPORTS).enumerate() {
            let sent = format!("{} {}", count(export.exported), self.safe(&export.signal));
            told = told.plain(format!("{}{sent}", if at == 0 { "sent " } else { ", " }));
            let wrong = self.wrong(export);
            if !wrong.is_empty() {
                told = told.with(Color::Red, format!(" ({})", wrong.join(", ")));
            }
        }
        let used = told.width().saturating_sub(LABEL);
        vec![told.plain(self.rest(used, &format!(" to {}", first.endpoint)))]
    }

    /// Returns what is wrong with an export.
    fn wrong(&self, export: &Exporting) -> Vec<String> {
        let lost = export.dropped.saturating_add(export.failed);
        let lost = (lost > 0).then(|| format!("{} lost", count(lost)));
        let failing = export.failing_since.as_ref();
        let failing = failing.map(|since| format!("failing for {}", self::since(Some(since), &self.now)));
        lost.into_iter().chain(failing).collect()
    }

    fn problems(&self) -> Vec<Line> {
        // Without one there is no line, so that the screen stays short.
        let open = self.document.problems.open.unwrap_or_default();
        let told = if open == 1 { "1 open".to_owned() } else { format!("{} open", count(open)) };
        let shown = line("problems").with(Color::Red, told).plain("; which: hearthnet problems");
        if open == 0 { Vec::new() } else { vec![shown] }
    }

    fn checks(&self) -> Vec<Line> {
        let checks = &self.document.checks;
        if checks.ran_at.is_none() {
            return vec![line("checks").plain("not run by this node yet; run `hearthnet doctor`")];
        }
        let mut first = line("checks").plain(format!("{} pass", checks.passed));
        if checks.skipped > 0 {
            first = first.plain(format!(", {} skipped", checks.skipped));
        }
        if !checks.warned.is_empty() {
            first = first.plain(", ").with(Color::Yellow, format!("{} warn", checks.warned.len()));
        }
        if !checks.failed.is_empty() {
            first = first.plain(", ").with(Color::Red, format!("{} fail", checks.failed.len()));
        }
        first = first.plain(format!("; {}", self.ago(checks.ran_at.as_deref())));
        let bad: Vec<_> = checks.failed.iter().chain(&checks.warned).collect();
        let shown = bad.iter().take(MAX_CHECKS).map(|check| {
            let name = self.safe(&check.name);
            let detail = self.rest(name.chars().count() + 2, &check.detail);
            line("").with(Color::Red, name).plain(format!(": {detail}"))
        });
        let mut lines: Vec<_> = std::iter::once(first).chain(shown).collect();
        if !bad.is_empty()
            && let Some(last) = lines.pop()
        {
            // The command says what to do.
            let first = lines.pop();
            lines.extend(first.map(|first| first.plain("; what to do: hearthnet doctor")));
            lines.push(last);
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::cli::terminal_unsafe::UNSAFE;

    fn document() -> Value {
        let chat = json!({ "capability": "llm.chat", "requests": 1204, "errors": 37, "p50_ms": 840.2, "p99_ms": 12_000.0 });
        let cause = json!({
            "capability": "llm.chat", "code": "partition", "count": 37, "last_at": "2026-05-26T08:14:22Z",
            "cause": format!("POST http://127.0.0.1:11434/v1/{}: connection refused", "chat/".repeat(20)),
            "trace_id": "01HXR3F2M9Z5T1V8Q4W7N6K0JD",
        });
        let silent = json!({
            "node_id": "ed25519:x", "name": "mallory", "url": "http://192.168.1.7:7080", "state": "silent",
            "since": "2026-05-26T08:00:22Z", "error": "connection refused",
        });
        let caller =
            json!({ "node_id": null, "address": "192.168.1.40", "calls": 300, "refused": 212, "errors": 1 });
        let check = json!({ "name": "llm_backend_reachable", "detail": "ollama: connection refused", "fix": "start it" });
        json!({
            "version": 1,
            "node": { "id": "ed25519:7H4Gabcdefg-K9LM", "name": "ada", "version": "0.2.0", "commit": "3f2c1ab", "uptime_seconds": 273_600 },
            "last_run": { "ended": "killed", "at": "2026-05-26T08:10:22Z", "machine_restarted": false, "recovered_lines": 12 },
            "listening": [{ "address": "0.0.0.0:7080", "reachable_from": "network" }],
            "open_without_credentials": ["/health", "/metrics", "/trace/recent"],
            "community": { "id": "ed25519:7H4Gabcdefg-K9LM", "members": 3 },
            "capabilities": [
                { "name": "experimental.echo", "local": true },
                { "name": "llm.chat", "local": true, "model": "qwen" },
                { "name": "rag.query", "local": false },
            ],
            "peers": [{ "node_id": "ed25519:b", "name": "bob", "url": "http://b", "state": "answers" }, silent, silent, silent],
            "recent": { "window_seconds": 300, "requests": 1204, "errors": 37, "by_capability": [chat, chat, chat, chat], "causes": [cause, cause, cause] },
            "callers": { "top": [caller, caller, caller, caller] },
            "disk": { "path": "/log", "free_bytes": 73_000_000_000_u64, "total_bytes": 120_000_000_000_u64, "log_bytes": 210_000_000 },
            "drops": { "log_lines": 0, "log_crash_safe": true },
            "exports": [
                { "signal": "traces", "endpoint": "http://127.0.0.1:4318", "exported": 1_204, "dropped": 3, "failed": 1, "failing_since": null },
                { "signal": "logs", "endpoint": "http://127.0.0.1:4318", "exported": 98_211, "failing_since": "2026-05-26T08:00:22Z" },
            ],
            "checks": { "ran_at": "2026-05-26T08:14:00Z", "failed": [check], "warned": [], "passed": 18, "skipped": 1 },
            "lamport_head": 12, "calls_in_flight": 2,
        })
    }

    fn screen(document: &Value, width: Option<usize>) -> String {
        let document = Document::read(&document.to_string()).unwrap();
        let now = clock::parse("2026-05-26T08:14:24Z").unwrap();
        render(&document, &TextStyle::default().width(width), width.map(|_| 24), now)
    }

    #[test]
    fn a_busy_node_fits_on_a_terminal_of_80_by_24() {
        let shown = screen(&document(), Some(80));
        assert!(shown.lines().count() <= 23, "{shown}");
        assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
        let cut: Vec<_> = shown.lines().filter(|line| line.ends_with('…')).collect();
        assert!(cut.is_empty(), "{cut:?}");
        for part in [
            "ada  ed25519:7H4G…K9LM  hearthnet 0.2.0 (3f2c1ab)  up 3 d 4 h",
            "last run  killed 2026-05-26 08:10 (4 min ago), 12 log lines recovered",
            "listens   0.0.0.0:7080; the network can read /metrics and /trace/recent",
            "offers    2 here, 1 of peers: llm.chat (qwen), experimental.echo",
            "peers     1 of 4 answer: bob",
            "mallory at http://192.168.1.7:7080 for 14 min: connection refused",
            "5 min     1 204 calls, 37 failed (3.1 %) for 3 causes, 2 running now",
            "(+1 more) llm.chat",
            "llm.chat               1 204 calls    37 failed p50 840 ms p99 12.0 s",
            "failing   llm.chat  partition  37 times, last 2 s ago  trace 01HXR3…K0JD",
            ": connection refused",
            "callers   192.168.1.40 (unsigned)   300 calls, 1 failed, 212 refused",
            "disk      log 210 MB, 73 GB of 120 GB free",
            "lost      nothing; the log survives a kill",
            "exports   sent 1 204 traces (4 lost), 98 211 logs (failing for 14 min) to …:4318",
            "checks    18 pass, 1 skipped, 1 fail; 24 s ago; what to do: hearthnet doctor",
        ] {
            assert!(shown.contains(part), "{part}\n{shown}");
        }
    }

    #[test]
    fn a_wide_terminal_and_a_pipe_have_whole_names() {
        let mut document = document();
        let name = "llm.chat.of.a.model.with.a.long.name";
        document["recent"]["by_capability"][1]["capability"] = json!(name);
        document["recent"]["causes"][0]["capability"] = json!(name);
        for width in [None, Some(200)] {
            let shown = screen(&document, width);
            assert_eq!(shown.matches(name).count(), 2, "{shown}");
            let ends: Vec<_> = shown.lines().filter_map(|line| line.find("37 failed p50")).collect();
            assert!(ends.len() == 3 && ends[0] == ends[1], "columns are aligned: {shown}");
        }
        assert!(!screen(&document, Some(80)).contains(name));
    }

    #[test]
    fn causes_that_have_no_place_are_counted() {
        let mut busy = document();
        let cause = |at: usize| json!({ "capability": "llm.chat", "code": format!("code_{at}"), "count": 1, "cause": format!("cause {at}") });
        let all: Vec<_> = (0..7).map(cause).collect();
        busy["recent"]["causes"] = json!(all);
        let document = Document::read(&busy.to_string()).unwrap();
        let shown = |size: Option<(usize, usize)>| {
            let now = clock::parse("2026-05-26T08:14:24Z").unwrap();
            let style = TextStyle::default().width(size.map(|size| size.0));
            render(&document, &style, size.map(|size| size.1), now)
        };
        for size in [None, Some((200, 50))] {
            let shown = shown(size);
            assert!(shown.contains("cause 4") && !shown.contains("cause 5"), "{shown}");
            assert!(shown.contains("\n          +2 more: hearthnet problems\n"), "{shown}");
        }
        let shown = shown(Some((80, 24)));
        assert!(shown.contains("\n+5 more   cause 1\n"), "{shown}");
        assert!(shown.lines().count() <= 23, "{shown}");
    }

    #[test]
    fn hostile_texts_are_harmless_and_odd_ones_do_not_stop_the_screen() {
        fn spoil(value: &mut Value, letter: char) {
            match value {
                Value::String(text) => text.push(letter),
                Value::Array(list) => list.iter_mut().for_each(|item| spoil(item, letter)),
                Value::Object(fields) => fields.values_mut().for_each(|item| spoil(item, letter)),
                _ => {}
            }
        }
        for letter in UNSAFE {
            let mut spoilt = document();
            spoil(&mut spoilt, *letter);
            for width in [None, Some(80), Some(1)] {
                let shown = screen(&spoilt, width);
                assert!(!shown.replace('\n', "").contains(*letter), "{letter:?}: {shown}");
            }
        }
        let least = json!({ "version": 1, "node": { "id": "" } });
        assert!(screen(&least, Some(80)).contains("no calls"));
        for bad in
            [json!({}), json!({ "version": 2, "node": { "id": "" } }), json!({ "version": 1, "node": 7 })]
        {
            assert!(Document::read(&bad.to_string()).is_err(), "{bad}");
        }
    }
}

//! Contents of the archive.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use chrono::Utc;
use obs_facade::doctor::Limits;
use serde_json::{Value, json};

use super::place::{DOCTOR, HISTORY, LINES, PROBLEMS, Place, SETTINGS, VERSIONS};
use super::redaction::Redaction;
use super::{lines, node, problems, traces, versions};
use crate::cli::export::archive::{Content, Entry};
use crate::cli::export::{LeftOut, settings};
use crate::cli::log::period::Period;
use crate::cli::node_url::NodeUrl;
use crate::cli::{doctor, history};
use crate::config::Config;
use crate::config::paths::Paths;

/// Time of the doctor, whose checks wait for the network.
const EXAMINE: Duration = Duration::from_millis(2500);
/// Time in which the node answers, and in which old files of the log are decompressed. The rest of five seconds is for the
/// redaction and the disk. What is bounded by its length has no limit of time, so that a busy machine leaves nothing out.
const READ: Duration = Duration::from_millis(3500);
/// Time of a check of the doctor.
const CHECK: Duration = Duration::from_millis(1500);

/// Contents of the archive, and what it lacks.
pub(super) struct Contents {
    entries: Vec<Entry>,
    places: Vec<Place>,
    left_out: Vec<LeftOut>,
    node: Value,
    is_running: bool,
    log: Value,
}

/// Collects the contents, without secrets. The limits of time count from `begun`, the start of the command.
pub(super) fn collect(
    config: &Config,
    config_file: &Path,
    paths: &Paths,
    period: Period,
    redaction: &mut Redaction,
    begun: Instant,
) -> Contents {
    let deadline = begun + READ;
    let of_node = NodeUrl::of(config.local_address());
    let history_dir = config.observability.history_dir();
    // The doctor waits for the network, and the log for the disk.
    let (report, (answers, kept), lines) = thread::scope(|scope| {
        let limits = Limits::default().total(EXAMINE).per_check(CHECK);
        let report =
            scope.spawn(move || doctor::report(config.for_doctor(paths), config.local_address(), limits));
        let answers = scope.spawn(|| {
            let answers = node::ask(&of_node, deadline);
            let kept = answers.unreached.is_some().then(|| traces::read(&history_dir));
            (answers, kept)
        });
        let lines = lines::read(config.observability.log_dir(), period, deadline);
        (report.join(), answers.join().unwrap_or_default(), lines)
    });
    let name = redaction.text(&config.node_name());
    let mut contents = Contents {
        entries: Vec::new(),
        places: Vec::new(),
        left_out: Vec::new(),
        node: json!({ "id": obs_facade::doctor::device_node_id(&config.identity.keys_dir), "name": name }),
        is_running: answers.unreached.is_none(),
        log: Value::Null,
    };
    contents.add(VERSIONS, Ok(versions::read()), redaction);
    contents.add(DOCTOR, report.map_err(|_| "the doctor crashed".to_owned()), redaction);
    match settings::read(config_file, &mut |text| redaction.text(text)) {
        Ok(text) => contents.push(SETTINGS, redaction.settings(&text)),
        // Not by what was done to them, as the archive has none.
        Err(why) => contents.leave_out("settings", &why, redaction),
    }
    contents.add(PROBLEMS, problems::read(&history_dir), redaction);
    contents.add(HISTORY, history::document(&history_dir, period), redaction);
    contents.add_of_node(answers, kept, redaction);
    contents.add_lines(lines, config.observability.log_dir(), redaction);
    contents
}

impl Contents {
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Returns the places of the entries.
    pub(super) fn places(&self) -> &[Place] {
        &self.places
    }

    pub(super) fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// Returns ID and name of the node.
    pub(super) fn node(&self) -> &Value {
        &self.node
    }

    pub(super) fn is_running(&self) -> bool {
        self.is_running
    }

    /// Returns the description of the log's lines.
    pub(super) fn log(&self) -> &Value {
        &self.log
    }

    /// Adds a text without its secrets, or the reason for which there is none.
    fn add(&mut self, place: Place, text: Result<String, String>, redaction: &mut Redaction) {
        match text {
            Ok(text) => self.push(place, redaction.shown(place.form, &text)),
            Err(why) => self.leave_out(place.about, &why, redaction),
        }
    }

    fn push(&mut self, place: Place, text: String) {
        self.places.push(place);
        self.entries.push(Entry {
            path: place.path.to_owned(),
            modified: Utc::now(),
            content: Content::Text(text),
        });
    }

    fn leave_out(&mut self, what: &'static str, why: &str, redaction: &mut Redaction) {
        self.left_out.push(LeftOut { what, why: redaction.text(why) });
    }

    /// Adds the answers of the node, or the traces that outlived it.
    fn add_of_node(
        &mut self,
        answers: node::Answers,
        kept: Option<Result<Vec<(Place, String)>, String>>,
        redaction: &mut Redaction,
    ) {
        for (place, text) in answers.found {
            self.add(place, Ok(text), redaction);
        }
        for (place, why) in answers.missing {
            self.leave_out(place.about, &why, redaction);
        }
        let Some(why) = answers.unreached else { return };
        self.leave_out("metrics, status and running traces", &why, redaction);
        match kept.unwrap_or_else(|| Ok(Vec::new())) {
            Ok(found) => found.into_iter().for_each(|(place, text)| self.add(place, Ok(text), redaction)),
            Err(why) => self.leave_out("traces of earlier runs", &why, redaction),
        }
    }

    fn add_lines(&mut self, lines: std::io::Result<lines::Lines>, log_dir: &Path, redaction: &mut Redaction) {
        match lines {
            Ok(lines) => {
                lines.unread.iter().for_each(|why| self.leave_out("lines of the log", why, redaction));
                self.log = lines.described();
                let none = || format!("{} has none of this time", log_dir.display());
                let text = if lines.is_empty() { Err(none()) } else { Ok(lines.text) };
                self.add(LINES, text, redaction);
            }
            Err(error) => {
                let why = format!("cannot read {}: {error}", log_dir.display());
                self.leave_out(LINES.about, &why, redaction);
            }
        }
    }
}

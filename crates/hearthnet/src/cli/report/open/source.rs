//! Data of the console from an archive.

use std::collections::BTreeMap;

use obs_facade::console::Source;
use obs_facade::console::api::{
    Check, Doctor, DoctorSummary, Families, LogLines, LogQuery, Overview, Peers, Problems, Series,
    SeriesQuery, TraceDetail, TraceQuery, Traces, Window,
};
use obs_facade::console::{Failure, Tail};
use serde::Deserialize;
use serde_json::Value;

use super::super::place::{DOCTOR, FAMILIES, PEERS};
use super::files::Files;
use super::lines::{Ended, Lines};
use super::traces::KeptTraces;
use super::{overview, problems};

/// Source of the console over an archive. Everything is in memory, and nothing changes.
#[derive(Debug)]
pub(super) struct ArchiveSource {
    node: String,
    made_at: String,
    overview: Overview,
    traces: KeptTraces,
    lines: Lines,
    doctor: Doctor,
    problems: Problems,
    families: Option<Families>,
    peers: Option<Peers>,
}

impl ArchiveSource {
    pub(super) fn of(files: &Files) -> ArchiveSource {
        let problems = problems::of(files);
        let manifest = &files.manifest;
        let name = manifest.node.name.clone().or_else(|| manifest.node.id.clone());
        ArchiveSource {
            node: name.unwrap_or_else(|| "a node without a name".to_owned()),
            made_at: manifest.made_at.clone(),
            overview: overview::of(files, &problems),
            traces: KeptTraces::of(files),
            lines: Lines::of(files),
            doctor: doctor(files),
            problems,
            families: files.json(FAMILIES),
            peers: files.json(PEERS),
        }
    }

    /// Returns the name of the node.
    pub(super) fn node(&self) -> &str {
        &self.node
    }

    /// Returns the time of the archive.
    pub(super) fn made_at(&self) -> &str {
        &self.made_at
    }
}

impl Source for ArchiveSource {
    fn overview(&self, _: &Window) -> Result<Overview, Failure> {
        Ok(self.overview.clone())
    }

    /// An archive has the last values of metrics and no course of them.
    fn series(&self, query: &SeriesQuery) -> Result<Series, Failure> {
        Ok(Series { window: query.window, step_seconds: 60, points: Vec::new() })
    }

    fn traces(&self, query: &TraceQuery) -> Result<Traces, Failure> {
        self.traces.list(query)
    }

    fn trace(&self, id: &str, _: bool) -> Result<TraceDetail, Failure> {
        self.traces.detail(id, &self.node, &self.lines)
    }

    fn logs(&self, query: &LogQuery) -> Result<LogLines, Failure> {
        self.lines.search(query)
    }

    fn tail(&self, query: &LogQuery) -> Result<Box<dyn Tail>, Failure> {
        Ok(Box::new(Ended::of(self.lines.search(query)?.lines)))
    }

    fn families(&self) -> Result<Families, Failure> {
        self.families.clone().ok_or_else(|| {
            Failure::NotFound(
                "the report has no metrics of a console; its metrics.txt may have them".to_owned(),
            )
        })
    }

    fn doctor(&self, run: bool) -> Result<Doctor, Failure> {
        if run {
            return Err(Failure::Unavailable(
                "a report cannot run checks; run `hearthnet doctor` on its node".to_owned(),
            ));
        }
        Ok(self.doctor.clone())
    }

    fn problems(&self) -> Result<Problems, Failure> {
        Ok(self.problems.clone())
    }

    fn mute(&self, _: &str, _: Option<u64>) -> Result<(), Failure> {
        Err(Failure::Unavailable("a report cannot be changed; mute the problem on its node".to_owned()))
    }

    fn peers(&self) -> Result<Peers, Failure> {
        let none = || Peers {
            peers: Vec::new(),
            none_because: Some("the report has no peers: its node did not run, or had no console".to_owned()),
        };
        Ok(self.peers.clone().unwrap_or_else(none))
    }
}

/// Report of the doctor as `docs/doctor-report.schema.json` describes it.
#[derive(Deserialize)]
struct Report {
    #[serde(default)]
    summary: BTreeMap<String, u32>,
    #[serde(default, alias = "checks")]
    results: Vec<Outcome>,
}

#[derive(Deserialize)]
struct Outcome {
    name: String,
    #[serde(default)]
    category: String,
    status: String,
    #[serde(default)]
    detail: String,
    fix: Option<String>,
    skip_reason: Option<String>,
    caused_by: Option<String>,
    #[serde(default)]
    evidence: BTreeMap<String, Value>,
    #[serde(default)]
    duration_ms: f64,
}

fn doctor(files: &Files) -> Doctor {
    let Some(Report { summary, results }) = files.json(DOCTOR) else {
        return Doctor { ran_at: None, ok: true, summary: DoctorSummary::default(), checks: Vec::new() };
    };
    let count = |status: &str| summary.get(status).copied().unwrap_or_default();
    let summary = DoctorSummary {
        pass: count("pass"),
        warn: count("warn"),
        fail: count("fail"),
        skip: count("skip"),
        error: count("error"),
    };
    let check = |outcome: Outcome| Check {
        name: outcome.name,
        category: outcome.category,
        status: outcome.status,
        detail: outcome.detail,
        fix: outcome.fix,
        skip_reason: outcome.skip_reason,
        caused_by: outcome.caused_by,
        evidence: outcome.evidence,
        duration_ms: outcome.duration_ms,
    };
    Doctor {
        ran_at: Some(files.manifest.made_at.clone()),
        ok: summary.fail == 0 && summary.error == 0,
        summary,
        checks: results.into_iter().map(check).collect(),
    }
}

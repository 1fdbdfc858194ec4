//! Process of a measurement: this program starts itself again for one job.

use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Map, Value};

use super::{Area, Scale, Values};
use crate::Failure;

/// Variable with a child's job.
const VARIABLE: &str = "OBSERVABILITY_BENCH_JOB";

/// Variable with the path of this program without spdlog-rs, which runs the jobs of all other contenders.
const WITHOUT_SPDLOG: &str = "OBSERVABILITY_BENCH_WITHOUT_SPDLOG";

const CHECK: &str = "check";

/// One task of one contender.
pub(crate) struct Job {
    pub(crate) area: String,
    pub(crate) contender: String,
    pub(crate) task: String,
    pub(crate) scale: Scale,
}

impl Job {
    pub(crate) fn new(area: &Area, contender: &str, task: &str, scale: Scale) -> Job {
        Job { area: area.name.to_owned(), contender: contender.to_owned(), task: task.to_owned(), scale }
    }

    /// Returns the job that reads a contender's work back.
    pub(crate) fn check(area: &Area, contender: &str) -> Job {
        Job::new(area, contender, CHECK, Scale::Quick)
    }

    /// Returns this process's job if it is a child.
    pub(crate) fn from_env() -> Option<Job> {
        let text = env::var(VARIABLE).ok()?;
        let mut words = text.split(' ').map(str::to_owned);
        let mut next = || words.next().unwrap_or_default();
        let (area, contender, task) = (next(), next(), next());
        let scale = if next() == "quick" { Scale::Quick } else { Scale::Full };
        Some(Job { area, contender, task, scale })
    }

    fn to_text(&self) -> String {
        let scale = if self.scale == Scale::Quick { "quick" } else { "full" };
        format!("{} {} {} {scale}", self.area, self.contender, self.task)
    }

    /// Runs the job in this process. The last line of stdout has the values.
    pub(crate) fn work(&self, areas: &[Area]) -> Result<(), Failure> {
        let contender = areas
            .iter()
            .find(|area| area.name == self.area)
            .and_then(|area| area.contender(&self.contender))
            .ok_or_else(|| format!("no such job: {}", self.to_text()))?;
        let values = if self.task == CHECK {
            (contender.check)()?;
            Values::new()
        } else {
            (contender.measure)(&self.task, self.scale)
        };
        let values: Map<String, Value> = values.into_iter().map(|(key, value)| (key, value.into())).collect();
        println!("\n{}", Value::from(values));
        Ok(())
    }

    fn program(&self) -> std::io::Result<PathBuf> {
        match env::var_os(WITHOUT_SPDLOG) {
            Some(program) if !self.contender.starts_with("spdlog") => Ok(program.into()),
            _ => env::current_exe(),
        }
    }

    /// Returns the command that runs the job in a process of its own.
    ///
    /// Its stderr is no terminal, so that no contender prints lines there.
    pub(crate) fn command(&self) -> std::io::Result<Command> {
        let mut command = Command::new(self.program()?);
        command
            .env(VARIABLE, self.to_text())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Ok(command)
    }

    /// Runs the job and returns its values.
    pub(crate) fn run(&self) -> Result<Values, Failure> {
        let output = self.command()?.output()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{} ended with {}: {}", self.to_text(), output.status, said.trim()).into());
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let last = text.lines().last().unwrap_or_default();
        let values: Map<String, Value> = serde_json::from_str(last)?;
        Ok(values.into_iter().filter_map(|(key, value)| Some((key, value.as_f64()?))).collect())
    }
}

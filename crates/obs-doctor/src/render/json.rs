//! A report as JSON.

use crate::report::Report;

/// The JSON schema of what [`json`] writes, for version [`Report::SCHEMA`].
#[doc = concat!("```json\n", include_str!("../../docs/report.schema.json"), "\n```")]
///
/// ```
/// assert!(obs_doctor::render::JSON_SCHEMA.contains("skip_reason"));
/// ```
pub const JSON_SCHEMA: &str = include_str!("../../docs/report.schema.json");

/// Writes `report` as one JSON object over several lines, ended by a newline.
///
/// The form is [`JSON_SCHEMA`]. Fields may be added under the same `schema` number; a reader skips those it does
/// not know.
///
/// ```
/// use std::sync::Arc;
/// use obs_doctor::{CapabilityBus, Config, Doctor, NoBus, render};
/// let bus: Arc<dyn CapabilityBus> = Arc::new(NoBus);
/// let report = Doctor::empty().run_all_blocking(&Config::default(), &bus);
/// assert!(render::json(&report).contains("\"schema\": 1"));
/// ```
#[must_use]
pub fn json(report: &Report) -> String {
    let mut text = serde_json::to_string_pretty(report).expect("a report holds only text, numbers and lists");
    text.push('\n');
    text
}

//! The report as JSON.

use crate::report::Report;

/// JSON schema of the output of [`json`], for version [`Report::SCHEMA`].
#[doc = concat!("```json\n", include_str!("../../docs/report.schema.json"), "\n```")]
///
/// ```
/// assert!(obs_doctor::render::JSON_SCHEMA.contains("skip_reason"));
/// ```
pub const JSON_SCHEMA: &str = include_str!("../../docs/report.schema.json");

/// Returns `report` as one JSON object of several lines, with a newline at the end.
///
/// Its schema is [`JSON_SCHEMA`]. Fields may be added without a change of the number `schema`. A reader has to ignore
/// unknown fields.
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

//! The page's types, generated from the types of the API.

use std::path::Path;

use ts_rs::{Config, TS};

use super::{
    Capability, Check, CodeCount, Doctor, DoctorSummary, Exemplar, Families, Family, Gauge, LogCount,
    LogLines, Login, Mute, Node, Overview, Peer, Peers, Point, Problem, ProblemKind, ProblemState, Problems,
    Quantiles, Refusal, Remark, Run, Sample, Series, SeriesPoint, Session, Sessions, Severity, Span,
    TailLines, Trace, TraceDetail, TracePart, TraceSummary, Traces, Window,
};

/// First lines of the generated file.
const HEAD: &str = "\
// Types of the console's API, version 1. Generated from crates/obs-console/src/api; do not edit.
// OBS_CONSOLE_BLESS=1 cargo test -p obs-console the_types_of_the_page
";

/// Returns the declaration of a type with its documentation.
fn declaration<T: TS>(config: &Config) -> String {
    tidy(&format!("\n{}export {}\n", T::docs().unwrap_or_default(), T::decl(config)))
}

/// Puts short comments on one line, indents fields, and removes spaces at the ends of lines.
fn tidy(declaration: &str) -> String {
    let text = declaration.replace(", };", ",\n};").replace("/**\n * ", "/** ").replace("\n */", " */");
    let mut tidy = String::new();
    let mut in_body = false;
    for line in text.lines().map(str::trim_end) {
        in_body &= line != "};";
        if in_body {
            tidy.push_str("  ");
        }
        tidy.push_str(line);
        tidy.push('\n');
        in_body |= line.ends_with('{');
    }
    tidy
}

macro_rules! declarations {
    ($config:expr, $($of:ty),+ $(,)?) => { [$(declaration::<$of>($config)),+].concat() };
}

fn generated() -> String {
    let config = Config::default();
    let types = declarations!(
        &config,
        Capability,
        Check,
        CodeCount,
        Doctor,
        DoctorSummary,
        Exemplar,
        Families,
        Family,
        Gauge,
        LogCount,
        LogLines,
        Login,
        Mute,
        Node,
        Overview,
        Peer,
        Peers,
        Point,
        Problem,
        ProblemKind,
        ProblemState,
        Problems,
        Quantiles,
        Refusal,
        Remark,
        Run,
        Sample,
        Series,
        SeriesPoint,
        Session,
        Sessions,
        Severity,
        Span,
        TailLines,
        Trace,
        TraceDetail,
        TracePart,
        TraceSummary,
        Traces,
        Window,
    );
    format!("{HEAD}{types}")
}

#[test]
fn the_types_of_the_page_are_those_of_the_api() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("web/src/api.ts");
    let wanted = generated();
    if std::env::var_os("OBS_CONSOLE_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &wanted).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap();
    assert!(found == wanted, "web/src/api.ts is stale; run the test with OBS_CONSOLE_BLESS=1");
}

//! Query parameters of `/trace/recent`.

use obs_trace::{ParseIdPatternError, Query};

/// A parsed query string.
pub(super) struct RecentQuery {
    pub(super) query: Query,
    /// Whether the response may be large: more than [`DEFAULT_N`] traces.
    pub(super) is_large: bool,
    /// Whether the traces are shown with the IDs of their spans.
    pub(super) span_ids: bool,
}

/// Parses a raw query string, or returns the reason to refuse it. The reason never repeats text of the caller.
pub(super) fn parse(raw: &str) -> Result<RecentQuery, String> {
    let mut query = Query::default();
    let (mut is_large, mut span_ids) = (false, false);
    let mut seen = Vec::new();
    for (name, value) in form_urlencoded::parse(raw.as_bytes()) {
        if seen.contains(&name) {
            return Err("a parameter is given twice".to_owned());
        }
        query = match &*name {
            "n" => {
                let n = count(&value)?;
                is_large = n > DEFAULT_N;
                query.n(n)
            }
            "capability" => query.capability(value),
            "status" if value == FAILED => query.failed(),
            "status" => query.status(value),
            "min_ms" => query.min_ms(milliseconds(&value)?),
            "id" => {
                query.id_like(value.parse().map_err(|error: ParseIdPatternError| format!("id: {error}"))?)
            }
            "sort" => match &*value {
                "newest" => query,
                "slowest" => query.slowest_first(),
                _ => return Err("sort: allowed are newest, slowest".to_owned()),
            },
            "span_ids" => {
                span_ids = value.parse().map_err(|_| "span_ids: allowed are true, false")?;
                query
            }
            _ => return Err(format!("unknown parameter: allowed are {PARAMETERS}")),
        };
        seen.push(name);
    }
    Ok(RecentQuery { query, is_large, span_ids })
}

const PARAMETERS: &str = "n, capability, status, min_ms, id, sort, span_ids";

/// Status that stands for every error code and a panic.
const FAILED: &str = "failed";

/// Default of `n`. Pages of more traces count as large.
const DEFAULT_N: usize = 100;

fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n @ 0..=MAX_N) => Ok(n),
        _ => Err(format!("n: not a whole number from 0 to {MAX_N}")),
    }
}

/// Maximum of `n`: the capacity of the ring of traces.
const MAX_N: usize = 10_000;

fn milliseconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(ms) if (0.0..=f64::MAX).contains(&ms) => Ok(ms),
        _ => Err("min_ms: not a number of milliseconds, 0 or more".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_parameter_is_refused_with_what_is_allowed() {
        for (raw, word) in [
            ("n=1&n=2", "twice"),
            ("n=10001", "10000"),
            ("n=-1", "n:"),
            ("n=+5x", "n:"),
            ("min_ms=NaN", "min_ms"),
            ("min_ms=-1", "min_ms"),
            ("min_ms=inf", "min_ms"),
            ("id=8ZZZZZZZZZZZZZZZZZZZZZZZZZ", "id:"),
            ("id=K0J", "ULID"),
            ("id=", "ULID"),
            ("sort=oldest", "slowest"),
            ("span_ids=1", "true"),
            ("limit=3", "span_ids"),
        ] {
            let reason = parse(raw).err().unwrap();
            assert!(reason.contains(word), "{raw}: {reason}");
        }
        for raw in [
            "",
            "n=0",
            "n=10000&capability=llm.chat&status=ok&min_ms=0.5",
            "id=01HXR3F2Q4T6V8X0Z2B4D6F8HJ",
            "id=01HXR3%E2%80%A6F8HJ&sort=slowest&status=failed&span_ids=true",
        ] {
            assert!(parse(raw).is_ok(), "{raw}");
        }
    }
}

//! The query parameters of `/trace/recent` (T6).

use obs_trace::Query;

pub(super) struct Asked {
    pub(super) query: Query,
    /// Whether it may be many traces.
    pub(super) is_large: bool,
}

/// Reads a raw query string, or says what is wrong with it. What a caller sent is never repeated in
/// the reason.
pub(super) fn parse(raw: &str) -> Result<Asked, String> {
    let mut query = Query::default();
    let mut is_large = false;
    let mut seen = Vec::new();
    for (name, value) in form_urlencoded::parse(raw.as_bytes()) {
        if seen.contains(&name) {
            return Err("a parameter is given twice".to_owned());
        }
        query = match &*name {
            "n" => {
                let n = count(&value)?;
                is_large = n > FEW;
                query.n(n)
            }
            "capability" => query.capability(value),
            "status" => query.status(value),
            "min_ms" => query.min_ms(milliseconds(&value)?),
            "id" => query.id(value.parse().map_err(|_| "id: not a trace ID, 26 characters of a ULID")?),
            _ => return Err("unknown parameter: allowed are n, capability, status, min_ms, id".to_owned()),
        };
        seen.push(name);
    }
    Ok(Asked { query, is_large })
}

/// As many as one gets who does not say how many.
const FEW: usize = 100;

fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n @ 0..=MOST) => Ok(n),
        _ => Err(format!("n: not a whole number from 0 to {MOST}")),
    }
}

/// As many as the ring holds (`TRACE_RING_BUFFER`).
const MOST: usize = 10_000;

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
    fn t6_bad_parameters_say_what_is_allowed() {
        for (raw, word) in [
            ("n=1&n=2", "twice"),
            ("n=10001", "10000"),
            ("n=-1", "n:"),
            ("n=+5x", "n:"),
            ("min_ms=NaN", "min_ms"),
            ("min_ms=-1", "min_ms"),
            ("min_ms=inf", "min_ms"),
            ("id=8ZZZZZZZZZZZZZZZZZZZZZZZZZ", "id:"),
            ("limit=3", "allowed"),
        ] {
            let reason = parse(raw).err().unwrap();
            assert!(reason.contains(word), "{raw}: {reason}");
        }
        for raw in
            ["", "n=0", "n=10000&capability=llm.chat&status=ok&min_ms=0.5", "id=01HXR3F2Q4T6V8X0Z2B4D6F8HJ"]
        {
            assert!(parse(raw).is_ok(), "{raw}");
        }
    }
}

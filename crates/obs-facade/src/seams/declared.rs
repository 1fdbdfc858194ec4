//! Report of a family that could not be declared.

/// Logs that a family is missing. A user's own family may have taken its name first.
pub(super) fn declared(result: Result<(), obs_metrics::Error>) {
    if let Err(error) = result {
        missing(&error);
    }
}

pub(super) fn missing(error: &obs_metrics::Error) {
    obs_log::warn!("an internal metric family is missing from the page: {error}");
}

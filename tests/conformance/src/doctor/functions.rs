use crate::case::{Outcome, Stop};
use crate::harness::Lab;
pub(super) fn all_pass(_lab: &Lab) -> Outcome {
    Err(Stop::Skip("later".into()))
}
pub(super) fn keys_missing(_lab: &Lab) -> Outcome {
    Err(Stop::Skip("later".into()))
}
pub(super) fn own_checks(_lab: &Lab) -> Outcome {
    Err(Stop::Skip("later".into()))
}

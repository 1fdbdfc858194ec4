//! Metric families: their present values, and their course over time.

mod families;
mod quantiles;
mod series;

pub(super) use self::families::families;
pub(super) use self::quantiles::finite;
pub(super) use self::series::series;

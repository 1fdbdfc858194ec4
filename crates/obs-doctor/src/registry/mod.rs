//! Sets of checks, and the way to run them.

mod doctor;
mod global;

pub use doctor::Doctor;
pub use global::{default_doctor, register, run_all, run_one};

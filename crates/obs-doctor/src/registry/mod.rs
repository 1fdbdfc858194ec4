//! Registries of checks: registration, selection and runs.

mod doctor;
mod global;

pub use doctor::Doctor;
pub use global::{default_doctor, register, run_all, run_one};

//! Tests of the public API.

mod traces;

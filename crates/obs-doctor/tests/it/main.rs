//! Integration tests: real files, SQLite, sockets and processes; fakes for faults that cannot be made.
//!
//! What a doctor must not get wrong stands in tests whose names begin with a number:
//!
//! | | |
//! |---|---|
//! | `pain_01` | it changes nothing, also beside what a crash left |
//! | `pain_02` | a check that never ends, and one that blocks, cost 5 s at most |
//! | `pain_03` | a panic is one result |
//! | `pain_04` | one cause, one failure; dependents are skipped and say by what |
//! | `pain_05` | offline nothing of the internet fails, within 2 s |
//! | `pain_06` | no starting node and no mDNS packet is in its way, or it in theirs |
//! | `pain_07` | no false pass |
//! | `pain_08` | no false fail |
//! | `pain_09` | no secret in any output |
//! | `pain_10` | text and JSON have the same verdicts, and JSON its schema |
//! | `pain_11` | rendering by every switch, variable and width |
//! | `pain_12` | exit codes, names, order, and a fix for every failure |
//!
//! The command's own part of 2, 11 and 12 is in the tests of `hearthnet`.

mod child;
mod community;
mod engine;
mod event_log;
mod faults;
mod filter;
#[path = "../../../../tests/support/free_port.rs"]
mod free_port;
mod home;
mod hostile;
mod keys;
mod network;
mod node;
mod promises;
mod registry;
mod repair;
mod report;
mod services;
mod web;

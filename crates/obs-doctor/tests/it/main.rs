//! Integration tests on real files, databases, sockets and processes. Fakes stand for faults that cannot be made.

mod child;
mod community;
mod data_dir;
mod engine;
mod event_log;
mod faults;
mod filter;
#[path = "../../../../tests/support/free_port.rs"]
mod free_port;
mod home;
mod hostile;
mod keys;
#[cfg(target_os = "linux")]
mod lock;
mod network;
mod node;
mod observability;
mod promises;
mod registry;
mod repair;
mod report;
mod services;
mod web;

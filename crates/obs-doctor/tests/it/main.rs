//! Integration tests: real files, SQLite, sockets and processes; fakes for faults that cannot be made.

mod child;
mod community;
mod engine;
mod event_log;
mod home;
mod keys;
mod network;
mod node;
mod promises;
mod registry;
mod repair;
mod report;
mod services;
mod web;

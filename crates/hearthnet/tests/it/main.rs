//! Tests of the binary with real sockets and files: one node, two nodes, and a language model on loopback.

mod archive;
mod backend;
mod call;
mod callers;
mod calls;
mod caps;
mod causes;
mod command;
mod completions;
mod config_check;
mod doctor;
mod end;
mod export;
mod file_systems;
#[path = "../../../../tests/support/free_port.rs"]
mod free_port;
mod hostile;
mod last_run;
mod later_codes;
mod levels;
mod limits;
mod llm;
mod log_search;
mod node;
mod offer;
mod own_checks;
mod peer;
mod peers;
mod pty;
mod reader_gone;
mod rotated;
#[cfg(target_os = "linux")]
#[path = "../../../../tests/support/seccomp.rs"]
mod seccomp;
mod service;
mod signed;
mod status;
mod status_command;
mod terminal;
#[path = "../../../../tests/support/terminal_unsafe.rs"]
mod terminal_unsafe;
mod tls_backend;
mod top;
mod traces;

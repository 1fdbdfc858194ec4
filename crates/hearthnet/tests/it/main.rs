//! Tests of the binary with real sockets and files: one node, two nodes, and a language model on loopback.

mod archive;
mod backend;
mod call;
mod callers;
mod calls;
mod caps;
mod causes;
mod command;
mod community;
mod completions;
mod config_check;
mod console;
mod doctor;
mod end;
mod export;
mod file_systems;
#[path = "../../../../tests/support/free_port.rs"]
mod free_port;
mod history;
mod hostile;
mod keep;
mod last_run;
mod later_codes;
mod levels;
mod limits;
mod llm;
mod log_search;
mod mesh;
mod node;
mod offer;
mod own_address;
mod own_checks;
mod peer;
mod peers;
#[path = "../../../../tests/support/planted_secrets.rs"]
mod planted_secrets;
mod problems;
mod pty;
mod reader_gone;
mod report;
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
mod trace_history;
mod traces;

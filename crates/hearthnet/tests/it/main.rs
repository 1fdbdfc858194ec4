//! The real binary, real sockets, real files: one node, two nodes, and a language model on loopback.

mod backend;
mod calls;
mod command;
mod end;
mod hostile;
mod llm;
mod node;
mod peers;

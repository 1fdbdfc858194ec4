//! Data of the console for a node that runs: feature `console`.
//!
//! [`NodeSource`] tells the console of `obs-console` what this process knows: its metrics, their history, its traces, its log,
//! its checks and its problems. What only the program knows comes from its [`ConsoleNode`]. Nothing here runs unless a page
//! asks.

mod clock;
mod doctor;
mod logs;
mod metrics;
mod node;
mod overview;
mod past;
mod problems;
mod source;
mod traces;

pub use obs_console::{
    ConnectionUser, Failure, Mode, Settings, Source, Tail, Token, api, is_own_socket, router, socket_owner,
};

pub use self::node::ConsoleNode;
pub use self::source::NodeSource;

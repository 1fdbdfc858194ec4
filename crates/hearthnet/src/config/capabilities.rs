//! Names of the built-in capabilities.

/// Capabilities that a node can offer. A test of the node compares them with its real ones.
// Written here, because the configuration is read before there is a node.
pub(crate) const BUILT_IN: [&str; 3] = ["experimental.echo", "experimental.node.status", "llm.chat"];

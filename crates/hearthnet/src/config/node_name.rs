//! Names of nodes.

/// What [`is_name`] allows, in words.
pub(crate) const NAME: &str = "a name of 1 to 64 characters on one line";

/// Whether people can call something `text`.
pub(crate) fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.trim().chars().count()) && !text.contains(char::is_control)
}

/// The name of this machine if it can be one of a node.
pub(crate) fn of_machine() -> String {
    sysinfo::System::host_name().filter(|name| is_name(name)).unwrap_or_else(|| "hearth".to_owned())
}

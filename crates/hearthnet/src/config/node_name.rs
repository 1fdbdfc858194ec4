//! Names of nodes.

/// Description of the names that [`is_name`] allows.
pub(crate) const NAME: &str = "a name of 1 to 64 characters on one line";

/// Returns whether `text` can be the name of a node.
pub(crate) fn is_name(text: &str) -> bool {
    // A name appears in prompts, log lines and TOML. Blanks alone would be invisible.
    (1..=64).contains(&text.trim().chars().count()) && !text.contains(char::is_control)
}

/// Returns the name of this machine if a node can have it, else a fixed name.
pub(crate) fn of_machine() -> String {
    sysinfo::System::host_name().filter(|name| is_name(name)).unwrap_or_else(|| "hearth".to_owned())
}

//! Logging: a node's day files, and the functions that write them.

mod causes;
mod command;
mod day_files;
mod functions;

use crate::case::{Case, Suite};

pub(crate) const SUITE: Suite = Suite {
    name: "logging",
    cases: &[
        Case::new("test_logger_writes_json_lines", functions::json_lines),
        Case::new("any_field_keeps_a_line_valid", functions::any_field),
        Case::new("exceptions_carry_their_causes", functions::exceptions),
        Case::new("noisy_warnings_are_limited", functions::rate_limit),
        Case::new("secrets_are_redacted", functions::secrets),
        Case::new("levels_change_live", functions::levels),
        Case::new("bad_settings_are_named", functions::bad_settings),
        Case::new("day_files_hold_lines_of_the_form", day_files::form),
        Case::new("day_files_are_private", day_files::private),
        Case::new("lines_of_a_call_carry_its_trace_id", day_files::trace_ids),
        Case::new("two_weeks_are_kept_and_nothing_else_touched", day_files::retention),
        Case::new("nothing_is_lost_at_the_end", day_files::nothing_lost),
        Case::new("log_command_filters", command::filters),
        Case::new("log_command_selects", command::selects),
        Case::new("log_command_follows", command::follows),
        Case::new("log_command_survives_damaged_lines", command::damaged),
        Case::new("failed_calls_say_why", causes::explained),
    ],
};

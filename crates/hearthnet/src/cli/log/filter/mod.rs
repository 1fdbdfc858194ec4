//! Selection of the lines to show.

mod component;
mod field;
mod tally;
mod text;
mod trace;

use obs_facade::log::reader::{Head, Side, Window};
use obs_facade::trace::IdPattern;

pub(crate) use self::component::Component;
use self::field::Field;
pub(crate) use self::field::FieldSpec;
pub(crate) use self::tally::{Hidden, Tally};
use self::text::Text;
use self::trace::Trace;
use super::line::{Level, Line};

/// Conditions that a line must meet.
pub(crate) struct Filter {
    pub(crate) window: Window,
    level: Level,
    component: Option<Component>,
    trace: Option<Trace>,
    text: Option<Text>,
    fields: Vec<Field>,
}

/// Result for a line.
pub(crate) enum Verdict {
    Shown(Line),
    Hidden,
    /// The line is not in the window.
    Outside,
    /// The line cannot be parsed and is shown.
    Damaged,
}

impl From<Hidden> for Verdict {
    fn from(hidden: Hidden) -> Verdict {
        match hidden {
            Hidden::Before | Hidden::After => Verdict::Outside,
            _ => Verdict::Hidden,
        }
    }
}

impl From<Side> for Hidden {
    fn from(side: Side) -> Hidden {
        match side {
            Side::Before => Hidden::Before,
            Side::After => Hidden::After,
        }
    }
}

impl Filter {
    /// Creates a filter that shows everything.
    pub(crate) fn new() -> Filter {
        let window = Window::default();
        Filter { window, level: Level::Trace, component: None, trace: None, text: None, fields: Vec::new() }
    }

    pub(crate) fn window(self, window: Window) -> Filter {
        Filter { window, ..self }
    }

    pub(crate) fn level(self, level: Option<Level>) -> Filter {
        Filter { level: level.unwrap_or(Level::Trace), ..self }
    }

    pub(crate) fn component(self, name: Option<&str>) -> Filter {
        Filter { component: name.map(Component::new), ..self }
    }

    pub(crate) fn trace(self, id: Option<&IdPattern>) -> Filter {
        Filter { trace: id.map(Trace::new), ..self }
    }

    pub(crate) fn text(self, text: Option<&str>) -> Filter {
        Filter { text: text.map(Text::new), ..self }
    }

    pub(crate) fn fields(self, specs: &[FieldSpec]) -> Filter {
        Filter { fields: Field::group(specs), ..self }
    }

    /// Describes the fields that a line must have.
    pub(crate) fn described_fields(&self) -> Option<String> {
        let fields: Vec<_> = self.fields.iter().map(Field::to_string).collect();
        (!fields.is_empty()).then(|| format!(" with {}", fields.join(" and ")))
    }

    /// Decides on a line, and counts it.
    pub(crate) fn judge(&self, bytes: &[u8], tally: &mut Tally) -> Verdict {
        if let Some(head) = Head::of(bytes)
            && let Some(level) = Level::of(head.level.as_bytes())
            && let Some(hidden) = self.surely_hides(&head, level, bytes)
        {
            tally.hide(hidden, head.time, head.logger);
            return hidden.into();
        }
        let Some(line) = Line::parse(bytes) else { return self.judge_damaged(bytes, tally) };
        match self.hides(&line) {
            Some(hidden) => {
                tally.hide(hidden, line.time, Some(&line.logger));
                hidden.into()
            }
            None => {
                tally.show(line.time);
                Verdict::Shown(line)
            }
        }
    }

    /// Decides on a line that cannot be parsed. It has no time, and counts as being of the time before it.
    pub(crate) fn judge_damaged(&self, bytes: &[u8], tally: &mut Tally) -> Verdict {
        let is_in_window = match tally.last() {
            Some(time) => self.window.place_of(time).is_none(),
            None => self.window.has_no_beginning(),
        };
        let is_found = self.text.as_ref().is_none_or(|text| text.is_in_bytes(bytes));
        let is_searched = self.trace.is_some() || !self.fields.is_empty();
        if is_in_window && is_found && !is_searched {
            tally.show_damaged();
            return Verdict::Damaged;
        }
        Verdict::Outside
    }

    /// Returns why the line is hidden, if its bytes show it.
    fn surely_hides(&self, head: &Head<'_>, level: Level, line: &[u8]) -> Option<Hidden> {
        if let Some(place) = self.window.place_of(head.time) {
            return Some(place.into());
        }
        if let (Some(component), Some(logger)) = (&self.component, head.logger)
            && !component.has(logger)
        {
            return Some(Hidden::Component);
        }
        // Later conditions count only lines that meet the earlier ones. A logger with an escape is not known yet.
        let is_known = self.component.is_none() || head.logger.is_some();
        if level < self.level {
            return is_known.then_some(Hidden::Level);
        }
        if self.trace.as_ref().is_some_and(|trace| trace.is_surely_not_in(line)) {
            return Some(Hidden::Trace);
        }
        if self.fields.iter().any(|field| field.is_surely_not_in(line)) {
            return Some(Hidden::Field);
        }
        self.text.as_ref().is_some_and(|text| text.is_surely_not_in(line)).then_some(Hidden::Text)
    }

    fn hides(&self, line: &Line) -> Option<Hidden> {
        if let Some(place) = self.window.place_of(line.time) {
            return Some(place.into());
        }
        if self.component.as_ref().is_some_and(|component| !component.has(&line.logger)) {
            return Some(Hidden::Component);
        }
        if line.level < self.level {
            return Some(Hidden::Level);
        }
        if self.trace.as_ref().is_some_and(|trace| !trace.is_in(line)) {
            return Some(Hidden::Trace);
        }
        if self.fields.iter().any(|field| !field.is_in(line)) {
            return Some(Hidden::Field);
        }
        self.text.as_ref().is_some_and(|text| !text.is_in(line)).then_some(Hidden::Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(level: &str, logger: &str) -> String {
        format!(
            r#"{{"ts":"2026-05-26T08:14:22.281Z","level":"{level}","logger":"{logger}","msg":"m","trace_id":"01HXR3F2M9Z5T1V8Q4W7N6K0JD"}}"#
        )
    }

    fn shows(filter: &Filter, line: &str) -> bool {
        let shown = matches!(filter.judge(line.as_bytes(), &mut Tally::default()), Verdict::Shown(_));
        // The same line in another form cannot be refused unparsed.
        let (other, mut tally) = (line.replacen('{', "{ ", 1), Tally::default());
        assert_eq!(matches!(filter.judge(other.as_bytes(), &mut tally), Verdict::Shown(_)), shown, "{line}");
        shown
    }

    #[test]
    fn a_component_is_a_run_of_whole_parts() {
        for (component, shown) in [
            ("bus", true),
            ("router", true),
            ("bus.router", true),
            ("hearthnet::bus", true),
            ("hearthnet.bus.router", true),
            ("hearthnet.router", false),
            ("bu", false),
            ("bus.router.x", false),
            ("", false),
        ] {
            let filter = Filter::new().component(Some(component));
            assert_eq!(shows(&filter, &line("info", "hearthnet.bus.router")), shown, "{component}");
            assert_eq!(shows(&filter, &line("info", "hearthnet\\u002ebus.router")), shown, "{component}");
        }
    }

    #[test]
    fn a_level_shows_the_more_important_ones_too() {
        let filter = Filter::new().level(Some(Level::Warning));
        let shown = |level: &str| shows(&filter, &line(level, "x"));
        assert_eq!(["trace", "info", "warning", "error"].map(shown), [false, false, true, true]);
    }

    #[test]
    fn a_trace_is_found_by_every_form_of_its_id() {
        for (id, shown) in
            [("01HXR3F2M9Z5T1V8Q4W7N6K0JD", true), ("k0jd", true), ("01HXR3~K0JD", true), ("K0JX", false)]
        {
            let filter = Filter::new().trace(Some(&id.parse().unwrap()));
            assert_eq!(shows(&filter, &line("info", "x")), shown, "{id}");
            assert!(!shows(&filter, &line("info", "x").replace("trace_id", "other")), "{id}");
        }
    }

    #[test]
    fn every_condition_must_be_met_and_the_first_one_that_is_not_counts() {
        let filter = || {
            let field: FieldSpec = "msg=m".parse().unwrap();
            Filter::new().level(Some(Level::Warning)).component(Some("bus")).fields(&[field]).text(Some("m"))
        };
        assert!(shows(&filter(), &line("error", "bus")));
        for (line, hidden) in [
            (line("info", "x"), Hidden::Component),
            (line("info", "bus"), Hidden::Level),
            (line("error", "bus").replace("\"m\"", "\"n\""), Hidden::Field),
        ] {
            let mut tally = Tally::default();
            assert!(matches!(filter().judge(line.as_bytes(), &mut tally), Verdict::Hidden));
            assert_eq!(tally.count(hidden), 1, "{line}");
        }
    }

    #[test]
    fn a_damaged_line_is_of_the_time_before_it() {
        let time = |text: &str| Some(text.parse().unwrap());
        let mut tally = Tally::default();
        let filter =
            Filter::new().window(Window::new(time("2026-05-26T08:00:00Z"), time("2026-05-26T09:00:00Z")));
        assert!(matches!(filter.judge(b"{", &mut tally), Verdict::Outside), "before the first line");
        assert!(matches!(filter.judge(line("info", "x").as_bytes(), &mut tally), Verdict::Shown(_)));
        assert!(matches!(filter.judge(b"{", &mut tally), Verdict::Damaged));
        assert!(matches!(
            filter.judge(line("info", "x").replace("T08", "T10").as_bytes(), &mut tally),
            Verdict::Outside
        ));
        assert!(matches!(filter.judge(b"{", &mut tally), Verdict::Outside));
        let searching = Filter::new().text(Some("torn"));
        assert!(matches!(searching.judge(b"{", &mut Tally::default()), Verdict::Outside));
        assert!(matches!(searching.judge(b"{torn", &mut Tally::default()), Verdict::Damaged));
    }
}

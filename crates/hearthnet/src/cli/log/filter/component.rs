//! Selection by a part of the logger's name.

/// Component: a run of whole parts of a logger's name.
#[derive(Clone, Debug)]
pub(crate) struct Component(Vec<String>);

impl Component {
    pub(crate) fn new(name: &str) -> Component {
        Component(name.replace("::", ".").split('.').map(str::to_owned).collect())
    }

    /// Returns whether the parts of the component follow each other in `logger`.
    pub(crate) fn has(&self, logger: &str) -> bool {
        let mut rest = logger.split('.');
        loop {
            let mut ahead = rest.clone();
            if self.0.iter().all(|part| ahead.next() == Some(part)) {
                return true;
            }
            if rest.next().is_none() {
                return false;
            }
        }
    }
}

//! Names of requests that are no bus calls: the template of the route that matched, never the text of the client.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use axum::extract::MatchedPath;
use http::{Method, Request};

/// Names of the routes of one program.
#[derive(Debug)]
pub(super) struct Routes {
    prefix: Box<str>,
    unmatched: Arc<Template>,
    /// Template in the place of those beyond the limit.
    overflow: Arc<Template>,
    // A lock that is written once for each template. Requests only read it.
    known: RwLock<HashMap<Box<str>, Arc<Template>>>,
    hasher: RandomState,
}

/// Maximum number of templates. A program has some dozens. One that makes routes from outside text must not fill the
/// memory; its further routes share a name.
const MAX_TEMPLATES: usize = 1024;
/// Maximum length of a name in bytes, which is that of a label value and of a trace's capability.
const MAX_NAME_BYTES: usize = 128;
/// Name in the place of a template for requests that no route matched.
const UNMATCHED: &str = "unmatched";

impl Routes {
    pub(super) fn new(prefix: &str) -> Routes {
        Routes {
            prefix: prefix.into(),
            unmatched: Arc::new(Template::new(UNMATCHED)),
            overflow: Arc::new(Template::new(obs_metrics::OVERFLOW)),
            known: RwLock::default(),
            hasher: RandomState::new(),
        }
    }

    /// Returns the route of a request. axum sets the template before a layer of `Router::layer` runs.
    pub(super) fn of<B>(&self, request: &Request<B>) -> Arc<Route> {
        let method = Verb::of(request.method());
        match request.extensions().get::<MatchedPath>() {
            Some(path) => self.matched(method, path.as_str()),
            None => self.unmatched.route(method, |_| Route {
                capability: self.bounded(format!("{}:{UNMATCHED}", self.prefix)),
                span_name: method.span_name.into(),
                template: None,
                method,
            }),
        }
    }

    fn matched(&self, method: Verb, template: &str) -> Arc<Route> {
        self.template(template).route(method, |template| Route {
            capability: self.bounded(format!("{}:{} {template}", self.prefix, method.word)),
            span_name: format!("{} {template}", method.span_name).into(),
            template: Some(template.into()),
            method,
        })
    }

    fn template(&self, text: &str) -> Arc<Template> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        match known.get(text) {
            Some(template) => return Arc::clone(template),
            None if known.len() >= MAX_TEMPLATES => return Arc::clone(&self.overflow),
            None => drop(known),
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        // Requests of new templates may have met here, so the number may exceed the limit by that of the threads.
        let new = known.entry(text.into()).or_insert_with(|| Arc::new(Template::new(text)));
        Arc::clone(new)
    }

    /// Cuts a name that is too long. A hash of the whole keeps templates with the same beginning apart.
    fn bounded(&self, mut name: String) -> Box<str> {
        if name.len() > MAX_NAME_BYTES {
            let mark = format!("~{:016x}", self.hasher.hash_one(&name));
            name.truncate(name.floor_char_boundary(MAX_NAME_BYTES - mark.len()));
            name += &mark;
        }
        name.into()
    }
}

/// A template with its route for each method.
#[derive(Debug)]
struct Template {
    text: Box<str>,
    routes: [OnceLock<Arc<Route>>; VERBS.len()],
}

impl Template {
    fn new(text: &str) -> Template {
        Template { text: text.into(), routes: Default::default() }
    }

    fn route(&self, method: Verb, make: impl FnOnce(&str) -> Route) -> Arc<Route> {
        let route = self.routes[method.index].get_or_init(|| {
            let route = make(&self.text);
            trust(&route.capability);
            Arc::new(route)
        });
        Arc::clone(route)
    }
}

/// Gives the name a label value and a place among the kept traces of its own. The name is the program's, and the number
/// of names is bounded, so made-up names of peers must not push it out.
fn trust(capability: &str) {
    obs_metrics::standard::trust_capabilities(&[capability]);
    obs_trace::trust(&[capability]);
}

/// A method and the template of a route.
#[derive(Debug)]
pub(super) struct Route {
    /// Name in lines, traces and labels, such as `web:GET /items/{id}`.
    pub(super) capability: Box<str>,
    /// Name of the exported span, such as `GET /items/{id}`.
    pub(super) span_name: Box<str>,
    /// `None` if no route matched.
    pub(super) template: Option<Box<str>>,
    pub(super) method: Verb,
}

/// A method of HTTP, or any that is not one of the nine standard ones.
#[derive(Clone, Copy, Debug)]
pub(in crate::http) struct Verb {
    index: usize,
    /// Word in names of capabilities.
    word: &'static str,
    /// Word in names of spans.
    pub(in crate::http) span_name: &'static str,
    /// Value of `http.request.method`.
    pub(in crate::http) attribute: &'static str,
}

const fn standard(index: usize, word: &'static str) -> Verb {
    Verb { index, word, span_name: word, attribute: word }
}

/// The methods of RFC 9110 and `PATCH`, and last any other one, whose text is the client's.
const VERBS: [Verb; 10] = [
    standard(0, "GET"),
    standard(1, "HEAD"),
    standard(2, "POST"),
    standard(3, "PUT"),
    standard(4, "DELETE"),
    standard(5, "CONNECT"),
    standard(6, "OPTIONS"),
    standard(7, "TRACE"),
    standard(8, "PATCH"),
    Verb { index: 9, word: "other", span_name: "HTTP", attribute: "_OTHER" },
];

impl Verb {
    pub(in crate::http) fn of(method: &Method) -> Verb {
        let known = VERBS.iter().position(|verb| verb.word == method.as_str());
        VERBS[known.unwrap_or(VERBS.len() - 1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_that_is_not_standard_is_other() {
        for word in ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"] {
            let verb = Verb::of(&Method::from_bytes(word.as_bytes()).unwrap());
            assert_eq!((verb.word, verb.attribute, verb.span_name), (word, word, word));
        }
        for word in ["get", "PROPFIND", "other", "_OTHER", "HTTP"] {
            let verb = Verb::of(&Method::from_bytes(word.as_bytes()).unwrap());
            assert_eq!((verb.word, verb.attribute, verb.span_name), ("other", "_OTHER", "HTTP"));
        }
    }

    #[test]
    fn long_templates_are_cut_and_stay_different() {
        let routes = Routes::new("web");
        let name = |template: &str| routes.matched(Verb::of(&Method::GET), template).capability.clone();
        let long = format!("/{}", "é".repeat(200));
        let (one, other) = (name(&format!("{long}/a")), name(&format!("{long}/b")));
        assert!(one.len() <= MAX_NAME_BYTES && one.starts_with("web:GET /é"), "{one}");
        assert_ne!(one, other);
        assert_eq!(&*name("/items/{id}"), "web:GET /items/{id}");
    }

    #[test]
    fn the_number_of_templates_is_bounded() {
        let routes = Routes::new("web");
        let names: std::collections::HashSet<_> = (0..3 * MAX_TEMPLATES)
            .map(|n| routes.matched(Verb::of(&Method::GET), &format!("/{n}")).capability.clone())
            .collect();
        assert_eq!(names.len(), MAX_TEMPLATES + 1);
        assert!(names.contains("web:GET __overflow__"));
        assert_eq!(routes.known.read().unwrap().len(), MAX_TEMPLATES);
    }
}

//! Names of requests that are no bus calls: the template of the route that matched, never the text of the client.

use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::MatchedPath;
use http::{Method, Request};

/// Names of the routes of one program.
#[derive(Debug)]
pub(super) struct Routes {
    prefix: Box<str>,
    unmatched: Template,
    /// Template in the place of those beyond the limit.
    overflow: Template,
    /// Each template in the first free place from that of its hash on. Without a lock, and without a count of references: each
    /// request of all threads would write to them.
    known: Box<[OnceLock<Box<Template>>]>,
    /// Number of templates in `known`.
    count: AtomicUsize,
    hasher: RandomState,
}

/// Maximum number of templates. A program has some dozens. One that makes routes from outside text must not fill the
/// memory; its further routes share a name.
const MAX_TEMPLATES: usize = 1024;
/// Number of places for them. Half of them stay free, so that a search ends soon.
const PLACES: usize = 2 * MAX_TEMPLATES;
/// Maximum length of a name in bytes, which is that of a label value and of a trace's capability.
const MAX_NAME_BYTES: usize = 128;
/// Name in the place of a template for requests that no route matched.
const UNMATCHED: &str = "unmatched";

impl Routes {
    pub(super) fn new(prefix: &str) -> Routes {
        Routes {
            prefix: prefix.into(),
            unmatched: Template::new(UNMATCHED),
            overflow: Template::new(obs_metrics::OVERFLOW),
            known: (0..PLACES).map(|_| OnceLock::new()).collect(),
            count: AtomicUsize::new(0),
            hasher: RandomState::new(),
        }
    }

    /// Returns the route of a request. axum sets the template before a layer of `Router::layer` runs.
    pub(super) fn of<B>(&self, request: &Request<B>) -> &Route {
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

    fn matched(&self, method: Verb, template: &str) -> &Route {
        self.template(template).route(method, |template| Route {
            capability: self.bounded(format!("{}:{} {template}", self.prefix, method.word)),
            span_name: format!("{} {template}", method.span_name).into(),
            template: Some(template.into()),
            method,
        })
    }

    fn template(&self, text: &str) -> &Template {
        let first = self.hasher.hash_one(text) as usize;
        for place in 0..PLACES {
            let place = &self.known[first.wrapping_add(place) % PLACES];
            let template = match place.get() {
                Some(known) => known,
                // Relaxed: a number alone. Requests of new templates that meet here exceed the limit by that of the threads.
                None if self.count.load(Ordering::Relaxed) >= MAX_TEMPLATES => return &self.overflow,
                None => place.get_or_init(|| {
                    self.count.fetch_add(1, Ordering::Relaxed);
                    Box::new(Template::new(text))
                }),
            };
            // Another thread may have put another template here meanwhile.
            if *template.text == *text {
                return template;
            }
        }
        &self.overflow
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
    routes: [OnceLock<Route>; VERBS.len()],
}

impl Template {
    fn new(text: &str) -> Template {
        Template { text: text.into(), routes: Default::default() }
    }

    fn route(&self, method: Verb, make: impl FnOnce(&str) -> Route) -> &Route {
        self.routes[method.index].get_or_init(|| {
            let route = make(&self.text);
            trust(&route.capability);
            route
        })
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
        assert_eq!(routes.known.iter().filter(|place| place.get().is_some()).count(), MAX_TEMPLATES);
        let again: Vec<_> = [0, MAX_TEMPLATES - 1, MAX_TEMPLATES]
            .map(|n| routes.matched(Verb::of(&Method::POST), &format!("/{n}")).capability.clone())
            .into();
        assert_eq!(again, ["web:POST /0", "web:POST /1023", "web:POST __overflow__"].map(Box::from));
    }
}

//! Fields of `exception!`.

use std::error::Error;
use std::fmt;
use std::time::{Duration, Instant};

use obs_log::{Capture, Logger, exception};

static LOG: Logger = Logger::new("test");

#[derive(Debug)]
struct Link(&'static str, Option<Box<Link>>);

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Link {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|link| link as _)
    }
}

fn chain() -> Link {
    let link = |text, below| Link(text, Some(Box::new(below)));
    link("call failed", link("connect", link("tls \"alert\"", Link("refused", None))))
}

/// Returns the line of `log`. It logs again while the other tests of the process have spent the second's backtraces.
fn with_backtrace(log: impl Fn()) -> serde_json::Value {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let capture = Capture::new();
        let scope = capture.enter();
        log();
        drop(scope);
        let line = capture.lines().remove(0);
        let is_left_out = line["backtrace"].as_str().is_some_and(|text| text.starts_with("[left out"));
        if !is_left_out || Instant::now() > end {
            return line;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn the_chain_of_an_error_is_an_array() {
    let err = chain();
    let line = with_backtrace(|| {
        exception!(LOG, err, capability = "llm.chat", error_code:% = 7; "forwarding {}", "failed");
    });
    assert_eq!((&line["level"], &line["msg"]), (&"error".into(), &"forwarding failed".into()));
    assert_eq!((&line["capability"], &line["error_code"]), (&"llm.chat".into(), &"7".into()));
    assert_eq!(line["error_type"], "it::exceptions::Link");
    assert_eq!(line["error"], "call failed");
    assert_eq!(line["causes"], serde_json::json!(["connect", "tls \"alert\"", "refused"]));
    assert!(line["backtrace"].as_str().unwrap().contains("the_chain_of_an_error_is_an_array"), "{line}");
}

#[test]
fn every_kind_of_error_value_is_logged() {
    let capture = Capture::new();
    let _scope = capture.enter();
    let owned = chain();
    exception!(LOG, owned; "owned");
    exception!(LOG, &owned, "by reference");
    let result: Result<(), Link> = Err(chain());
    if let Err(err) = &result {
        exception!(LOG, err; "from a result");
    }
    let plain: Box<dyn Error> = Box::new(chain());
    exception!(LOG, plain; "boxed");
    let shared: Box<dyn Error + Send + Sync> = "only text".into();
    exception!(LOG, shared; "boxed and shared");
    let borrowed: &dyn Error = &owned;
    exception!(LOG, borrowed; "as a trait object");
    exception!(LOG, &plain; "a reference to a boxed one");
    let lines = capture.lines();
    let field =
        |name: &str| lines.iter().map(|line| line[name].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let link = "it::exceptions::Link";
    assert_eq!(field("error_type"), [link, link, link, "dyn Error", "dyn Error", "dyn Error", "dyn Error"]);
    assert_eq!(field("error")[4], "only text");
    assert_eq!(lines[3]["causes"].as_array().unwrap().len(), 3);
}

#[test]
fn an_error_whose_display_panics_is_still_logged() {
    #[derive(Debug)]
    struct Bad;
    impl fmt::Display for Bad {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("on purpose")
        }
    }
    impl Error for Bad {}
    let capture = Capture::new();
    let _scope = capture.enter();
    exception!(LOG, Bad; "bad");
    assert_eq!(capture.lines()[0]["error"], "[panicked while formatting]");
}

/// An error of any length leaves room for the other fields.
#[test]
fn the_beginning_of_a_huge_error_is_kept() {
    #[derive(Debug)]
    struct Huge;
    impl fmt::Display for Huge {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            (0..100_000).try_for_each(|_| f.write_str("größer"))
        }
    }
    impl Error for Huge {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&Huge)
        }
    }
    let line = with_backtrace(|| exception!(LOG, Huge; "huge"));
    let error = line["error"].as_str().unwrap();
    let (kept, note) = error.split_at(error.find('[').unwrap());
    assert!(kept.starts_with("größergrößer") && kept.len() > 40_000, "{}", kept.len());
    assert_eq!(note, format!("[{} bytes cut]", 800_000 - kept.len()));
    let causes = line["causes"].as_array().expect("the line has room for them");
    assert_eq!(causes.len(), 64);
    assert_eq!(causes[63], "[800000 bytes cut]");
    let backtrace = line["backtrace"].as_str().unwrap();
    assert!(backtrace.contains("the_beginning_of_a_huge_error"), "{backtrace}");
}

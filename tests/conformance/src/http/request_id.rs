//! `X-HearthNet-Request-Id`: the node takes over one well-formed value. Anything else gets a fresh ID and is counted.

use ulid::Ulid;

use crate::case::{Outcome, ensure, equal};
use crate::harness::Lab;
use crate::harness::exposition::{Format, Page};
use crate::harness::home::Home;
use crate::harness::http::{Answer, Client, REQUEST_ID};
use crate::harness::log_line::is_ulid;
use crate::harness::node::Node;

/// Capability that no node offers, so that a call does nothing.
const NOBODY: &str = "experimental.nobody.offers.this";
const BODY: &[u8] = br#"{"params":{},"input":{}}"#;

/// Values that are almost a ULID.
const ILL_FORMED: [&str; 9] = [
    "",
    "not-a-ulid-at-all",
    "8ZZZZZZZZZZZZZZZZZZZZZZZZZ",
    "01HXR3F2QZ0123456789ABCDE",
    "01HXR3F2QZ0123456789ABCDEFG",
    "01HXR3F2QZ0123456789ABCDEI",
    "01HXR3F2QZ 123456789ABCDEF",
    "\"01HXR3F2QZ0123456789ABCDEF\"",
    "01HXR3F2QZ0123456789ABCDEF,01HXR3F2QZ0123456789ABCDEF",
];

pub(super) fn comes_back(lab: &Lab) -> Outcome {
    let id = Ulid::generate().to_string();
    let answer = Client::new(lab.base()?).call(NOBODY, BODY, &[(REQUEST_ID, &id)])?;
    equal(REQUEST_ID, answer.header(REQUEST_ID)?, id.as_str()).map_err(|stop| answer.shown(stop))
}

pub(super) fn missing(lab: &Lab) -> Outcome {
    let client = Client::new(lab.base()?);
    let fresh = || -> Outcome<String> { Ok(client.call(NOBODY, BODY, &[])?.header(REQUEST_ID)?.to_owned()) };
    let (one, two) = (fresh()?, fresh()?);
    ensure(is_ulid(&one) && is_ulid(&two) && one != two, "two different ULIDs", (one, two))
}

pub(super) fn ill_formed(lab: &Lab) -> Outcome {
    let client = Client::new(lab.base()?);
    for id in ILL_FORMED {
        let answer = client.call(NOBODY, BODY, &[(REQUEST_ID, id)])?;
        is_fresh(&answer, id).map_err(|stop| answer.shown(stop.at(&format!("sent {id:?}"))))?;
    }
    Ok(())
}

/// The answer has a fresh ULID and contains the sent text nowhere.
fn is_fresh(answer: &Answer, sent: &str) -> Outcome {
    let id = answer.header(REQUEST_ID)?;
    ensure(is_ulid(id), "a ULID", id)?;
    if sent.len() < 2 {
        return Ok(());
    }
    let everything = format!("{:?}\n{}", answer.headers, answer.text()).to_uppercase();
    ensure(!everything.contains(&sent.to_uppercase()), "an answer without the text that was sent", everything)
}

/// Two values are refused, even when they are equal.
pub(super) fn repeated(lab: &Lab) -> Outcome {
    let client = Client::new(lab.base()?);
    let (one, two) = (Ulid::generate().to_string(), Ulid::generate().to_string());
    for ids in [[&one, &two], [&one, &one]] {
        let answer = client.call(NOBODY, BODY, &ids.map(|id| (REQUEST_ID, id.as_str())))?;
        for id in ids {
            is_fresh(&answer, id).map_err(|stop| answer.shown(stop))?;
        }
    }
    Ok(())
}

/// Each refused or missing value is counted. No refused value is logged.
pub(super) fn counted(lab: &Lab) -> Outcome {
    let home = Home::initialised(lab)?;
    home.without_rate_limit()?;
    let node = Node::start(home)?;
    let client = node.client();
    let fresh = || -> Outcome<f64> {
        let page = client.get("/metrics")?.is(200)?.text();
        let page = Page::parse(&page, Format::Text)
            .map_err(|fault| crate::case::failed("a well-formed page", fault))?;
        Ok(page.sum("hearthnet_request_ids_fresh_total", &[]))
    };
    let before = fresh()?;
    for id in ILL_FORMED {
        client.call(NOBODY, BODY, &[(REQUEST_ID, id)])?;
    }
    client.call(NOBODY, BODY, &[])?;
    client.call(NOBODY, BODY, &[(REQUEST_ID, &Ulid::generate().to_string())])?;
    equal("IDs counted as fresh", fresh()? - before, ILL_FORMED.len() as f64 + 1.0)?;

    let home = node.stop()?;
    for line in home.log_lines()? {
        let text = format!("{:?}", line.members);
        let shown = ILL_FORMED.iter().find(|id| id.len() > 1 && text.contains(**id));
        ensure(shown.is_none(), "no refused ID in the log", &text)?;
    }
    Ok(())
}

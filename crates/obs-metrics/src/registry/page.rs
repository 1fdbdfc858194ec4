//! The page: every family of a registry in order of its name, declared or recorded through the `metrics` macros (M5).

use std::sync::Arc;

use crate::bridge::text::ForeignFamily;
use crate::exposition::format::Format;
use crate::family::dynamic::AnyFamily;
use crate::registry::Registry;

enum Member {
    Declared(Arc<dyn AnyFamily>),
    Foreign(ForeignFamily),
}

impl Member {
    fn name(&self) -> &str {
        match self {
            Self::Declared(family) => &family.desc().name,
            Self::Foreign(family) => &family.name,
        }
    }
}

fn members(registry: &Registry) -> Vec<Member> {
    let foreign = registry.foreign().map(|foreign| foreign.families()).unwrap_or_default();
    let declared = registry.families().into_iter().map(Member::Declared);
    let mut members: Vec<Member> = declared.chain(foreign.into_values().map(Member::Foreign)).collect();
    members.sort_by(|a, b| a.name().cmp(b.name()));
    members
}

pub(crate) fn text(registry: &Registry, format: Format) -> String {
    let mut page = String::new();
    for member in members(registry) {
        match member {
            Member::Declared(family) => family.encode(format, &mut page),
            Member::Foreign(family) => family.encode(format, &mut page),
        }
    }
    if format == Format::OpenMetrics {
        page.push_str("# EOF\n");
    }
    page
}

pub(crate) fn protobuf(registry: &Registry) -> Vec<u8> {
    let mut page = Vec::new();
    for member in members(registry) {
        match member {
            Member::Declared(family) => family.encode_protobuf(&mut page),
            Member::Foreign(family) => family.encode_protobuf(&mut page),
        }
    }
    page
}

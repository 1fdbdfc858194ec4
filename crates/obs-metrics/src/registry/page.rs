//! Page of a registry.

use std::sync::Arc;

use crate::exposition::format::Format;
use crate::family::dynamic::PageFamily;

/// Writes the families in a text format.
pub(crate) fn text(families: &[Arc<dyn PageFamily>], format: Format) -> String {
    let mut page = String::new();
    families.iter().for_each(|family| family.encode(format, &mut page));
    if format == Format::OpenMetrics {
        page.push_str("# EOF\n");
    }
    page
}

/// Writes the families in the protobuf format.
pub(crate) fn protobuf(families: &[Arc<dyn PageFamily>]) -> Vec<u8> {
    let mut page = Vec::new();
    families.iter().for_each(|family| family.encode_protobuf(&mut page));
    page
}

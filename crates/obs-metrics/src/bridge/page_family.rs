//! Families of the `metrics` macros on the page, in each of its forms.

use super::text::BridgedFamily;
use super::{protobuf, snapshot};
use crate::exposition::format::Format;
use crate::exposition::kind::Kind;
use crate::exposition::text;
use crate::family::dynamic::PageFamily;
use crate::snapshot::FamilySnapshot;

impl PageFamily for BridgedFamily {
    fn name(&self) -> &str {
        &self.name
    }

    fn encode(&self, format: Format, out: &mut String) {
        text::push_header(out, self.kind, &self.name, &self.help, format);
        let shown = self.series.iter().flat_map(|lines| {
            let has_sum = lines.iter().all(|line| self.may_show(line, format));
            lines.iter().filter(move |line| has_sum || !matches!(self.suffix(line), "_sum" | "_count"))
        });
        for line in shown {
            text::push_sample_name(out, &line.name, "", &line.labels, "");
            out.push_str(&line.value);
            out.push('\n');
        }
    }

    fn encode_protobuf(&self, out: &mut Vec<u8>) {
        protobuf::push_family(self, out);
    }

    fn kind(&self) -> Kind {
        self.kind
    }

    fn snapshot(&self) -> FamilySnapshot {
        snapshot::of(self)
    }
}

//! The families of a registry, and the names that they occupy on its page (M1).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::error::{Error, ErrorKind};
use crate::family::desc::Desc;
use crate::family::dynamic::AnyFamily;

#[derive(Default)]
pub(crate) struct Declared {
    pub(crate) families: BTreeMap<Box<str>, Arc<dyn AnyFamily>>,
    /// Every name that a family occupies, and the family.
    pub(crate) claims: HashMap<String, Box<str>>,
}

impl Declared {
    pub(crate) fn claim(&mut self, desc: &Desc) -> Result<(), Error> {
        let names = desc.claims();
        if let Some((name, owner)) = names.iter().find_map(|name| Some((name, self.claims.get(name)?))) {
            let detail = format!("its sample {name:?} belongs to the family {owner:?} already");
            return Err(Error::new(ErrorKind::Conflict, &desc.name, detail));
        }
        self.claims.extend(names.into_iter().map(|name| (name, desc.name.clone())));
        Ok(())
    }
}

pub(crate) fn conflict(wanted: &Desc, there: &Desc) -> Error {
    let detail = format!(
        "it is a {} with labels {:?} already, and cannot be a {} with labels {:?}{}",
        there.kind,
        there.labels,
        wanted.kind,
        wanted.labels,
        if there.bounds == wanted.bounds { "" } else { " or with other buckets" },
    );
    Error::new(ErrorKind::Conflict, &wanted.name, detail)
}

//! Families of a registry by name, the names that they occupy on its page, and the settings that they share.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::SystemTime;

use super::core::FamilyCore;
use super::dynamic::{AnyFamily, MacroFamilies, PageFamily};
use super::lookup_cache::Cached;
use crate::config::{Config, DEFAULT_SERIES_CAP, LeftOut};
use crate::desc::Desc;
use crate::error::{Error, ErrorKind};
use crate::report;

/// Name of the family with the version of a node.
pub(crate) const BUILD_INFO: &str = "hearthnet_build_info";

/// Contents of a registry.
pub(crate) struct Namespace {
    is_global: bool,
    started_at: SystemTime,
    enabled: AtomicBool,
    series_cap: AtomicUsize,
    /// Whether the page shows the crate's own families without samples.
    standard_families: AtomicBool,
    /// Guards the families and their names. No code of a user runs under it.
    declared: RwLock<Declared>,
    macro_families: OnceLock<Arc<dyn MacroFamilies>>,
}

#[derive(Default)]
struct Declared {
    families: BTreeMap<Box<str>, Arc<dyn AnyFamily>>,
    /// Every name that a family occupies, with the name of the family.
    claims: HashMap<String, Box<str>>,
    left_out: Option<LeftOut>,
}

impl Namespace {
    pub(crate) fn new(is_global: bool) -> Self {
        Self {
            is_global,
            started_at: SystemTime::now(),
            enabled: AtomicBool::new(true),
            series_cap: AtomicUsize::new(DEFAULT_SERIES_CAP),
            standard_families: AtomicBool::new(true),
            declared: RwLock::default(),
            macro_families: OnceLock::new(),
        }
    }

    pub(crate) fn is_global(&self) -> bool {
        self.is_global
    }

    pub(crate) fn started_at(&self) -> SystemTime {
        self.started_at
    }

    pub(crate) fn is_enabled(&self) -> bool {
        // Relaxed: the setting guards no data. A thread that sees it late records a moment longer.
        self.enabled.load(Ordering::Relaxed)
    }

    pub(crate) fn series_cap(&self) -> usize {
        // Relaxed: as `is_enabled`.
        self.series_cap.load(Ordering::Relaxed)
    }

    /// Returns the family with this declaration. Makes it if there is none.
    pub(crate) fn declare<C: Cached>(&self, desc: Desc) -> Result<Arc<FamilyCore<C>>, Error> {
        let mut declared = self.write();
        if let Some(found) = declared.families.get(&desc.name) {
            let core = found.clone().into_any().downcast::<FamilyCore<C>>();
            return core
                .ok()
                .filter(|core| core.desc.declares_same(&desc))
                .ok_or_else(|| conflict(&desc, found.desc()));
        }
        declared.claim(&desc)?;
        let name = desc.name.clone();
        let core = FamilyCore::new(desc, self.is_global, self.is_enabled(), self.series_cap());
        declared.families.insert(name, core.clone());
        Ok(core)
    }

    /// Puts a family of type `F` under its name. Replaces one of the same type and declaration. `make` gets the
    /// declaration and the cap.
    pub(crate) fn replace<F: AnyFamily + 'static>(
        &self,
        desc: Desc,
        make: impl FnOnce(Desc, usize) -> F,
    ) -> Result<(), Error> {
        let mut declared = self.write();
        if let Some(found) = declared.families.get(&desc.name) {
            let is_same_type = found.clone().into_any().is::<F>();
            if !is_same_type || !found.desc().declares_same(&desc) {
                return Err(conflict(&desc, found.desc()));
            }
        } else {
            declared.claim(&desc)?;
        }
        let name = desc.name.clone();
        declared.families.insert(name, Arc::new(make(desc, self.series_cap())));
        Ok(())
    }

    /// Returns the family that has the declaration of a global one. Makes it if there is none.
    pub(crate) fn counterpart<C: Cached>(&self, original: &FamilyCore<C>) -> Option<Arc<FamilyCore<C>>> {
        let known = self.read().families.get(&original.desc.name).cloned();
        if let Some(known) = known
            && let Ok(core) = known.into_any().downcast::<FamilyCore<C>>()
            && core.desc.declares_same(&original.desc)
        {
            return Some(core);
        }
        // Logged and not returned: the caller records, and a record has no error.
        let core = self.declare::<C>(original.desc.clone()).map_err(|error| report::error(&error)).ok()?;
        core.copy_rules_from(original);
        Some(core)
    }

    /// Applies the settings to the namespace and its families.
    pub(crate) fn configure(&self, config: &Config) {
        let mut declared = self.write();
        declared.left_out = config.left_out;
        // Relaxed: the lock orders this with the declarations, which read the settings under it.
        self.series_cap.store(config.series_cap, Ordering::Relaxed);
        self.standard_families.store(config.standard_families, Ordering::Relaxed);
        let was_enabled = self.enabled.swap(config.enabled, Ordering::Relaxed);
        for family in declared.families.values() {
            family.set_cap(config.series_cap);
            if was_enabled != config.enabled {
                family.set_enabled(config.enabled);
            }
        }
    }

    /// Returns the declared families in order of their names.
    pub(crate) fn families(&self) -> Vec<Arc<dyn AnyFamily>> {
        self.read().families.values().cloned().collect()
    }

    /// Returns all families of the page in order of their names.
    pub(crate) fn page_families(&self) -> Vec<Arc<dyn PageFamily>> {
        let mut families: Vec<Arc<dyn PageFamily>> =
            self.shown_families().map(|family| family as Arc<dyn PageFamily>).collect();
        if let Some(macro_families) = self.macro_families() {
            families.extend(macro_families.families());
            // The declared families alone are in order already.
            families.sort_by(|a, b| a.name().cmp(b.name()));
        }
        families
    }

    /// Returns the declared families that the page shows.
    fn shown_families(&self) -> impl Iterator<Item = Arc<dyn AnyFamily>> + use<> {
        // Relaxed: the setting guards no data.
        let shows_all = self.standard_families.load(Ordering::Relaxed);
        let left_out = self.read().left_out;
        let is_shown = move |family: &Arc<dyn AnyFamily>| {
            let name = &*family.desc().name;
            if let Some(LeftOut { prefix, losses }) = left_out
                && name.starts_with(prefix)
            {
                return losses.contains(&name) && !family.is_zero();
            }
            // The build of a HearthNet node says nothing of another program's.
            shows_all || !name.starts_with("hearthnet_") || !(name == BUILD_INFO || family.is_empty())
        };
        self.families().into_iter().filter(is_shown)
    }

    pub(crate) fn len(&self) -> usize {
        self.read().families.len()
    }

    /// Returns the name of the declared family that occupies one of these names.
    pub(crate) fn owner_of(&self, names: &[String]) -> Option<Box<str>> {
        let declared = self.read();
        names.iter().find_map(|name| declared.claims.get(name).cloned())
    }

    pub(crate) fn macro_families(&self) -> Option<&Arc<dyn MacroFamilies>> {
        self.macro_families.get()
    }

    /// Returns the families of the `metrics` macros. Makes them at the first call.
    pub(crate) fn macro_families_or(
        &self,
        make: impl FnOnce() -> Arc<dyn MacroFamilies>,
    ) -> &Arc<dyn MacroFamilies> {
        self.macro_families.get_or_init(make)
    }

    fn read(&self) -> RwLockReadGuard<'_, Declared> {
        self.declared.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Declared> {
        self.declared.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Declared {
    fn claim(&mut self, desc: &Desc) -> Result<(), Error> {
        let names = desc.claims();
        if let Some((name, owner)) = names.iter().find_map(|name| Some((name, self.claims.get(name)?))) {
            let problem = format!("its sample {name:?} already belongs to the family {owner:?}");
            return Err(Error::new(ErrorKind::Conflict, &desc.name, problem, "choose another name"));
        }
        self.claims.extend(names.into_iter().map(|name| (name, desc.name.clone())));
        Ok(())
    }
}

fn conflict(wanted: &Desc, existing: &Desc) -> Error {
    let problem = format!(
        "it is already a {} with labels {:?}, and cannot be a {} with labels {:?}{}",
        existing.kind,
        existing.labels,
        wanted.kind,
        wanted.labels,
        if existing.bounds == wanted.bounds { "" } else { " or with other buckets" },
    );
    Error::new(ErrorKind::Conflict, &wanted.name, problem, "declare it the same way, or choose another name")
}

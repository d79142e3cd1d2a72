//! Settings of the kernel that virtual addresses need: raised while a module holds them, put back by the
//! last one (NET-10). What they were is on disk before they are changed, so that a later safeadmin knows.

use super::record::{self, RecordError};
use crate::config::paths::Paths;
use crate::ids::ModuleName;
use crate::net::vip::Setting;
use crate::told::attempt::Attempt;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Mutex;
use std::{fs, io};

/// Modules of one node are on threads of their own, and share the file.
static TURN: Mutex<()> = Mutex::new(());

/// Raises settings for one module.
#[derive(Clone, Debug)]
pub struct Settings {
    root: PathBuf,
    file: PathBuf,
    boot: String,
    module: ModuleName,
}

/// What is raised in this boot, by path.
#[derive(Default, Serialize, Deserialize)]
struct Raised {
    boot: String,
    settings: BTreeMap<String, Kept>,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    before: i32,
    ours: i32,
    modules: BTreeSet<ModuleName>,
}

impl Settings {
    /// For a module, in this boot of the machine.
    pub fn new(paths: &Paths, boot: &str, module: &ModuleName) -> Settings {
        let file = paths.run().join("sysctl.json");
        Settings { root: "/proc/sys".into(), file, boot: boot.to_owned(), module: module.clone() }
    }

    /// Raises what is too low; a higher value does as well. Call it again at any time.
    ///
    /// # Errors
    /// The file, or the first setting that the system refuses; the others are raised then.
    pub fn raise(&self, wanted: &[Setting]) -> Result<(), RecordError> {
        if wanted.is_empty() {
            return Ok(());
        }
        let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut raised = self.load()?;
        let mut outcome = Ok(());
        for (path, least) in wanted {
            let now = match self.read(path) {
                Ok(now) => now,
                Err(error) => {
                    outcome = outcome.and(Err(error));
                    continue;
                }
            };
            if now >= *least && !raised.settings.contains_key(path) {
                continue;
            }
            let new = Kept { before: now, ours: *least, modules: BTreeSet::new() };
            let kept = raised.settings.entry(path.clone()).or_insert(new);
            kept.ours = kept.ours.max(*least);
            kept.modules.insert(self.module.clone());
        }
        record::store(&self.file, &raised)?;
        let mine = wanted.iter().filter_map(|setting| raised.settings.get_key_value(&setting.0));
        for (path, kept) in mine {
            outcome = outcome.and(self.write(path, kept.ours));
        }
        outcome
    }

    /// Puts back what no other module needs, unless somebody else has changed it since. Nothing to do is no
    /// error.
    ///
    /// # Errors
    /// The file, or the first setting that the system refuses; the others are put back then.
    pub fn put_back(&self) -> Result<(), RecordError> {
        let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut raised = self.load()?;
        let mut outcome = Ok(());
        let mut changed = false;
        raised.settings.retain(|path, kept| {
            changed |= kept.modules.remove(&self.module);
            if !kept.modules.is_empty() {
                return true;
            }
            // An interface that is gone has taken its settings with it.
            if self.read(path).is_ok_and(|now| now == kept.ours) {
                outcome = std::mem::replace(&mut outcome, Ok(())).and(self.write(path, kept.before));
            }
            false
        });
        if changed { record::store(&self.file, &raised).and(outcome) } else { outcome }
    }

    fn load(&self) -> Result<Raised, RecordError> {
        let found = match record::load::<Raised>(&self.file) {
            // The settings of another boot are gone, and so is what a damaged file said.
            Ok(found) => found.filter(|raised| raised.boot == self.boot),
            Err(RecordError::Damaged { path, what }) => {
                tracing::warn!(path = %path.display(), %what, "settings of the kernel cannot be put back");
                None
            }
            Err(error) => return Err(error),
        };
        Ok(found.unwrap_or(Raised { boot: self.boot.clone(), ..Raised::default() }))
    }

    fn read(&self, path: &str) -> Result<i32, RecordError> {
        let file = self.root.join(path);
        let number = |text: String| text.trim().parse().map_err(io::Error::other);
        fs::read_to_string(&file).and_then(number).map_err(record::io_error(Attempt::Read, &file))
    }

    fn write(&self, path: &str, value: i32) -> Result<(), RecordError> {
        let file = self.root.join(path);
        fs::write(&file, value.to_string()).map_err(record::io_error(Attempt::Write, &file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct World(tempfile::TempDir);

    impl World {
        fn new(values: &[(&str, i32)]) -> World {
            let world = World(tempfile::tempdir().unwrap());
            values.iter().for_each(|(name, value)| world.set(name, *value));
            world
        }

        fn set(&self, name: &str, value: i32) {
            fs::write(self.0.path().join(name), format!("{value}\n")).unwrap();
        }

        fn get(&self, name: &str) -> i32 {
            fs::read_to_string(self.0.path().join(name)).unwrap().trim().parse().unwrap()
        }

        fn of(&self, module: &str, boot: &str) -> Settings {
            let (root, file) = (self.0.path().to_owned(), self.0.path().join("kept.json"));
            Settings { root, file, boot: boot.to_owned(), module: module.parse().unwrap() }
        }
    }

    fn at_least(path: &str, least: i32) -> Setting {
        (path.to_owned(), least)
    }

    #[test]
    fn what_is_too_low_is_raised_and_put_back() {
        let world = World::new(&[("low", 0), ("high", 8)]);
        let wanted = [at_least("low", 2), at_least("high", 1)];
        for _ in 0..2 {
            world.of("a", "b1").raise(&wanted).unwrap();
            assert_eq!((world.get("low"), world.get("high")), (2, 8));
        }
        for _ in 0..2 {
            world.of("a", "b1").put_back().unwrap();
            assert_eq!((world.get("low"), world.get("high")), (0, 8));
        }
    }

    #[test]
    fn the_last_module_puts_back() {
        let world = World::new(&[("x", 0)]);
        world.of("a", "b1").raise(&[at_least("x", 1)]).unwrap();
        world.of("b", "b1").raise(&[at_least("x", 2)]).unwrap();
        world.of("a", "b1").put_back().unwrap();
        assert_eq!(world.get("x"), 2);
        world.of("b", "b1").put_back().unwrap();
        assert_eq!(world.get("x"), 0);
    }

    #[test]
    fn what_somebody_else_has_changed_stays() {
        let world = World::new(&[("x", 0)]);
        world.of("a", "b1").raise(&[at_least("x", 1)]).unwrap();
        world.set("x", 7);
        world.of("a", "b1").put_back().unwrap();
        assert_eq!(world.get("x"), 7);
    }

    #[test]
    fn another_boot_and_a_damaged_file_begin_anew() {
        let world = World::new(&[("x", 0)]);
        world.of("a", "b1").raise(&[at_least("x", 1)]).unwrap();
        world.set("x", 0);
        world.of("a", "b2").put_back().unwrap();
        world.of("a", "b2").raise(&[at_least("x", 1)]).unwrap();
        fs::write(world.0.path().join("kept.json"), "nonsense").unwrap();
        world.of("a", "b2").put_back().unwrap();
        assert_eq!(world.get("x"), 1);
    }

    #[test]
    fn a_setting_that_is_not_there_is_told_and_the_others_are_raised() {
        let world = World::new(&[("x", 0)]);
        let error = world.of("a", "b1").raise(&[at_least("no", 1), at_least("x", 1)]).unwrap_err();
        assert!(error.to_string().contains("no: cannot read"), "{error}");
        assert_eq!(world.get("x"), 1);
        fs::remove_file(world.0.path().join("x")).unwrap();
        world.of("a", "b1").put_back().unwrap();
    }
}

//! The last successful configurations of the modules: SAFE/modules/lastconfig/AM_<date>_<time>.safe (ADM-07).

use super::record::{self, RecordError};
use super::tree;
use crate::ids::ModuleName;
use jiff::civil::DateTime;
use std::path::{Path, PathBuf};

/// Configurations of a module that are kept.
const KEPT: usize = 3;
/// Form of the date in a name.
const STAMP: &str = "%Y-%m-%d_%H%M%S";
/// Length of that.
const STAMP_LENGTH: usize = "2024-02-13_090312".len();
/// Largest archive that is read.
const LARGEST: u64 = 64 * 1024 * 1024;

/// A configuration that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Whose.
    pub module: ModuleName,
    /// `AM_2024-02-13_090312`.
    pub name: String,
    /// When it was applied, local time.
    pub date: DateTime,
}

impl Kept {
    fn of(path: &Path) -> Option<Kept> {
        let name = path.file_name()?.to_str()?.strip_suffix(".safe")?;
        // "a_b" is a module too: what is after the stamp's length is the name.
        let (module, stamp) = name.split_at_checked(name.len().checked_sub(STAMP_LENGTH + 1)?)?;
        let date = DateTime::strptime(STAMP, stamp.strip_prefix('_')?).ok()?;
        Some(Kept { module: module.parse().ok()?, name: name.to_owned(), date })
    }
}

/// Keeps the archive of a configuration that was applied at `date`, and only the last of this module.
pub fn keep(dir: &Path, module: &ModuleName, date: DateTime, bytes: &[u8]) -> Result<(), RecordError> {
    // It may hold the module's key.
    record::store_bytes(&file(dir, &format!("{module}_{}", date.strftime(STAMP))), bytes, 0o600)?;
    let kept: Vec<Kept> = list(dir)?.into_iter().filter(|kept| kept.module == *module).collect();
    for old in kept.iter().skip(KEPT) {
        record::remove(&file(dir, &old.name))?;
    }
    Ok(())
}

/// The configurations that are kept, the newest first.
pub fn list(dir: &Path) -> Result<Vec<Kept>, RecordError> {
    let mut kept: Vec<Kept> = tree::entries(dir)?.iter().filter_map(|path| Kept::of(path)).collect();
    kept.sort_by(|a, b| (b.date, &a.name).cmp(&(a.date, &b.name)));
    Ok(kept)
}

/// The archive of a configuration of the module; `None` if none of that name is kept.
pub fn load(dir: &Path, module: &ModuleName, name: &str) -> Result<Option<Vec<u8>>, RecordError> {
    match list(dir)?.into_iter().find(|kept| kept.module == *module && kept.name == name) {
        Some(kept) => record::load_bytes(&file(dir, &kept.name), LARGEST),
        None => Ok(None),
    }
}

fn file(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}.safe"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_three_of_each_module_are_kept() {
        let root = tempfile::tempdir().unwrap();
        let name = |name: &str| -> ModuleName { name.parse().unwrap() };
        for module in ["a", "a_b"] {
            for day in 12..=15 {
                let date = jiff::civil::date(2024, 2, day).at(9, 3, 12, 0);
                keep(root.path(), &name(module), date, module.as_bytes()).unwrap();
            }
        }
        std::fs::write(root.path().join("a_2024-02-99_090312.safe"), "no date").unwrap();
        let names: Vec<String> = list(root.path()).unwrap().into_iter().map(|kept| kept.name).collect();
        let wanted = |module: &str, day: u8| format!("{module}_2024-02-{day}_090312");
        let wanted: Vec<_> = [15, 14, 13].iter().flat_map(|d| [wanted("a", *d), wanted("a_b", *d)]).collect();
        assert_eq!(names, wanted);
        assert_eq!(load(root.path(), &name("a"), &wanted[0]).unwrap().unwrap(), b"a");
        assert_eq!(load(root.path(), &name("a"), &wanted[1]).unwrap(), None, "of another module");
        assert_eq!(load(root.path(), &name("a"), "a_2024-02-12_090312").unwrap(), None, "removed");
    }
}

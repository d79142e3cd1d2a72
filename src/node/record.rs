//! Durable records: small JSON files that are replaced as a whole or not at all.
//!
//! A record is one line of JSON and one line with its checksum. A crash leaves the old record or
//! the new one; a file damaged in any other way is an error that names it, never a default, because
//! what is stored here (terms, flags, ids) decides which node may run the application.
//! Cost of a store: one fsync of the file and one of its directory.

use crate::log::Lang;
use crate::told::attempt::Attempt;
use crate::told::{Tell, Told, told};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Longest record that is read: a larger file is not one of ours.
const LARGEST: u64 = 4 * 1024 * 1024;
const CHECKSUM: &str = "#blake3 ";

/// Why a durable file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The system refused.
    #[error("{path}: cannot {action}: {source}", path = path.display())]
    Io {
        /// File or directory concerned.
        path: PathBuf,
        /// What was tried.
        action: Attempt,
        /// The system's reason.
        source: io::Error,
    },
    /// The content is not what was stored.
    #[error("{path}: damaged record ({what}): restore the file, or remove it to start afresh", path = path.display())]
    Damaged {
        /// The damaged file.
        path: PathBuf,
        /// What is wrong with it.
        what: Told,
    },
}

impl Tell for RecordError {
    fn french(&self) -> String {
        match self {
            RecordError::Io { path, action, source } => {
                format!("{} : impossible de {} : {source}", path.display(), action.french())
            }
            RecordError::Damaged { path, what } => format!(
                "{} : enregistrement endommagé ({}) : restaurez le fichier, ou supprimez-le pour repartir de zéro",
                path.display(),
                what.of(Lang::Fr)
            ),
        }
    }
}

/// What is wrong with a file that should be text.
pub(crate) fn not_utf8() -> Told {
    told!("not UTF-8 text", "ce n'est pas un texte UTF-8")
}

/// Makes an error constructor for `map_err`: what was tried, on which path.
pub(crate) fn io_error(action: Attempt, path: &Path) -> impl FnOnce(io::Error) -> RecordError {
    move |source| RecordError::Io { path: path.to_owned(), action, source }
}

/// Stores `value` durably under `path`; its directory is created when missing.
pub fn store<T: Serialize>(path: &Path, value: &T) -> Result<(), RecordError> {
    store_private(path, value, 0o644)
}

/// The same with other permissions.
pub fn store_private<T: Serialize>(path: &Path, value: &T, mode: u32) -> Result<(), RecordError> {
    let json = serde_json::to_string(value).map_err(|e| RecordError::Io {
        path: path.to_owned(),
        action: Attempt::Write,
        source: io::Error::other(e),
    })?;
    let text = format!("{json}\n{CHECKSUM}{}\n", blake3::hash(json.as_bytes()).to_hex());
    store_bytes(path, text.as_bytes(), mode)
}

/// Loads a record; `None` when it was never stored.
pub fn load<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, RecordError> {
    let Some(bytes) = load_bytes(path, LARGEST)? else { return Ok(None) };
    let damaged = |what: Told| RecordError::Damaged { path: path.to_owned(), what };
    let text = String::from_utf8(bytes).map_err(|_| damaged(told!("not text", "pas du texte")))?;
    let (json, sum) = text
        .strip_suffix('\n')
        .and_then(|text| text.rsplit_once('\n'))
        .ok_or_else(|| damaged(told!("cut short", "tronqué")))?;
    let sum = sum
        .strip_prefix(CHECKSUM)
        .ok_or_else(|| damaged(told!("no checksum", "pas de somme de contrôle")))?;
    if sum != blake3::hash(json.as_bytes()).to_hex().as_str() {
        return Err(damaged(told!("wrong checksum", "somme de contrôle incorrecte")));
    }
    serde_json::from_str(json).map(Some).map_err(|e| damaged(Told::same(e.to_string())))
}

/// Stores a whole file durably with these permissions, replacing the old one in one step.
pub fn store_bytes(path: &Path, bytes: &[u8], mode: u32) -> Result<(), RecordError> {
    // A name of its own per call, so that two writers of one record cannot mix their bytes.
    static SERIAL: AtomicU64 = AtomicU64::new(0);
    let dir = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(dir).map_err(io_error(Attempt::Create, dir))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let fresh = dir.join(format!(".{name}.{}.new", SERIAL.fetch_add(1, Ordering::Relaxed)));
    let written = write_synced(&fresh, bytes, mode)
        .map_err(io_error(Attempt::Write, &fresh))
        .and_then(|()| fs::rename(&fresh, path).map_err(io_error(Attempt::Replace, path)));
    if written.is_err() {
        // The first error is the one to report; a leftover is overwritten by a later store.
        let _ = fs::remove_file(&fresh);
    }
    written?;
    sync_dir(dir)
}

fn write_synced(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path)?;
    // The mode above is narrowed by the umask and does not apply to a leftover file.
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(mode))?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Reads a whole file of at most `limit` bytes; `None` when there is none.
pub fn load_bytes(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, RecordError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(io_error(Attempt::Read, path)(e)),
    };
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(io_error(Attempt::Read, path))?;
    if bytes.len() as u64 > limit {
        let what = told!("larger than {limit} bytes", "plus grand que {limit} octets");
        return Err(RecordError::Damaged { path: path.to_owned(), what });
    }
    Ok(Some(bytes))
}

/// Removes a durable file; true if there was one.
pub fn remove(path: &Path) -> Result<bool, RecordError> {
    match fs::remove_file(path) {
        Ok(()) => sync_dir(path.parent().unwrap_or(Path::new("/"))).map(|()| true),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(io_error(Attempt::Remove, path)(e)),
    }
}

/// Makes the names in a directory durable.
pub fn sync_dir(dir: &Path) -> Result<(), RecordError> {
    File::open(dir).and_then(|d| d.sync_all()).map_err(io_error(Attempt::Sync, dir))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::Deserialize;
    use std::os::unix::fs::PermissionsExt;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Term {
        term: u64,
        uptodate: bool,
    }

    #[test]
    fn a_stored_record_comes_back_and_leaves_no_other_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/er/term.json");
        assert_eq!(load::<Term>(&path).unwrap(), None);
        for term in 1..4 {
            store(&path, &Term { term, uptodate: true }).unwrap();
        }
        assert_eq!(load(&path).unwrap(), Some(Term { term: 3, uptodate: true }));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        assert!(remove(&path).unwrap());
        assert!(!remove(&path).unwrap());
    }

    #[test]
    fn a_record_cut_at_any_byte_is_an_error_that_names_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("number.json");
        store(&path, &1234u64).unwrap();
        let whole = fs::read(&path).unwrap();
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            let error = load::<u64>(&path).unwrap_err();
            assert!(matches!(error, RecordError::Damaged { .. }), "{length}: {error}");
            assert!(error.to_string().contains("number.json"), "{error}");
        }
    }

    #[test]
    fn a_record_of_another_shape_is_damaged() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("term.json");
        store(&path, &"text").unwrap();
        assert!(matches!(load::<Term>(&path), Err(RecordError::Damaged { .. })));
    }

    #[test]
    fn permissions_are_those_asked_for_even_over_a_readable_leftover() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        store_bytes(&path, b"old", 0o644).unwrap();
        store_bytes(&path, b"secret", 0o600).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(load_bytes(&path, 3), Err(RecordError::Damaged { .. })));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn one_changed_byte_never_loads(term: u64, at: prop::sample::Index, by in 1u8..) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("term.json");
            store(&path, &term).unwrap();
            let mut bytes = fs::read(&path).unwrap();
            let at = at.index(bytes.len());
            bytes[at] = bytes[at].wrapping_add(by);
            fs::write(&path, &bytes).unwrap();
            prop_assert!(load::<u64>(&path).is_err());
        }
    }
}

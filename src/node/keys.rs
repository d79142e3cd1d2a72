//! Secret keys of the cluster and of modules (CLI-047, CLI-092, CFG-GEN-07).
//!
//! `cluster.key` and `modulekey.dat` are one line, `safekit-key-1 <64 hex digits>`: 32 random bytes
//! for the authenticated encryption of datagrams, readable by root only (AMB-43). `modulekey.p12`,
//! which is for the TLS of replication streams, is not made here.

use super::record::{self, RecordError};
use crate::config::paths::Paths;
use crate::control::SavedKey;
use crate::ids::ModuleName;
use crate::told::Tell;
use crate::told::attempt::Attempt;
use std::fmt;
use std::fmt::Write as _;
use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Length of a key in bytes.
pub const KEY_BYTES: usize = 32;
/// Name of a module's key in its `conf` directory (ADM-06).
pub const MODULE_KEY: &str = "modulekey.dat";
/// Name of a module's certificate for the TLS of replication streams, beside its key.
pub const MODULE_CERTIFICATE: &str = "modulekey.p12";
/// Name of the cluster's key in SAFEVAR/cluster (ADM-10).
pub const CLUSTER_KEY: &str = "cluster.key";
const HEADER: &str = "safekit-key-1 ";
/// Largest file of a key that is read.
const LARGEST: u64 = 4096;
/// Only root may read a key.
const MODE: u32 = 0o600;

/// A secret of 32 bytes that never prints itself.
#[derive(Clone)]
pub struct SecretKey([u8; KEY_BYTES]);

impl SecretKey {
    /// A new random key.
    pub fn generate() -> Result<SecretKey, KeyError> {
        let mut bytes = [0; KEY_BYTES];
        getrandom::fill(&mut bytes).map_err(|e| KeyError::Random(e.to_string()))?;
        Ok(SecretKey(bytes))
    }

    /// The secret itself, for the cipher only.
    pub fn as_bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// The text of a key file: for files and archives of keys only.
    pub(super) fn to_line(&self) -> String {
        let mut line = String::from(HEADER);
        for byte in self.0 {
            // Writing to a String cannot fail.
            let _ = write!(line, "{byte:02x}");
        }
        line.push('\n');
        line
    }

    /// Reads the text of a key file.
    pub(super) fn from_line(line: &[u8]) -> Option<SecretKey> {
        let digits = std::str::from_utf8(line).ok()?.strip_prefix(HEADER)?.strip_suffix('\n')?;
        if digits.len() != 2 * KEY_BYTES || !digits.bytes().all(|d| d.is_ascii_hexdigit()) {
            return None;
        }
        let mut bytes = [0; KEY_BYTES];
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).ok()?;
        }
        Some(SecretKey(bytes))
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

/// Why a key cannot be made or read. Never holds any part of a key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be used.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Not a key.
    #[error("{path}: not a key of this version: make a new one with genkey", path = .0.display())]
    NotAKey(PathBuf),
    /// The system has no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(String),
    /// The module is not installed.
    #[error("module {0} is not installed: install it with \"safekit module install\"")]
    NotInstalled(ModuleName),
}

impl Tell for KeyError {
    fn french(&self) -> String {
        match self {
            KeyError::Record(e) => e.french(),
            KeyError::NotAKey(path) => format!(
                "{} : ce n'est pas une clé de cette version : créez-en une nouvelle par genkey",
                path.display()
            ),
            KeyError::Random(why) => format!("le système ne donne pas de nombres aléatoires : {why}"),
            KeyError::NotInstalled(m) => {
                format!("le module {m} n'est pas installé : installez-le par \"safekit module install\"")
            }
        }
    }
}

/// Reads a key; `None` when there is none.
pub fn load(path: &Path) -> Result<Option<SecretKey>, KeyError> {
    match record::load_bytes(path, LARGEST)? {
        None => Ok(None),
        Some(line) => SecretKey::from_line(&line).map(Some).ok_or_else(|| KeyError::NotAKey(path.to_owned())),
    }
}

/// Stores a key durably, readable by root only.
pub fn store(path: &Path, key: &SecretKey) -> Result<(), KeyError> {
    Ok(record::store_bytes(path, key.to_line().as_bytes(), MODE)?)
}

/// Lets only root read a file that came from an archive, if it is there.
pub fn protect(path: &Path) -> Result<(), RecordError> {
    let file = match File::open(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(record::io_error(Attempt::Read, path))?,
    };
    let narrowed = file.set_permissions(Permissions::from_mode(MODE)).and_then(|()| file.sync_all());
    narrowed.map_err(record::io_error(Attempt::Protect, path))
}

/// `module genkey`: a new key in SAFE/modules/AM, used from the next configuration on (CLI-092).
pub fn generate_module_key(paths: &Paths, module: &ModuleName) -> Result<(), KeyError> {
    if !paths.module(module).is_dir() {
        return Err(KeyError::NotInstalled(module.clone()));
    }
    store(&paths.module(module).join("conf").join(MODULE_KEY), &SecretKey::generate()?)
}

/// `module delkey`: removes the key of SAFE/modules/AM; from the next configuration on the module
/// communicates without encryption (CLI-092). False if there was none.
pub fn delete_module_key(paths: &Paths, module: &ModuleName) -> Result<bool, KeyError> {
    if !paths.module(module).is_dir() {
        return Err(KeyError::NotInstalled(module.clone()));
    }
    Ok(record::remove(&paths.module(module).join("conf").join(MODULE_KEY))?)
}

/// The key of the active configuration: what `usersetting.encryption` says (RES-05).
pub fn active_module_key(paths: &Paths, module: &ModuleName) -> Result<Option<SecretKey>, KeyError> {
    load(&paths.active(module).join("conf").join(MODULE_KEY))
}

/// The key that the next configuration gives the module, seen beside the one that is in use. Blocks.
pub fn saved_module_key(paths: &Paths, module: &ModuleName) -> Result<SavedKey, RecordError> {
    let read = |dir: PathBuf| record::load_bytes(&dir.join("conf").join(MODULE_KEY), LARGEST);
    Ok(match read(paths.module(module))? {
        None => SavedKey::None,
        Some(key) if read(paths.active(module))?.as_ref() == Some(&key) => SavedKey::Active,
        Some(_) => SavedKey::New,
    })
}

/// The key of the cluster; `None`: its datagrams are not encrypted (CFG-CL-11).
pub fn cluster_key(paths: &Paths) -> Result<Option<SecretKey>, KeyError> {
    load(&paths.cluster().join(CLUSTER_KEY))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_key_comes_back_from_a_file_that_only_root_reads() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        assert!(load(&path).unwrap().is_none());
        let key = SecretKey::generate().unwrap();
        store(&path, &key).unwrap();
        assert_eq!(load(&path).unwrap().unwrap().as_bytes(), key.as_bytes());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_ne!(SecretKey::generate().unwrap().as_bytes(), key.as_bytes());
    }

    #[test]
    fn no_text_of_ours_holds_the_secret() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let key = SecretKey::from_line(format!("{HEADER}{}\n", "ab".repeat(32)).as_bytes()).unwrap();
        assert_eq!(key.as_bytes(), &[0xab; 32]);
        assert_eq!(format!("{key:?}"), "SecretKey(..)");
        for bad in ["abab".repeat(15), "ab".repeat(31) + "é", "ab".repeat(33), String::new()] {
            fs::write(&path, format!("{HEADER}{bad}\n")).unwrap();
            let error = load(&path).unwrap_err();
            assert!(matches!(error, KeyError::NotAKey(_)), "{bad}");
            assert!(!error.to_string().contains("abab"), "{error}");
        }
    }

    #[test]
    fn a_module_key_lives_in_its_conf_directory_until_deleted() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path().join("safe"), root.path().join("var"));
        let am: ModuleName = "mirror".parse().unwrap();
        assert!(matches!(generate_module_key(&paths, &am), Err(KeyError::NotInstalled(_))));
        fs::create_dir_all(paths.module(&am).join("conf")).unwrap();
        generate_module_key(&paths, &am).unwrap();
        assert!(load(&paths.module(&am).join("conf/modulekey.dat")).unwrap().is_some());
        assert!(active_module_key(&paths, &am).unwrap().is_none(), "only the next config applies it");
        let saved = || saved_module_key(&paths, &am).unwrap();
        assert_eq!(saved(), SavedKey::New);
        fs::create_dir_all(paths.active(&am).join("conf")).unwrap();
        fs::copy(paths.module(&am).join("conf/modulekey.dat"), paths.active(&am).join("conf/modulekey.dat"))
            .unwrap();
        assert_eq!(saved(), SavedKey::Active);
        generate_module_key(&paths, &am).unwrap();
        assert_eq!(saved(), SavedKey::New);
        assert!(delete_module_key(&paths, &am).unwrap());
        assert!(!delete_module_key(&paths, &am).unwrap());
        assert_eq!(saved(), SavedKey::None);
    }
}

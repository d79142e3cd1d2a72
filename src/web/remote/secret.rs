//! The secret of the private user `rcmdadmin` (CLI-020): what a node must know to give commands to
//! another one, and to take them.
//!
//! SAFE/web/conf/rcmd.conf is one line, `safekit-rcmd-1 <64 hex digits>`: 32 bytes made of the
//! password by argon2id. The salt is fixed, so the same password gives the same secret on all nodes;
//! the password itself is stored nowhere and never sent.

use crate::config::paths::Paths;
use crate::node::record::{self, RecordError};
use crate::told::Tell;
use crate::told::attempt::Attempt;
use argon2::{Algorithm, Argon2, Params, Version};
use std::fmt;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

/// Length of the secret, bytes.
pub const SECRET_BYTES: usize = 32;
/// Salt of the derivation. To change it, or the costs below, means to set the password again.
const SALT: &[u8] = b"SafeKit rcmdadmin v1";
/// Memory of the derivation, KiB.
const MEMORY: u32 = 64 * 1024;
/// Its passes over that memory.
const PASSES: u32 = 3;
/// Shortest password, characters.
const SHORTEST: usize = 4;
/// A shorter one may be found by who has recorded a request over HTTP and tries words, characters.
const LONG: usize = 12;
/// Longest password, bytes.
const LONGEST: usize = 1024;
const HEADER: &str = "safekit-rcmd-1 ";
/// The web service and members of group safekit read it, nobody writes it.
const MODE: u32 = 0o440;
/// Largest file that is read, bytes.
const LARGEST: u64 = 4096;

/// The secret. It never prints itself.
#[derive(Clone)]
pub struct Secret([u8; SECRET_BYTES]);

/// What to say of a password that is taken although it is short.
pub fn warning(password: &str) -> Option<String> {
    (password.chars().count() < LONG).then(|| {
        format!(
            "this password has fewer than {LONG} characters: over HTTP, who records a distributed command can \
             guess it on a machine of his own. Choose {LONG} random characters, or turn HTTPS on \
             (docs/security.md)"
        )
    })
}

/// Why there is no secret. Never holds any part of it.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Never set.
    #[error(
        "distributed commands are not set up on this node: {path} is missing; run \"SAFE/private/bin/webservercfg -rcmdpasswd <password>\" on all nodes, with the same password",
        path = .0.display()
    )]
    Missing(PathBuf),
    /// The caller may not read it.
    #[error("{path}: permission denied: run as root or as a member of group safekit", path = .0.display())]
    Denied(PathBuf),
    /// Not what was stored.
    #[error(
        "{path}: not a secret of this version: run \"SAFE/private/bin/webservercfg -rcmdpasswd <password>\" on all nodes, with the same password",
        path = .0.display()
    )]
    Damaged(PathBuf),
    /// A password that protects nothing, or is none.
    #[error("the password has {SHORTEST} characters at least and {LONGEST} bytes at most")]
    Password,
    /// The derivation cannot have its memory, or the system gives no random numbers.
    #[error("cannot make the secret: {0}")]
    Derive(String),
    /// The file cannot be used.
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl Tell for SecretError {
    fn french(&self) -> String {
        use SecretError as E;
        match self {
            E::Missing(path) => format!(
                "les commandes distribuées ne sont pas mises en place sur ce nœud : {} manque ; exécutez \
                 \"SAFE/private/bin/webservercfg -rcmdpasswd <password>\" sur tous les nœuds, avec le même mot de passe",
                path.display()
            ),
            E::Denied(path) => format!(
                "{} : permission refusée : exécutez en tant que root ou membre du groupe safekit",
                path.display()
            ),
            E::Damaged(path) => format!(
                "{} : ce n'est pas un secret de cette version : exécutez \"SAFE/private/bin/webservercfg -rcmdpasswd \
                 <password>\" sur tous les nœuds, avec le même mot de passe",
                path.display()
            ),
            E::Password => {
                format!("le mot de passe a au moins {SHORTEST} caractères et au plus {LONGEST} octets")
            }
            E::Derive(why) => format!("impossible de créer le secret : {why}"),
            E::Record(e) => e.french(),
        }
    }
}

impl Secret {
    /// The secret of a password: argon2id, 64 MiB, 3 passes, some 200 ms of a processor.
    pub fn derive(password: &str) -> Result<Secret, SecretError> {
        if password.chars().count() < SHORTEST || password.len() > LONGEST {
            return Err(SecretError::Password);
        }
        let failed = |e: argon2::Error| SecretError::Derive(e.to_string());
        let params = Params::new(MEMORY, PASSES, 1, Some(SECRET_BYTES)).map_err(failed)?;
        let mut bytes = [0; SECRET_BYTES];
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        argon.hash_password_into(password.as_bytes(), SALT, &mut bytes).map_err(failed)?;
        Ok(Secret(bytes))
    }

    /// A random one, for nodes that are set up together and need no password.
    pub fn random() -> Result<Secret, SecretError> {
        let mut bytes = [0; SECRET_BYTES];
        getrandom::fill(&mut bytes).map_err(|e| SecretError::Derive(e.to_string()))?;
        Ok(Secret(bytes))
    }

    /// The one of this node.
    pub fn load(paths: &Paths) -> Result<Secret, SecretError> {
        let path = file(paths);
        let line = match record::load_bytes(&path, LARGEST) {
            Ok(line) => line.ok_or_else(|| SecretError::Missing(path.clone()))?,
            Err(RecordError::Io { source, .. }) if source.kind() == io::ErrorKind::PermissionDenied => {
                return Err(SecretError::Denied(path));
            }
            Err(error) => return Err(error.into()),
        };
        Secret::from_line(&line).ok_or(SecretError::Damaged(path))
    }

    /// Makes it the one of this node, durably and in one step. `owner` are the user and group of the
    /// web service; without them the file belongs to who stores it.
    pub fn store(&self, paths: &Paths, owner: Option<(u32, u32)>) -> Result<(), SecretError> {
        let path = file(paths);
        let dir = path.parent().unwrap_or(Path::new("/"));
        std::fs::create_dir_all(dir).map_err(record::io_error(Attempt::Create, dir))?;
        let fresh = dir.join(format!(".rcmd.conf.{}.new", std::process::id()));
        let stored = self
            .write(&fresh, owner)
            .map_err(record::io_error(Attempt::Write, &fresh))
            .and_then(|()| std::fs::rename(&fresh, &path).map_err(record::io_error(Attempt::Replace, &path)));
        if stored.is_err() {
            // The first error is the one to report.
            let _ = std::fs::remove_file(&fresh);
        }
        stored?;
        Ok(record::sync_dir(dir)?)
    }

    /// The secret itself, for the handshake only.
    pub(super) fn as_bytes(&self) -> &[u8; SECRET_BYTES] {
        &self.0
    }

    fn write(&self, path: &Path, owner: Option<(u32, u32)>) -> io::Result<()> {
        let mut file: File =
            OpenOptions::new().write(true).create(true).truncate(true).mode(MODE).open(path)?;
        if let Some((user, group)) = owner {
            fchown(&file, Some(user), Some(group))?;
        }
        // The mode above is narrowed by the umask and does not apply to a leftover file.
        file.set_permissions(Permissions::from_mode(MODE))?;
        file.write_all(self.to_line().as_bytes())?;
        file.sync_all()
    }

    fn to_line(&self) -> String {
        let mut line = String::from(HEADER);
        for byte in self.0 {
            // Writing to a String cannot fail.
            let _ = write!(line, "{byte:02x}");
        }
        line.push('\n');
        line
    }

    fn from_line(line: &[u8]) -> Option<Secret> {
        let digits = std::str::from_utf8(line).ok()?.strip_prefix(HEADER)?.strip_suffix('\n')?;
        if digits.len() != 2 * SECRET_BYTES || !digits.bytes().all(|d| d.is_ascii_hexdigit()) {
            return None;
        }
        let mut bytes = [0; SECRET_BYTES];
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).ok()?;
        }
        Some(Secret(bytes))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// SAFE/web/conf/rcmd.conf.
fn file(paths: &Paths) -> PathBuf {
    paths.web_conf().join("rcmd.conf")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(root: &Path) -> Paths {
        Paths::new(root.join("safe"), root.join("var"))
    }

    #[test]
    fn the_same_password_gives_the_same_secret_everywhere() {
        let secret = Secret::derive("correct horse").unwrap();
        let first: String = secret.to_line();
        assert_eq!(first, Secret::derive("correct horse").unwrap().to_line());
        assert_ne!(first, Secret::derive("correct horsE").unwrap().to_line());
        assert!(matches!(Secret::derive("abc"), Err(SecretError::Password)));
        assert!(matches!(Secret::derive(&"a".repeat(LONGEST + 1)), Err(SecretError::Password)));
    }

    #[test]
    fn a_short_password_is_taken_with_a_warning() {
        assert!(warning("eleven char").is_some_and(|said| said.contains("12 characters")));
        assert_eq!(warning("twelve chars"), None);
        assert_eq!(warning("\u{e9}".repeat(12).as_str()), None);
    }

    /// Nodes of different releases must agree: this value may never change.
    #[test]
    fn the_derivation_is_fixed() {
        let line = Secret::derive("safekit").unwrap().to_line();
        assert_eq!(blake3::hash(line.as_bytes()).to_hex().as_str(), PINNED);
    }
    const PINNED: &str = "233b855aa2f85e9998bf9baa7f578bc9b72e52532cdd05996fc3fd5be74492d9";

    #[test]
    fn it_comes_back_from_a_file_that_others_cannot_read() {
        let root = tempfile::tempdir().unwrap();
        let paths = paths(root.path());
        let missing = Secret::load(&paths).unwrap_err().to_string();
        assert!(
            missing.contains("webservercfg -rcmdpasswd") && missing.contains("on all nodes"),
            "{missing}"
        );
        for _ in 0..2 {
            let secret = Secret::random().unwrap();
            secret.store(&paths, None).unwrap();
            assert_eq!(Secret::load(&paths).unwrap().as_bytes(), secret.as_bytes());
        }
        let dir = root.path().join("safe/web/conf");
        assert_eq!(std::fs::metadata(dir.join("rcmd.conf")).unwrap().permissions().mode() & 0o777, 0o440);
        assert_eq!(std::fs::read_dir(dir).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn no_text_of_ours_holds_the_secret() {
        let root = tempfile::tempdir().unwrap();
        let paths = paths(root.path());
        let secret = Secret::from_line(format!("{HEADER}{}\n", "ab".repeat(32)).as_bytes()).unwrap();
        assert_eq!(secret.as_bytes(), &[0xab; 32]);
        assert_eq!(format!("{secret:?}"), "Secret(..)");
        secret.store(&paths, None).unwrap();
        for bad in ["abab".repeat(15), "ab".repeat(31) + "é", "ab".repeat(33), String::new()] {
            let file = file(&paths);
            std::fs::remove_file(&file).unwrap();
            std::fs::write(&file, format!("{HEADER}{bad}\n")).unwrap();
            let error = Secret::load(&paths).unwrap_err();
            assert!(matches!(error, SecretError::Damaged(_)), "{bad}");
            assert!(!error.to_string().contains("abab"), "{error}");
        }
    }
}

//! Where certificates and keys lie, who may read them, and how they get there (WEB-50 to WEB-55).
//!
//! `SAFE/web/conf/ca` is root's alone: the web service, which runs as user `safekit`, never needs the
//! key of the authority. What the web service uses lies in `SAFE/web/conf`, readable by it only.

use super::PkiError;
use crate::config::paths::Paths;
use crate::node::record::{self, RecordError, io_error};
use crate::told::attempt::Attempt;
use nix::unistd::User;
use std::fs::{DirBuilder, File, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// User and group of the web service.
pub const WEB_USER: &str = "safekit";
/// What only the web service reads (WEB-42).
const WEB_MODE: u32 = 0o440;
/// Certificates are no secret.
const PUBLIC: u32 = 0o444;
/// Keys are.
const SECRET: u32 = 0o400;

/// The installed certificate of this node's web service.
pub fn server_certificate(paths: &Paths) -> PathBuf {
    paths.web_conf().join("server.crt")
}

/// Its private key.
pub fn server_key(paths: &Paths) -> PathBuf {
    paths.web_conf().join("server.key")
}

/// The installed certificates of the authorities that sign the nodes' certificates.
pub fn authorities(paths: &Paths) -> PathBuf {
    paths.web_conf().join("cacert.crt")
}

/// The file tree of the SafeKit PKI: `SAFE/web/conf/ca`.
#[derive(Clone, Debug)]
pub struct Tree {
    root: PathBuf,
}

impl Tree {
    /// That of this node; made when missing.
    pub fn open(paths: &Paths) -> Result<Tree, PkiError> {
        let tree = Tree { root: paths.web_conf().join("ca") };
        for (dir, mode) in [(tree.root.clone(), 0o700), (tree.private(), 0o700), (tree.certs(), 0o755)] {
            let made = DirBuilder::new().recursive(true).mode(mode).create(&dir);
            made.map_err(io_error(Attempt::Create, &dir))?;
            let narrowed = std::fs::set_permissions(&dir, Permissions::from_mode(mode));
            narrowed.map_err(io_error(Attempt::Protect, &dir))?;
        }
        Ok(tree)
    }

    fn private(&self) -> PathBuf {
        self.root.join("private")
    }

    fn certs(&self) -> PathBuf {
        self.root.join("certs")
    }

    /// Certificate `name`: those of users end in `.cert`, others in `.crt` (WEB-50, WEB-52).
    pub fn certificate(&self, name: &str) -> PathBuf {
        let extension = if name.starts_with("user_") { "cert" } else { "crt" };
        self.certs().join(format!("{name}.{extension}"))
    }

    /// Private key `name`.
    pub fn key(&self, name: &str) -> PathBuf {
        self.private().join(format!("{name}.key"))
    }

    /// Certificate request `name`.
    pub fn request(&self, name: &str) -> PathBuf {
        self.private().join(format!("{name}.csr"))
    }

    /// Certificate and key `name` for a browser, protected by a password.
    pub fn p12(&self, name: &str) -> PathBuf {
        self.private().join(format!("{name}.p12"))
    }
}

/// Stores a certificate or a request.
pub fn store_public(path: &Path, text: &str) -> Result<(), PkiError> {
    Ok(record::store_bytes(path, text.as_bytes(), PUBLIC)?)
}

/// Stores a key.
pub fn store_secret(path: &Path, bytes: &[u8]) -> Result<(), PkiError> {
    Ok(record::store_bytes(path, bytes, SECRET)?)
}

/// Stores what the web service reads: of user and group `safekit`, mode 0440.
pub fn install(path: &Path, text: &str) -> Result<(), PkiError> {
    record::store_bytes(path, text.as_bytes(), WEB_MODE)?;
    give(path)
}

/// Makes user and group `safekit` the owners; nothing to do where the user does not exist or this is
/// not root: then the web service runs as whoever runs this.
fn give(path: &Path) -> Result<(), PkiError> {
    if !nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    let Ok(Some(user)) = User::from_name(WEB_USER) else { return Ok(()) };
    let given = std::os::unix::fs::chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw()));
    given.and_then(|()| File::open(path)?.sync_all()).map_err(io_error(Attempt::Give, path))?;
    Ok(())
}

/// Reads a file of certificates or of a key.
pub fn read(path: &Path) -> Result<Vec<u8>, PkiError> {
    match record::load_bytes(path, super::certificate::LARGEST) {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(PkiError::Missing(path.to_owned())),
        Err(RecordError::Damaged { path, what }) => Err(PkiError::Content { path, what }),
        Err(e) => Err(e.into()),
    }
}

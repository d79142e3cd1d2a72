//! The web service of the nodes: what an installation and `webservercfg -passwd` make for it.

use super::error::{During, Result};
use super::files::write_new;
use super::node::Node;
use super::random;
use super::users::Account;
use crate::config::paths::Paths;
use crate::node::webconf::{DELIVERED, LOGS};
use crate::web::remote::secret::Secret;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

/// Of the hash of the password: it protects a trial on this machine, and every node checks it often.
const COST: u32 = 5;

/// Letters and digits that are not taken for one another.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
const PASSWORD_LENGTH: usize = 12;

/// What all nodes share: users of the console, and the secret of distributed commands.
pub(super) struct Credentials {
    users: String,
    secret: Secret,
}

/// A password that nobody guesses.
pub(super) fn new_password() -> Result<String> {
    let letters = random::<PASSWORD_LENGTH>()?.map(|byte| char::from(LETTERS[usize::from(byte) % 32]));
    Ok(letters.iter().collect())
}

/// The user `admin` with this password, and a new secret: the sandbox is the only one that has it.
pub(super) fn credentials(password: &str) -> Result<Credentials> {
    let hashed = bcrypt::hash_with_result(password, COST).map_err(io::Error::other);
    let hashed = hashed.during(|| "hash the password of the console".into())?;
    let users = format!("admin:{}\n", hashed.format_for_version(bcrypt::Version::TwoY));
    let secret = Secret::random().map_err(io::Error::other);
    Ok(Credentials { users, secret: secret.during(|| "make the secret of distributed commands".into())? })
}

/// Makes `SAFE/web/conf` of a node.
pub(super) fn install(node: &Node, account: Account, credentials: &Credentials) -> Result<()> {
    let conf = node.safe().join("web/conf");
    let ssl = conf.join("ssl");
    fs::create_dir_all(&ssl).during(|| format!("make {}", ssl.display()))?;
    let users = ("user.conf", 0o440, credentials.users.as_str());
    for (name, mode, text) in DELIVERED.into_iter().chain([users]) {
        let path = conf.join(name);
        write_new(&path, mode, text.as_bytes())?;
        own(&path, account)?;
    }
    let paths = Paths::new(node.safe(), node.safevar());
    let stored = credentials.secret.store(&paths, Some((account.uid, account.gid)));
    stored.map_err(io::Error::other).during(|| "store the secret of distributed commands".into())?;
    for dir in [&ssl, &conf] {
        own(dir, account)?;
        fs::set_permissions(dir, fs::Permissions::from_mode(0o750))
            .during(|| format!("protect {}", dir.display()))?;
    }
    Ok(())
}

/// Makes its logs in SAFEVAR, where it may not make files itself.
pub(super) fn install_logs(safevar: &Path, account: Account) -> Result<()> {
    for name in LOGS {
        let path = safevar.join(name);
        write_new(&path, 0o640, b"")?;
        own(&path, account)?;
    }
    Ok(())
}

fn own(path: &Path, account: Account) -> Result<()> {
    chown(path, Some(account.uid), Some(account.gid)).during(|| format!("give {} to safekit", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_opens_the_console() {
        let password = new_password().unwrap();
        assert_eq!(password.len(), PASSWORD_LENGTH);
        assert_ne!(password, new_password().unwrap());
        let credentials = credentials(&password).unwrap();
        let hash = credentials.users.trim_end().strip_prefix("admin:").unwrap();
        assert!(bcrypt::verify(&password, hash).unwrap());
        assert!(!bcrypt::verify("admin", hash).unwrap());
    }
}

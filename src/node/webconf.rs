//! What the web service needs to begin: its settings, the password of `admin`, and that of distributed
//! commands (CLI-133, CLI-134). Blocking.

use super::record::{self, RecordError};
use crate::config::paths::Paths;
use crate::control::GROUP;
use crate::told::attempt::Attempt;
use crate::web::auth::edit::{EditError, UserFile};
use crate::web::auth::htpasswd;
use crate::web::kept;
use crate::web::remote::secret::{Secret, SecretError};
use nix::unistd::User;
use std::fs::{self, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, chown, fchown};
use std::path::Path;

/// Its settings as they are delivered.
pub const HTTPD_CONF: &str = include_str!("../../conf/web/httpd.conf");
/// What is copied into SAFE/web/conf/ssl to turn HTTPS on (WEB-46).
pub const SSL_CONF: &str = include_str!("../../conf/web/httpd.webconsolessl.conf");
/// Settings of the CA service as they are delivered.
pub const CASERV_CONF: &str = include_str!("../../conf/web/httpd.caserv.conf");

/// The delivered files of SAFE/web/conf: name, mode, text.
pub const DELIVERED: [(&str, u32, &str); 5] = [
    ("httpd.conf", 0o640, HTTPD_CONF),
    ("httpd.conf.default", 0o440, HTTPD_CONF),
    ("httpd.webconsolessl.conf", 0o440, SSL_CONF),
    ("httpd.caserv.conf", 0o640, CASERV_CONF),
    ("httpd.caserv.conf.default", 0o440, CASERV_CONF),
];

/// Its logs, in SAFEVAR.
pub const LOGS: [&str; 2] = ["httpd.log", "access.log"];

/// Why it is not set up.
#[derive(Debug, thiserror::Error)]
pub enum WebConfError {
    /// A file cannot be written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The users cannot be changed.
    #[error(transparent)]
    Users(#[from] EditError),
    /// The secret cannot be made.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The password is none.
    #[error("{0}")]
    Password(String),
    /// The user of the web service is missing.
    #[error("there is no user {GROUP}: install SafeKit again, or add it with useradd --system {GROUP}")]
    User,
}

/// The user of the web service and his group, by number.
///
/// # Errors
/// [`WebConfError::User`].
pub fn owner() -> Result<(u32, u32), WebConfError> {
    let user = User::from_name(GROUP).ok().flatten().ok_or(WebConfError::User)?;
    Ok((user.uid.as_raw(), user.gid.as_raw()))
}

/// Sets the password of `admin` and that of distributed commands; other users stay.
///
/// # Errors
/// [`WebConfError`]; a password that either refuses changes nothing.
pub fn set_admin(paths: &Paths, password: &str) -> Result<(), WebConfError> {
    let owner = owner()?;
    let (stored, secret) =
        (htpasswd::hash(password).map_err(WebConfError::Password)?, Secret::derive(password)?);
    prepare(paths, owner)?;
    let mut users = UserFile::read(&paths.web_conf().join("user.conf"))?;
    users.set("admin", &stored)?;
    users.store(Some(owner))?;
    Ok(secret.store(paths, Some(owner))?)
}

/// Sets the password of distributed commands.
///
/// # Errors
/// [`WebConfError`].
pub fn set_rcmd(paths: &Paths, password: &str) -> Result<(), WebConfError> {
    let owner = owner()?;
    let secret = Secret::derive(password)?;
    prepare(paths, owner)?;
    Ok(secret.store(paths, Some(owner))?)
}

/// Makes the logs of the web service and the directory of its sessions where they are missing: it may not make
/// files in SAFEVAR, which is root's.
///
/// # Errors
/// [`WebConfError::User`], [`WebConfError::Record`].
pub fn make_logs(paths: &Paths) -> Result<(), WebConfError> {
    let (user, group) = owner()?;
    let dir = paths.web_var();
    kept::make_directory(paths, (user, group)).map_err(record::io_error(Attempt::Make, &dir))?;
    for name in LOGS {
        let path = paths.safevar.join(name);
        let made = OpenOptions::new().append(true).create_new(true).mode(0o640).open(&path);
        match made.and_then(|file| fchown(&file, Some(user), Some(group))) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
                return Err(record::io_error(Attempt::Make, &path)(e).into());
            }
            _ => {}
        }
    }
    Ok(())
}

/// Makes SAFE/web/conf with the delivered settings, where they are missing.
fn prepare(paths: &Paths, owner: (u32, u32)) -> Result<(), WebConfError> {
    let conf = paths.web_conf();
    let ssl = conf.join("ssl");
    if !conf.is_dir() {
        fs::create_dir_all(&ssl).map_err(record::io_error(Attempt::Create, &ssl))?;
        for dir in [&conf, &ssl] {
            give(dir, owner, 0o750)?;
        }
    }
    for (name, mode, text) in DELIVERED {
        let path = conf.join(name);
        if !path.exists() {
            record::store_bytes(&path, text.as_bytes(), mode)?;
            give(&path, owner, mode)?;
        }
    }
    Ok(())
}

fn give(path: &Path, (uid, gid): (u32, u32), mode: u32) -> Result<(), RecordError> {
    chown(path, Some(uid), Some(gid)).map_err(record::io_error(Attempt::Give, path))?;
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(record::io_error(Attempt::Protect, path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::pki::CA_PORT;
    use crate::web::settings::{self, Method, Settings};

    #[test]
    fn the_delivered_settings_are_those_of_the_guide() {
        let settings = Settings::parse(Path::new("httpd.conf"), HTTPD_CONF).unwrap();
        assert_eq!((settings.http_port, settings.https_port, settings.method), (9010, 9453, Method::File));
        // Each setting that a # takes back may be had.
        for line in HTTPD_CONF.lines().filter_map(|line| line.strip_prefix("#Define ")) {
            let text = format!("Define {line}\n");
            Settings::parse(Path::new("httpd.conf"), &text).unwrap_or_else(|e| panic!("{e}"));
        }
        assert_eq!(settings::parse_ca_port(Path::new("httpd.caserv.conf"), CASERV_CONF).unwrap(), CA_PORT);
        // The one that turns HTTPS on has no settings.
        assert!(SSL_CONF.lines().all(|line| line.starts_with('#')));
    }
}

//! Sessions over a restart of the service: `SAFEVAR/web/sessions.json`.
//!
//! The file gives nothing away that opens anything: of a cookie it has the hash. It counts only while httpd.conf
//! is the same, and only as this service has written it; whatever else it is, there are no sessions.

use super::digest::Digest;
use super::sessions::{Key, MOST, Proof, Session};
use super::settings::Settings;
use crate::config::paths::Paths;
use crate::control::Access;
use crate::node::record::{self, RecordError};
use crate::told::attempt::Attempt;
use crate::told::told;
use jiff::Timestamp;
use nix::unistd::Uid;
use serde::{Deserialize, Serialize};
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Only this service reads it.
const MODE: u32 = 0o600;

/// Where sessions are kept.
#[derive(Debug)]
pub struct Kept {
    /// None: nowhere.
    file: Option<PathBuf>,
    /// Of the settings with which they began.
    settings: Digest,
}

/// The file; moments are seconds since 1970.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    settings: Digest,
    sessions: Vec<Row>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    key: Key,
    user: String,
    access: Option<Access>,
    proof: Option<Proof>,
    address: IpAddr,
    since: i64,
    used: i64,
}

impl Kept {
    /// Those of a service with these settings.
    pub fn new(paths: &Paths, settings: &Settings, https: bool) -> Kept {
        let text = format!("https {https}\n{}", settings.text());
        let settings = Digest::of("safekit web: settings of sessions 1", &text);
        Kept { file: Some(paths.web_sessions()), settings }
    }

    /// Not at all.
    #[cfg(test)]
    pub fn nowhere() -> Kept {
        Kept { file: None, settings: Digest::of("", "") }
    }

    /// Those that were stored; none if anything is wrong with them.
    pub(super) fn load(&self, now: Instant) -> Vec<(Key, Session)> {
        let Some(file) = &self.file else { return Vec::new() };
        let content = match own(file).and_then(|own| if own { record::load(file) } else { Ok(None) }) {
            Ok(content) => content,
            Err(error) => {
                tracing::warn!("nobody is logged in any more: {error}");
                None
            }
        };
        let same = content.filter(|content: &Content| content.settings == self.settings);
        let rows = same.map(|content| content.sessions).unwrap_or_default();
        let present = Timestamp::now().as_second();
        rows.into_iter().take(MOST).filter_map(|row| row.session(now, present)).collect()
    }

    /// Stores these, instead of what was stored. If that fails none are stored: one that has ended must not be
    /// there again.
    pub(super) fn store(&self, all: Vec<(Key, Session)>, now: Instant) {
        let Some(file) = &self.file else { return };
        let present = Timestamp::now().as_second();
        let sessions = all.into_iter().map(|(key, session)| Row::new(key, session, now, present)).collect();
        let content = Content { settings: self.settings, sessions };
        if let Err(error) = record::store_private(file, &content, MODE) {
            tracing::warn!("a restart of the service will end all sessions: {error}");
            // It may be that there is no such directory.
            let _ = record::remove(file);
        }
    }
}

impl Row {
    fn new(key: Key, session: Session, now: Instant, present: i64) -> Row {
        let Session { user, access, proof, address, since, used } = session;
        let moment = |at: Instant| {
            let ago = now.saturating_duration_since(at).as_secs();
            present.saturating_sub(i64::try_from(ago).unwrap_or(i64::MAX))
        };
        Row { key, user, access, proof, address, since: moment(since), used: moment(used) }
    }

    /// None of one that is of the future: the clock was set back, and nobody knows how old it is.
    fn session(self, now: Instant, present: i64) -> Option<(Key, Session)> {
        let Row { key, user, access, proof, address, since, used } = self;
        let instant = |at: i64| {
            let ago = u64::try_from(present.checked_sub(at)?).ok()?;
            now.checked_sub(Duration::from_secs(ago))
        };
        let (since, used) = (instant(since)?, instant(used)?);
        Some((key, Session { user, access, proof, address, since, used }))
    }
}

/// Whether there is a file of this service; an error for one that others may have written.
fn own(file: &Path) -> Result<bool, RecordError> {
    let meta = match std::fs::symlink_metadata(file) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        found => found.map_err(record::io_error(Attempt::Read, file))?,
    };
    let private = meta.is_file() && meta.uid() == Uid::effective().as_raw() && meta.mode() & 0o077 == 0;
    if private {
        return Ok(true);
    }
    let what =
        told!("it is not a file of the web service alone", "ce n'est pas un fichier du seul service web");
    Err(RecordError::Damaged { path: file.to_owned(), what })
}

/// Makes the directory for the user of the service, if it is not there: it may not make it itself.
pub fn make_directory(paths: &Paths, (user, group): (u32, u32)) -> io::Result<()> {
    let dir = paths.web_var();
    match std::fs::DirBuilder::new().mode(0o700).create(&dir) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        made => made?,
    }
    std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o700))?;
    chown(&dir, Some(user), Some(group))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::sessions::{LONGEST, Secret, Sessions};

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    struct Place {
        _dir: tempfile::TempDir,
        paths: Paths,
    }

    impl Place {
        fn new() -> Place {
            let dir = tempfile::tempdir().unwrap();
            let paths = Paths::new(dir.path().join("safe"), dir.path().join("var"));
            Place { _dir: dir, paths }
        }

        fn sessions(&self, conf: &str) -> Sessions {
            let settings = Settings::parse(Path::new("httpd.conf"), conf).unwrap();
            Sessions::new(LONGEST, Kept::new(&self.paths, &settings, false))
        }

        fn begun(&self) -> (Sessions, Secret) {
            let all = self.sessions("Define usefile");
            let proof = Some(Proof::of("admin", "$2y$"));
            let (cookie, _) = all.begin("admin", Some(Access::Admin), proof, HOME, Instant::now()).unwrap();
            all.store();
            (all, cookie)
        }
    }

    #[test]
    fn sessions_outlive_a_restart_but_not_other_settings() {
        let place = Place::new();
        let (all, cookie) = place.begun();
        let again = place.sessions("# another comment\n\nDefine usefile");
        let (key, found) = again.find(cookie.expose(), Instant::now()).unwrap();
        assert_eq!((found.user.as_str(), found.access), ("admin", Some(Access::Admin)));
        assert_eq!(found.proof, Some(Proof::of("admin", "$2y$")));
        let text = std::fs::read_to_string(place.paths.web_sessions()).unwrap();
        assert!(!text.contains(cookie.expose()), "{text}");
        assert_eq!(std::fs::metadata(place.paths.web_sessions()).unwrap().mode() & 0o777, MODE);
        for other in ["Define useldap\nDefine searchurl ldap://a", "Define usefile\nDefine httpport 8080"] {
            assert_eq!(place.sessions(other).count(Instant::now()), 0, "{other}");
        }
        // One that has ended does not come back.
        assert!(all.end(key).is_some());
        all.store();
        assert_eq!(place.sessions("Define usefile").count(Instant::now()), 0);
    }

    #[test]
    fn age_goes_on() {
        let place = Place::new();
        let (all, cookie) = place.begun();
        drop(all);
        let restarted = |since: i64, used: i64| {
            let mut content: Content = record::load(&place.paths.web_sessions()).unwrap().unwrap();
            let present = Timestamp::now().as_second();
            for row in &mut content.sessions {
                (row.since, row.used) = (present - since, present - used);
            }
            record::store_private(&place.paths.web_sessions(), &content, MODE).unwrap();
            place.sessions("Define usefile").find(cookie.expose(), Instant::now()).is_some()
        };
        assert!(restarted(3600, 0) && restarted(23 * 3600, 3600));
        assert!(!restarted(24 * 3600, 0), "too old");
        assert!(!restarted(3 * 3600, 2 * 3600), "not used");
        assert!(!restarted(-3600, -3600), "of the future");
        assert!(!restarted(i64::MAX - i64::from(u32::MAX) * 2, 0) && !restarted(i64::MIN / 2, 0));
    }

    #[test]
    fn what_is_damaged_or_of_others_is_no_session() {
        let place = Place::new();
        let (_, cookie) = place.begun();
        let file = place.paths.web_sessions();
        let good = std::fs::read(&file).unwrap();
        let opens = || place.sessions("Define usefile").find(cookie.expose(), Instant::now()).is_some();
        let write = |bytes: &[u8]| std::fs::write(&file, bytes).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            write(&bad);
            assert!(!opens(), "byte {at}");
        }
        for length in [0, 1, good.len() / 2, good.len() - 1] {
            write(&good[..length]);
            assert!(!opens(), "{length} bytes");
        }
        write(&vec![b'x'; 8 << 20]);
        assert!(!opens());
        write(&good);
        assert!(opens());
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o660)).unwrap();
        assert!(!opens(), "others may have written it");
        let other = file.with_file_name("other.json");
        std::fs::rename(&file, &other).unwrap();
        std::fs::set_permissions(&other, std::fs::Permissions::from_mode(MODE)).unwrap();
        std::os::unix::fs::symlink(&other, &file).unwrap();
        assert!(!opens(), "a link");
    }
}

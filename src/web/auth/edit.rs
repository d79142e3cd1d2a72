//! Changes of a file of users in the form of htpasswd (CLI-133, CLI-135). Blocking.

use super::is_name;
use crate::node::record::{self, RecordError};
use crate::told::attempt::Attempt;
use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

/// Longest file that is read, bytes.
const LONGEST: u64 = 4 << 20;
/// Mode of a new one (WEB-42).
const MODE: u32 = 0o440;

/// Why the file is not changed.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// It cannot be read or written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// It holds no text.
    #[error("{}: not a file of users", .0.display())]
    NotText(PathBuf),
    /// Such a name would make another line of it.
    #[error("\"{0}\" is no name of a user: 1 to 100 characters without blanks and colons")]
    Name(String),
    /// Nobody of that name.
    #[error("{}: there is no user {name}", file.display())]
    Unknown {
        /// The file.
        file: PathBuf,
        /// The name.
        name: String,
    },
}

/// The file; lines of which nothing is known are kept as they are.
#[derive(Debug)]
pub struct UserFile {
    path: PathBuf,
    lines: Vec<String>,
}

impl UserFile {
    /// One without users, not written yet.
    pub fn empty(path: &Path) -> UserFile {
        UserFile { path: path.to_owned(), lines: Vec::new() }
    }

    /// Reads it; none is as good as an empty one.
    pub fn read(path: &Path) -> Result<UserFile, EditError> {
        let bytes = record::load_bytes(path, LONGEST)?.unwrap_or_default();
        let text = String::from_utf8(bytes).map_err(|_| EditError::NotText(path.to_owned()))?;
        Ok(UserFile { path: path.to_owned(), lines: text.lines().map(str::to_owned).collect() })
    }

    fn find(&self, user: &str) -> Option<usize> {
        self.lines.iter().position(|line| line.split_once(':').is_some_and(|(name, _)| name == user))
    }

    /// The stored password of a user.
    pub fn hash(&self, user: &str) -> Result<&str, EditError> {
        let line = self.find(user).and_then(|at| self.lines[at].split_once(':'));
        line.map(|(_, hash)| hash).ok_or_else(|| self.unknown(user))
    }

    /// Gives a user this stored password; he is added if he is not there.
    pub fn set(&mut self, user: &str, hash: &str) -> Result<(), EditError> {
        if !is_name(user) || user.contains(':') || user.starts_with('#') {
            return Err(EditError::Name(user.to_owned()));
        }
        let line = format!("{user}:{hash}");
        match self.find(user) {
            Some(at) => self.lines[at] = line,
            None => self.lines.push(line),
        }
        Ok(())
    }

    /// Removes a user.
    pub fn remove(&mut self, user: &str) -> Result<(), EditError> {
        let at = self.find(user).ok_or_else(|| self.unknown(user))?;
        self.lines.remove(at);
        Ok(())
    }

    /// Writes it durably and in one step. An existing file keeps owner and mode; a new one is for its owner
    /// and his group to read: `owner`, or who writes it.
    pub fn store(&self, owner: Option<(u32, u32)>) -> Result<(), EditError> {
        let before = self.path.metadata().ok();
        let owner = before.as_ref().map(|m| (m.uid(), m.gid())).or(owner);
        let mode = before.as_ref().map_or(MODE, |m| m.mode() & 0o777);
        let text: String = self.lines.iter().map(|line| format!("{line}\n")).collect();
        record::store_bytes(&self.path, text.as_bytes(), MODE)?;
        if let Some((uid, gid)) = owner {
            chown(&self.path, Some(uid), Some(gid)).map_err(record::io_error(Attempt::Give, &self.path))?;
        }
        std::fs::set_permissions(&self.path, Permissions::from_mode(mode))
            .map_err(record::io_error(Attempt::Protect, &self.path))?;
        Ok(())
    }

    fn unknown(&self, user: &str) -> EditError {
        EditError::Unknown { file: self.path.clone(), name: user.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_come_change_and_go_and_the_rest_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("user.conf");
        let mut file = UserFile::read(&path).unwrap();
        file.set("admin", "one").unwrap();
        file.store(None).unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o440);
        std::fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        std::fs::write(&path, "# ours\nadmin:one\nbob:two\n").unwrap();
        let mut file = UserFile::read(&path).unwrap();
        file.set("admin", "three").unwrap();
        file.set("eve", "four").unwrap();
        file.remove("bob").unwrap();
        file.store(None).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "# ours\nadmin:three\neve:four\n");
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o640, "a mode that was chosen is kept");
        assert_eq!(UserFile::read(&path).unwrap().hash("eve").unwrap(), "four");
    }

    #[test]
    fn what_would_spoil_the_file_is_refused() {
        let mut file = UserFile::empty(Path::new("/none"));
        for bad in ["", "a b", "a:b", "a\nroot", "#a"] {
            assert!(matches!(file.set(bad, "x"), Err(EditError::Name(_))), "{bad:?}");
        }
        assert!(matches!(file.remove("bob"), Err(EditError::Unknown { .. })));
        assert!(file.hash("bob").is_err());
    }
}

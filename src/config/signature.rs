//! Signatures: whether two nodes, or the edited and the active files, hold the same configuration
//! (CLI `confinfo`).

use crate::hex;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Directories of a module that its signature covers (ADM-06).
pub const MODULE_PARTS: [&str; 3] = ["bin", "conf", "web"];
/// Deepest directory that is followed.
const MAX_DEPTH: usize = 32;

/// What an entry of the tree is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file, executable or not.
    File {
        /// Somebody may execute it.
        executable: bool,
    },
    /// A directory.
    Dir,
    /// A link or anything else; never followed nor opened.
    Other,
}

/// Everything below `parts` of `dir` by sorted relative path; a missing part is empty. Fails if the
/// tree cannot be read or is too deep.
pub fn walk(dir: &Path, parts: &[&str]) -> io::Result<Vec<(PathBuf, Kind)>> {
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = Vec::new();
    for part in parts {
        match fs::symlink_metadata(dir.join(part)) {
            Ok(meta) if meta.is_dir() => open.push(PathBuf::from(part)),
            Ok(_) => found.push((PathBuf::from(part), Kind::Other)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
    }
    while let Some(relative) = open.pop() {
        if relative.components().count() > MAX_DEPTH {
            let what = format!("{} is nested deeper than {MAX_DEPTH} directories", relative.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        for entry in fs::read_dir(dir.join(&relative))? {
            let entry = entry?;
            let path = relative.join(entry.file_name());
            let meta = entry.metadata()?;
            if meta.is_dir() {
                open.push(path);
            } else if meta.is_file() {
                found.push((path, Kind::File { executable: meta.permissions().mode() & 0o111 != 0 }));
            } else {
                found.push((path, Kind::Other));
            }
        }
        found.push((relative, Kind::Dir));
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(found)
}

/// Signature of a module tree: paths, executable bits and contents of conf, bin and web; 32
/// hexadecimal digits. Empty directories do not count.
pub fn of_module(dir: &Path) -> io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    for (path, kind) in walk(dir, &MODULE_PARTS)? {
        match kind {
            Kind::Dir => {}
            Kind::File { executable } => add_file(&mut hasher, dir, &path, executable)?,
            Kind::Other => {
                let what =
                    format!("{} is no file: only files and directories belong to a module", path.display());
                return Err(io::Error::new(io::ErrorKind::InvalidData, what));
            }
        }
    }
    Ok(short(&hasher))
}

/// Signature of some files of a directory, such as cluster.xml and the keys in SAFEVAR/cluster; a
/// missing file differs from an empty one. 32 hexadecimal digits.
pub fn of_files(dir: &Path, names: &[&str]) -> io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    for name in names {
        match add_file(&mut hasher, dir, Path::new(name), false) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            other => other?,
        }
    }
    Ok(short(&hasher))
}

/// Lengths go first, so that no content can pass for the path of a next file. The content is
/// hashed on its own, as its length is not known before it is read.
fn add_file(hasher: &mut blake3::Hasher, dir: &Path, path: &Path, executable: bool) -> io::Result<()> {
    let mut content = blake3::Hasher::new();
    io::copy(&mut File::open(dir.join(path))?, &mut content)?;
    let name = path.as_os_str().as_bytes();
    hasher.update(&(name.len() as u64).to_le_bytes());
    hasher.update(name);
    hasher.update(&[u8::from(executable)]);
    hasher.update(content.finalize().as_bytes());
    Ok(())
}

fn short(hasher: &blake3::Hasher) -> String {
    hex::encode(&hasher.finalize().as_bytes()[..16])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{Permissions, set_permissions, write};

    #[test]
    fn every_difference_shows() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let mut seen = std::collections::BTreeSet::new();
        let mut differs = |what: &str| {
            let signature = of_module(dir.path()).unwrap();
            assert_eq!(signature.len(), 32);
            assert!(seen.insert(signature), "{what}");
        };
        differs("nothing");
        fs::create_dir_all(at("conf")).unwrap();
        fs::create_dir_all(at("bin/sub")).unwrap();
        write(at("conf/userconfig.xml"), "a").unwrap();
        differs("a file");
        write(at("conf/userconfig.xml"), "b").unwrap();
        differs("its content");
        fs::rename(at("conf/userconfig.xml"), at("conf/other.xml")).unwrap();
        differs("its name");
        set_permissions(at("conf/other.xml"), Permissions::from_mode(0o755)).unwrap();
        differs("its mode");
        write(at("bin/sub/x"), "").unwrap();
        differs("an empty file");
    }

    #[test]
    fn what_does_not_matter() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("conf")).unwrap();
        let before = of_module(dir.path()).unwrap();
        fs::create_dir_all(dir.path().join("bin/empty")).unwrap();
        write(dir.path().join("README"), "not part of it").unwrap();
        assert_eq!(of_module(dir.path()).unwrap(), before);
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join("conf/link")).unwrap();
        assert!(of_module(dir.path()).unwrap_err().to_string().starts_with("conf/link is no file"));
    }

    #[test]
    fn files_missing_or_empty() {
        let dir = tempfile::tempdir().unwrap();
        let sign = || of_files(dir.path(), &["cluster.xml", "key"]).unwrap();
        let missing = sign();
        write(dir.path().join("key"), "").unwrap();
        let empty = sign();
        write(dir.path().join("key"), "k").unwrap();
        assert!(missing != empty && empty != sign());
    }
}

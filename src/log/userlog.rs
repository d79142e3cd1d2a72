//! The log files of scripts: names, first line, size (MSG-L-06, CFG-USR-04).

use crate::told::Tell;
use jiff::civil::DateTime;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::SystemTime;

/// Bytes of a log file that are shown.
pub const END: u64 = 1 << 20;

/// Why a log file of a script cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("log of a script {path}: {error}; check the space and the rights of its directory")]
pub struct UserlogError {
    /// The file or directory.
    pub path: String,
    /// What the system said.
    pub error: io::Error,
}

impl Tell for UserlogError {
    fn french(&self) -> String {
        let UserlogError { path, error } = self;
        format!("journal de script {path} : {error} ; vérifiez l'espace et les droits de son répertoire")
    }
}

/// `userlog_<yyyy-mm-dd>T<hhmmss>_<script>.ulog`; `start`: local time of the start of the script.
pub fn file_name(start: DateTime, script: &str) -> String {
    format!("userlog_{}_{script}.ulog", start.strftime("%Y-%m-%dT%H%M%S"))
}

/// Opens the log of a script in `dir` for its output, and writes the first line.
pub fn open(dir: &Path, start: DateTime, script: &str) -> Result<File, UserlogError> {
    let path = dir.join(file_name(start, script));
    let write = || {
        let mut file = OpenOptions::new().append(true).create(true).mode(0o640).open(&path)?;
        writeln!(file, "----- {} {script}", start.strftime("%Y-%m-%dT%H:%M:%S"))?;
        Ok(file)
    };
    write().map_err(|error| UserlogError { path: path.display().to_string(), error })
}

/// At module start: empties the log files of `dir` that have reached `limit` bytes. The first error is
/// given back when all files have been tried.
pub fn truncate(dir: &Path, limit: u64) -> Result<(), UserlogError> {
    let wrong = |path: &Path, error| UserlogError { path: path.display().to_string(), error };
    let mut result = Ok(());
    for entry in fs::read_dir(dir).map_err(|error| wrong(dir, error))? {
        let entry = entry.map_err(|error| wrong(dir, error))?;
        if !is_name(&entry.file_name().to_string_lossy()) {
            continue;
        }
        if let Err(error) = truncate_file(&entry, limit) {
            result = result.and(Err(wrong(&entry.path(), error)));
        }
    }
    result
}

fn truncate_file(entry: &fs::DirEntry, limit: u64) -> io::Result<()> {
    let metadata = entry.metadata()?;
    if metadata.is_file() && metadata.len() >= limit {
        OpenOptions::new().write(true).open(entry.path())?.set_len(0)?;
    }
    Ok(())
}

/// A log file of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Userlog {
    /// Name of the file.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Last change.
    pub changed: SystemTime,
}

/// The log files in `dir`, the newest first; none without the directory.
pub fn list(dir: &Path) -> Result<Vec<Userlog>, UserlogError> {
    let wrong = |path: &Path, error| UserlogError { path: path.display().to_string(), error };
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|error| wrong(dir, error))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| wrong(dir, error))?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if !is_name(&name) {
            continue;
        }
        let metadata = entry.metadata().map_err(|error| wrong(&entry.path(), error))?;
        if metadata.is_file() {
            let changed = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            found.push(Userlog { name, size: metadata.len(), changed });
        }
    }
    found.sort_by(|a, b| (b.changed, &a.name).cmp(&(a.changed, &b.name)));
    Ok(found)
}

/// The last [`END`] bytes of a log file of `dir`, from a line's beginning; `None` if `name` is none.
pub fn end(dir: &Path, name: &str) -> Result<Option<Vec<u8>>, UserlogError> {
    if !is_name(name) {
        return Ok(None);
    }
    let path = dir.join(name);
    let read = || -> io::Result<Option<Vec<u8>>> {
        // A link in its place leads elsewhere, a pipe never ends.
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let mut file = OpenOptions::new().read(true).custom_flags(flags).open(&path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Ok(None);
        }
        let before = metadata.len().saturating_sub(END);
        file.seek(SeekFrom::Start(before))?;
        let mut text = Vec::new();
        file.take(END).read_to_end(&mut text)?;
        if before > 0 {
            let line = text.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            text.drain(..line);
        }
        Ok(Some(text))
    };
    match read() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.raw_os_error() == Some(libc::ELOOP) => Ok(None),
        other => other.map_err(|error| UserlogError { path: path.display().to_string(), error }),
    }
}

/// Whether a name is that of a log file; it leads into no other directory.
fn is_name(name: &str) -> bool {
    name.starts_with("userlog_") && name.ends_with(".ulog") && !name.contains('/')
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    const START: DateTime = jiff::civil::date(2024, 2, 12).at(9, 14, 10, 0);

    #[test]
    fn name_and_first_line_are_those_of_the_guide() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = open(dir.path(), START, "start_prim").unwrap();
        writeln!(file, "Running start_prim WAIT ALONE").unwrap();
        let text = fs::read_to_string(dir.path().join("userlog_2024-02-12T091410_start_prim.ulog")).unwrap();
        assert_eq!(text, "----- 2024-02-12T09:14:10 start_prim\nRunning start_prim WAIT ALONE\n");
    }

    #[test]
    fn files_at_the_limit_are_emptied_others_stay() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, size| fs::write(dir.path().join(name), vec![b'x'; size]).unwrap();
        write("userlog_2024-02-12T091410_a.ulog", 9);
        write("userlog_2024-02-12T091410_b.ulog", 10);
        write("log.db", 100);
        truncate(dir.path(), 10).unwrap();
        let size = |name: &str| fs::metadata(dir.path().join(name)).unwrap().len();
        assert_eq!(size("userlog_2024-02-12T091410_a.ulog"), 9);
        assert_eq!(size("userlog_2024-02-12T091410_b.ulog"), 0);
        assert_eq!(size("log.db"), 100);
    }

    #[test]
    fn the_list_has_log_files_only_and_their_end_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let (name, path) = ("userlog_2024-02-12T091410_a.ulog", |name: &str| dir.path().join(name));
        let line = "x".repeat(99) + "\n";
        fs::write(path(name), "first\n".to_owned() + &line.repeat(11_000)).unwrap();
        fs::write(path("secret"), "secret").unwrap();
        std::os::unix::fs::symlink(path("secret"), path("userlog_link.ulog")).unwrap();
        fs::create_dir(path("userlog_dir.ulog")).unwrap();
        let found = list(dir.path()).unwrap();
        assert_eq!(found.iter().map(|f| (f.name.as_str(), f.size)).collect::<Vec<_>>(), [(name, 1_100_006)]);
        let text = end(dir.path(), name).unwrap().unwrap();
        assert!(text.len() as u64 <= END && text.len().is_multiple_of(100) && !text.starts_with(b"first"));
        for none in
            ["secret", "userlog_link.ulog", "userlog_dir.ulog", "userlog_../secret.ulog", "userlog_b.ulog"]
        {
            assert_eq!(end(dir.path(), none).unwrap(), None, "{none}");
        }
        assert!(list(Path::new("/nowhere")).unwrap().is_empty());
    }

    #[test]
    fn an_error_names_the_file() {
        let error = open(Path::new("/nowhere"), START, "stop_prim").unwrap_err();
        assert!(error.to_string().contains("/nowhere/userlog_2024-02-12T091410_stop_prim.ulog"), "{error}");
    }
}

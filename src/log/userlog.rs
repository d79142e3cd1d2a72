//! The log files of scripts: names, first line, size (MSG-L-06, CFG-USR-04).

use jiff::civil::DateTime;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Why a log file of a script cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("log of a script {path}: {error}; check the space and the rights of its directory")]
pub struct UserlogError {
    /// The file or directory.
    pub path: String,
    /// What the system said.
    pub error: io::Error,
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
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if !(name.starts_with("userlog_") && name.ends_with(".ulog")) {
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
    fn an_error_names_the_file() {
        let error = open(Path::new("/nowhere"), START, "stop_prim").unwrap_err();
        assert!(error.to_string().contains("/nowhere/userlog_2024-02-12T091410_stop_prim.ulog"), "{error}");
    }
}

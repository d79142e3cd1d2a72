//! What the command does itself: environment, special commands, files of the user.

use super::args::Cli;
use super::job::CliError;
use crate::config::paths::Paths;
use crate::control::frame::MAX_ATTACHMENT;
use clap::CommandFactory;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The environment of SafeKit (CLI-109).
fn variables(paths: &Paths) -> [(&'static str, PathBuf); 3] {
    [("SAFE", paths.safe.clone()), ("SAFEVAR", paths.safevar.clone()), ("SAFEBIN", paths.safebin())]
}

/// `safekit -p`.
pub fn environment() -> Result<i32, CliError> {
    let text: String = variables(&Paths::from_env()?)
        .iter()
        .map(|(name, value)| format!("{name}={}\n", value.display()))
        .collect();
    put(text.as_bytes())?;
    Ok(0)
}

/// `safekit -r`: becomes the special command; returns only if that fails.
pub fn special(words: &[OsString]) -> Result<i32, CliError> {
    let [name, args @ ..] = words else { return Err(CliError::usage("-r needs a special command")) };
    let paths = Paths::from_env()?;
    // An absolute name stays as it is, another one is looked for in SAFEBIN.
    let program = paths.safebin().join(name);
    let error = Command::new(&program).args(args).envs(variables(&paths)).exec();
    Err(CliError::File { path: program, error })
}

/// `safekit completions`.
pub fn completions(shell: clap_complete::Shell) -> Result<i32, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "safekit", &mut script);
    put(&script)?;
    Ok(0)
}

/// Writes to standard output at once.
pub fn put(bytes: &[u8]) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(CliError::Output)
}

/// The path, if it is absolute.
pub fn absolute(path: PathBuf) -> Result<PathBuf, CliError> {
    if path.is_absolute() {
        return Ok(path);
    }
    Err(CliError::usage(format!("{}: give the absolute path of the file", path.display())))
}

/// Reads a file to attach, within the limit.
pub fn read_file(path: &Path) -> Result<Vec<u8>, CliError> {
    let file = File::open(path).map_err(CliError::file(path))?;
    let mut bytes = Vec::new();
    file.take(MAX_ATTACHMENT as u64 + 1).read_to_end(&mut bytes).map_err(CliError::file(path))?;
    if bytes.len() > MAX_ATTACHMENT { Err(CliError::TooLong(path.to_owned())) } else { Ok(bytes) }
}

/// Writes a file whole or not at all, for its owner only: a package can hold a key.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    write_whole(path, bytes).map_err(CliError::file(path))
}

fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // To replace a device or a directory would be a disaster.
    if path.symlink_metadata().is_ok_and(|m| !m.is_file()) {
        return Err(io::Error::other("exists and is not a plain file"));
    }
    let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidFilename.into());
    };
    let mut new = OsString::from(".");
    new.push(name);
    new.push(format!(".{}", std::process::id()));
    let new = dir.join(new);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    let done = file
        .write_all(bytes)
        .and_then(|()| file.sync_all())
        .and_then(|()| std::fs::rename(&new, path))
        .and_then(|()| File::open(dir)?.sync_all());
    if done.is_err() {
        // The error that is reported is the first one; after the rename there is nothing left.
        let _ = std::fs::remove_file(&new);
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_written_whole_and_private() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.safe");
        for content in ["one", "two"] {
            write_file(&path, content.as_bytes()).unwrap();
            assert_eq!(read_file(&path).unwrap(), content.as_bytes());
        }
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn only_plain_files_are_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink("/dev/null", &link).unwrap();
        assert!(write_file(&link, b"x").is_err());
        assert!(write_file(dir.path(), b"x").is_err());
        assert!(link.is_symlink());
    }

    #[test]
    fn a_file_beyond_the_limit_is_not_sent() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("big.safe");
        File::create(&path).unwrap().set_len(MAX_ATTACHMENT as u64 + 1).unwrap();
        assert_eq!(
            read_file(&path).unwrap_err().to_string(),
            format!("{}: longer than 64 MiB", path.display())
        );
    }
}

//! The check of the local replicated file system (RFS-41): a request that changes nothing, through the
//! mount, by a process of its own. Whoever asks a file system that does not answer may never come back.

use rustix::fs::statvfs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Between two looks at the process.
const LOOK: Duration = Duration::from_millis(50);

/// First argument of the program that asks.
pub const WORD: &str = "nfscheck";

/// The part of the process: asks each directory. An error is an answer too.
pub fn ask(directories: impl Iterator<Item = PathBuf>) {
    for dir in directories {
        if let Err(error) = statvfs(&dir) {
            tracing::info!(dir = %dir.display(), %error, "the file system answers with an error");
        }
    }
}

/// Whether the directories answer within `timeout`. Blocks for that time.
///
/// # Errors
/// The process cannot be started.
pub fn answers(program: &Path, directories: &[PathBuf], timeout: Duration) -> io::Result<bool> {
    let mut child = Command::new(program)
        .arg(WORD)
        .args(directories)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let end = Instant::now() + timeout;
    loop {
        if child.try_wait()?.is_some() {
            return Ok(true);
        }
        if Instant::now() >= end {
            break;
        }
        thread::sleep(LOOK);
    }
    collect(child)?;
    Ok(false)
}

/// It dies when its request ends, at the latest.
fn collect(mut child: Child) -> io::Result<()> {
    child.kill()?;
    let waits = move || {
        if let Err(error) = child.wait() {
            tracing::warn!(%error, "the check of a file system cannot be collected");
        }
    };
    thread::Builder::new().name("nfscheck".to_owned()).spawn(waits).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_answer_in_time_is_blocked() {
        let second = Duration::from_secs(10);
        assert!(answers(Path::new("/bin/true"), &[], second).expect("it starts"));
        assert!(answers(Path::new("/bin/false"), &["/".into()], second).expect("it starts"), "an answer");
        // As a program of this name would: its argument is the word, which sleep does not understand.
        let dir = tempfile::tempdir().expect("a directory");
        let hangs = dir.path().join("hangs");
        std::fs::write(&hangs, "#!/bin/sh\nexec sleep 600\n").expect("it is written");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&hangs, mode).expect("it is ours");
        assert!(!answers(&hangs, &[], Duration::from_millis(200)).expect("it starts"));
        assert!(answers(Path::new("/no/such/program"), &[], second).is_err());
    }
}

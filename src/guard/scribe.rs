//! Logging and marker files of the guard, on a thread of their own: a disk that hangs, or a full pipe
//! to the journal, must not hold up the next fence.

use super::frame::Fenced;
use crate::ids::ModuleName;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

/// Notes that wait for the disk; more are dropped.
const LIMIT: usize = 256;
/// Marker of a fence in SAFEVAR/run: this and the module's name.
const MARKER: &str = "fenced.";

/// Something to be written down.
pub(super) enum Note {
    /// A line for the log.
    Line(String),
    /// A fence is complete: write its marker.
    Fenced(ModuleName, Fenced),
    /// It was acknowledged: remove the marker.
    Acknowledged(ModuleName),
    /// Close these: the end of a large file without a name takes its time.
    Close(Vec<OwnedFd>),
}

/// The way to the writing thread.
pub(super) struct Scribe(SyncSender<Note>);

impl Scribe {
    pub(super) fn start(run: PathBuf) -> io::Result<Scribe> {
        let (sender, receiver) = sync_channel(LIMIT);
        thread::Builder::new().name("scribe".to_owned()).spawn(move || write_all(&run, &receiver))?;
        Ok(Scribe(sender))
    }

    /// Never blocks; what a hanging disk does not take is lost, the fence itself is not.
    pub(super) fn note(&self, note: Note) {
        let _ = self.0.try_send(note);
    }
}

fn write_all(run: &Path, notes: &Receiver<Note>) {
    for note in notes {
        let written = match note {
            Note::Line(line) => {
                say(&line);
                Ok(())
            }
            Note::Close(fds) => {
                drop(fds);
                Ok(())
            }
            Note::Fenced(module, fenced) => write_marker(run, &module, &fenced),
            Note::Acknowledged(module) => match fs::remove_file(run.join(format!("{MARKER}{module}"))) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
                _ => sync_directory(run),
            },
        };
        if let Err(e) = written {
            say(&format!("cannot update the markers of fences in {}: {e}", run.display()));
        }
    }
}

/// One line on stderr, which is the journal; there is nobody to tell when even that fails.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "safeguard: {line}");
}

fn write_marker(run: &Path, module: &ModuleName, fenced: &Fenced) -> io::Result<()> {
    let new = run.join(format!(".{MARKER}{module}.new"));
    let mut file = File::create(&new)?;
    writeln!(file, "{} {} {}", fenced.at, fenced.renewed_at, fenced.echoed_at)?;
    file.sync_all()?;
    fs::rename(&new, run.join(format!("{MARKER}{module}")))?;
    sync_directory(run)
}

fn sync_directory(run: &Path) -> io::Result<()> {
    File::open(run)?.sync_all()
}

/// Fences that nobody has acknowledged yet. A marker that cannot be understood still is a fence.
pub(super) fn read_markers(run: &Path) -> io::Result<Vec<(ModuleName, Fenced)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(run)? {
        let name = entry?.file_name();
        let module = name.to_str().and_then(|name| name.strip_prefix(MARKER)).and_then(|m| m.parse().ok());
        let Some(module) = module else { continue };
        let text = fs::read_to_string(run.join(&name)).unwrap_or_default();
        let mut times = text.split_whitespace().map(|time| time.parse().unwrap_or(0));
        let mut time = || times.next().unwrap_or(0);
        found.push((module, Fenced { at: time(), renewed_at: time(), echoed_at: time(), complete: true }));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_come_back() {
        let run = tempfile::tempdir().unwrap();
        let module: ModuleName = "mirror.1".parse().unwrap();
        let fenced = Fenced { at: 3, renewed_at: 2, echoed_at: 1, complete: true };
        write_marker(run.path(), &module, &fenced).unwrap();
        fs::write(run.path().join("safeguard.lock"), "").unwrap();
        assert_eq!(read_markers(run.path()).unwrap(), [(module.clone(), fenced)]);
        fs::write(run.path().join("fenced.mirror.1"), "torn").unwrap();
        let unknown = Fenced { at: 0, renewed_at: 0, echoed_at: 0, complete: true };
        assert_eq!(read_markers(run.path()).unwrap(), [(module, unknown)]);
    }
}

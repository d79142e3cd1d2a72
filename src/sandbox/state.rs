//! What a sandbox remembers on disk: its shape, its unplugged cables, and the boot of each machine.

use super::error::{During, Result, SandboxError};
use super::users::Account;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Shape of a sandbox and the cables that are unplugged: `sandbox.json` in its directory.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State {
    /// Name, unique in its parent directory.
    pub name: String,
    /// How many nodes: `node1` to `node<nodes>`.
    pub nodes: u8,
    /// How many clients: `client`, `client2` to `client<clients>`.
    pub clients: u8,
    /// Names of the LANs; the first is 10.77.1.0/24, the second 10.77.2.0/24 and so on.
    pub lans: Vec<String>,
    /// Directories of which each node has a private copy.
    pub private: Vec<PathBuf>,
    /// Size in bytes of each node's lossy disk, if they have one.
    pub disk: Option<u64>,
    /// Whether the nodes run their programs ([`super::SERVICES`]).
    pub daemons: bool,
    /// Directory of the programs `safekit`, `safeadmin` and `safeguard`.
    pub programs: PathBuf,
    /// User and group of the web service on the nodes.
    pub account: Account,
    /// Password of `admin` in the web console.
    pub password: String,
    /// Cables that are cut.
    pub cuts: Vec<Cut>,
}

/// One cable that is cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// Name of the machine.
    pub machine: String,
    /// Position of the LAN in [`State::lans`].
    pub lan: usize,
    /// The machine sees it (no carrier); otherwise frames vanish silently in the switch.
    pub carrier: bool,
}

/// The present life of a machine: `boot.json` in its directory.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Boot {
    /// Its first process, as numbered outside of it.
    pub pid: i32,
    /// Start time of that process in clock ticks: with the pid it names one process for ever.
    pub started: u64,
    /// A random id of this boot, in the place of `/proc/sys/kernel/random/boot_id`.
    pub id: String,
}

impl Boot {
    /// Whether the machine still runs.
    pub fn alive(&self) -> bool {
        start_time(self.pid) == Some(self.started)
    }
}

/// Start time of a process in clock ticks; `None` once it is gone or a zombie.
pub(super) fn start_time(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command is in parentheses and may hold anything: the fields count from the last one.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

/// Reads a JSON file; `None` if it is not there.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let bytes = match fs::read(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.during(|| format!("read {}", path.display()))?,
    };
    serde_json::from_slice(&bytes).map(Some).during(|| format!("understand {}", path.display()))
}

/// Replaces a JSON file, for its owner only, in one step. A sandbox does not outlive the machine it is on, so
/// nothing is synced.
pub(super) fn write<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    let what = || format!("write {}", path.display());
    let next = path.with_extension("new");
    let text = serde_json::to_vec_pretty(value).during(what)?;
    let mut file =
        File::options().create(true).truncate(true).write(true).mode(0o600).open(&next).during(what)?;
    file.write_all(&text).during(what)?;
    fs::rename(&next, path).during(what)
}

/// Takes the lock of one sandbox: commands that change it run one after the other.
/// It lies beside the sandbox's directory, so that it can be held while that directory goes away.
pub(super) fn lock(dir: &Path) -> Result<File> {
    let path = dir.with_extension("lock");
    let what = || format!("lock {}", path.display());
    loop {
        fs::create_dir_all(dir.parent().unwrap_or(dir)).during(what)?;
        let file = match File::create(&path) {
            // Another sandbox went down, and the directory with it as it was empty.
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            other => other.during(what)?,
        };
        file.lock().during(what)?;
        if same_file(&file, &path) {
            return Ok(file);
        }
        // Whoever held it removed it (the sandbox went down): take the new one.
    }
}

fn same_file(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), fs::metadata(path)) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}

/// Refuses names that could not be a directory, a cgroup and a part of a command line.
pub(super) fn check_name(what: &'static str, name: &str) -> Result<()> {
    let good = (1..=48).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
    if good {
        return Ok(());
    }
    Err(SandboxError::Options(format!(
        "\"{name}\" is not a name for a {what}: use 1 to 48 letters, digits, _ and -, beginning with a letter or digit"
    )))
}

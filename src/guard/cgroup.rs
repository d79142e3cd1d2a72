//! The processes of one module as a group that can be killed and seen empty (S8, S9).
//!
//! A control group (version 2) where one can be written, else a mark in the environment that children
//! inherit. What a script starts through another service manager (`systemctl start x`) is a child of
//! that manager and lives in neither: a stop of such an application is up to the module's scripts.

use super::marked;
use crate::ids::ModuleName;
use crate::told::Tell;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{AccessFlags, Pid, access};
use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use std::{env, fs, io, thread};

/// Variable that names the directory for the modules' control groups; `none` forbids their use.
pub const BASE_VARIABLE: &str = "SAFEKIT_CGROUP";
/// How often a group that is being killed is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// What went wrong with the processes of a module.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} {}: {source}", path.display())]
pub struct GroupError {
    what: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl Tell for GroupError {
    fn french(&self) -> String {
        format!("échec sur les processus du module ({} {}) : {}", self.what, self.path.display(), self.source)
    }
}

impl GroupError {
    /// An error maker for `map_err`: what was tried, and on which file.
    pub(super) fn of(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> GroupError {
        let path = path.to_owned();
        move |source| GroupError { what, path, source }
    }
}

/// All processes that a module's scripts have started, however they were daemonised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppGroup {
    /// A control group of version 2: its directory.
    Cgroup(PathBuf),
    /// Processes that carry this value of `SAFEKIT_MARK`, and their children.
    Marked(String),
}

impl AppGroup {
    /// The group of `module`, created when it is missing. Opening it again finds what already runs in
    /// it, also from another process: `run` (SAFEVAR/run) keeps the mark where there is no cgroup.
    /// Without `SAFEKIT_CGROUP` the group is below the caller's own, so safeadmin has to be started in
    /// the same way each time: as its service.
    ///
    /// Fails if `SAFEKIT_CGROUP` names a directory in which no control group can be made.
    pub fn open(module: &ModuleName, run: &Path) -> Result<AppGroup, GroupError> {
        match env::var_os(BASE_VARIABLE) {
            Some(none) if none == "none" => AppGroup::by_mark(module, run),
            Some(base) => AppGroup::in_cgroup(Path::new(&base), module),
            None => match own_base().map(|base| AppGroup::in_cgroup(&base, module)) {
                Some(Ok(group)) => Ok(group),
                unusable => {
                    let why = unusable.and_then(Result::err).map(|e| e.to_string());
                    tracing::info!(%module, why, "no control group of version 2: processes are found by their mark");
                    AppGroup::by_mark(module, run)
                }
            },
        }
    }

    /// The control group `<base>/<module>`, created when it is missing.
    pub fn in_cgroup(base: &Path, module: &ModuleName) -> Result<AppGroup, GroupError> {
        let path = base.join(module.as_str());
        if !path.is_absolute() {
            let relative = io::Error::new(io::ErrorKind::InvalidInput, "the path must be absolute");
            return Err(GroupError::of("create control group", &path)(relative));
        }
        fs::create_dir_all(&path).map_err(GroupError::of("create control group", &path))?;
        let procs = path.join("cgroup.procs");
        access(&procs, AccessFlags::W_OK)
            .map_err(io::Error::from)
            .map_err(GroupError::of("write", &procs))?;
        Ok(AppGroup::Cgroup(path))
    }

    /// The group of those that carry the module's mark, which is kept in `run` (SAFEVAR/run).
    pub fn by_mark(module: &ModuleName, run: &Path) -> Result<AppGroup, GroupError> {
        marked::open(module, run).map(AppGroup::Marked)
    }

    /// Makes `command` start inside the group; call it after any `env_clear`. The start fails if the
    /// group cannot be entered: an application outside its group could not be fenced.
    pub fn enter(&self, command: &mut Command) -> Result<(), GroupError> {
        let procs = match self {
            AppGroup::Cgroup(path) => Some(c_path(&path.join("cgroup.procs"))?),
            AppGroup::Marked(mark) => {
                command.env(marked::VARIABLE, mark);
                None
            }
        };
        let join = move || {
            // Best effort: the unit protects safeadmin from the OOM killer, not what it starts.
            let _ = write_zero(c"/proc/self/oom_score_adj");
            procs.as_deref().map_or(Ok(()), write_zero)
        };
        // SAFETY: between fork and exec the closure calls only open, write and close, which are
        // async-signal-safe, and touches only memory prepared before the fork.
        unsafe { command.pre_exec(join) };
        Ok(())
    }

    /// Sends SIGKILL to all that is in the group now, once. Already empty or removed is no error.
    pub fn kill(&self) -> Result<(), GroupError> {
        match self {
            AppGroup::Cgroup(path) => kill_cgroup(path),
            AppGroup::Marked(mark) => marked::members(mark).map(|pids| pids.into_iter().for_each(kill_pid)),
        }
    }

    /// Whether no process of the group is left; a removed control group is empty.
    pub fn is_empty(&self) -> Result<bool, GroupError> {
        match self {
            AppGroup::Cgroup(path) => {
                let events = path.join("cgroup.events");
                let text =
                    gone_is_empty(fs::read_to_string(&events)).map_err(GroupError::of("read", &events))?;
                Ok(!text.lines().any(|line| line == "populated 1"))
            }
            AppGroup::Marked(mark) => marked::members(mark).map(|pids| pids.is_empty()),
        }
    }

    /// Kills until the group is seen empty (true) or `deadline` has passed (false). Blocks.
    pub fn kill_until_empty(&self, deadline: Instant) -> Result<bool, GroupError> {
        loop {
            self.kill()?;
            if self.is_empty()? {
                return Ok(true);
            }
            if Instant::now() >= deadline {
                return Ok(false);
            }
            thread::sleep(LOOK_AGAIN);
        }
    }

    /// Removes an empty control group and those that the application made below it.
    pub fn remove(&self) -> Result<(), GroupError> {
        match self {
            AppGroup::Cgroup(path) => remove_tree(path),
            AppGroup::Marked(_) => Ok(()),
        }
    }
}

/// `<own control group>/safekit`, where a delegated unit may make control groups.
fn own_base() -> Option<PathBuf> {
    let mount = cgroup2_mount(&fs::read_to_string("/proc/self/mounts").ok()?)?;
    let own = own_cgroup(&fs::read_to_string("/proc/self/cgroup").ok()?)?;
    Some(mount.join(own).join("safekit"))
}

/// Mount point of the first cgroup2 file system in the text of /proc/self/mounts.
fn cgroup2_mount(mounts: &str) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let point = fields.next()?;
        (fields.next()? == "cgroup2").then(|| PathBuf::from(point))
    })
}

/// Own version 2 control group, relative to the mount, in the text of /proc/self/cgroup; none when it
/// lies outside this cgroup namespace.
fn own_cgroup(text: &str) -> Option<PathBuf> {
    let path = text.lines().find_map(|line| line.strip_prefix("0::/"))?;
    (!path.split('/').any(|part| part == "..")).then(|| PathBuf::from(path))
}

fn c_path(path: &Path) -> Result<CString, GroupError> {
    CString::new(path.as_os_str().as_bytes()).map_err(io::Error::from).map_err(GroupError::of("open", path))
}

/// Writes "0" to a file, async-signal-safe; in `cgroup.procs` that means the writer itself.
fn write_zero(path: &CStr) -> io::Result<()> {
    // SAFETY: `path` ends with NUL and the buffer is valid; the descriptor is closed here only.
    unsafe {
        let fd = libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        let written = libc::write(fd, c"0".as_ptr().cast(), 1);
        let error = io::Error::last_os_error();
        libc::close(fd);
        if written == 1 { Ok(()) } else { Err(error) }
    }
}

fn kill_cgroup(path: &Path) -> Result<(), GroupError> {
    // Without create: on kernels before 5.14 the file is missing, and so it is in a removed group.
    let file = path.join("cgroup.kill");
    match fs::OpenOptions::new().write(true).open(&file).and_then(|mut f| io::Write::write_all(&mut f, b"1"))
    {
        Err(e) if e.kind() == io::ErrorKind::NotFound => kill_each(path),
        other => other.map_err(GroupError::of("write", &file)),
    }
}

/// Kills what `cgroup.procs` names here and in the groups below.
fn kill_each(path: &Path) -> Result<(), GroupError> {
    let procs = path.join("cgroup.procs");
    let text = gone_is_empty(fs::read_to_string(&procs)).map_err(GroupError::of("read", &procs))?;
    text.lines().filter_map(|line| line.parse().ok()).for_each(kill_pid);
    children(path)?.iter().try_for_each(|child| kill_each(child))
}

/// SIGKILL for one process. That it is gone already is what we want; other errors show up as a group
/// that does not get empty. 0 stands for a process of another namespace: kill(0) would mean ourselves.
fn kill_pid(pid: i32) {
    if pid > 0 {
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
}

fn remove_tree(path: &Path) -> Result<(), GroupError> {
    for child in children(path)? {
        remove_tree(&child)?;
    }
    match fs::remove_dir(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(GroupError::of("remove control group", path)),
    }
}

fn children(path: &Path) -> Result<Vec<PathBuf>, GroupError> {
    let entries = match fs::read_dir(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(GroupError::of("list", path))?,
    };
    Ok(entries.flatten().filter(|e| e.file_type().is_ok_and(|t| t.is_dir())).map(|e| e.path()).collect())
}

/// Text of a control file; that of a group that has been removed is empty.
fn gone_is_empty(text: io::Result<String>) -> io::Result<String> {
    match text {
        Err(e) if e.kind() == io::ErrorKind::NotFound || e.raw_os_error() == Some(libc::ENODEV) => {
            Ok(String::new())
        }
        other => other,
    }
}

#[cfg(test)]
#[path = "cgroup_tests.rs"]
mod tests;

//! Scripts that configuration commands call: config, deconfig, confcheck, level (ST-90, ST-99n).
//!
//! They run to their end, bounded, while the command waits. The scripts of state changes are run
//! by the module's actor.

use super::environment;
use super::record::{self, RecordError};
use super::tree;
use crate::config::paths::Paths;
use crate::ids::ModuleName;
use crate::told::Tell;
use crate::told::attempt::Attempt;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Time a script of a configuration command has.
pub const TIMEOUT: Duration = Duration::from_secs(60);
/// How often the end of a script is looked for.
const POLL: Duration = Duration::from_millis(10);
/// Most output of a command of the system that is read; one that says more is stopped by its pipe.
const LARGEST_OUTPUT: u64 = 1024 * 1024;
/// Bytes of output handed back, from its end; the userlog holds all of it.
const SHOWN: u64 = 16 * 1024;

/// Why a script has not done its work.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// The file may not be executed.
    #[error("{path}: not executable: run \"chmod +x\" on it or remove it", path = .0.display())]
    NotExecutable(PathBuf),
    /// The system could not start it or wait for it.
    #[error("{path}: cannot be run: {source}", path = path.display())]
    Run {
        /// The script.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// It ended with an error.
    #[error("script {name} failed ({status}): see {userlog}\n{output}", userlog = userlog.display())]
    Failed {
        /// Name of the script.
        name: String,
        /// How it ended.
        status: ExitStatus,
        /// File with all of its output.
        userlog: PathBuf,
        /// End of its output.
        output: String,
    },
    /// It did not end and was killed with its children.
    #[error("script {name} was killed after {} s: see {userlog}", after.as_secs(), userlog = userlog.display())]
    Timeout {
        /// Name of the script.
        name: String,
        /// Time it had.
        after: Duration,
        /// File with its output.
        userlog: PathBuf,
    },
    /// Its output cannot be stored.
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl Tell for ScriptError {
    fn french(&self) -> String {
        match self {
            ScriptError::NotExecutable(path) => {
                format!("{} : non exécutable : exécutez \"chmod +x\" dessus ou supprimez-le", path.display())
            }
            ScriptError::Run { path, source } => {
                format!("{} : impossible de l'exécuter : {source}", path.display())
            }
            ScriptError::Failed { name, status, userlog, output } => {
                let how = status.code().map_or(status.to_string(), |code| format!("code de retour {code}"));
                format!("échec du script {name} ({how}) : voir {}\n{output}", userlog.display())
            }
            ScriptError::Timeout { name, after, userlog } => {
                format!("le script {name} a été tué après {} s : voir {}", after.as_secs(), userlog.display())
            }
            ScriptError::Record(e) => e.french(),
        }
    }
}

/// Runs `dir`/`name` if it exists, with the environment of ST-93 and `vars`, and returns the end of
/// its output (`None`: no such script). The whole output is in SAFEUSERVAR/userlog_`name`.ulog.
pub fn run(
    paths: &Paths,
    module: &ModuleName,
    dir: &Path,
    name: &str,
    vars: &BTreeMap<String, String>,
    timeout: Duration,
) -> Result<Option<String>, ScriptError> {
    let path = dir.join(name);
    if !path.exists() {
        return Ok(None);
    }
    if !tree::is_executable(&path) {
        return Err(ScriptError::NotExecutable(path));
    }
    let userlog = paths.uservar(module).join(format!("userlog_{name}.ulog"));
    let mut log = open_userlog(&userlog, name)?;
    let failed = |source| ScriptError::Run { path: path.clone(), source };
    let output = log.try_clone().map_err(failed)?;
    let errors = log.try_clone().map_err(failed)?;
    let mut command = Command::new(&path);
    command.envs(environment::of_module(paths, module, vars)).current_dir(dir).process_group(0);
    command.stdin(Stdio::null()).stdout(output).stderr(errors);
    let mut child = command.spawn().map_err(failed)?;
    let status = wait(&mut child, timeout).map_err(failed)?;
    let name = name.to_owned();
    match status {
        None => Err(ScriptError::Timeout { name, after: timeout, userlog }),
        Some(status) => {
            let output = tail(&mut log).map_err(failed)?;
            if status.success() {
                Ok(Some(output))
            } else {
                Err(ScriptError::Failed { name, status, userlog, output })
            }
        }
    }
}

fn open_userlog(path: &Path, name: &str) -> Result<File, RecordError> {
    let dir = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(dir).map_err(record::io_error(Attempt::Create, dir))?;
    // Emptied at each run, so that commands repeated for years do not fill the disk.
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)
        .map_err(record::io_error(Attempt::Write, path))?;
    let now = jiff::Zoned::now().strftime("%Y-%m-%dT%H:%M:%S").to_string();
    writeln!(file, "----- {now} {name}").map_err(record::io_error(Attempt::Write, path))?;
    Ok(file)
}

/// Runs a command of the system to its end, at most for `timeout`: its standard output, or why it
/// failed.
pub(super) fn output(command: &mut Command, timeout: Duration) -> Result<String, String> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => "not installed".to_owned(),
        _ => e.to_string(),
    })?;
    // Both pipes are read meanwhile, so that a long output does not stop the command.
    let reader = |pipe: Option<Box<dyn Read + Send>>| {
        thread::spawn(move || {
            let mut bytes = Vec::new();
            // What could be read before an error is what there is to show.
            let _ = pipe.map(|pipe| pipe.take(LARGEST_OUTPUT).read_to_end(&mut bytes));
            String::from_utf8_lossy(&bytes).into_owned()
        })
    };
    let out = reader(child.stdout.take().map(|pipe| Box::new(pipe) as _));
    let err = reader(child.stderr.take().map(|pipe| Box::new(pipe) as _));
    let status = wait(&mut child, timeout).map_err(|e| e.to_string())?;
    let text = |thread: thread::JoinHandle<String>| thread.join().unwrap_or_default();
    match status {
        None => Err(format!("killed after {} s", timeout.as_secs())),
        Some(status) if status.success() => Ok(text(out)),
        Some(status) => Err(format!("{status}: {}", text(err).trim())),
    }
}

/// Waits for the child; `None` when its time was over and its process group was killed.
fn wait(child: &mut Child, timeout: Duration) -> io::Result<Option<ExitStatus>> {
    let end = Instant::now() + timeout;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= end {
            // The child is not reaped yet, so its number cannot belong to another process.
            killpg(Pid::from_raw(child.id() as i32), Signal::SIGKILL)?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(POLL);
    }
}

fn tail(log: &mut File) -> io::Result<String> {
    let length = log.seek(SeekFrom::End(0))?;
    log.seek(SeekFrom::Start(length.saturating_sub(SHOWN)))?;
    let mut bytes = Vec::new();
    log.take(SHOWN).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    // Without the header of the userlog, or without a line cut in two.
    Ok(text.split_once('\n').map_or("", |(_, rest)| rest).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    struct World {
        root: tempfile::TempDir,
        paths: Paths,
        am: ModuleName,
    }

    impl World {
        fn new() -> World {
            let root = tempfile::tempdir().unwrap();
            let paths = Paths::new(root.path().join("safe"), root.path().join("var"));
            World { root, paths, am: "mirror".parse().unwrap() }
        }

        fn run(&self, text: &str, mode: u32, timeout: Duration) -> Result<Option<String>, ScriptError> {
            let script = self.root.path().join("config");
            fs::write(&script, text).unwrap();
            fs::set_permissions(&script, fs::Permissions::from_mode(mode)).unwrap();
            let vars = BTreeMap::from([("SERVICES".to_owned(), "a b".to_owned())]);
            run(&self.paths, &self.am, self.root.path(), "config", &vars, timeout)
        }
    }

    #[test]
    fn a_script_sees_its_environment_and_its_output_comes_back() {
        let world = World::new();
        let text = "#!/bin/sh\necho \"$SAFEMODULE $SERVICES $SAFEUSERVAR\"; echo oops >&2\n";
        let output = world.run(text, 0o755, TIMEOUT).unwrap().unwrap();
        assert_eq!(output, format!("mirror a b {}\noops\n", world.paths.uservar(&world.am).display()));
        let log = fs::read_to_string(world.paths.uservar(&world.am).join("userlog_config.ulog")).unwrap();
        assert!(log.starts_with("----- 2") && log.contains(" config\nmirror a b"), "{log}");
    }

    #[test]
    fn a_missing_script_is_no_error_and_one_without_permission_is() {
        let world = World::new();
        let none = run(&world.paths, &world.am, world.root.path(), "level", &BTreeMap::new(), TIMEOUT);
        assert!(none.unwrap().is_none());
        let error = world.run("#!/bin/sh\n", 0o644, TIMEOUT).unwrap_err().to_string();
        assert!(error.contains("chmod +x"), "{error}");
    }

    #[test]
    fn a_command_of_the_system_is_bounded_and_may_say_much() {
        let shell = |text: &str, timeout| output(Command::new("sh").args(["-c", text]), timeout);
        let much = shell("head -c 300000 /dev/zero | tr '\\0' x", TIMEOUT).unwrap();
        assert_eq!(much.len(), 300_000);
        assert_eq!(shell("echo wrong >&2; exit 2", TIMEOUT).unwrap_err(), "exit status: 2: wrong");
        assert_eq!(shell("sleep 600", Duration::from_secs(1)).unwrap_err(), "killed after 1 s");
        assert_eq!(output(&mut Command::new("no-such-tool"), TIMEOUT).unwrap_err(), "not installed");
    }

    #[test]
    fn a_failing_script_says_why() {
        let world = World::new();
        let error =
            world.run("#!/bin/sh\necho no database\nexit 3\n", 0o755, TIMEOUT).unwrap_err().to_string();
        assert!(error.contains("exit status: 3") && error.contains("no database"), "{error}");
    }

    #[test]
    fn a_hanging_script_is_killed_with_its_children() {
        let world = World::new();
        let text = format!("#!/bin/sh\nsleep 600 & echo $! > {}/pid\nwait\n", world.root.path().display());
        let error = world.run(&text, 0o755, Duration::from_secs(1)).unwrap_err();
        assert!(matches!(error, ScriptError::Timeout { .. }), "{error}");
        let pid = fs::read_to_string(world.root.path().join("pid")).unwrap();
        // Gone, or a zombie until init reaps it; the signal acts when the system schedules it.
        let stat = format!("/proc/{}/stat", pid.trim());
        let dead = || {
            let text = fs::read_to_string(&stat).unwrap_or(") Z".into());
            text.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['Z', 'X']))
        };
        let deadline = Instant::now() + Duration::from_secs(20);
        while !dead() {
            assert!(Instant::now() < deadline, "the child of the script still runs");
            thread::yield_now();
        }
    }
}

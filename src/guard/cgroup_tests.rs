use super::*;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

/// Removes a control group of a test whatever happens.
struct Cleaned(AppGroup);

impl Drop for Cleaned {
    fn drop(&mut self) {
        let _ = self.0.kill_until_empty(soon());
        let _ = self.0.remove();
        if let AppGroup::Cgroup(path) = &self.0 {
            let _ = path.parent().map(fs::remove_dir);
        }
    }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

fn module(name: &str) -> ModuleName {
    format!("{name}-{}", std::process::id()).parse().unwrap()
}

/// A control group of its own, none where the test may not make one.
fn cgroup(name: &str) -> Option<Cleaned> {
    let base = cgroup2_mount(&fs::read_to_string("/proc/self/mounts").unwrap())?.join("safekit-tests");
    let made = AppGroup::in_cgroup(&base, &module(name));
    if made.is_err() && !nix::unistd::geteuid().is_root() {
        return None;
    }
    Some(Cleaned(made.expect("root can make a control group")))
}

/// Starts a daemon by the double fork of init scripts and returns its pid.
fn daemon(group: &AppGroup, dir: &Path) -> i32 {
    let script = dir.join("daemon.sh");
    fs::write(
        &script,
        "#!/bin/sh\nsetsid nohup sh -c 'echo $$ > pid.new; mv pid.new pid; exec sleep 1000' &\n",
    )
    .unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new("/bin/sh");
    command.arg(&script).current_dir(dir).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    group.enter(&mut command).unwrap();
    assert!(command.status().unwrap().success());
    let end = soon();
    loop {
        if let Ok(text) = fs::read_to_string(dir.join("pid")) {
            return text.trim().parse().unwrap();
        }
        assert!(Instant::now() < end, "the daemon did not start");
        thread::yield_now();
    }
}

fn running(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

fn a_daemon_is_found_and_killed(group: &AppGroup) {
    let dir = tempfile::tempdir().unwrap();
    assert!(group.is_empty().unwrap());
    let pid = daemon(group, dir.path());
    assert!(running(pid));
    assert!(!group.is_empty().unwrap());
    assert!(group.kill_until_empty(soon()).unwrap());
    assert!(!running(pid));
    assert!(group.is_empty().unwrap());
    group.kill().unwrap();
}

#[test]
fn daemon_in_a_cgroup() {
    let Some(group) = cgroup("daemon") else { return };
    a_daemon_is_found_and_killed(&group.0);
    group.0.remove().unwrap();
    assert!(group.0.is_empty().unwrap(), "a removed group is empty");
    group.0.remove().unwrap();
}

#[test]
fn daemon_by_its_mark() {
    let run = tempfile::tempdir().unwrap();
    a_daemon_is_found_and_killed(&AppGroup::by_mark(&module("daemon"), run.path()).unwrap());
}

/// Starts `script` as the leader of a session, in a group by mark; it starts "$BARE" without a mark.
fn a_bare_process_is_found(script: &str) {
    let run = tempfile::tempdir().unwrap();
    let group = AppGroup::by_mark(&module("bare"), run.path()).unwrap();
    let mut command = Command::new("/usr/bin/setsid");
    command.args(["--wait", "sh", "-c", script]).current_dir(run.path());
    command.env("BARE", "echo $$ > pid.new; mv pid.new pid; exec sleep 1000");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    group.enter(&mut command).unwrap();
    let mut child = command.spawn().unwrap();
    let end = soon();
    let pid = loop {
        if let Ok(text) = fs::read_to_string(run.path().join("pid")) {
            break text.trim().parse().unwrap();
        }
        assert!(Instant::now() < end, "the bare process did not start");
        thread::yield_now();
    };
    let AppGroup::Marked(mark) = &group else { unreachable!("made so above") };
    // Not while the marked process is just becoming another program: it has no environment then.
    let found = loop {
        let found = marked::members(mark).unwrap().contains(&pid);
        if found || Instant::now() >= end {
            break found;
        }
        thread::yield_now();
    };
    kill_pid(pid);
    assert!(group.kill_until_empty(soon()).unwrap());
    child.wait().unwrap();
    assert!(found);
}

#[test]
fn a_process_without_environment_is_found_by_its_parent() {
    a_bare_process_is_found("env -i setsid sh -c \"$BARE\" & wait");
}

#[test]
fn an_orphan_without_environment_is_found_by_its_session() {
    a_bare_process_is_found("(env -i sh -c \"$BARE\" &); exec sleep 1000");
}

#[test]
fn groups_below_are_killed_and_removed() {
    let Some(group) = cgroup("nested") else { return };
    let AppGroup::Cgroup(path) = &group.0 else { unreachable!("made so above") };
    let below = AppGroup::in_cgroup(path, &"below".parse().unwrap()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let pid = daemon(&below, dir.path());
    assert!(!group.0.is_empty().unwrap());
    assert!(group.0.remove().is_err(), "it is busy");
    // As on kernels without cgroup.kill.
    kill_each(path).unwrap();
    let end = soon();
    while !group.0.is_empty().unwrap() {
        assert!(Instant::now() < end, "the group below was not killed");
        thread::yield_now();
    }
    assert!(!running(pid));
    group.0.remove().unwrap();
    assert!(!path.exists());
}

#[test]
fn a_group_that_cannot_be_entered_starts_nothing() {
    let mut command = Command::new("/bin/true");
    AppGroup::Cgroup("/nonexistent/group".into()).enter(&mut command).unwrap();
    assert!(command.status().is_err());
}

#[test]
fn a_base_must_be_an_absolute_path_of_control_groups() {
    let relative = AppGroup::in_cgroup(Path::new("here"), &module("m")).unwrap_err().to_string();
    assert!(relative.ends_with("the path must be absolute"), "{relative}");
    let dir = tempfile::tempdir().unwrap();
    let ordinary = AppGroup::in_cgroup(dir.path(), &module("m")).unwrap_err().to_string();
    assert!(ordinary.starts_with("cannot write ") && ordinary.contains("cgroup.procs"), "{ordinary}");
}

#[test]
fn mounts_and_own_group() {
    let hybrid = "tmpfs /sys/fs/cgroup tmpfs rw 0 0\ncgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n\
                  cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0\n";
    assert_eq!(cgroup2_mount(hybrid), Some("/sys/fs/cgroup/unified".into()));
    assert_eq!(cgroup2_mount("cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n"), None);
    assert_eq!(
        own_cgroup("1:cpu:/\n0::/system.slice/safekit.service\n"),
        Some("system.slice/safekit.service".into())
    );
    assert_eq!(own_cgroup("0::/\n"), Some("".into()));
    assert_eq!(own_cgroup("0::/../other\n"), None);
    assert_eq!(own_cgroup("1:cpu:/\n"), None);
}

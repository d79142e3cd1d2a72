use super::{command, eventually, options};
use safekit::sandbox::{DEFAULT_DIR, Options, Sandbox};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// Processes of a sandbox's machines, its cgroup and its directory: what there is of it.
fn remains(name: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("read /proc").flatten() {
        let cmdline = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let text = String::from_utf8_lossy(&cmdline).replace('\0', " ");
        if text.contains("sandbox __") && text.contains(name) {
            found.push(text);
        }
    }
    let mounts = fs::read_to_string("/proc/mounts").expect("read the mounts");
    found.extend(mounts.lines().filter(|line| line.contains(name)).map(str::to_owned));
    let cgroup = mounts.lines().filter(|line| line.split(' ').nth(2) == Some("cgroup2"));
    let cgroup = cgroup
        .filter_map(|line| line.split(' ').nth(1))
        .map(|at| PathBuf::from(at).join(format!("safekit-sandbox-{name}")));
    let dir = Path::new(DEFAULT_DIR);
    let paths = cgroup.chain([dir.join(name), dir.join(name).with_extension("lock")]);
    let files = fs::read_dir("/sys/block").into_iter().flatten().flatten();
    let files = files.filter_map(|device| fs::read_to_string(device.path().join("loop/backing_file")).ok());
    found.extend(files.filter(|file| file.contains(name)));
    found.extend(paths.filter(|path| path.exists()).map(|path| path.display().to_string()));
    found
}

#[test]
fn down_leaves_nothing_and_may_be_repeated() {
    let options = options("nothing");
    Sandbox::up(&options).expect("bring it up");
    assert!(remains(&options.name).len() > 3);
    assert!(Sandbox::up(&options).is_err(), "it is up already");
    assert!(remains(&options.name).len() > 3, "a refused up must not harm the one that is there");
    for _ in 0..2 {
        let down = command(&options.name, &["down"]).status().expect("run it");
        assert!(down.success());
        assert_eq!(remains(&options.name), [""; 0]);
    }
}

#[test]
fn down_cleans_up_after_an_aborted_up() {
    let options = options("aborted");
    let dir = options.dir.join(&options.name);
    for reached in ["sandbox.json", "switch/init.sock", "node1/boot.json", "node2/init.sock"] {
        let mut up = command(&options.name, &["up", "--no-daemons"]);
        let mut up = up.stdout(Stdio::null()).spawn().expect("start it");
        eventually(reached, || dir.join(reached).exists());
        up.kill().expect("kill it");
        up.wait().expect("wait for it");
        Sandbox::down(&options.dir, &options.name).expect("take it down");
        assert_eq!(remains(&options.name), [""; 0], "killed when {reached} was there");
    }
}

#[test]
fn down_leaves_nothing_of_lossy_disks_whatever_was_killed() {
    let options = Options { disk: Some(32 << 20), ..options("lossyleft") };
    let name = &options.name;
    let dir = options.dir.join(name);
    let killed = |files: &[&str]| {
        for file in files {
            let text = fs::read_to_string(dir.join(file)).expect("it was made");
            let pid = serde_json::from_str::<serde_json::Value>(&text).expect("it is JSON")["pid"].as_i64();
            let pid = i32::try_from(pid.expect("a pid")).expect("a pid");
            let pid = nix::unistd::Pid::from_raw(pid);
            nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).expect("kill it");
        }
    };
    for victims in
        [&[][..], &["node1/disk.json"], &["node1/boot.json"], &["node2/disk.json", "node2/boot.json"]]
    {
        Sandbox::up(&options).expect("bring it up");
        assert_eq!(
            remains(name).iter().filter(|what| what.contains("media/disk")).count(),
            2,
            "loop devices"
        );
        killed(victims);
        Sandbox::down(&options.dir, name).expect("take it down");
        assert_eq!(remains(name), [""; 0], "killed: {victims:?}");
    }
}

#[test]
fn down_needs_no_memory_of_the_sandbox() {
    let options = options("amnesia");
    Sandbox::up(&options).expect("bring it up");
    fs::remove_dir_all(options.dir.join(&options.name)).expect("forget it");
    Sandbox::down(&options.dir, &options.name).expect("take it down");
    assert_eq!(remains(&options.name), [""; 0]);
}

#[test]
fn what_cannot_work_is_refused_before_anything_is_made() {
    let good = options("refused");
    let mut bad = vec![good.clone(); 7];
    bad[0].name = "../x".into();
    bad[1].lans = vec!["a".into(), "a".into()];
    bad[2].nodes = 0;
    bad[3].private = vec!["/no/such/directory".into()];
    bad[4].daemons = true;
    bad[4].programs = "/nowhere".into();
    bad[5].dir = "relative".into();
    bad[6].disk = Some(4096);
    for options in bad {
        assert!(Sandbox::up(&options).is_err(), "{options:?}");
    }
    assert_eq!(remains(&good.name), [""; 0]);
}

#[test]
fn sandboxes_come_and_go_side_by_side() {
    // The last one out takes the common directory with it, under the feet of the next one in.
    let top = tempfile::tempdir().expect("a directory");
    let dir = top.path().join("all");
    std::thread::scope(|scope| {
        for number in 0..3 {
            let options =
                Options { name: format!("side{number}"), dir: dir.clone(), nodes: 1, ..options("side") };
            scope.spawn(move || {
                for _ in 0..3 {
                    Sandbox::up(&options).expect("up");
                    Sandbox::down(&options.dir, &options.name).expect("down");
                }
            });
        }
    });
    assert!(!dir.exists());
}

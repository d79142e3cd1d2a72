use super::*;
use crate::node::modules;
use crate::node::testing::{Node, name, userconfig};
use std::cell::Cell;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

thread_local! {
    /// Crash points that are still passed; none: no crash.
    static LEFT: Cell<Option<u32>> = const { Cell::new(None) };
}

/// Ends the work at the chosen point as a loss of power would.
pub(super) fn crash_point() -> io::Result<()> {
    match LEFT.get() {
        Some(0) => Err(io::Error::other("the power failed")),
        left => {
            LEFT.set(left.map(|n| n - 1));
            Ok(())
        }
    }
}

/// Does `work` again and again, each time with the power failing one step later, until it comes to its
/// end; `each` looks at what every failure left.
fn crash_everywhere(mut work: impl FnMut() -> Result<(), ReplicatedError>, mut each: impl FnMut(u32)) -> u32 {
    for n in 0.. {
        LEFT.set(Some(n));
        let done = work();
        LEFT.set(None);
        match done {
            Ok(()) => return n,
            Err(ReplicatedError::Io(_, e)) if e.to_string() == "the power failed" => each(n),
            Err(other) => panic!("point {n}: {other}"),
        }
    }
    0
}

struct Disk {
    node: Node,
    am: ModuleName,
    d: Directory,
}

impl Disk {
    fn new() -> Disk {
        let (node, am) = (Node::new(), name("mirror"));
        let archive = node.archive(&userconfig("", 30_000));
        modules::install(&node.paths, &am, None, false, &archive, &[]).unwrap();
        let d = directory(&node, "dir");
        fs::create_dir_all(&d.dir).unwrap();
        fs::write(d.dir.join("file"), "data").unwrap();
        Disk { node, am, d }
    }

    fn wanted(&self) -> Vec<Directory> {
        vec![self.d.clone()]
    }

    fn configure(&self) -> Result<(), ReplicatedError> {
        configure(&self.node.paths, &self.am, &self.wanted())
    }

    fn settle(&self, wanted: &[Directory]) -> Result<Vec<PathBuf>, ReplicatedError> {
        settle(&self.node.paths, &self.am, wanted)
    }

    /// Names in the parent directory.
    fn names(&self) -> Vec<String> {
        self.node.names(self.d.dir.parent().unwrap())
    }

    fn is_linked(&self) {
        assert_eq!(fs::read_link(&self.d.dir).unwrap(), Path::new("dir_S"), "{:?}", self.names());
        assert_eq!(fs::read_to_string(self.d.dir.join("file")).unwrap(), "data");
        assert_eq!(self.names(), ["dir", "dir_S"]);
        assert_eq!(held(&self.node.paths, &self.am).unwrap(), self.wanted());
    }

    fn is_original(&self) {
        assert!(fs::symlink_metadata(&self.d.dir).unwrap().is_dir());
        assert_eq!(fs::read_to_string(self.d.dir.join("file")).unwrap(), "data");
        assert_eq!(self.names(), ["dir"]);
        assert_eq!(held(&self.node.paths, &self.am).unwrap(), []);
    }

    /// The data has at least one of its names at every moment.
    fn has_its_data(&self) {
        let at = [self.d.dir.join("file"), self.d.backing().join("file")];
        assert!(at.iter().any(|f| fs::read_to_string(f).is_ok_and(|t| t == "data")), "{:?}", self.names());
    }
}

fn directory(node: &Node, dir: &str) -> Directory {
    Directory { dir: node.root.path().join("a").join(dir), suffix: "_S".into() }
}

#[test]
fn r_13_6a_a_directory_is_taken_and_given_back() {
    let disk = Disk::new();
    for _ in 0..2 {
        disk.configure().unwrap();
        disk.is_linked();
        assert!(disk.settle(&disk.wanted()).unwrap().is_empty());
    }
    for _ in 0..2 {
        assert!(disk.settle(&[]).unwrap().is_empty());
        disk.is_original();
    }
}

#[test]
fn a_power_failure_while_configuring_is_finished_or_undone() {
    for finish in [true, false] {
        for n in 0..20 {
            let disk = Disk::new();
            LEFT.set(Some(n));
            let done = disk.configure();
            LEFT.set(None);
            disk.has_its_data();
            if done.is_ok() {
                assert!(n > 4, "only {n} points");
                break;
            }
            if finish {
                disk.configure().unwrap();
                disk.is_linked();
            } else {
                disk.settle(&[]).unwrap();
                disk.is_original();
            }
        }
    }
}

#[test]
fn a_power_failure_while_giving_back_is_finished_or_undone() {
    let disk = Disk::new();
    disk.configure().unwrap();
    let points = crash_everywhere(|| disk.settle(&[]).map(drop), |_| disk.has_its_data());
    assert!(points > 0);
    disk.is_original();
    for n in 0..4 {
        let disk = Disk::new();
        disk.configure().unwrap();
        LEFT.set(Some(n));
        disk.settle(&[]).unwrap_err();
        LEFT.set(None);
        disk.configure().unwrap();
        disk.is_linked();
    }
}

#[test]
fn a_mount_point_is_bare_and_closed_to_everybody() {
    let disk = Disk::new();
    disk.configure().unwrap();
    for _ in 0..2 {
        let point = prepare_mount(&disk.d).unwrap();
        assert_eq!(disk.names(), ["dir", "dir_S"]);
        let meta = fs::symlink_metadata(&disk.d.dir).unwrap();
        assert!(meta.is_dir());
        assert_eq!(meta.permissions().mode() & 0o7777, 0);
        let seen = fs::read_link(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&point)));
        assert_eq!(seen.unwrap(), disk.d.dir);
        let flags = rustix::fs::ioctl_getflags(fs::File::open(&disk.d.dir).unwrap());
        // Where the file system can protect it, root cannot write there either.
        if flags.is_ok_and(|f| f.contains(rustix::fs::IFlags::IMMUTABLE)) {
            fs::write(disk.d.dir.join("stray"), "").unwrap_err();
        }
    }
    assert!(after_unmount(&disk.d).unwrap());
    assert!(!after_unmount(&disk.d).unwrap());
    disk.is_linked();
}

#[test]
fn a_power_failure_around_a_mount_is_put_right() {
    let each = |disk: &Disk| {
        disk.has_its_data();
        // As the next start of safeadmin does.
        disk.settle(&disk.wanted()).unwrap();
        disk.is_linked();
    };
    let disk = Disk::new();
    disk.configure().unwrap();
    let points = crash_everywhere(|| prepare_mount(&disk.d).map(drop), |_| each(&disk));
    assert!(points > 3, "only {points} points");
    let points = crash_everywhere(
        || {
            prepare_without_crash(&disk.d);
            after_unmount(&disk.d).map(drop)
        },
        |_| each(&disk),
    );
    assert!(points > 3, "only {points} points");
    disk.is_linked();
}

fn prepare_without_crash(d: &Directory) {
    let left = LEFT.take();
    drop(prepare_mount(d).unwrap());
    LEFT.set(left);
}

/// RFS-11.
#[test]
fn lost_links_are_restored_and_told() {
    let disk = Disk::new();
    disk.configure().unwrap();
    assert!(restore_links(&disk.wanted()).unwrap().is_empty());
    drop(prepare_mount(&disk.d).unwrap());
    assert_eq!(restore_links(&disk.wanted()).unwrap(), std::slice::from_ref(&disk.d.dir));
    disk.is_linked();
    fs::remove_file(&disk.d.dir).unwrap();
    assert_eq!(disk.settle(&disk.wanted()).unwrap(), std::slice::from_ref(&disk.d.dir));
    disk.is_linked();
    // An operator who made the directory by hand has done no harm.
    fs::remove_file(&disk.d.dir).unwrap();
    fs::create_dir(&disk.d.dir).unwrap();
    assert_eq!(restore_links(&disk.wanted()).unwrap(), std::slice::from_ref(&disk.d.dir));
    disk.is_linked();
    // But what he wrote into it is not thrown away.
    fs::remove_file(&disk.d.dir).unwrap();
    fs::create_dir(&disk.d.dir).unwrap();
    fs::write(disk.d.dir.join("new"), "").unwrap();
    assert!(matches!(restore_links(&disk.wanted()), Err(ReplicatedError::Both(..))));
    assert!(matches!(disk.settle(&[]), Err(ReplicatedError::Both(..))));
    assert_eq!(held(&disk.node.paths, &disk.am).unwrap(), disk.wanted());
}

#[test]
fn what_is_no_directory_of_its_own_is_refused() {
    let disk = Disk::new();
    let refused = |d: &Directory| {
        let error = configure(&disk.node.paths, &disk.am, std::slice::from_ref(d)).unwrap_err();
        assert_eq!(held(&disk.node.paths, &disk.am).unwrap(), []);
        error
    };
    let missing = directory(&disk.node, "missing");
    assert!(refused(&missing).to_string().contains("make it on both nodes"));
    assert!(matches!(refused(&directory(&disk.node, "no/parent")), ReplicatedError::Missing(_)));
    fs::write(&missing.dir, "").unwrap();
    assert!(matches!(refused(&missing), ReplicatedError::NotDirectory(_)));
    fs::create_dir(disk.d.backing()).unwrap();
    assert!(matches!(refused(&disk.d), ReplicatedError::Both(..)));
    let own = Directory { dir: disk.node.paths.safevar.clone(), suffix: "_S".into() };
    assert!(matches!(refused(&own), ReplicatedError::Own(..)));
    // RFS-13, without mounting anything here.
    let root = Directory { dir: "/proc".into(), suffix: "_S".into() };
    assert!(refused(&root).to_string().starts_with("Device or resource busy\n/proc is the root"));
}

/// Whoever may write in the parent cannot lead us elsewhere.
#[test]
fn links_are_not_followed() {
    let disk = Disk::new();
    let (victim, parent) = (disk.node.root.path().join("victim"), disk.d.dir.parent().unwrap().to_owned());
    fs::create_dir(&victim).unwrap();
    fs::write(victim.join("secret"), "").unwrap();
    let untouched = || assert_eq!(disk.node.names(&victim), ["secret"]);
    symlink(&victim, parent.join("evil")).unwrap();
    let evil = directory(&disk.node, "evil");
    let error = configure(&disk.node.paths, &disk.am, &[evil]).unwrap_err();
    assert!(matches!(error, ReplicatedError::Link(..)), "{error}");
    // In the place of the data.
    symlink(&victim, disk.d.backing()).unwrap();
    assert!(matches!(disk.configure(), Err(ReplicatedError::Both(..))));
    fs::remove_file(disk.d.backing()).unwrap();
    disk.configure().unwrap();
    // In the place of the mount point that is prepared.
    let aside = parent.join(".dir.safekit_mount");
    symlink(&victim, &aside).unwrap();
    assert!(matches!(prepare_mount(&disk.d), Err(ReplicatedError::Aside(p)) if p == aside));
    fs::remove_file(&aside).unwrap();
    // In the place of the link.
    fs::remove_file(&disk.d.dir).unwrap();
    symlink(&victim, &disk.d.dir).unwrap();
    assert!(matches!(prepare_mount(&disk.d), Err(ReplicatedError::Link(..))));
    assert!(matches!(disk.settle(&[]), Err(ReplicatedError::Link(..))));
    untouched();
}

#[test]
fn a_directory_belongs_to_one_module() {
    let disk = Disk::new();
    let other = name("other");
    let archive = disk.node.archive(&userconfig("", 30_000));
    modules::install(&disk.node.paths, &other, None, false, &archive, &[]).unwrap();
    disk.configure().unwrap();
    let below = Directory { dir: disk.d.backing().join("sub"), suffix: "_S".into() };
    fs::create_dir(&below.dir).unwrap();
    symlink(disk.d.dir.parent().unwrap(), disk.node.root.path().join("alias")).unwrap();
    let alias = Directory { dir: disk.node.root.path().join("alias/dir"), suffix: "_S".into() };
    for clash in [disk.d.clone(), below, alias] {
        let error = check(&disk.node.paths, &other, std::slice::from_ref(&clash)).unwrap_err();
        assert!(matches!(error, ReplicatedError::Shared { .. }), "{clash:?}: {error}");
    }
    let beside = directory(&disk.node, "dir2");
    fs::create_dir(&beside.dir).unwrap();
    check(&disk.node.paths, &other, &[beside]).unwrap();
    disk.settle(&[]).unwrap();
    check(&disk.node.paths, &other, &disk.wanted()).unwrap();
}

/// RFS-15.
#[test]
fn what_must_be_there_is_named() {
    let disk = Disk::new();
    disk.configure().unwrap();
    fs::create_dir(disk.d.dir.join("sub")).unwrap();
    check_tocheck(&disk.d, &["file".into(), "sub".into()]).unwrap();
    let error = check_tocheck(&disk.d, &["file".into(), "sub/mark".into()]).unwrap_err().to_string();
    assert!(error.contains("dir_S/sub/mark is missing"), "{error}");
    assert!(check_tocheck(&disk.d, &["file/mark".into()]).is_err());
}

//! A mount that outlives its process: another one goes on with it, and no program sees an error.

use crate::kept::{Kept, Sender, packets, receive};
use crate::support::{LONG, Recorder, c, private_mounts, spawn};
use nix::sys::socket::UnixAddr;
use rustix::fd::OwnedFd;
use safekit::rfs::journal::Local;
use safekit::rfs::ledger::Ledger;
use safekit::rfs::volume::{Exclude, Keeper, Left, Outlive, Volume, VolumeOptions};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// Name of what the kernel knows.
const NODES: &str = "nodes.";
/// Set for the process that is killed: backing directory, mount point, socket to give descriptors to.
const DOOMED: &str = "SAFEKIT_TEST_DOOMED";

/// Not a test: the process that serves the mount until it is killed. With the word `mute` it answers
/// nothing that changes something: it does it, and keeps the answer.
#[test]
#[ignore = "started by the other tests"]
fn doomed() {
    let Ok(text) = std::env::var(DOOMED) else { return };
    let parts: Vec<&str> = text.split(':').collect();
    let socket = packets();
    nix::sys::socket::connect(socket.as_raw_fd(), &UnixAddr::new(parts[2]).unwrap()).unwrap();
    let keeper = Arc::new(Sender(Mutex::new(socket)));
    let left = keeper.take(NODES).zip(keeper.take("fuse."));
    let (nodes, fuse) = left.unzip();
    let ledger = Arc::new(nodes.map_or_else(|| Ledger::create().unwrap(), |n| Ledger::adopt(n).unwrap()));
    let outlive = Outlive { ledger: ledger.clone(), keeper: keeper.clone() };
    let journal = Arc::new(Recorder::default());
    if parts[3] == "mute" {
        journal.attach(1);
    }
    let options = VolumeOptions { acl: false, threads: 2 };
    let (backing, mnt) = (Path::new(parts[0]), Path::new(parts[1]));
    let (mine, none) = (journal.clone(), Exclude::default());
    let volume = match fuse {
        Some(fd) => {
            let left = Left { fd, outlive, primary: true };
            Volume::resume(backing, mnt, left, mine, none, options).unwrap()
        }
        None => {
            let volume = Volume::mount(backing, mnt, None, mine, none, options, Some(outlive)).unwrap();
            volume.primary(true);
            volume
        }
    };
    if parts[3] == "mute" {
        journal.acknowledge_by_hand();
    }
    let fuse = volume.descriptor().unwrap();
    keeper.give("fuse.", std::os::fd::AsFd::as_fd(&fuse));
    ledger.with_descriptor(|fd| keeper.give(NODES, fd));
    keeper.give("ready.", std::os::fd::AsFd::as_fd(&fuse));
    loop {
        std::thread::park();
    }
}

/// A mount whose process can be killed.
struct Mount {
    dir: tempfile::TempDir,
    kept: Arc<Kept>,
    child: Option<Child>,
    volume: Option<Arc<Volume<Local>>>,
}

fn until(what: impl Fn() -> String, mut seen: impl FnMut() -> bool) {
    let end = Instant::now() + LONG;
    while !seen() {
        assert!(Instant::now() < end, "{}", what());
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

impl Mount {
    fn new(how: &str) -> Mount {
        private_mounts();
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        for name in ["back", "mnt"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        let mut mount = Mount { dir, kept: Arc::default(), child: None, volume: None };
        mount.start(how);
        mount
    }

    /// Starts a process that serves the mount, from the beginning or from where another was killed.
    fn start(&mut self, how: &str) {
        let mount = self;
        let path = mount.dir.path().join("socket");
        let _ = fs::remove_file(&path);
        let door = packets();
        nix::sys::socket::bind(door.as_raw_fd(), &UnixAddr::new(&path).unwrap()).unwrap();
        nix::sys::socket::listen(&door, nix::sys::socket::Backlog::new(1).unwrap()).unwrap();
        let setup =
            format!("{}:{}:{}:{how}", mount.backing().display(), mount.at("").display(), path.display());
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["resume::doomed", "--exact", "--ignored", "--nocapture"])
            .env(DOOMED, setup)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        mount.child = Some(child.unwrap());
        let socket = nix::sys::socket::accept(door.as_raw_fd()).unwrap();
        // SAFETY: accept has just made it, and nobody else has it.
        let socket = unsafe { OwnedFd::from_raw_fd(socket) };
        let kept = Arc::clone(&mount.kept);
        spawn(move || receive(&socket, &kept));
        until(|| "it is not mounted".to_owned(), || mount.kept.take("ready.").is_some());
        mount.kept.forget("ready.");
    }

    fn backing(&self) -> PathBuf {
        self.dir.path().join("back")
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join("mnt").join(path)
    }

    fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// No file without a name is kept once nobody has one open.
    fn nothing_is_kept(&self) {
        let nodes = || -> Vec<String> {
            let kept = self.kept.0.lock().unwrap();
            kept.keys().filter(|n| n.starts_with("node") && *n != NODES).cloned().collect()
        };
        until(|| format!("kept though nobody needs it: {:?}", nodes()), || nodes().is_empty());
    }

    fn resume(&mut self) {
        let ledger = Arc::new(Ledger::adopt(self.kept.take(NODES).unwrap()).unwrap());
        let keeper: Arc<dyn Keeper> = self.kept.clone();
        let left =
            Left { fd: self.kept.take("fuse.").unwrap(), outlive: Outlive { ledger, keeper }, primary: true };
        let options = VolumeOptions { acl: false, threads: 2 };
        let (backing, mnt) = (self.backing(), self.dir.path().join("mnt"));
        let volume = Volume::resume(&backing, &mnt, left, Arc::new(Local), Exclude::default(), options);
        self.volume = Some(volume.unwrap());
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        // Also of a failed test: what waits there must not wait for ever.
        match self.volume.take() {
            Some(volume) => volume.unmount(),
            None => {
                let flags = rustix::mount::UnmountFlags::FORCE | rustix::mount::UnmountFlags::DETACH;
                let _ = rustix::mount::unmount(self.at(""), flags);
            }
        }
    }
}

#[test]
fn what_was_open_stays_open_and_keeps_its_numbers() {
    let mut m = Mount::new("");
    fs::create_dir_all(m.at("a/b")).unwrap();
    let mut file = OpenOptions::new().create_new(true).read(true).write(true).open(m.at("a/b/file")).unwrap();
    file.write_all(b"before").unwrap();
    let mut gone = OpenOptions::new().create_new(true).read(true).write(true).open(m.at("gone")).unwrap();
    gone.write_all(b"no name").unwrap();
    fs::remove_file(m.at("gone")).unwrap();
    let mut over = OpenOptions::new().create_new(true).read(true).write(true).open(m.at("over")).unwrap();
    over.write_all(b"covered").unwrap();
    File::create(m.at("new")).unwrap();
    fs::rename(m.at("new"), m.at("over")).unwrap();
    let mut unnamed =
        OpenOptions::new().read(true).write(true).custom_flags(libc::O_TMPFILE).open(m.at("a")).unwrap();
    unnamed.write_all(b"never had one").unwrap();
    for n in 0..300 {
        fs::write(m.at(&format!("a/n{n}")), n.to_string()).unwrap();
    }
    let dir = rustix::fs::open(m.at("a"), rustix::fs::OFlags::DIRECTORY, rustix::fs::Mode::empty()).unwrap();
    let mut listed = rustix::fs::Dir::new(dir).unwrap();
    let mut names: Vec<_> = listed.by_ref().take(10).map(|e| e.unwrap().file_name().to_owned()).collect();
    let inode = file.metadata().unwrap().ino();
    m.kill();

    // Who asks now waits for the next process.
    let path = m.at("a/b/file");
    let asking = spawn(move || fs::read(path).unwrap());
    let writing = {
        let path = m.at("a/b/other");
        spawn(move || fs::write(path, "made meanwhile").unwrap())
    };
    m.resume();
    assert_eq!(asking.join().unwrap(), b"before");
    writing.join().unwrap();
    assert_eq!(fs::read(m.at("a/b/other")).unwrap(), b"made meanwhile");
    file.write_all(b" and after").unwrap();
    file.sync_all().unwrap();
    assert_eq!(fs::read(m.backing().join("a/b/file")).unwrap(), b"before and after");
    assert_eq!(file.metadata().unwrap().ino(), inode);
    for (file, text) in [(&mut gone, "no name"), (&mut over, "covered"), (&mut unnamed, "never had one")] {
        file.write_all(b"!").unwrap();
        file.seek(SeekFrom::Start(0)).unwrap();
        let mut found = String::new();
        file.read_to_string(&mut found).unwrap();
        assert_eq!(found, format!("{text}!"));
    }
    names.extend(listed.map(|e| e.unwrap().file_name().to_owned()));
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 303, "each entry of an open directory");
    fs::rename(m.at("a/b"), m.at("c")).unwrap();
    assert_eq!(fs::read(m.at("c/file")).unwrap(), b"before and after");
    fs::remove_dir_all(m.at("a")).unwrap();
    drop((gone, over, unnamed));
    m.nothing_is_kept();
}

/// The last close of a directory may come while it is removed: who is just giving it forgets it all the
/// same.
#[test]
fn what_is_closed_while_it_goes_is_not_kept() {
    let mut m = Mount::new("");
    m.kill();
    m.resume();
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let m = &m;
            scope.spawn(move || {
                let path = m.at(&format!("d{worker}"));
                for _ in 0..1500 {
                    fs::create_dir(&path).unwrap();
                    // The kernel tells of it later, from then on in parallel.
                    drop(File::open(&path).unwrap());
                    fs::remove_dir(&path).unwrap();
                }
            });
        }
    });
    m.nothing_is_kept();
}

#[test]
fn a_mapping_goes_on() {
    let mut m = Mount::new("");
    fs::write(m.at("file"), vec![b'.'; 8192]).unwrap();
    let file = OpenOptions::new().read(true).write(true).open(m.at("file")).unwrap();
    use rustix::mm::{MapFlags, MsyncFlags, ProtFlags, mmap, msync, munmap};
    let protection = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a mapping of its own of a file that stays as long.
    let map = unsafe { mmap(std::ptr::null_mut(), 8192, protection, MapFlags::SHARED, &file, 0) }.unwrap();
    let byte = map.cast::<u8>();
    // SAFETY: within the mapping; nobody else uses it.
    unsafe { byte.write_volatile(b'a') };
    m.kill();
    // SAFETY: as above.
    unsafe { byte.add(1).write_volatile(b'b') };
    let address = map as usize;
    // SAFETY: as above.
    let syncing = spawn(move || unsafe { msync(address as *mut _, 8192, MsyncFlags::SYNC) });
    m.resume();
    syncing.join().unwrap().unwrap();
    assert_eq!(&fs::read(m.backing().join("file")).unwrap()[..3], b"ab.");
    // SAFETY: mapped above.
    unsafe { munmap(map, 8192) }.unwrap();
}

type Work = Box<dyn FnOnce() -> std::io::Result<()> + Send>;

/// Changes that must not be made twice, and one that may. Each in a directory of its own, which the
/// kernel locks until it has its answer.
fn changes(m: &Mount) -> Vec<(&'static str, Work)> {
    let at = |name: &str| m.at(name);
    let (mkdir, unlink, rmdir) = (at("d0/made"), at("d1/gone"), at("d5/empty"));
    let (from, to) = (at("d2/from"), at("d2/to"));
    let (x, y) = (at("d3/x"), at("d3/y"));
    let create = at("d4/created");
    let (attr, other) = (at("attr"), at("x"));
    let exchange = rustix::fs::RenameFlags::EXCHANGE;
    vec![
        ("mkdir", Box::new(move || fs::create_dir(mkdir))),
        ("unlink", Box::new(move || fs::remove_file(unlink))),
        ("rmdir", Box::new(move || fs::remove_dir(rmdir))),
        ("rename", Box::new(move || fs::rename(from, to))),
        (
            "exchange",
            Box::new(move || {
                let cwd = rustix::fs::CWD;
                Ok(rustix::fs::renameat_with(cwd, c(&x).as_c_str(), cwd, c(&y).as_c_str(), exchange)?)
            }),
        ),
        (
            "create",
            Box::new(move || {
                let mut file = OpenOptions::new().create_new(true).write(true).open(create)?;
                file.write_all(b"through the same handle")
            }),
        ),
        (
            "setxattr",
            Box::new(move || {
                let new = rustix::fs::XattrFlags::CREATE;
                Ok(rustix::fs::setxattr(attr, "user.new", b"2", new)?)
            }),
        ),
        ("write", Box::new(move || OpenOptions::new().write(true).open(other)?.write_at(b"X", 0).map(drop))),
    ]
}

/// Those of them that are not done on the disk.
fn undone(back: &Path) -> Vec<&'static str> {
    let xattr = rustix::fs::getxattr(back.join("attr"), "user.new", &mut [0u8; 0]);
    let text = |name: &str| fs::read(back.join(name)).unwrap_or_default();
    let all = [
        ("mkdir", back.join("d0/made").exists()),
        ("unlink", !back.join("d1/gone").exists()),
        ("rmdir", !back.join("d5/empty").exists()),
        ("rename", back.join("d2/to").exists()),
        ("exchange", text("d3/x") == b"y"),
        ("create", back.join("d4/created").exists()),
        ("setxattr", xattr.is_ok()),
        ("write", text("x") == b"X"),
    ];
    all.into_iter().filter(|(_, done)| !done).map(|(what, _)| what).collect()
}

/// What was done and not answered is answered once, and not done again.
#[test]
fn nothing_is_done_twice() {
    let mut m = Mount::new("mute");
    let back = m.backing();
    for name in ["x", "attr"] {
        fs::write(back.join(name), name).unwrap();
    }
    fs::create_dir_all(back.join("d5/empty")).unwrap();
    for n in 0..5 {
        fs::create_dir(back.join(format!("d{n}"))).unwrap();
        for name in ["from", "x", "y", "gone"] {
            fs::write(back.join(format!("d{n}/{name}")), name).unwrap();
        }
    }
    let works = changes(&m).into_iter();
    let running: Vec<_> = works.map(|(what, work)| (what, spawn(work))).collect();
    until(|| format!("{:?} is not done", undone(&back)), || undone(&back).is_empty());
    assert_eq!(running.iter().filter(|(_, work)| work.is_finished()).count(), 0);
    m.kill();
    m.resume();
    for (what, work) in running {
        work.join().unwrap().unwrap_or_else(|e| panic!("{what}: {e}"));
    }
    assert!(back.join("d0/made").is_dir() && !back.join("d2/from").exists());
    assert_eq!(fs::read(back.join("d3/x")).unwrap(), b"y", "exchanged once");
    assert_eq!(fs::read(back.join("d4/created")).unwrap(), b"through the same handle");
    // And what comes from now on is done as ever.
    assert!(fs::create_dir(m.at("d0/made")).is_err());
    fs::remove_dir(m.at("d0/made")).unwrap();
    fs::rename(m.at("d2/to"), m.at("d2/from")).unwrap();
}

/// A mount is killed again and again while programs work in it.
#[test]
fn many_lives() {
    let mut m = Mount::new("");
    let path = m.at("work");
    fs::create_dir(&path).unwrap();
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let worker = {
        let stop = Arc::clone(&stop);
        spawn(move || {
            let mut rounds = 0u32;
            let mut log = OpenOptions::new().create(true).append(true).open(path.join("log")).unwrap();
            while !stop.load(std::sync::atomic::Ordering::SeqCst) {
                rounds += 1;
                let (a, b) = (path.join("a"), path.join("b"));
                fs::write(&a, rounds.to_string()).unwrap();
                fs::rename(&a, &b).unwrap();
                fs::hard_link(&b, &a).unwrap();
                fs::remove_file(&a).unwrap();
                assert_eq!(fs::read_to_string(&b).unwrap(), rounds.to_string());
                fs::create_dir(path.join("dir")).unwrap();
                fs::remove_dir(path.join("dir")).unwrap();
                writeln!(log, "{rounds}").unwrap();
            }
            rounds
        })
    };
    let lines =
        |m: &Mount| fs::read_to_string(m.backing().join("work/log")).unwrap_or_default().lines().count();
    let mut before = 0;
    for _ in 0..5 {
        until(|| "no more rounds".to_owned(), || lines(&m) > before + 10);
        m.kill();
        m.start("");
        before = lines(&m);
    }
    until(|| "no more rounds".to_owned(), || lines(&m) > before + 10);
    stop.store(true, std::sync::atomic::Ordering::SeqCst);
    let rounds = worker.join().unwrap();
    let log = fs::read_to_string(m.backing().join("work/log")).unwrap();
    let wanted: String = (1..=rounds).map(|n| format!("{n}\n")).collect();
    assert_eq!(log, wanted);
}

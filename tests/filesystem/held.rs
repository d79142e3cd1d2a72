//! Who waits, who does not, and who is refused.

use crate::support::{Fixture, Mode, c, errno, spawn};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn held_writers_wait_while_readers_go_on() {
    let f = Fixture::new();
    // Not made through the mount, so the kernel has nothing of it: the reader has to ask.
    fs::write(f.backing.join("read"), vec![7u8; 100_000]).unwrap();
    fs::write(f.at("written"), "").unwrap();
    fs::create_dir(f.at("d")).unwrap();
    let done = Arc::new(AtomicUsize::new(0));
    f.journal.set_mode(Mode::Closed);
    // More than there are threads that answer.
    let writers: Vec<_> = (0..6)
        .map(|i| {
            let (path, done) = (f.at("written"), Arc::clone(&done));
            spawn(move || {
                let file = OpenOptions::new().write(true).open(path).unwrap();
                file.write_at(b"x", i).unwrap();
                done.fetch_add(1, Ordering::SeqCst);
            })
        })
        .collect();
    // Writers of one file come to the file system one by one.
    f.journal.wait_for_callers(1);
    // In a directory of its own, which the kernel locks meanwhile.
    let dir = f.at("d/new");
    let maker = spawn(move || fs::create_dir(dir).unwrap());
    f.journal.wait_for_callers(2);
    assert_eq!(fs::read(f.at("read")).unwrap().len(), 100_000);
    assert_eq!(done.load(Ordering::SeqCst), 0);
    assert_eq!(fs::read(f.backing.join("written")).unwrap(), b"");
    f.journal.set_mode(Mode::Open);
    writers.into_iter().for_each(|w| w.join().unwrap());
    maker.join().unwrap();
    assert_eq!(fs::read(f.at("written")).unwrap(), b"xxxxxx");
    assert!(f.at("d/new").is_dir());
}

#[test]
fn callers_are_answered_when_all_is_acknowledged() {
    let f = Fixture::new();
    fs::write(f.at("a"), "old").unwrap();
    f.journal.attach(1);
    f.journal.acknowledge_by_hand();
    let path = f.at("a");
    let writer = spawn(move || fs::set_permissions(path, fs::Permissions::from_mode(0o600)));
    f.journal.wait_for_callers(1);
    let path = f.at("b");
    let maker = spawn(move || symlink("x", path));
    f.journal.wait_for_callers(2);
    assert!(!writer.is_finished() && !maker.is_finished());
    assert_eq!(fs::metadata(f.backing.join("a")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read(f.at("a")).unwrap(), b"old");
    f.journal.acknowledge();
    writer.join().unwrap().unwrap();
    maker.join().unwrap().unwrap();
}

#[test]
fn the_end_answers_those_who_wait() {
    let f = Fixture::new();
    fs::write(f.at("a"), "").unwrap();
    f.journal.attach(1);
    f.journal.acknowledge_by_hand();
    let path = f.at("a");
    let waiting =
        spawn(move || OpenOptions::new().write(true).open(path).and_then(|file| file.write_at(b"x", 0)));
    f.journal.wait_for_callers(1);
    f.volume.unmount();
    assert!(waiting.join().unwrap().is_err());
    f.journal.acknowledge();
}

#[test]
fn a_secondary_refuses_every_modification() {
    let f = Fixture::new();
    fs::write(f.at("a"), "text").unwrap();
    fs::create_dir(f.at("d")).unwrap();
    let open = OpenOptions::new().read(true).write(true).open(f.at("a")).unwrap();
    f.journal.set_mode(Mode::ReadOnly);
    f.volume.primary(false);
    f.journal.ops();
    let mode = fs::Permissions::from_mode(0o600);
    let node = |kind: libc::mode_t| {
        // SAFETY: a valid path.
        match unsafe { libc::mknod(c(&f.at("n")).as_ptr(), kind | 0o600, 0) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    };
    let none = rustix::fs::XattrFlags::empty();
    let zero = rustix::fs::FallocateFlags::empty();
    let refused: Vec<(&str, io::Result<()>)> = vec![
        ("create", File::create_new(f.at("x")).map(drop)),
        ("open", OpenOptions::new().write(true).open(f.at("a")).map(drop)),
        ("truncating open", File::create(f.at("a")).map(drop)),
        ("mkdir", fs::create_dir(f.at("x"))),
        ("symlink", symlink("x", f.at("x"))),
        ("mknod", node(libc::S_IFIFO)),
        ("link", fs::hard_link(f.at("a"), f.at("x"))),
        ("rename", fs::rename(f.at("a"), f.at("x"))),
        ("unlink", fs::remove_file(f.at("a"))),
        ("rmdir", fs::remove_dir(f.at("d"))),
        ("chmod", fs::set_permissions(f.at("a"), mode.clone())),
        ("fchmod", open.set_permissions(mode)),
        ("chown", std::os::unix::fs::chown(f.at("a"), Some(1), None)),
        ("utimens", open.set_modified(std::time::SystemTime::now())),
        ("write", open.write_at(b"x", 0).map(drop)),
        ("ftruncate", open.set_len(1)),
        ("fallocate", rustix::fs::fallocate(&open, zero, 0, 9).map_err(io::Error::from)),
        ("setxattr", rustix::fs::setxattr(f.at("a"), "user.x", b"", none).map_err(io::Error::from)),
        ("removexattr", rustix::fs::removexattr(f.at("a"), "user.x").map_err(io::Error::from)),
    ];
    for (what, result) in refused {
        assert_eq!(errno(result), Some(libc::EROFS), "{what}");
    }
    open.sync_all().unwrap();
    assert_eq!(fs::read(f.at("a")).unwrap(), b"text");
    assert_eq!(f.journal.ops(), []);
}

#[test]
fn the_kernel_keeps_nothing_of_a_secondary() {
    let f = Fixture::new();
    fs::write(f.at("a"), "before").unwrap();
    assert_eq!(fs::read(f.at("a")).unwrap(), b"before");
    assert!(!f.at("b").exists());
    f.volume.primary(false);
    // What the replication does on a secondary.
    fs::write(f.backing.join("a"), "and after").unwrap();
    fs::write(f.backing.join("b"), "new").unwrap();
    assert_eq!(fs::read(f.at("a")).unwrap(), b"and after");
    assert_eq!(fs::read(f.at("b")).unwrap(), b"new");
    fs::rename(f.backing.join("b"), f.backing.join("c")).unwrap();
    assert_eq!(errno(fs::read(f.at("b"))), Some(libc::ENOENT));
    fs::remove_file(f.backing.join("a")).unwrap();
    fs::write(f.backing.join("a"), "another").unwrap();
    assert_eq!(fs::read(f.at("a")).unwrap(), b"another");
    f.volume.primary(true);
    assert_eq!(fs::read(f.at("c")).unwrap(), b"new");
    fs::rename(f.at("c"), f.at("d")).unwrap();
}

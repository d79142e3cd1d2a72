//! What programs may expect of a file system.

use crate::support::{Fixture, acl_for, c, errno};
use rustix::fs::{AtFlags, CWD, FallocateFlags, Mode, OFlags, RenameFlags, SeekFrom, XattrFlags};
use safekit::rfs::volume::Exclude;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::process::Command;

#[test]
fn appending_and_direct() {
    let f = Fixture::new();
    let mut append = OpenOptions::new().append(true).create(true).open(f.at("a")).unwrap();
    append.write_all(b"one").unwrap();
    fs::OpenOptions::new().append(true).open(f.at("a")).unwrap().write_all(b"two").unwrap();
    append.write_all(b"three").unwrap();
    assert_eq!(fs::read(f.backing.join("a")).unwrap(), b"onetwothree");
    let flags = libc::O_DIRECT | libc::O_SYNC;
    let direct = OpenOptions::new().read(true).write(true).create(true).custom_flags(flags).open(f.at("b"));
    let direct = direct.unwrap();
    direct.write_all_at(&[5u8; 4096], 4096).unwrap();
    let mut block = [0u8; 4096];
    direct.read_exact_at(&mut block, 4096).unwrap();
    assert_eq!(block, [5u8; 4096]);
}

#[test]
fn renames() {
    let f = Fixture::new();
    let rename =
        |from: &str, to: &str, flags| rustix::fs::renameat_with(CWD, f.at(from), CWD, f.at(to), flags);
    fs::write(f.at("a"), "a").unwrap();
    fs::create_dir(f.at("d")).unwrap();
    fs::write(f.at("d/b"), "b").unwrap();
    assert_eq!(rename("a", "d", RenameFlags::NOREPLACE), Err(rustix::io::Errno::EXIST));
    rename("a", "d", RenameFlags::EXCHANGE).unwrap();
    assert_eq!(fs::read(f.at("d")).unwrap(), b"a");
    assert_eq!(fs::read(f.at("a/b")).unwrap(), b"b");
    rename("d", "e", RenameFlags::WHITEOUT).unwrap();
    assert!(fs::symlink_metadata(f.at("d")).unwrap().file_type().is_char_device());
    assert_eq!(errno(fs::rename(f.at("a"), f.at("a/b/c"))), Some(libc::ENOTDIR));
}

#[test]
fn special_files_and_times() {
    let f = Fixture::new();
    for (name, kind, dev) in [
        ("fifo", libc::S_IFIFO, 0),
        ("char", libc::S_IFCHR, libc::makedev(1, 300)),
        ("block", libc::S_IFBLK, libc::makedev(300, 5)),
        ("sock", libc::S_IFSOCK, 0),
    ] {
        // SAFETY: a valid path.
        assert_eq!(unsafe { libc::mknod(c(&f.at(name)).as_ptr(), kind | 0o640, dev) }, 0, "{name}");
        let meta = fs::symlink_metadata(f.at(name)).unwrap();
        assert_eq!((meta.mode() & libc::S_IFMT, meta.rdev()), (kind, dev), "{name}");
    }
    let file = File::create(f.at("a")).unwrap();
    let time = std::time::UNIX_EPOCH + std::time::Duration::new(1_000_000_000, 123_456_789);
    file.set_modified(time).unwrap();
    assert_eq!(fs::metadata(f.at("a")).unwrap().modified().unwrap(), time);
    assert_eq!(fs::metadata(f.backing.join("a")).unwrap().modified().unwrap(), time);
    // /dev/null by another name works: nodev is not set.
    // SAFETY: a valid path.
    let null = unsafe { libc::mknod(c(&f.at("null")).as_ptr(), libc::S_IFCHR | 0o666, libc::makedev(1, 3)) };
    assert_eq!(null, 0);
    assert_eq!(fs::read(f.at("null")).unwrap(), b"");
}

#[test]
fn sparse_files() {
    let f = Fixture::new();
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(f.at("a")).unwrap();
    file.write_at(b"x", 1 << 20).unwrap();
    assert_eq!(rustix::fs::seek(&file, SeekFrom::Data(0)).unwrap(), 1 << 20);
    assert_eq!(rustix::fs::seek(&file, SeekFrom::Hole(0)).unwrap(), 0);
    rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, 2 << 20).unwrap();
    assert_eq!(file.metadata().unwrap().len(), 2 << 20);
    file.write_at(&[1u8; 8192], 0).unwrap();
    rustix::fs::fallocate(&file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, 0, 4096).unwrap();
    rustix::fs::fallocate(&file, FallocateFlags::ZERO_RANGE, 4096, 10).unwrap();
    let mut head = [9u8; 4200];
    file.read_exact_at(&mut head, 0).unwrap();
    assert!(head[..4106].iter().all(|b| *b == 0) && head[4106] == 1);
    assert_eq!(fs::read(f.at("a")).unwrap(), fs::read(f.backing.join("a")).unwrap());
}

#[test]
fn names_of_any_bytes_and_any_depth() {
    let f = Fixture::new();
    let long = [0xffu8; 255];
    fs::write(f.mnt.join(OsStr::from_bytes(&long)), "x").unwrap();
    fs::write(f.mnt.join(OsStr::from_bytes(b"\x01 \n\\\"")), "y").unwrap();
    assert_eq!(errno(fs::write(f.at(&"n".repeat(256)), "")), Some(libc::ENAMETOOLONG));
    let mut dir = rustix::fs::open(&f.mnt, OFlags::DIRECTORY, Mode::empty()).unwrap();
    let name = "d".repeat(200);
    for _ in 0..40 {
        rustix::fs::mkdirat(&dir, &name, Mode::RWXU).unwrap();
        dir = rustix::fs::openat(&dir, &name, OFlags::DIRECTORY, Mode::empty()).unwrap();
    }
    let file = rustix::fs::openat(&dir, "f", OFlags::CREATE | OFlags::RDWR, Mode::RUSR).unwrap();
    rustix::io::write(&file, b"deep").unwrap();
    rustix::fs::renameat(&dir, "f", &dir, "g").unwrap();
    assert!(rustix::fs::statat(&dir, "g", AtFlags::empty()).is_ok());
    assert_eq!(fs::read_dir(&f.mnt).unwrap().count(), 3);
}

#[test]
fn the_own_entry_is_hidden() {
    let f = Fixture::new();
    fs::create_dir(f.backing.join(".safekit_rfs")).unwrap();
    assert_eq!(fs::read_dir(&f.mnt).unwrap().count(), 0);
    assert!(!f.at(".safekit_rfs").exists());
    assert_eq!(errno(fs::create_dir(f.at(".safekit_rfs"))), Some(libc::EPERM));
    fs::create_dir(f.at("d")).unwrap();
    assert_eq!(errno(fs::rename(f.at("d"), f.at(".safekit_rfs"))), Some(libc::EPERM));
    fs::create_dir(f.at("d/.safekit_rfs")).unwrap();
}

#[test]
fn long_listings_are_complete() {
    let f = Fixture::new();
    for i in 0..3000 {
        File::create(f.backing.join(format!("entry with a longer name {i}"))).unwrap();
    }
    let mut seen: Vec<_> = fs::read_dir(&f.mnt).unwrap().map(|e| e.unwrap().file_name()).collect();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 3000);
    fs::read_dir(&f.mnt).unwrap().for_each(|e| fs::remove_file(e.unwrap().path()).unwrap());
    assert_eq!(fs::read_dir(&f.backing).unwrap().count(), 0);
}

/// Runs a shell as another user, whose supplementary group is 77.
fn as_user(f: &Fixture, script: &str) -> bool {
    let args = ["--reuid=1234", "--regid=1234", "--groups=77", "sh", "-c", script];
    Command::new("setpriv").args(args).current_dir(&f.mnt).status().unwrap().success()
}

#[test]
fn owners_are_the_callers() {
    let f = Fixture::new();
    fs::DirBuilder::new().mode(0o777).create(f.at("d")).unwrap();
    fs::set_permissions(f.at("d"), fs::Permissions::from_mode(0o777)).unwrap();
    fs::create_dir(f.at("g")).unwrap();
    std::os::unix::fs::chown(f.at("g"), Some(0), Some(77)).unwrap();
    fs::set_permissions(f.at("g"), fs::Permissions::from_mode(0o2770)).unwrap();
    assert!(as_user(&f, "umask 027; echo x > d/a; mkdir g/sub; echo y > g/b; mkfifo d/p; ln -s x d/l"));
    let owner = |path: &str| {
        let meta = fs::symlink_metadata(f.at(path)).unwrap();
        (meta.uid(), meta.gid(), meta.mode() & 0o7777)
    };
    assert_eq!(owner("d/a"), (1234, 1234, 0o640));
    assert_eq!(owner("g/sub"), (1234, 77, 0o2750), "the group of a set-group-id directory");
    assert_eq!(owner("g/b"), (1234, 77, 0o640));
    assert_eq!(owner("d/p"), (1234, 1234, 0o640));
    assert_eq!(owner("d/l"), (1234, 1234, 0o777));
    fs::write(f.at("root"), "").unwrap();
    assert_eq!(owner("root").0, 0);
    assert!(!as_user(&f, "echo x > root 2>/dev/null"), "permissions hold");
}

#[test]
fn set_id_bits_go_when_others_write() {
    let f = Fixture::new();
    for how in ["echo x >> a", "echo x > a", "truncate -s 9 a"] {
        let _ = fs::remove_file(f.at("a"));
        fs::write(f.at("a"), "text").unwrap();
        fs::set_permissions(f.at("a"), fs::Permissions::from_mode(0o6777)).unwrap();
        assert!(as_user(&f, how), "{how}");
        assert_eq!(fs::metadata(f.at("a")).unwrap().mode() & 0o7777, 0o777, "{how}");
    }
}

#[test]
fn acls_where_asked_for() {
    let f = Fixture::with(Exclude::default(), true);
    fs::create_dir(f.at("d")).unwrap();
    let acl = acl_for(1234);
    rustix::fs::setxattr(f.at("d"), "system.posix_acl_access", &acl, XattrFlags::empty()).unwrap();
    rustix::fs::setxattr(f.at("d"), "system.posix_acl_default", &acl, XattrFlags::empty()).unwrap();
    assert!(as_user(&f, "umask 077; echo x > d/a"), "the ACL lets it in");
    let meta = fs::metadata(f.backing.join("d/a")).unwrap();
    assert_eq!(meta.mode() & 0o777, 0o660, "the default ACL, not the umask");
}

#[test]
fn an_open_file_outlives_its_name() {
    let f = Fixture::new();
    let mut file = OpenOptions::new().read(true).write(true).create_new(true).open(f.at("a")).unwrap();
    file.write_all(b"kept").unwrap();
    fs::remove_file(f.at("a")).unwrap();
    fs::write(f.at("a"), "another").unwrap();
    let mut text = [0u8; 4];
    file.read_exact_at(&mut text, 0).unwrap();
    assert_eq!(&text, b"kept");
    assert_eq!(file.metadata().unwrap().nlink(), 0);
    file.set_permissions(fs::Permissions::from_mode(0o600)).unwrap();
    let mut rest = String::new();
    file.read_to_string(&mut rest).unwrap();
}

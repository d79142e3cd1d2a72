//! What each modification records.

use crate::support::{Fixture, acl_for, errno};
use safekit::rfs::op::{FileId, Name, Op};
use safekit::rfs::volume::Exclude;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt, symlink};

fn name(text: &str) -> Name {
    Name::new(text.as_bytes()).unwrap()
}

/// One word an operation, with its names.
fn words(ops: &[Op]) -> Vec<String> {
    let one = |op: &Op| match op {
        Op::Bind { name, .. } => format!("bind {name:?}"),
        Op::Create { name, owner, .. } => format!("create {name:?} {:o}", owner.mode),
        Op::Symlink { name, target, .. } => format!("symlink {name:?} {}", String::from_utf8_lossy(target)),
        Op::Tmpfile { .. } => "tmpfile".into(),
        Op::Link { name, .. } => format!("link {name:?}"),
        Op::Unlink { name, dir, .. } => format!("unlink {name:?}{}", if *dir { " dir" } else { "" }),
        Op::Rename { name, to_name, flags, .. } => format!("rename {name:?} {to_name:?} {flags}"),
        Op::Write { offset, data, sync, .. } => {
            format!("write {offset}+{}{}", data.len(), if *sync { " sync" } else { "" })
        }
        Op::Truncate { size, .. } => format!("truncate {size}"),
        Op::Allocate { mode, offset, len, .. } => format!("allocate {mode} {offset}+{len}"),
        Op::SetAttrs { attrs, .. } => format!("attrs {:o}", attrs.mode.unwrap_or(0)),
        Op::SetXattr { name, .. } => format!("xattr {}", String::from_utf8_lossy(name)),
        Op::RemoveXattr { name, .. } => format!("no xattr {}", String::from_utf8_lossy(name)),
        Op::Fsync { .. } => "fsync".into(),
        Op::Forget(ids) => format!("forget {}", ids.len()),
    };
    ops.iter().map(one).collect()
}

#[test]
fn a_new_file_needs_no_bind() {
    let f = Fixture::new();
    f.journal.attach(1);
    fs::create_dir(f.at("d")).unwrap();
    let mut file = File::create(f.at("d/a")).unwrap();
    file.write_all(b"hello").unwrap();
    file.sync_all().unwrap();
    drop(file);
    let ops = f.journal.ops();
    let expected = ["create \"d\" 40755", "create \"a\" 100644", "write 0+5", "fsync"];
    assert_eq!(words(&ops), expected);
    assert_eq!(f.journal.touched(), [0..5]);
    let Op::Create { id, parent, .. } = &ops[1] else { panic!("{ops:?}") };
    let Op::Create { id: dir, parent: FileId::ROOT, .. } = &ops[0] else { panic!("{ops:?}") };
    assert_eq!(parent, dir);
    assert_eq!(f.volume.path_of(*id), Some(vec![name("d"), name("a")]));
    assert!(matches!(&ops[2], Op::Write { id: written, .. } if written == id));
}

#[test]
fn ids_are_bound_once_for_each_peer() {
    let f = Fixture::new();
    fs::create_dir_all(f.at("d/e")).unwrap();
    fs::write(f.at("d/e/a"), "x").unwrap();
    f.journal.ops();
    for peer in [7, 8] {
        f.journal.attach(peer);
        let file = OpenOptions::new().write(true).open(f.at("d/e/a")).unwrap();
        file.write_at(b"y", 3).unwrap();
        file.write_at(b"z", 4).unwrap();
        let expected = ["bind \"d\"", "bind \"e\"", "bind \"a\"", "write 3+1", "write 4+1"];
        assert_eq!(words(&f.journal.ops()), expected);
    }
}

#[test]
fn names() {
    let f = Fixture::new();
    f.journal.attach(1);
    fs::write(f.at("a"), "").unwrap();
    fs::hard_link(f.at("a"), f.at("b")).unwrap();
    symlink("a", f.at("s")).unwrap();
    fs::rename(f.at("a"), f.at("c")).unwrap();
    fs::rename(f.at("c"), f.at("b")).unwrap(); // The same file: nothing happens.
    fs::remove_file(f.at("s")).unwrap();
    fs::create_dir(f.at("d")).unwrap();
    fs::remove_dir(f.at("d")).unwrap();
    let expected = [
        "create \"a\" 100644",
        "link \"b\"",
        "symlink \"s\" a",
        "rename \"a\" \"c\" 0",
        "unlink \"s\"",
        "create \"d\" 40755",
        "unlink \"d\" dir",
    ];
    assert_eq!(words(&f.journal.ops()), expected);
    assert_eq!(errno(fs::rename(f.at("none"), f.at("x"))), Some(libc::ENOENT));
    assert_eq!(errno(fs::remove_dir(f.at("b"))), Some(libc::ENOTDIR));
    assert_eq!(f.journal.ops(), [], "what fails locally is not recorded");
}

#[test]
fn attributes() {
    let f = Fixture::new();
    f.journal.attach(1);
    fs::write(f.at("a"), "").unwrap();
    fs::set_permissions(f.at("a"), fs::Permissions::from_mode(0o4755)).unwrap();
    std::os::unix::fs::chown(f.at("a"), Some(3), None).unwrap();
    rustix::fs::setxattr(f.at("a"), "user.x", b"v", rustix::fs::XattrFlags::empty()).unwrap();
    rustix::fs::removexattr(f.at("a"), "user.x").unwrap();
    let none = rustix::fs::XattrFlags::empty();
    let acl = rustix::fs::setxattr(f.at("a"), "system.posix_acl_access", &acl_for(3), none);
    assert_eq!(acl, Err(rustix::io::Errno::OPNOTSUPP), "without acl=on there are none");
    let expected = ["create \"a\" 100644", "attrs 4755", "attrs 755", "xattr user.x", "no xattr user.x"];
    assert_eq!(words(&f.journal.ops()), expected);
}

#[test]
fn lengths() {
    let f = Fixture::new();
    f.journal.attach(1);
    fs::write(f.at("a"), "0123456789").unwrap();
    f.journal.touched();
    let file = OpenOptions::new().write(true).custom_flags(libc::O_DSYNC).open(f.at("a")).unwrap();
    file.set_len(4).unwrap();
    rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::KEEP_SIZE, 100, 50).unwrap();
    file.write_at(b"x", 1).unwrap();
    drop(File::create(f.at("a")).unwrap());
    assert_eq!(f.journal.touched(), [4..10, 100..150, 1..2, 0..4]);
    // The kernel asks for the fsync of such a handle itself.
    let expected = ["truncate 4", "allocate 1 100+50", "write 1+1 sync", "fsync", "truncate 0"];
    assert_eq!(words(&f.journal.ops())[2..], expected);
}

#[test]
fn the_time_of_writing_is_recorded_at_the_end() {
    let f = Fixture::new();
    f.journal.attach(1);
    fs::write(f.at("a"), "x").unwrap();
    f.journal.wait_for_time();
}

#[test]
fn a_file_that_was_removed_is_named_by_its_id() {
    let f = Fixture::new();
    f.journal.attach(1);
    let mut known = File::options().read(true).write(true).create_new(true).open(f.at("a")).unwrap();
    fs::remove_file(f.at("a")).unwrap();
    known.write_all(b"x").unwrap();
    assert_eq!(words(&f.journal.ops()), ["create \"a\" 100644", "unlink \"a\"", "write 0+1"]);

    f.journal.attach(0);
    let mut unknown = File::options().read(true).write(true).create_new(true).open(f.at("b")).unwrap();
    fs::remove_file(f.at("b")).unwrap();
    f.journal.ops();
    f.journal.attach(2);
    unknown.write_all(b"hello").unwrap();
    unknown.rewind().unwrap();
    let mut text = String::new();
    unknown.read_to_string(&mut text).unwrap();
    assert_eq!(text, "hello");
    assert_eq!(f.journal.ops(), [], "the peer can neither know nor need it");
}

#[test]
fn the_last_known_name_binds_a_file_that_has_others() {
    let f = Fixture::new();
    fs::write(f.backing.join("a"), "").unwrap();
    fs::hard_link(f.backing.join("a"), f.backing.join("b")).unwrap();
    f.journal.attach(1);
    f.volume.primary(true); // What was made behind its back is seen.
    fs::remove_file(f.at("a")).unwrap();
    assert_eq!(words(&f.journal.ops()), ["bind \"a\"", "unlink \"a\""]);
}

#[test]
fn a_lost_name_is_sought() {
    let f = Fixture::new();
    fs::create_dir(f.at("d")).unwrap();
    fs::write(f.at("a"), "").unwrap();
    fs::hard_link(f.at("a"), f.backing.join("d/b")).unwrap_err(); // Two file systems.
    fs::hard_link(f.backing.join("a"), f.backing.join("d/b")).unwrap();
    let file = File::options().write(true).open(f.at("a")).unwrap();
    fs::remove_file(f.at("a")).unwrap();
    f.journal.ops();
    f.journal.attach(1);
    file.write_at(b"x", 0).unwrap();
    assert_eq!(words(&f.journal.ops()), ["bind \"d\"", "bind \"b\"", "write 0+1"]);
}

#[test]
fn a_file_made_without_a_name() {
    let f = Fixture::new();
    let open = || File::options().read(true).write(true).custom_flags(libc::O_TMPFILE).open(&f.mnt).unwrap();
    let link = |file: &File, to: &str| {
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(file));
        rustix::fs::linkat(
            rustix::fs::CWD,
            path,
            rustix::fs::CWD,
            f.at(to),
            rustix::fs::AtFlags::SYMLINK_FOLLOW,
        )
    };
    f.journal.attach(1);
    let file = open();
    assert_eq!(f.journal.ops(), []);
    file.write_at(b"xyz", 0).unwrap();
    link(&file, "a").unwrap();
    assert_eq!(words(&f.journal.ops()), ["tmpfile", "write 0+3", "link \"a\""]);
    assert_eq!(f.journal.failed_ranges(), []);

    f.journal.attach(0);
    let early = open();
    early.write_at(b"early", 0).unwrap();
    f.journal.ops();
    f.journal.attach(2);
    link(&early, "b").unwrap();
    assert_eq!(words(&f.journal.ops()), ["tmpfile", "link \"b\""]);
    assert_eq!(f.journal.failed_ranges(), [0..5], "what this peer did not get is to be sent");
    assert_eq!(fs::read(f.backing.join("b")).unwrap(), b"early");
}

#[test]
fn a_store_through_a_mapping() {
    let f = Fixture::new();
    fs::write(f.at("a"), vec![0u8; 8192]).unwrap();
    f.journal.ops();
    f.journal.touched();
    f.journal.attach(1);
    let file = OpenOptions::new().read(true).write(true).open(f.at("a")).unwrap();
    let len = std::num::NonZeroUsize::new(8192).unwrap();
    let rights = nix::sys::mman::ProtFlags::PROT_READ | nix::sys::mman::ProtFlags::PROT_WRITE;
    // SAFETY: a new mapping of 8192 bytes at a place that the kernel chooses.
    unsafe {
        let map =
            nix::sys::mman::mmap(None, len, rights, nix::sys::mman::MapFlags::MAP_SHARED, &file, 0).unwrap();
        map.cast::<u8>().add(5000).write(b'M');
        nix::sys::mman::msync(map, 8192, nix::sys::mman::MsFlags::MS_SYNC).unwrap();
        nix::sys::mman::munmap(map, 8192).unwrap();
    }
    assert_eq!(fs::read(f.backing.join("a")).unwrap()[5000], b'M');
    assert_eq!(words(&f.journal.ops()), ["bind \"a\"", "write 4096+4096", "fsync"]);
    assert_eq!(f.journal.touched(), [4096..8192]);
}

#[test]
fn what_is_excluded_is_not_recorded() {
    let exclude = Exclude::new(&["log".into(), "x/part".into()], &[r"\.tmp$".into()]).unwrap();
    let f = Fixture::with(exclude, false);
    f.journal.attach(1);
    fs::create_dir(f.at("log")).unwrap();
    fs::write(f.at("log/a"), "1").unwrap();
    fs::write(f.at("a.tmp"), "2").unwrap();
    fs::rename(f.at("a.tmp"), f.at("b.tmp")).unwrap();
    assert_eq!(fs::read(f.at("log/a")).unwrap(), b"1");
    assert_eq!(f.journal.ops(), []);
    assert_eq!(f.journal.touched(), []);
    fs::write(f.at("c"), "3").unwrap();
    fs::create_dir(f.at("x")).unwrap();
    let moves = [("b.tmp", "b"), ("c", "c.tmp"), ("c", "log/c"), ("log/a", "a"), ("x", "y")];
    for (from, to) in moves {
        assert_eq!(errno(fs::rename(f.at(from), f.at(to))), Some(libc::EXDEV), "{from} {to}");
    }
    assert_eq!(errno(fs::hard_link(f.at("c"), f.at("log/c"))), Some(libc::EXDEV));
}

/// The secondary has something else under a name that is new: whatever gets one says so.
#[test]
fn every_new_name_is_said() {
    let f = Fixture::new();
    f.journal.attach(1);
    let number = |name: &str| std::os::unix::fs::MetadataExt::ino(&fs::symlink_metadata(f.at(name)).unwrap());
    let said = |what: &str, numbers: Vec<u64>| assert_eq!(f.journal.named_files(), numbers, "{what}");
    fs::write(f.at("a"), b"1").unwrap();
    said("create", vec![number("a")]);
    fs::create_dir(f.at("d")).unwrap();
    said("mkdir", vec![number("d")]);
    symlink("a", f.at("s")).unwrap();
    said("symlink", vec![number("s")]);
    nix::sys::stat::mknod(
        &f.at("p"),
        nix::sys::stat::SFlag::S_IFIFO,
        nix::sys::stat::Mode::from_bits_truncate(0o600),
        0,
    )
    .unwrap();
    said("mknod", vec![number("p")]);
    fs::hard_link(f.at("a"), f.at("d/b")).unwrap();
    said("link", vec![number("a")]);
    fs::rename(f.at("d"), f.at("e")).unwrap();
    said("rename", vec![number("e")]);
    let (a, s) = (f.at("a"), f.at("s"));
    let exchange = rustix::fs::RenameFlags::EXCHANGE;
    rustix::fs::renameat_with(rustix::fs::CWD, &a, rustix::fs::CWD, &s, exchange).unwrap();
    said("exchange", vec![number("s"), number("a")]);
}

/// The secondary hears of a write before the disk has it; what the disk did not take it must not keep.
#[test]
fn fault_a_write_that_the_disk_does_not_take_is_mended() {
    let f = Fixture::small("80m");
    f.journal.attach(1);
    fs::write(f.at("a"), vec![1; 8192]).unwrap();
    let mut fill = File::create(f.backing.join("fill")).unwrap();
    let full = std::iter::repeat_with(|| fill.write(&[7; 4096])).find_map(Result::err).unwrap();
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    f.journal.ops();
    let file = OpenOptions::new().write(true).open(f.at("a")).unwrap();
    assert_eq!(file.write_at(&[2; 8192], 4096).unwrap(), 4096, "the second half has no room");
    assert_eq!(words(&f.journal.ops()), ["write 4096+8192", "write 4096+4096", "truncate 8192"]);
    // From now on the disk is asked first.
    assert_eq!(errno(file.write_at(&[3; 4096], 8192)), Some(libc::ENOSPC));
    assert_eq!(f.journal.ops(), [], "what the disk does not take is not sent");
    file.write_at(&[4; 4096], 0).unwrap();
    assert_eq!(words(&f.journal.ops()), ["write 0+4096"]);
    assert_eq!(errno(fs::write(f.at("b"), [1; 4096])), Some(libc::ENOSPC));
    assert_eq!(words(&f.journal.ops()), ["create \"b\" 100644"]);
    assert_eq!(f.journal.refusals(), [rustix::io::Errno::NOSPC; 2]);
    assert_eq!(f.journal.failed_ranges(), []);
    let expected = [vec![4; 4096], vec![2; 4096]].concat();
    assert_eq!(fs::read(f.backing.join("a")).unwrap(), expected);
}

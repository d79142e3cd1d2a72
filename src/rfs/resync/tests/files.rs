//! What is copied, and what is not.

use super::super::*;
use super::acts::{rename, write};
use super::world::{World, ZONE, excludes};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::sync::Arc;

fn noise(len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    bytes
}

#[test]
fn zones_copy_what_was_written() {
    let mut world = World::new();
    let file = world.p.join("data");
    fs::write(&file, noise(3_000_000)).unwrap();
    world.in_step();
    assert_eq!(world.run(Plan::Zones).unwrap().bytes, 0);
    world.alone.modify(|m| write(m, &file, 10 * ZONE + 5, b"new")).unwrap();
    world.alone.modify(|m| write(m, &file, 20 * ZONE, b"new")).unwrap();
    let sum = diff(
        open_root(&world.p).unwrap().as_fd(),
        &|key, _| Verdict::of(&world.alone.marks.zones, key),
        &|_| true,
        &Progress::default(),
    );
    assert_eq!(sum.unwrap(), Diff { files: 1, bytes: 2 * ZONE });
    let done = world.run(Plan::Zones).unwrap();
    assert_eq!((done.bytes, done.compared, world.differences()), (2 * ZONE, 0, vec![]));
}

#[test]
fn hashes_copy_what_differs() {
    let mut world = World::new();
    fs::write(world.p.join("data"), noise(3_000_000)).unwrap();
    world.in_step();
    let mut other = noise(3_000_000);
    other[100_000] ^= 1;
    fs::write(world.s.join("data"), other).unwrap();
    let done = world.run(Plan::Hash).unwrap();
    assert_eq!((done.bytes, world.differences()), (ZONE, vec![]));
}

#[test]
fn this_nodes_zones_count_too() {
    let mut world = World::new();
    fs::write(world.p.join("data"), noise(1_000_000)).unwrap();
    world.in_step();
    let own = crate::rfs::zones::Zones::open(&world.dir.path().join("own"), ZONE).unwrap();
    own.begin(1).unwrap();
    // A page that a crash of this node lost; length and date agree.
    let path = world.s.join("data");
    let meta = fs::metadata(&path).unwrap();
    let mut other = noise(1_000_000);
    other[5] ^= 1;
    fs::write(&path, other).unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_modified(meta.modified().unwrap()).unwrap();
    let root = open_root(&world.s).unwrap();
    let key = Meta::of(&super::super::beneath::stat_at(&root, b"data").unwrap()).key();
    own.mark(key, 0..10).unwrap();
    world.options.own = Some(Arc::new(own));
    assert_eq!(world.run(Plan::Zones).unwrap().bytes, ZONE);
    assert_eq!(world.differences(), Vec::<String>::new());
}

#[test]
fn a_rename_costs_no_traffic() {
    let mut world = World::new();
    fs::create_dir_all(world.p.join("z/deep")).unwrap();
    fs::write(world.p.join("z/deep/one"), noise(500_000)).unwrap();
    fs::write(world.p.join("two"), noise(400_000)).unwrap();
    world.in_step();
    let none = rustix::fs::RenameFlags::empty();
    let (p, marks) = (&world.p, &world.alone.marks);
    rename(marks, &p.join("z"), &p.join("a"), none).unwrap();
    rename(marks, &p.join("two"), &p.join("a/deep/2"), none).unwrap();
    let done = world.run(Plan::Zones).unwrap();
    assert_eq!((done.bytes, world.differences()), (0, vec![]));
    assert!(fs::read_dir(world.s.join(".safekit_rfs/trash")).unwrap().next().is_none());
}

#[test]
fn files_after_a_date_are_copied_whole() {
    let mut world = World::new();
    fs::write(world.p.join("old"), noise(200_000)).unwrap();
    fs::write(world.p.join("new"), noise(300_000)).unwrap();
    let at = |s| std::time::UNIX_EPOCH + std::time::Duration::from_secs(s);
    let date =
        |n: &str, s| fs::File::options().write(true).open(world.p.join(n)).unwrap().set_modified(at(s));
    date("old", 1000).unwrap();
    date("new", 3000).unwrap();
    world.in_step();
    let done = world.run(Plan::Since(2000)).unwrap();
    assert_eq!((done.bytes, done.compared), (300_000, 0));
}

#[test]
fn a_full_run_goes_on_where_it_was_cut() {
    let mut world = World::new();
    for i in 0..50 {
        fs::write(world.p.join(format!("f{i}")), noise(100_000)).unwrap();
    }
    world.fuse = Arc::new(60.into());
    assert!(world.run(Plan::Full).is_err());
    let first = world.progress.copied.load(std::sync::atomic::Ordering::SeqCst);
    world.fuse = Arc::new(i64::MAX.into());
    let done = world.run(Plan::Full).unwrap();
    assert!(first > 500_000 && done.bytes + first < 5_500_000, "{first} and {} bytes", done.bytes);
    // A run that was not cut copies everything again.
    assert_eq!(world.run(Plan::Full).unwrap().bytes, 5_000_000);
}

/// namespacepolicy 1 and 3, reicommit, reidetail.
#[test]
fn a_full_run_that_does_not_resume_copies_all_again_and_tells_of_each_file() {
    let mut world = World::new();
    for i in 0..50 {
        fs::write(world.p.join(format!("f{i}")), noise(100_000)).unwrap();
    }
    let said: Arc<std::sync::Mutex<Vec<String>>> = Arc::default();
    let list = said.clone();
    (world.options.resume, world.options.commit) = (false, 10_000);
    world.options.detail = Some(Arc::new(move |text| list.lock().unwrap().push(text)));
    world.fuse = Arc::new(60.into());
    assert!(world.run(Plan::Full).is_err());
    world.fuse = Arc::new(i64::MAX.into());
    said.lock().unwrap().clear();
    assert_eq!(world.run(Plan::Full).unwrap().bytes, 5_000_000);
    let said = said.lock().unwrap();
    assert_eq!(said.len(), 50, "{said:?}");
    assert!(said.contains(&"f7: copied whole, 100000 of 100000 bytes copied".to_owned()), "{said:?}");
}

#[test]
fn what_is_not_replicated_is_left_alone() {
    let mut world = World::new();
    for root in [&world.p, &world.s] {
        fs::create_dir_all(root.join("d/e")).unwrap();
        fs::write(root.join("d/e/x.tmp"), root.to_str().unwrap()).unwrap();
        fs::write(root.join("d/e/gone"), "x").unwrap();
    }
    fs::remove_dir_all(world.p.join("d/e")).unwrap();
    fs::create_dir(world.s.join("other")).unwrap();
    let excluded: Vec<&'static [u8]> = vec![b"x.tmp"];
    world.alone.excluded = excluded.clone();
    world.options.replicated =
        Some(Arc::new(move |path: &[crate::rfs::op::Name]| !excludes(&excluded, path)));
    world.run(Plan::Hash).unwrap();
    assert_eq!(fs::read_to_string(world.s.join("d/e/x.tmp")).unwrap(), world.s.to_str().unwrap());
    assert!(!world.s.join("d/e/gone").exists() && !world.s.join("other").exists());
}

#[test]
fn a_huge_sparse_file_is_quick() {
    use std::os::unix::fs::FileExt;
    let mut world = World::new();
    let make = |path, byte| {
        let file = fs::File::create(path).unwrap();
        file.set_len(300 << 30).unwrap();
        file.write_all_at(&[byte; 5000], 200 << 30).unwrap();
    };
    make(world.p.join("huge"), 1);
    let start = std::time::Instant::now();
    world.run(Plan::Full).unwrap();
    make(world.s.join("huge"), 2);
    fs::File::options().write(true).open(world.s.join("huge")).unwrap().write_all_at(b"x", 7).unwrap();
    world.run(Plan::Hash).unwrap();
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
    assert_eq!(world.differences(), Vec::<String>::new());
    assert!(fs::metadata(world.s.join("huge")).unwrap().blocks() < 2000);
}

#[test]
fn many_files_and_deep_directories() {
    let mut world = World::new();
    for i in 0..2000 {
        fs::write(world.p.join(format!("f{i}")), noise(i)).unwrap();
    }
    let mut deep = open_root(&world.p).unwrap();
    for _ in 0..40 {
        let name = [b'd'; 250];
        rustix::fs::mkdirat(&deep, &name[..], rustix::fs::Mode::RWXU).unwrap();
        let flags = rustix::fs::OFlags::DIRECTORY;
        deep = rustix::fs::openat(&deep, &name[..], flags, rustix::fs::Mode::empty()).unwrap();
    }
    fs::set_permissions(world.p.join("f1"), fs::Permissions::from_mode(0o4711)).unwrap();
    let start = std::time::Instant::now();
    let done = world.run(Plan::Full).unwrap();
    assert_eq!((done.files, world.differences()), (2000, vec![]));
    assert!(start.elapsed().as_secs() < 30, "{:?}", start.elapsed());
    // And removed again, deeper than a path can be.
    fs::rename(world.p.join("f0"), world.dir.path().join("kept")).unwrap();
    rustix::fs::renameat(
        rustix::fs::CWD,
        world.p.join("d".repeat(250)),
        rustix::fs::CWD,
        world.dir.path().join("deep"),
    )
    .unwrap();
    world.run(Plan::Hash).unwrap();
    assert_eq!(world.differences(), Vec::<String>::new());
}

use std::os::fd::AsFd;

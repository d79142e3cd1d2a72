//! What only the secondary has is kept before it is overwritten, whatever interrupts the run.

use super::super::compare::same_tree;
use super::super::*;
use super::behind::between;
use super::world::World;
use crate::fsm::start::{Parting, Rescue};
use crate::rfs::rescue::{self, Compared, Entry, Keeper, Kept, Now, Purge, Room, Source, What};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

const WIDE: Room = Room { limit: 1 << 30, reserve: Some(0) };

fn keeper(world: &World, room: Room) -> Arc<Keeper> {
    let why = Rescue { why: Parting::Diverged, from: 7, from_term: 2, to: 9, to_term: 3 };
    Arc::new(Keeper::new(world.dir.path().join("rescue"), room, why, 1, vec![world.s.clone()]).unwrap())
}

fn keeping(world: &mut World, keeper: &Arc<Keeper>, before: u64) {
    let (keeper, source) = (keeper.clone(), Source { dir: 0, before, doubtful: false });
    world.options.keep = Some(Arc::new(move |dir, path, what| {
        keeper.keep(source, dir, path, what, true).map_err(|e| e.to_string())
    }));
}

/// A whole run that keeps what differs.
fn rescued(world: &mut World, room: Room, plan: Plan) -> Option<Kept> {
    let keeper = keeper(world, room);
    keeping(world, &keeper, between());
    world.run(plan).unwrap();
    assert_eq!(world.differences(), Vec::<String>::new());
    keeper.finish().unwrap()
}

fn archive(world: &World) -> PathBuf {
    rescue::find(&world.dir.path().join("rescue"), None).unwrap()
}

fn entries(world: &World) -> BTreeMap<String, Entry> {
    let text = fs::read_to_string(archive(world).join("manifest.jsonl")).unwrap();
    let entries = text.lines().map(|line| serde_json::from_str::<Entry>(line).unwrap());
    entries.map(|e| (e.path.clone(), e)).collect()
}

fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Two nodes that went on alone from the same files.
fn diverged() -> World {
    let world = World::new();
    for (side, word) in [(&world.p, "theirs"), (&world.s, "mine!!")] {
        write(&side.join("same"), b"the same");
        write(&side.join("changed"), word.as_bytes());
        write(&side.join("big"), &[word.as_bytes()[0]].repeat(300_000));
        write(
            &side.join("longer"),
            word.repeat(word.len() * usize::from(word.ends_with('!')) + 1).as_bytes(),
        );
        fs::write(side.join("mode"), b"m").unwrap();
        std::os::unix::fs::symlink(word, side.join("link")).unwrap();
        let date = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
        for name in ["same", "changed", "mode"] {
            fs::File::options().write(true).open(side.join(name)).unwrap().set_modified(date).unwrap();
        }
    }
    fs::set_permissions(world.s.join("mode"), fs::Permissions::from_mode(0o4711)).unwrap();
    write(&world.s.join("only/here/deep"), b"nobody else has it");
    fs::hard_link(world.s.join("only/here/deep"), world.s.join("only/twin")).unwrap();
    write(&world.p.join("new"), b"made there");
    world
}

#[test]
fn what_differs_is_kept_and_comes_back_as_it_was() {
    let mut world = diverged();
    let copy = world.dir.path().join("copy");
    assert!(std::process::Command::new("cp").arg("-a").arg(&world.s).arg(&copy).status().unwrap().success());
    let kept = rescued(&mut world, WIDE, Plan::Hash).unwrap();
    let found: BTreeMap<_, _> = entries(&world).into_iter().map(|(p, e)| (p, e.what)).collect();
    let expected = [
        ("big", What::Changed),
        ("changed", What::Changed),
        ("link", What::Changed),
        ("longer", What::Changed),
        ("mode", What::Attributes),
        ("only", What::OnlyHere),
        ("only/here", What::OnlyHere),
        ("only/here/deep", What::OnlyHere),
        ("only/twin", What::OnlyHere),
    ];
    assert_eq!(found, expected.map(|(p, w)| (p.to_owned(), w)).into());
    assert_eq!((kept.files, kept.left_out), (9, 0));

    let to = world.dir.path().join("back");
    let done = rescue::restore(&archive(&world), &rescue::Target::Directory(to.clone()), &[]).unwrap();
    assert_eq!((done.files, done.left_out.len()), (8, 0), "the attributes alone are no file");
    let back = to.join(world.s.strip_prefix("/").unwrap());
    for name in ["same", "mode", "new"] {
        assert!(!back.join(name).exists(), "{name} was not lost");
        let _ = fs::remove_file(copy.join(name));
    }
    // The roots themselves are no entries.
    assert_eq!(same_tree(&copy.join("only"), &back.join("only")).unwrap(), Vec::<String>::new());
    for name in ["changed", "big", "longer"] {
        assert_eq!(fs::read(copy.join(name)).unwrap(), fs::read(back.join(name)).unwrap());
        assert_eq!(copy.join(name).metadata().unwrap().mtime(), back.join(name).metadata().unwrap().mtime());
    }
    assert_eq!(back.join("only/twin").metadata().unwrap().nlink(), 2);
}

#[test]
fn a_comparison_says_what_became_of_each_file() {
    let mut world = diverged();
    rescued(&mut world, WIDE, Plan::Full).unwrap();
    fs::write(world.s.join("changed"), b"mine!!").unwrap();
    let mut now = BTreeMap::new();
    rescue::diff(&archive(&world), |Compared { path, now: found, .. }| {
        now.insert(path.rsplit('/').next().unwrap().to_owned(), found);
    })
    .unwrap();
    assert_eq!(now["changed"], Now::Attributes, "its date is another one");
    assert_eq!(now["big"], Now::Different);
    assert_eq!(now["longer"], Now::OtherSize(6));
    assert_eq!((now["deep"], now["link"]), (Now::Missing, Now::Different));
}

#[test]
fn equal_nodes_have_no_archive() {
    let mut world = World::new();
    for side in [&world.p, &world.s] {
        write(&side.join("d/a"), b"the same");
    }
    write(&world.p.join("d/new"), b"made there");
    for plan in [Plan::Hash, Plan::Full] {
        world.run(Plan::Hash).unwrap();
        assert_eq!(rescued(&mut world, WIDE, plan), None);
    }
    assert_eq!(rescue::archives(&world.dir.path().join("rescue")).unwrap(), Vec::new());
}

#[test]
fn what_has_no_room_is_listed() {
    let mut world = diverged();
    let kept = rescued(&mut world, Room { limit: 100_000, ..WIDE }, Plan::Hash).unwrap();
    assert_eq!(kept.left_out, 1);
    let entries = entries(&world);
    assert_eq!(entries["big"].left_out.as_deref(), Some("no room"));
    assert!(entries["big"].stored.is_none() && entries["changed"].stored.is_some());
    let full = Room { reserve: Some(u64::MAX), ..WIDE };
    let mut world = diverged();
    assert!(rescued(&mut world, full, Plan::Hash).unwrap().left_out > 3, "the disk is never filled");
}

#[test]
fn older_archives_make_room_and_the_newest_stays() {
    let mut world = World::new();
    let root = world.dir.path().join("rescue");
    for round in 0..rescue::MOST + 3 {
        write(&world.p.join("f"), b"primary");
        write(&world.s.join("f"), format!("round {round}").as_bytes());
        rescued(&mut world, WIDE, Plan::Hash).unwrap();
    }
    let names: Vec<_> = rescue::archives(&root).unwrap().into_iter().map(|a| a.name).collect();
    assert_eq!(names.len(), rescue::MOST);
    // Each takes a block; two blocks are allowed.
    write(&world.s.join("f"), b"the last");
    rescued(&mut world, Room { limit: 8192, ..WIDE }, Plan::Hash).unwrap();
    let left: Vec<_> = rescue::archives(&root).unwrap().into_iter().map(|a| a.name).collect();
    assert!(left.len() == 2 && left[0] == names[rescue::MOST - 1], "{left:?}");
    assert_eq!(fs::read(archive(&world).join("files/1")).unwrap(), b"the last");
    assert_eq!(rescue::purge(&root, &Purge::One(left[0].clone())).unwrap(), left[..1]);
    assert_eq!(rescue::purge(&root, &Purge::All).unwrap(), left[1..]);
}

/// The bytes of each regular file.
fn contents(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let fd = open_root(root).unwrap();
    beneath::walk(std::os::fd::AsFd::as_fd(&fd), |dir, path, name| {
        let meta = Meta::of(&beneath::stat_at(dir, name.as_bytes())?);
        if meta.is_file() {
            found.insert(path.shown(), fs::read(root.join(path.shown()))?);
        }
        Ok(meta.is_dir())
    })
    .unwrap();
    found
}

#[test]
fn an_interrupted_run_goes_on_with_the_same_archive() {
    let mut interrupted = 0;
    for at in (2..120).step_by(3) {
        let mut world = diverged();
        let (mine, theirs) = (contents(&world.s), contents(&world.p));
        let before = between();
        let first = keeper(&world, WIDE);
        keeping(&mut world, &first, before);
        world.fuse = Arc::new(AtomicI64::new(at));
        interrupted += u32::from(world.run(Plan::Full).is_err());
        world.fuse.store(i64::MAX, Ordering::SeqCst);
        drop(first);
        // As after a power failure: a line that was being written.
        if let Ok(archive) = rescue::find(&world.dir.path().join("rescue"), None) {
            let manifest = archive.join("manifest.jsonl");
            let torn = [fs::read(&manifest).unwrap(), b"{\"dir\":0,\"pa".to_vec()].concat();
            fs::write(&manifest, torn).unwrap();
        }
        let second = keeper(&world, WIDE);
        keeping(&mut world, &second, before);
        world.run(Plan::Full).unwrap();
        second.finish().unwrap();
        assert_eq!(rescue::archives(&world.dir.path().join("rescue")).unwrap().len(), 1);
        let entries = entries(&world);
        for (path, bytes) in mine.iter().filter(|(path, bytes)| theirs.get(*path) != Some(*bytes)) {
            let stored = entries.get(path).and_then(|e| e.stored);
            let stored = stored.unwrap_or_else(|| panic!("{path} is lost, cut at {at}"));
            let kept = fs::read(archive(&world).join("files").join(stored.to_string())).unwrap();
            assert!(kept == *bytes, "{path} is not what it was, cut at {at}");
        }
        let strange: Vec<_> =
            entries.values().filter(|e| e.stored.is_some() && !mine.contains_key(&e.path)).collect();
        assert!(strange.is_empty(), "what came from the primary is kept: {strange:?}, cut at {at}");
    }
    assert!(interrupted > 10);
}

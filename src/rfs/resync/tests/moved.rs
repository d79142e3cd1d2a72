//! What moves away between the requests of a round, step by step.

use super::super::Plan;
use super::super::wire::Request;
use super::acts::{link, remove, write};
use super::world::World;
use crate::rfs::op::{FileId, Name, Op};
use crate::rfs::zones::Marks;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Both nodes have `a` and `d`, and `d/b` if `linked` is another name of `a`.
fn world(linked: bool) -> World {
    let mut world = World::new();
    fs::write(world.p.join("a"), "old").unwrap();
    fs::create_dir(world.p.join("d")).unwrap();
    fs::write(world.p.join("d/other"), "x").unwrap();
    if linked {
        fs::hard_link(world.p.join("a"), world.p.join("d/b")).unwrap();
    }
    world.in_step();
    world
}

/// Calls `act` with the number of the round and each request.
fn script(world: &mut World, act: impl Fn(u32, &Request, &Marks, &Path) + Send + Sync + 'static) {
    let (round, marks, p) = (AtomicU32::new(0), world.alone.marks.clone(), world.p.clone());
    world.asked = Some(Arc::new(move |request| {
        if matches!(request, Request::Round { .. }) {
            round.fetch_add(1, Ordering::SeqCst);
        }
        act(round.load(Ordering::SeqCst), request, &marks, &p);
    }));
}

fn asks_for(request: &Request, name: &str) -> bool {
    let path = match request {
        Request::Stat { path, .. } => path,
        Request::Read { file, .. } | Request::Hashes { file, .. } => &file.path,
        _ => return false,
    };
    path.shown() == name
}

/// The first hold is too short, so that the third round is one in the open.
const OPEN: u32 = 3;

fn changed_by_a_name_that_goes(linked: bool) {
    let mut world = world(linked);
    world.alone.late = 1.into();
    script(&mut world, move |round, request, marks, p| {
        let (a, b) = (p.join("a"), p.join("d/b"));
        if round == OPEN && matches!(request, Request::Round { .. }) {
            if !linked {
                link(marks, &a, &b).unwrap();
            }
            write(marks, &a, 0, b"new").unwrap();
        }
        // Its directory is listed only now, so only `a` tells of the file.
        let gone =
            matches!(request, Request::List { path } if path.shown() == "d") || asks_for(request, "d/b");
        if round == OPEN && gone && b.exists() {
            remove(marks, &b).unwrap();
        }
    });
    world.run(Plan::Zones).unwrap();
    assert_eq!(fs::read_to_string(world.p.join("a")).unwrap(), "new");
    assert!(!world.p.join("d/b").exists());
    assert_eq!(world.differences(), Vec::<String>::new());
}

#[test]
fn a_change_arrives_though_the_name_that_told_of_it_is_gone() {
    changed_by_a_name_that_goes(true);
}

#[test]
fn a_change_arrives_though_its_name_came_and_went() {
    changed_by_a_name_that_goes(false);
}

#[test]
fn a_change_arrives_though_another_file_took_the_name_that_told_of_it() {
    let mut world = world(true);
    world.alone.late = 1.into();
    script(&mut world, |round, request, marks, p| {
        let b = p.join("d/b");
        if round == OPEN && matches!(request, Request::Round { .. }) {
            write(marks, &p.join("a"), 0, b"new").unwrap();
        }
        if round == OPEN && asks_for(request, "d/b") && fs::metadata(&b).unwrap().nlink() == 2 {
            remove(marks, &b).unwrap();
            write(marks, &b, 0, b"another").unwrap();
        }
    });
    world.run(Plan::Zones).unwrap();
    assert_eq!(fs::read_to_string(world.p.join("d/b")).unwrap(), "another");
    assert_eq!(world.differences(), Vec::<String>::new());
}

#[test]
fn a_copy_that_lost_its_name_is_ended_by_another_one() {
    // In the first round of a full run the file is known by its first name only.
    let mut world = World::new();
    fs::create_dir(world.p.join("d")).unwrap();
    fs::write(world.p.join("d/b"), "old").unwrap();
    fs::hard_link(world.p.join("d/b"), world.p.join("e")).unwrap();
    world.options.workers = 1;
    script(&mut world, |round, request, marks, p| {
        let copied = |name| matches!(request, Request::Read { .. }) && asks_for(request, name);
        for name in ["d/b", "e"] {
            let path: PathBuf = p.join(name);
            if round == 1 && copied(name) && fs::metadata(&path).is_ok_and(|m| m.nlink() == 2) {
                remove(marks, &path).unwrap();
            }
        }
    });
    let done = world.run(Plan::Full).unwrap();
    assert_eq!((done.rounds, world.differences()), (2, vec![]));
}

#[test]
fn a_hold_is_not_ended_by_a_directory_that_is_a_file_now() {
    let mut world = world(false);
    script(&mut world, |round, request, marks, p| {
        if round == 2 && matches!(request, Request::Round { .. }) {
            // A number that was a directory's and is that of a new file.
            write(marks, &p.join("d/new"), 0, b"x").unwrap();
            let parent = FileId(fs::metadata(p.join("d/new")).unwrap().ino());
            marks.note(&Op::Unlink { parent, name: Name::new(b"gone").unwrap(), dir: false });
        }
    });
    let done = world.run(Plan::Zones).unwrap();
    assert_eq!((done.rounds, world.differences()), (2, vec![]));
}

#[test]
fn a_hold_makes_up_for_a_directory_that_is_missing() {
    let mut world = world(false);
    let here = world.s.clone();
    script(&mut world, move |round, request, marks, p| {
        if round == 2 && matches!(request, Request::Round { .. }) {
            fs::remove_dir_all(here.join("d")).unwrap();
            write(marks, &p.join("d/other"), 0, b"y").unwrap();
        }
    });
    let done = world.run(Plan::Zones).unwrap();
    assert_eq!((done.rounds, world.differences()), (2, vec![]));
}

#[test]
fn a_hold_goes_on_with_what_its_round_left() {
    let mut world = world(false);
    let (here, lost) = (world.s.clone(), AtomicBool::new(false));
    script(&mut world, move |round, request, marks, p| {
        if round == 2 && matches!(request, Request::Round { .. }) {
            write(marks, &p.join("d/other"), 0, b"y").unwrap();
        }
        // What is here goes away after the worker was told of it.
        let reads = matches!(request, Request::Read { .. }) && asks_for(request, "d/other");
        if round == 2 && reads && !lost.swap(true, Ordering::SeqCst) {
            fs::remove_file(here.join("d/other")).unwrap();
        }
    });
    let done = world.run(Plan::Zones).unwrap();
    assert_eq!((done.rounds, world.differences()), (2, vec![]));
}

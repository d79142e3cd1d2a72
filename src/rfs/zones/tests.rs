use super::log::RECORD;
use super::medium::{Disk, path};
use super::*;
use crate::rfs::op::FileId;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const ZONE: u64 = 4096;

fn key(ino: u64) -> FileKey {
    FileKey { ino, birth: 7 }
}

fn zones(dir: &Path) -> Zones {
    Zones::open(dir, ZONE).unwrap()
}

fn all(zones: &Zones) -> BTreeMap<FileKey, ZoneSet> {
    zones.files().into_iter().map(|f| (f, zones.dirty(f))).collect()
}

proptest! {
    #[test]
    fn a_set_of_zones_is_a_set(ranges in prop::collection::vec((0u64..40, 0u64..8), 0..30)) {
        let mut set = ZoneSet::default();
        let mut model = std::collections::BTreeSet::new();
        for (start, len) in ranges {
            set.insert(start..start + len);
            model.extend(start..start + len);
        }
        for zone in 0..60 {
            prop_assert_eq!(set.covers(&(zone..zone + 1)), model.contains(&zone));
        }
        let flat: Vec<_> = set.ranges().collect();
        prop_assert!(flat.windows(2).all(|w| w[0].end < w[1].start));
    }

    /// The machine stops during a batch: of its records any bytes may be on disk. What was marked
    /// before is there, and nothing that was never asked for.
    #[test]
    fn a_crash_loses_no_mark(
        settled in prop::collection::vec((0u64..4, 0u64..50, 1u64..5), 0..12),
        flying in prop::collection::vec((0u64..4, 0u64..50, 1u64..5), 1..12),
        cut in 0usize..12 * RECORD, holes in prop::collection::vec(0usize..12 * RECORD, 0..4),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let model = {
            let z = zones(dir.path());
            z.begin(9).unwrap();
            for &(f, s, n) in &settled {
                z.mark(key(f), s * ZONE..(s + n) * ZONE).unwrap();
            }
            all(&z)
        };
        // A restart in between puts what was marked so far into the head of a new log.
        let z = zones(dir.path());
        prop_assert_eq!(&all(&z), &model);
        let before = fs::metadata(path(dir.path())).unwrap().len() as usize;
        let batch: Vec<_> = flying.iter()
            .map(|&(f, s, n)| log::Mark { file: key(f), zones: s..s + n }).collect();
        let mut open = log::Log::create(&Disk::new(dir.path()), ZONE, 9, &set::Files {
            ranges: model.values().map(ZoneSet::len).sum(), files: model.clone(),
        }).unwrap();
        open.append(&batch).unwrap();
        let mut bytes = fs::read(path(dir.path())).unwrap();
        bytes.truncate(before + cut);
        for hole in holes {
            if let Some(byte) = bytes.get_mut(before + hole) {
                *byte = 0;
            }
        }
        fs::write(path(dir.path()), &bytes).unwrap();
        let z = zones(dir.path());
        prop_assert_eq!(z.base(), Some(9));
        let mut most = model.clone();
        for m in batch {
            most.entry(m.file).or_default().insert(m.zones);
        }
        let found = all(&z);
        for (f, set) in &model {
            prop_assert!(set.ranges().all(|r| found[f].covers(&r)));
        }
        for (f, set) in &found {
            prop_assert!(set.ranges().all(|r| most[f].covers(&r)));
        }
        // And it goes on.
        z.mark(key(77), 0..1).unwrap();
        drop(z);
        prop_assert!(zones(dir.path()).dirty(key(77)).covers(&(0..1)));
    }

    #[test]
    fn damage_in_the_middle_is_noticed(at in 0usize..RECORD * 3, with in 1u8..) {
        let dir = tempfile::tempdir().unwrap();
        let z = zones(dir.path());
        z.begin(1).unwrap();
        for f in 0..4 {
            z.mark(key(f), 0..1).unwrap();
        }
        drop(z);
        let mut bytes = fs::read(path(dir.path())).unwrap();
        bytes[at] ^= with;
        fs::write(path(dir.path()), &bytes).unwrap();
        prop_assert_eq!(zones(dir.path()).base(), None);
        // It stays so.
        prop_assert_eq!(zones(dir.path()).base(), None);
    }

    #[test]
    fn any_file_is_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let dir = tempfile::tempdir().unwrap();
        fs::write(path(dir.path()), bytes).unwrap();
        prop_assert_eq!(zones(dir.path()).base(), None);
    }
}

#[test]
fn nothing_is_kept_before_the_beginning() {
    let dir = tempfile::tempdir().unwrap();
    let z = zones(dir.path());
    z.mark(key(1), 0..10).unwrap();
    assert_eq!((z.base(), z.count()), (None, 0));
    z.begin(5).unwrap();
    z.mark(key(1), 0..10).unwrap();
    z.mark(key(2), 3 * ZONE + 1..u64::MAX).unwrap();
    z.mark(key(3), 5..5).unwrap();
    assert_eq!((z.base(), z.count()), (Some(5), 2));
    assert_eq!(z.dirty(key(2)).bytes(ZONE), vec![3 * ZONE..u64::MAX]);
    z.begin(6).unwrap();
    assert_eq!((z.base(), z.count()), (Some(6), 0));
    z.invalidate().unwrap();
    assert_eq!(zones(dir.path()).base(), None);
}

#[test]
fn another_zone_size_makes_it_unknown() {
    let dir = tempfile::tempdir().unwrap();
    zones(dir.path()).begin(5).unwrap();
    assert_eq!(Zones::open(dir.path(), 2 * ZONE).unwrap().base(), None);
    assert!(Zones::open(dir.path(), 1).is_err());
}

#[test]
fn a_marked_zone_costs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let z = zones(dir.path());
    z.begin(1).unwrap();
    z.mark(key(1), 0..u64::MAX).unwrap();
    for at in 0..1000 {
        z.mark(key(1), at * 100..at * 100 + 100).unwrap();
    }
    assert_eq!((z.records(), z.batches()), (1, 1));
}

#[test]
fn threads_share_a_sync() {
    let dir = tempfile::tempdir().unwrap();
    let z = zones(dir.path());
    z.begin(1).unwrap();
    std::thread::scope(|s| {
        for t in 0..8 {
            let z = &z;
            s.spawn(move || {
                for i in 0..50 {
                    z.mark(key(t), 2 * i * ZONE..(2 * i + 1) * ZONE).unwrap();
                    assert!(z.dirty(key(t)).covers(&(2 * i..2 * i + 1)), "returned before it was marked");
                }
            });
        }
    });
    assert_eq!(z.records(), 400);
    assert!(z.batches() < 300, "{} batches for 400 marks of 8 threads", z.batches());
    let before = all(&z);
    drop(z);
    assert_eq!(all(&zones(dir.path())), before);
}

#[test]
fn too_much_makes_it_unknown() {
    for limits in [Limits { files: 3, ranges: 100 }, Limits { files: 100, ranges: 3 }] {
        let dir = tempfile::tempdir().unwrap();
        let z = Zones::with_limits(dir.path(), ZONE, limits).unwrap();
        z.begin(1).unwrap();
        for f in 0..4 {
            assert_eq!(z.base(), Some(1));
            z.mark(key(f), 0..1).unwrap();
        }
        assert_eq!(z.base(), None);
        assert_eq!(zones(dir.path()).base(), None);
    }
}

#[test]
fn a_long_log_is_written_anew() {
    let dir = tempfile::tempdir().unwrap();
    let z = zones(dir.path());
    z.begin(1).unwrap();
    std::thread::scope(|s| {
        for t in 0..64 {
            let z = &z;
            // Each range touches the one before it, so one range remains for each file.
            s.spawn(move || (0..1100).for_each(|i| z.mark(key(t), i * ZONE..(i + 1) * ZONE).unwrap()));
        }
    });
    assert!(z.records() < 64 * 1100, "{} records", z.records());
    let before = all(&z);
    drop(z);
    assert_eq!(all(&zones(dir.path())), before);
}

#[test]
fn the_tracker_hands_over_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let marks = Marks { zones: zones(dir.path()).into(), tracker: Tracker::new().into() };
    let write = |id| Op::Write { id: FileId(id), offset: 0, data: bytes::Bytes::new(), sync: false };
    assert!(!marks.is_tracking());
    marks.note(&write(5));
    assert_eq!(marks.tracker.take(), Changes::default());
    assert!(marks.is_tracking());
    let name = crate::rfs::op::Name::new(b"x").unwrap();
    marks.note(&write(5));
    marks.note(&Op::Unlink { parent: FileId(3), name, dir: false });
    marks.mark(key(8), 0..1).unwrap();
    let changes = marks.tracker.take();
    assert_eq!(changes.files, [FileId(5)].into());
    assert_eq!(changes.dirs, [FileId(3)].into());
    assert_eq!(changes.bytes[&key(8)].bytes(GRAIN), vec![0..GRAIN]);
    assert_eq!(marks.tracker.take(), Changes::default());
    (0..300_000).for_each(|i| marks.note(&write(i)));
    let changes = marks.tracker.take();
    assert!(changes.overflow && changes.files.is_empty());
    marks.tracker.stop();
    assert!(!marks.is_tracking());
}

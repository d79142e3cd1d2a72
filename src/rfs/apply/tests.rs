use super::*;
use crate::rfs::op::Owner;
use proptest::collection::vec;
use proptest::prelude::*;
use rustix::fs::FileType;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;
use tempfile::TempDir;

/// What an application may do; numbers choose among what there is.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    Create { parent: usize, name: u8, kind: u8, mode: u32, uid: u32 },
    Symlink { parent: usize, name: u8 },
    Tmpfile { parent: usize },
    Link { file: usize, parent: usize, name: u8 },
    Unlink { parent: usize, name: u8, dir: bool },
    Rename { parent: usize, name: u8, to: usize, to_name: u8, flags: u32 },
    Write { file: usize, offset: u16, data: Vec<u8> },
    Truncate { file: usize, size: u16 },
    Allocate { file: usize, keep: bool, offset: u16, len: u16 },
    Chmod { file: usize, mode: u32, uid: u32 },
    Xattr { file: usize, name: u8, value: Option<Vec<u8>> },
    Fsync { file: usize },
    Rebind { file: usize, parent: usize, name: u8 },
}

pub(crate) fn action() -> impl Strategy<Value = Action> {
    let n = || 0..12usize;
    let name = || 0..6u8;
    let mode = || prop::sample::select(vec![0o644u32, 0o755, 0o600, 0o4711, 0o2770, 0o1777]);
    let uid = || prop::sample::select(vec![0u32, 1000, 65534]);
    let data = || vec(any::<u8>(), 0..200);
    prop_oneof![
        4 => (n(), name(), 0..6u8, mode(), uid())
            .prop_map(|(parent, name, kind, mode, uid)| Action::Create { parent, name, kind, mode, uid }),
        1 => (n(), name()).prop_map(|(parent, name)| Action::Symlink { parent, name }),
        1 => n().prop_map(|parent| Action::Tmpfile { parent }),
        1 => (n(), n(), name()).prop_map(|(file, parent, name)| Action::Link { file, parent, name }),
        2 => (n(), name(), any::<bool>()).prop_map(|(parent, name, dir)| Action::Unlink { parent, name, dir }),
        2 => (n(), name(), n(), name(), 0..3u32).prop_map(|(parent, name, to, to_name, flags)| {
            Action::Rename { parent, name, to, to_name, flags }
        }),
        4 => (n(), any::<u16>(), data()).prop_map(|(file, offset, data)| Action::Write { file, offset, data }),
        1 => (n(), any::<u16>()).prop_map(|(file, size)| Action::Truncate { file, size }),
        1 => (n(), any::<bool>(), any::<u16>(), 1..9000u16)
            .prop_map(|(file, keep, offset, len)| Action::Allocate { file, keep, offset, len }),
        1 => (n(), mode(), uid()).prop_map(|(file, mode, uid)| Action::Chmod { file, mode, uid }),
        1 => (n(), name(), prop::option::of(data()))
            .prop_map(|(file, name, value)| Action::Xattr { file, name, value }),
        1 => n().prop_map(|file| Action::Fsync { file }),
        1 => (n(), n(), name()).prop_map(|(file, parent, name)| Action::Rebind { file, parent, name }),
    ]
}

/// Works on a directory as a volume would, by other means than the applier, and says what it did.
pub(crate) struct Recorder {
    files: Vec<(FileId, OwnedFd)>,
    newest: u64,
}

impl Recorder {
    pub(crate) fn new(root: &Path) -> Recorder {
        Recorder { files: vec![(FileId::ROOT, File::open(root).unwrap().into())], newest: 1 }
    }

    fn any(&self, n: usize) -> (FileId, String) {
        let (id, fd) = &self.files[n % self.files.len()];
        (*id, proc_path(fd))
    }

    fn entry(&self, parent: usize, name: u8) -> (FileId, Name, String) {
        let (id, path) = self.any(parent);
        (id, named(name), format!("{path}/{name}"))
    }

    /// Gives an id to what is at `path` now.
    fn adopt(&mut self, path: &str) -> (FileId, Owner, u64) {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = fs::open(path, flags, Mode::empty()).unwrap();
        let stat = fs::statat(&fd, "", AtFlags::EMPTY_PATH).unwrap();
        self.newest += 1;
        self.files.push((FileId(self.newest), fd));
        let owner = Owner { mode: stat.st_mode, uid: stat.st_uid, gid: stat.st_gid };
        (FileId(self.newest), owner, stat.st_rdev)
    }

    /// Does it; the operation, if it could be done.
    pub(crate) fn act(&mut self, action: &Action) -> io::Result<Vec<Op>> {
        let op = match action {
            Action::Create { .. } | Action::Symlink { .. } | Action::Tmpfile { .. } => self.make(action)?,
            Action::Link { file, parent, name } => {
                let (id, from) = self.any(*file);
                let (parent, name, path) = self.entry(*parent, *name);
                fs::linkat(fs::CWD, from, fs::CWD, path, AtFlags::SYMLINK_FOLLOW)?;
                Op::Link { id, parent, name }
            }
            Action::Unlink { parent, name, dir } => {
                let (parent, name, path) = self.entry(*parent, *name);
                if *dir {
                    std::fs::remove_dir(path)?
                } else {
                    std::fs::remove_file(path)?
                }
                Op::Unlink { parent, name, dir: *dir }
            }
            Action::Rename { parent, name, to, to_name, flags } => {
                let (parent, name, from) = self.entry(*parent, *name);
                let (to_parent, to_name, to) = self.entry(*to, *to_name);
                fs::renameat_with(fs::CWD, from, fs::CWD, to, RenameFlags::from_bits_retain(*flags))?;
                Op::Rename { parent, name, to_parent, to_name, flags: *flags }
            }
            Action::Rebind { file, parent, name } => {
                let (parent, name, path) = self.entry(*parent, *name);
                let ino = std::fs::symlink_metadata(&path)?.ino();
                let at = file % self.files.len();
                let known = |(_, fd): &(FileId, OwnedFd)| {
                    fs::statat(fd, "", AtFlags::EMPTY_PATH).unwrap().st_ino == ino
                };
                // One file has one id; another is given up, and comes back under a new one some day.
                if self.files.iter().any(known) {
                    if at == 0 {
                        return Ok(Vec::new());
                    }
                    return Ok(vec![Op::Forget(vec![self.files.remove(at).0])]);
                }
                Op::Bind { id: self.adopt(&path).0, parent, name }
            }
            _ => self.change(action)?,
        };
        Ok(vec![op])
    }

    fn make(&mut self, action: &Action) -> io::Result<Op> {
        match action {
            Action::Create { parent, name, kind, mode, uid } => {
                let (parent, name, path) = self.entry(*parent, *name);
                let kind = [
                    FileType::RegularFile,
                    FileType::RegularFile,
                    FileType::Directory,
                    FileType::Directory,
                    FileType::Fifo,
                    FileType::CharacterDevice,
                ][usize::from(*kind)];
                let device = if kind == FileType::CharacterDevice { fs::makedev(1, 3) } else { 0 };
                match kind {
                    FileType::Directory => std::fs::create_dir(&path)?,
                    _ => fs::mknodat(fs::CWD, &path, kind, Mode::RUSR, device)?,
                }
                std::os::unix::fs::chown(&path, Some(*uid), Some(*uid))?;
                std::fs::set_permissions(&path, PermissionsExt::from_mode(*mode))?;
                let (id, owner, rdev) = self.adopt(&path);
                Ok(Op::Create { id, parent, name, owner, rdev })
            }
            Action::Symlink { parent, name } => {
                let (parent, name, path) = self.entry(*parent, *name);
                std::os::unix::fs::symlink("../nowhere", &path)?;
                let (id, owner, _) = self.adopt(&path);
                Ok(Op::Symlink { id, parent, name, target: b"../nowhere".into(), owner })
            }
            Action::Tmpfile { parent } => {
                let (parent, path) = self.any(*parent);
                let fd = fs::open(path, OFlags::TMPFILE | OFlags::RDWR, Mode::RUSR)?;
                let stat = fs::fstat(&fd)?;
                self.newest += 1;
                self.files.push((FileId(self.newest), fd));
                let owner = Owner { mode: stat.st_mode, uid: stat.st_uid, gid: stat.st_gid };
                Ok(Op::Tmpfile { id: FileId(self.newest), parent, owner })
            }
            _ => unreachable!("not new"),
        }
    }

    fn change(&mut self, action: &Action) -> io::Result<Op> {
        let open = |path: &str| {
            let kind = std::fs::metadata(path)?.file_type();
            if kind.is_fifo() || kind.is_char_device() {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            OpenOptions::new().write(true).open(path)
        };
        Ok(match action {
            Action::Write { file, offset, data } => {
                let (id, path) = self.any(*file);
                let offset = u64::from(*offset);
                open(&path)?.write_all_at(data, offset)?;
                Op::Write { id, offset, data: data.clone().into(), sync: data.len() % 8 == 0 }
            }
            Action::Truncate { file, size } => {
                let (id, path) = self.any(*file);
                open(&path)?.set_len(u64::from(*size))?;
                Op::Truncate { id, size: u64::from(*size) }
            }
            Action::Allocate { file, keep, offset, len } => {
                let (id, path) = self.any(*file);
                let mode = if *keep { FallocateFlags::KEEP_SIZE } else { FallocateFlags::empty() };
                let (offset, len) = (u64::from(*offset), u64::from(*len));
                fs::fallocate(open(&path)?, mode, offset, len)?;
                Op::Allocate { id, mode: mode.bits(), offset, len }
            }
            Action::Chmod { file, mode, uid } => {
                let (id, path) = self.any(*file);
                if std::fs::metadata(&path)?.is_symlink() {
                    // It would get the owner and then refuse the permissions.
                    return Err(io::ErrorKind::InvalidInput.into());
                }
                std::os::unix::fs::chown(&path, Some(*uid), None)?;
                std::fs::set_permissions(&path, PermissionsExt::from_mode(*mode))?;
                let attrs = Attrs { mode: Some(*mode), uid: Some(*uid), ..Attrs::default() };
                Op::SetAttrs { id, attrs }
            }
            Action::Xattr { file, name, value } => {
                let (id, path) = self.any(*file);
                let name = format!("user.{name}").into_bytes();
                match value {
                    Some(value) => {
                        fs::setxattr(path, name.as_slice(), value, XattrFlags::empty())?;
                        Op::SetXattr { id, name, value: value.clone(), flags: 0 }
                    }
                    None => {
                        fs::removexattr(path, name.as_slice())?;
                        Op::RemoveXattr { id, name }
                    }
                }
            }
            Action::Fsync { file } => Op::Fsync { id: self.any(*file).0 },
            _ => unreachable!("not a change"),
        })
    }
}

fn named(name: u8) -> Name {
    Name::new(name.to_string().as_bytes()).unwrap()
}

/// All that a directory holds but its times, in an order.
pub(crate) fn tree(root: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    for entry in walk(root) {
        let meta = std::fs::symlink_metadata(&entry).unwrap();
        let mut line = format!("{} {:o}", entry.strip_prefix(root).unwrap().display(), meta.mode());
        line += &format!(" {} {} {:x} {}", meta.uid(), meta.gid(), meta.rdev(), meta.nlink());
        if meta.is_symlink() {
            line += &format!(" {:?}", std::fs::read_link(&entry).unwrap());
        } else if meta.is_file() {
            line += &format!(" {} {}", meta.len(), blake3::hash(&std::fs::read(&entry).unwrap()));
        }
        for number in 0..6 {
            let mut value = vec![0; 256];
            if let Ok(length) = fs::lgetxattr(&entry, format!("user.{number}"), value.as_mut_slice()) {
                line += &format!(" {number}={:?}", &value[..length]);
            }
        }
        lines.push(line);
    }
    lines
}

fn walk(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut all = vec![dir.to_owned()];
    let mut entries: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for entry in entries {
        if std::fs::symlink_metadata(&entry).unwrap().is_dir() {
            all.extend(walk(&entry));
        } else {
            all.push(entry);
        }
    }
    all
}

pub(crate) fn applier(dir: &Path) -> Applier {
    Applier::new(File::open(dir).unwrap().into()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn a_recorded_life_makes_the_same_tree(actions in vec(action(), 1..80)) {
        let (from, to) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let mut recorder = Recorder::new(from.path());
        let mut applier = applier(to.path());
        for action in &actions {
            for op in recorder.act(action).unwrap_or_default() {
                applier.apply(&op).unwrap();
                applier.sync(&op).unwrap();
            }
        }
        prop_assert_eq!(tree(from.path()), tree(to.path()));
    }
}

fn create(id: u64, name: &str, mode: u32) -> Op {
    let owner = Owner { mode, uid: 0, gid: 0 };
    let name = Name::new(name.as_bytes()).unwrap();
    Op::Create { id: FileId(id), parent: FileId::ROOT, name, owner, rdev: 0 }
}

fn write(id: u64, data: &'static [u8]) -> Op {
    Op::Write { id: FileId(id), offset: 0, data: data.into(), sync: false }
}

#[test]
fn times_are_those_of_the_primary() {
    let dir = TempDir::new().unwrap();
    let mut applier = applier(dir.path());
    applier.apply(&create(2, "file", 0o100_644)).unwrap();
    let mtime = Some(Time { secs: -5, nanos: 7 });
    let atime = Some(Time { secs: 100, nanos: 0 });
    for attrs in [Attrs { mtime, ..Attrs::default() }, Attrs { atime, ..Attrs::default() }] {
        applier.apply(&Op::SetAttrs { id: FileId(2), attrs }).unwrap();
    }
    let meta = std::fs::metadata(dir.path().join("file")).unwrap();
    assert_eq!((meta.mtime(), meta.mtime_nsec(), meta.atime()), (-5, 7, 100));
}

#[test]
fn more_files_than_are_kept_open_are_found_again() {
    let dir = TempDir::new().unwrap();
    let mut applier = applier(dir.path());
    for id in 2..500 {
        applier.apply(&create(id, &id.to_string(), 0o100_600)).unwrap();
    }
    for id in 2..500 {
        applier.apply(&write(id, b"found")).unwrap();
    }
    for id in 2..500 {
        assert_eq!(std::fs::read(dir.path().join(id.to_string())).unwrap(), b"found");
    }
}

#[test]
fn what_is_there_already_is_taken_over_and_emptied() {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("file"), "old").unwrap();
    std::fs::create_dir(dir.path().join("dir")).unwrap();
    let mut applier = applier(dir.path());
    applier.apply(&create(2, "file", 0o100_640)).unwrap();
    applier.apply(&create(3, "dir", 0o040_700)).unwrap();
    assert_eq!(std::fs::metadata(dir.path().join("file")).unwrap().len(), 0);
    // But not what is something else.
    let error = applier.apply(&create(4, "dir", 0o100_640)).unwrap_err();
    assert_eq!(error.errno(), libc::EEXIST);
}

#[test]
fn nothing_outside_the_directory_is_reached() {
    let (dir, outside) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    std::fs::write(outside.path().join("file"), "safe").unwrap();
    std::os::unix::fs::symlink(outside.path(), dir.path().join("link")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("file"), dir.path().join("file")).unwrap();
    let mut applier = applier(dir.path());
    let root = |name: &str| (FileId::ROOT, Name::new(name.as_bytes()).unwrap());
    for (id, name) in [(2, "link"), (3, "file")] {
        let (parent, name) = root(name);
        applier.apply(&Op::Bind { id: FileId(id), parent, name }).unwrap();
    }
    let name = Name::new(b"file").unwrap();
    assert!(applier.apply(&Op::Unlink { parent: FileId(2), name: name.clone(), dir: false }).is_err());
    assert!(applier.apply(&Op::Bind { id: FileId(4), parent: FileId(2), name }).is_err());
    assert!(applier.apply(&write(3, b"lost")).is_err());
    assert!(applier.apply(&create(5, "file", 0o100_644)).is_err());
    assert_eq!(std::fs::read(outside.path().join("file")).unwrap(), b"safe");
}

#[test]
fn the_products_own_entry_and_unknown_ids_are_refused() {
    let dir = TempDir::new().unwrap();
    let mut applier = applier(dir.path());
    assert!(matches!(applier.apply(&create(2, RESERVED, 0o100_644)), Err(ApplyError::Reserved)));
    assert!(matches!(applier.apply(&write(7, b"x")), Err(ApplyError::Unknown(FileId(7)))));
    assert!(matches!(applier.apply(&create(1, "x", 0o100_644)), Err(ApplyError::Root)));
    applier.apply(&create(2, "file", 0o100_644)).unwrap();
    let (name, to_name) = (Name::new(b"file").unwrap(), Name::new(RESERVED.as_bytes()).unwrap());
    let (parent, to_parent) = (FileId::ROOT, FileId::ROOT);
    let rename = Op::Rename { parent, name, to_parent, to_name, flags: 0 };
    assert!(matches!(applier.apply(&rename), Err(ApplyError::Reserved)));
    applier.apply(&Op::Forget(vec![FileId(2)])).unwrap();
    assert!(matches!(applier.apply(&write(2, b"x")), Err(ApplyError::Unknown(_))));
}

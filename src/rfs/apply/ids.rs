//! Which file an id is, and the files that are open at the moment.

use super::handle::Handle;
use super::{ApplyError, Tried, number, proc_path, shown};
use crate::rfs::op::{FileId, Name};
use rustix::fs::{self, AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// Files that are kept open by `O_PATH`, and for their bytes.
const OPEN_MOST: usize = 128;

/// What keeps an id.
enum Hold {
    /// The file has a name, so its handle finds it.
    Handle(Handle),
    /// It has no name, or its file system has no handles.
    Open(Arc<OwnedFd>),
}

struct Known {
    ino: u64,
    regular: bool,
    hold: Hold,
}

/// The ids of one stream.
pub(super) struct Ids {
    root: Arc<OwnedFd>,
    /// Whether the file system finds files by their handles, and lets us.
    handles: bool,
    known: HashMap<FileId, Known>,
    by_ino: HashMap<u64, FileId>,
    paths: Recent<Arc<OwnedFd>>,
    data: Recent<Arc<File>>,
}

impl Ids {
    pub(super) fn new(root: OwnedFd) -> io::Result<Ids> {
        // What was given may be O_PATH, which neither opens handles nor syncs.
        let root =
            fs::openat(&root, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let handles = Handle::of(&root).and_then(|handle| handle.open(&root)).is_ok();
        Ok(Ids {
            root: Arc::new(root),
            handles,
            known: HashMap::new(),
            by_ino: HashMap::new(),
            paths: Recent::default(),
            data: Recent::default(),
        })
    }

    pub(super) fn root(&self) -> Arc<OwnedFd> {
        self.root.clone()
    }

    /// From now on `id` is this file, which has a name.
    pub(super) fn bind(&mut self, id: FileId, file: OwnedFd) -> Result<(), ApplyError> {
        let file = Arc::new(file);
        let handle = if self.handles { Handle::of(&file).ok() } else { None };
        let hold = handle.map_or_else(|| Hold::Open(file.clone()), Hold::Handle);
        self.insert(id, file, hold)
    }

    /// From now on `id` is this file, which has no name.
    pub(super) fn bind_unnamed(&mut self, id: FileId, file: OwnedFd) -> Result<(), ApplyError> {
        let file = Arc::new(file);
        self.insert(id, file.clone(), Hold::Open(file))
    }

    fn insert(&mut self, id: FileId, file: Arc<OwnedFd>, hold: Hold) -> Result<(), ApplyError> {
        if id == FileId::ROOT {
            return Err(ApplyError::Root);
        }
        let stat = fs::statat(&*file, "", AtFlags::EMPTY_PATH).tried("look at file", || number(id))?;
        self.forget(id);
        let regular = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        self.known.insert(id, Known { ino: stat.st_ino, regular, hold });
        self.by_ino.insert(stat.st_ino, id);
        self.paths.put(id, file);
        Ok(())
    }

    pub(super) fn forget(&mut self, id: FileId) {
        self.paths.remove(id);
        self.data.remove(id);
        if let Some(known) = self.known.remove(&id)
            && self.by_ino.get(&known.ino) == Some(&id)
        {
            self.by_ino.remove(&known.ino);
        }
    }

    /// Whether it is a file with bytes.
    pub(super) fn is_regular(&self, id: FileId) -> Result<bool, ApplyError> {
        if id == FileId::ROOT {
            return Ok(false);
        }
        self.known.get(&id).map(|known| known.regular).ok_or(ApplyError::Unknown(id))
    }

    /// The file as it is, not open for its bytes.
    pub(super) fn path(&mut self, id: FileId) -> Result<Arc<OwnedFd>, ApplyError> {
        if id == FileId::ROOT {
            return Ok(self.root.clone());
        }
        if let Some(file) = self.paths.get(id) {
            return Ok(file);
        }
        let known = self.known.get(&id).ok_or(ApplyError::Unknown(id))?;
        let file = match &known.hold {
            Hold::Open(file) => file.clone(),
            Hold::Handle(handle) => Arc::new(handle.open(&self.root).tried("find file", || number(id))?),
        };
        self.paths.put(id, file.clone());
        Ok(file)
    }

    /// The file open for its bytes.
    pub(super) fn data(&mut self, id: FileId) -> Result<Arc<File>, ApplyError> {
        if let Some(file) = self.data.get(id) {
            return Ok(file);
        }
        // Opening a pipe would wait for another process, and a device would do what it does.
        if !self.is_regular(id)? {
            return Err(Errno::INVAL).tried("open for its bytes file", || number(id));
        }
        let path = self.path(id)?;
        let file = fs::open(proc_path(&*path), OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
            .tried("open file", || number(id))?;
        let file = Arc::new(File::from(file));
        self.data.put(id, file.clone());
        Ok(file)
    }

    /// The name is about to be removed. If it is the last one of a file with an id, the file is kept open:
    /// the primary may go on with it, and its handle would lead nowhere.
    pub(super) fn about_to_go(&mut self, directory: &OwnedFd, name: &Name) -> Result<(), ApplyError> {
        let stat = match fs::statat(directory, name.as_bytes(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            // The target of a rename need not exist; what must exist is missed by the operation itself.
            Err(Errno::NOENT) => return Ok(()),
            Err(error) => return Err(error).tried("look at", || shown(name)),
        };
        let last = stat.st_nlink <= 1 || FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        let Some(&id) = self.by_ino.get(&stat.st_ino).filter(|_| last) else { return Ok(()) };
        let file = self.path(id)?;
        if let Some(known) = self.known.get_mut(&id) {
            known.hold = Hold::Open(file);
        }
        Ok(())
    }
}

/// The most recently used of something, by id.
struct Recent<T> {
    clock: u64,
    kept: HashMap<FileId, (u64, T)>,
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Recent { clock: 0, kept: HashMap::new() }
    }
}

impl<T: Clone> Recent<T> {
    fn get(&mut self, id: FileId) -> Option<T> {
        self.clock += 1;
        let (used, value) = self.kept.get_mut(&id)?;
        *used = self.clock;
        Some(value.clone())
    }

    fn put(&mut self, id: FileId, value: T) {
        if self.kept.len() >= OPEN_MOST && !self.kept.contains_key(&id) {
            let oldest = self.kept.iter().min_by_key(|(_, (used, _))| *used).map(|(id, _)| *id);
            oldest.map(|oldest| self.kept.remove(&oldest));
        }
        self.clock += 1;
        self.kept.insert(id, (self.clock, value));
    }

    fn remove(&mut self, id: FileId) {
        self.kept.remove(&id);
    }
}

//! The nodes of a mounted directory and the local work on its backing directory. Nothing here knows
//! of replication.

pub mod attr;
pub mod dir;
mod handle;
pub mod local;
mod nodes;
mod written;
pub mod xattr;

pub(crate) use crate::lock::lock;
pub use nodes::{Node, Unnamed};
pub use written::Written;

use crate::rfs::ledger::Ledger;
use crate::rfs::op::{FileId, FileKey, Name};
use attr::Stat;
use handle::FileHandle;
use nodes::Table;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::collections::VecDeque;
use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirEntryExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

/// Descriptors that are kept open to spare opening by handle again and again.
const WARM: usize = 1024;
/// Most descriptors this process asks for: without file handles each known node holds one.
const FILES_MOST: u64 = 1 << 20;

/// A tree: the backing directory and its known nodes.
#[derive(Debug)]
pub struct Tree {
    root: OwnedFd,
    /// Mount of the root if its file system makes handles; files on other mounts are held open.
    handles: Option<i32>,
    next: AtomicU64,
    table: Mutex<Table>,
    warm: Mutex<VecDeque<Weak<Node>>>,
    /// Where the nodes are written down, if anywhere.
    ledger: Option<Arc<Ledger>>,
}

/// Names of a node, each with its directory.
pub type Links = Vec<(FileId, Name)>;

/// The name of an entry for a system call.
pub fn c_name(name: &[u8]) -> Result<CString, Errno> {
    CString::new(name).map_err(|_| Errno::INVAL)
}

impl Tree {
    /// A tree over the directory `backing`; its nodes are written to `ledger`.
    pub fn open(backing: &Path, ledger: Option<Arc<Ledger>>) -> Result<Tree, Errno> {
        raise_limit();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(backing, flags, Mode::empty())?;
        let handles = match FileHandle::of(root.as_fd()) {
            Ok((handle, mount)) => handle.open(root.as_fd(), OFlags::PATH).ok().map(|_| mount),
            Err(_) => None,
        };
        let stat = attr::stat(root.as_fd())?;
        let tree = Tree {
            root,
            handles,
            next: AtomicU64::new(FileId::ROOT.0),
            table: Mutex::default(),
            warm: Mutex::default(),
            ledger,
        };
        let fd = tree.root.try_clone().map_err(|_| Errno::MFILE)?;
        let node = tree.node(&stat, fd, true, None)?;
        node.pinned.store(true, Ordering::Relaxed);
        {
            let mut table = lock(&tree.table);
            if let Some(ledger) = &tree.ledger {
                table.write_to(Arc::clone(ledger));
            }
            table.insert(node);
        }
        Ok(tree)
    }

    /// Whether files can be found again by a later process: their file system makes handles.
    pub fn can_outlive(&self) -> bool {
        self.handles.is_some()
    }

    /// The backing directory.
    pub fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// The node with this number; ESTALE if there is none.
    pub fn get(&self, id: u64) -> Result<Arc<Node>, Errno> {
        lock(&self.table).get(FileId(id)).cloned().ok_or(Errno::STALE)
    }

    /// The node of a file, if the kernel knows it.
    pub fn find(&self, stat: &Stat) -> Option<Arc<Node>> {
        lock(&self.table).find(stat.dev, stat.key).cloned()
    }

    /// The same by its identity.
    pub fn find_key(&self, dev: u64, key: FileKey) -> Option<Arc<Node>> {
        lock(&self.table).find(dev, key).cloned()
    }

    /// Looks up an entry, whose node gets its number with it if it is new. `replicated` judges a new
    /// one by its type being that of a directory or not.
    pub fn look_up(
        &self,
        parent: &Node,
        name: &[u8],
        replicated: impl FnOnce(bool) -> bool,
    ) -> Result<(Arc<Node>, Stat), Errno> {
        let dir = self.fd(parent)?;
        let c = c_name(name)?;
        let stat = attr::stat_at(dir.as_fd(), &c)?;
        {
            let mut table = lock(&self.table);
            if let Some(node) = table.look_up(stat.dev, stat.key) {
                table.link(node.id, parent.id, name);
                return Ok((node, stat));
            }
        }
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(dir.as_fd(), &c, flags, Mode::empty())?;
        // Once more: on a secondary the entry may have become another one.
        let stat = attr::stat(fd.as_fd())?;
        let node = self.node(&stat, fd, replicated(stat.is_dir()), None)?;
        let node = self.add(&node);
        lock(&self.table).link(node.id, parent.id, name);
        Ok((node, stat))
    }

    /// A file without a name that was just made; one lookup.
    pub fn add_unnamed(&self, fd: OwnedFd, replicated: bool, unnamed: Unnamed) -> Result<Arc<Node>, Errno> {
        let stat = attr::stat(fd.as_fd())?;
        let node = self.node(&stat, fd, replicated, Some(unnamed))?;
        node.pinned.store(true, Ordering::Relaxed);
        lock(&self.table).insert(Arc::clone(&node));
        Ok(node)
    }

    /// Puts a new node into the table, unless another thread was faster: then that one's counts.
    fn add(&self, new: &Arc<Node>) -> Arc<Node> {
        let mut table = lock(&self.table);
        table.look_up(new.dev, new.key).unwrap_or_else(|| {
            table.insert(Arc::clone(new));
            Arc::clone(new)
        })
    }

    fn node(
        &self,
        stat: &Stat,
        fd: OwnedFd,
        replicated: bool,
        unnamed: Option<Unnamed>,
    ) -> Result<Arc<Node>, Errno> {
        let handle = match self.handles {
            Some(mount) => FileHandle::of(fd.as_fd()).ok().filter(|(_, m)| *m == mount).map(|(h, _)| h),
            None => None,
        };
        if let (None, Some(ledger)) = (&handle, &self.ledger) {
            ledger.give_up("a file cannot be found again by a handle: it is on another file system");
        }
        let node = Arc::new(Node {
            id: FileId(self.next.fetch_add(1, Ordering::Relaxed)),
            key: stat.key,
            dev: stat.dev,
            kind: stat.kind(),
            replicated,
            unnamed,
            bytes: Mutex::new(()),
            bound: AtomicU64::new(0),
            pinned: AtomicBool::new(handle.is_none()),
            handle,
            fd: Mutex::new(Some(Arc::new(fd))),
            opens: AtomicUsize::new(0),
            given: AtomicBool::new(false),
        });
        if node.handle.is_some() {
            self.keep_warm(&node);
        }
        Ok(node)
    }

    /// A descriptor of the node, `O_PATH` at least.
    pub fn fd(&self, node: &Node) -> Result<Arc<OwnedFd>, Errno> {
        let mut kept = lock(&node.fd);
        if let Some(fd) = &*kept {
            return Ok(Arc::clone(fd));
        }
        let handle = node.handle.as_ref().ok_or(Errno::STALE)?;
        let fd = handle.open(self.root(), OFlags::PATH | OFlags::NOFOLLOW).inspect_err(|_| {
            lock(&self.table).stale(node);
        })?;
        let fd = Arc::new(fd);
        *kept = Some(Arc::clone(&fd));
        drop(kept);
        if let Some(node) = lock(&self.table).get(node.id).cloned() {
            self.keep_warm(&node);
        }
        Ok(fd)
    }

    /// Notes that the node has a descriptor, and closes the one that was opened first of too many.
    fn keep_warm(&self, node: &Arc<Node>) {
        let oldest = {
            let mut warm = lock(&self.warm);
            warm.push_back(Arc::downgrade(node));
            if warm.len() > WARM { warm.pop_front() } else { None }
        };
        if let Some(oldest) = oldest.and_then(|w| w.upgrade()) {
            let mut fd = lock(&oldest.fd);
            // Looked at under the lock: who pins takes it after.
            if !oldest.pinned.load(Ordering::SeqCst) {
                fd.take();
            }
        }
    }

    /// Keeps the node's descriptor: the file is about to lose what else it could be found by.
    pub fn pin(&self, node: &Node) -> Result<(), Errno> {
        node.pinned.store(true, Ordering::SeqCst);
        self.fd(node).map(|_| ())
    }

    /// Bytes on the disk of a file that is kept by its descriptor alone, since its names are gone.
    pub fn space_of_removed(&self, node: &Node) -> Option<u64> {
        let kept = node.pinned.load(Ordering::Relaxed) && node.handle.is_some();
        let stat = if kept { self.stat(node).ok()? } else { return None };
        (stat.attr.nlink == 0).then(|| stat.attr.blocks.saturating_mul(512))
    }

    /// Opens the node's file or directory itself.
    pub fn open_node(&self, node: &Node, flags: OFlags) -> Result<OwnedFd, Errno> {
        match &node.handle {
            Some(handle) if !node.pinned.load(Ordering::Relaxed) => handle.open(self.root(), flags),
            _ => {
                let fd = self.fd(node)?;
                rustix::fs::open(attr::proc_path(fd.as_fd().as_fd()), flags | OFlags::CLOEXEC, Mode::empty())
            }
        }
    }

    /// Attributes of a node.
    pub fn stat(&self, node: &Node) -> Result<Stat, Errno> {
        attr::stat(self.fd(node)?.as_fd())
    }

    /// Attributes of an entry.
    pub fn stat_entry(&self, parent: &Node, name: &CStr) -> Result<Stat, Errno> {
        attr::stat_at(self.fd(parent)?.as_fd(), name)
    }

    /// The node has this name too.
    pub fn link(&self, node: &Node, parent: FileId, name: &[u8]) {
        lock(&self.table).link(node.id, parent, name);
    }

    /// The node has lost this name.
    pub fn unlink(&self, node: &Node, parent: FileId, name: &[u8]) {
        lock(&self.table).unlink(node.id, parent, name);
    }

    /// Names of a node, each with its directory.
    pub fn links(&self, id: FileId) -> Links {
        lock(&self.table).links(id).to_vec()
    }

    /// Forgets lookups, and gives the nodes that went with them.
    pub fn forget(&self, id: u64, lookups: u64) -> Vec<Arc<Node>> {
        lock(&self.table).forget(FileId(id), lookups)
    }

    /// See `Table::keep`.
    pub fn keep(&self, keep: bool) -> Vec<Arc<Node>> {
        lock(&self.table).keep(keep)
    }

    /// The names from the root to a node; `None` if it has none any more.
    pub fn path_of(&self, id: FileId) -> Option<Vec<Name>> {
        lock(&self.table).path(id)
    }

    /// The way from a node up to the root: each node with its directory and its name there.
    pub fn chain(&self, id: FileId) -> Option<Vec<(Arc<Node>, FileId, Name)>> {
        lock(&self.table).chain(id)
    }

    /// All nodes, with their names.
    pub fn all(&self) -> Vec<(Arc<Node>, Links)> {
        let table = lock(&self.table);
        table.all().map(|n| (Arc::clone(n), table.links(n.id).to_vec())).collect()
    }

    /// Drops names that are no longer so: a secondary's entries change without the kernel's asking.
    pub fn verify(&self) {
        for (node, links) in self.all() {
            for (parent, name) in links {
                let found = self.get(parent.0).and_then(|p| self.stat_entry(&p, &c_name(name.as_bytes())?));
                if !found.is_ok_and(|s| (s.dev, s.key) == (node.dev, node.key)) {
                    self.unlink(&node, parent, name.as_bytes());
                }
            }
        }
    }

    /// Seeks a name of a file in the whole tree but for the entry `skip` of the root. It may take long;
    /// needed only for a file that lost the name by which the kernel knew it but has others.
    pub fn search(&self, node: &Node, skip: &str) -> Option<Vec<Name>> {
        let root = PathBuf::from(attr::proc_path(self.root()));
        let skip = root.join(skip);
        let mut left = vec![root.clone()];
        while let Some(dir) = left.pop() {
            let Ok(entries) = std::fs::read_dir(&dir) else { continue };
            for entry in entries.flatten().filter(|e| e.path() != skip) {
                if entry.ino() == node.key.ino {
                    let path = entry.path();
                    return path.strip_prefix(&root).ok()?.iter().map(|n| Name::new(n.as_bytes())).collect();
                }
                if entry.file_type().is_ok_and(|t| t.is_dir()) {
                    left.push(entry.path());
                }
            }
        }
        None
    }
}

/// Asks for as many descriptors as may be had.
fn raise_limit() {
    let mut limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let most = limit.maximum.unwrap_or(FILES_MOST).max(FILES_MOST);
    limit.current = Some(most);
    limit.maximum = Some(most);
    if rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).is_err() {
        tracing::warn!("cannot raise the limit of open files to {most}");
    }
}

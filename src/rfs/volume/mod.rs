//! A replicated directory, mounted: the tree, its session with the kernel, and the journal that each
//! modification goes to (see [`Journal`] for the protocol).
//!
//! Two kinds of locks order what is recorded as it happened locally: one for all names of the volume
//! (lookups share it, changes of names hold it alone) and one in each node for its bytes and
//! attributes. The former is taken first.

mod attrs;
mod bind;
mod data;
pub mod exclude;
mod modify;
mod names;
mod open;
mod outlive;
mod read;
mod room;

pub use exclude::{Exclude, ExcludeError};
pub use outlive::{Keeper, Outlive};

use super::fuse::{
    Attr, Filesystem, Kept, Mounted, Negotiated, Notifier, Operation, Reply, Request, Session,
};
use super::fuse::{MAX_READ, SessionError};
use super::journal::Journal;
use super::ledger::{LedgerError, Record};
use super::op::{FileId, Name, Owner};
use super::tree::attr::Stat;
use super::tree::dir::Dir;
use super::tree::{Node, Tree, lock};
use open::Open;
use outlive::Outliving;
use room::Room;
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::io::Errno;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};
use std::thread::JoinHandle;

/// Entry of the root of the backing directory that is the product's own: nobody sees it through the
/// mount.
pub const HIDDEN: &str = ".safekit_rfs";
/// Seconds that the kernel keeps names and attributes on the primary, the only one who changes them.
const TTL: u64 = 86_400;

/// How a volume is mounted.
#[derive(Clone, Copy, Debug)]
pub struct VolumeOptions {
    /// POSIX ACLs work and are replicated (RFS-17); otherwise there are none.
    pub acl: bool,
    /// Threads that answer requests; 0: as many as processors, at least 2.
    pub threads: usize,
}

/// Why a volume is not mounted.
#[derive(Debug, thiserror::Error)]
pub enum VolumeError {
    /// The backing directory cannot be used.
    #[error("cannot open the replicated directory {path}: {errno}")]
    Backing {
        /// Directory.
        path: PathBuf,
        /// Reason.
        errno: Errno,
    },
    /// No session with the kernel.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// A thread could not be started.
    #[error("cannot start a thread for held requests: {0}")]
    Thread(std::io::Error),
    /// What an earlier process has left of the mount cannot be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The kernel does not send again what that process has left unanswered.
    #[error("the kernel does not send unanswered requests again (Linux 6.9 does)")]
    NoResend,
    /// It is not known whether something that was begun was done.
    #[error("a modification that was under way cannot be looked at: {0}")]
    Unfinished(Errno),
}

/// What an earlier process has left of its mount.
pub struct Left {
    /// The descriptor of `/dev/fuse`.
    pub fd: OwnedFd,
    /// What the kernel knows.
    pub outlive: Outlive,
    /// This node is primary.
    pub primary: bool,
}

/// What all parts of one modification have to know.
#[derive(Clone, Copy, Debug)]
struct Change {
    /// It is recorded.
    record: bool,
    /// [`Journal::peer`] of its permit.
    peer: u64,
    /// Number of the request.
    unique: u64,
}

/// An open directory and its node.
type OpenDir = (Arc<Node>, Arc<Dir>);

/// A request that waits for the journal. There are no more of them than there are callers, each of
/// whom waits, and the kernel's own in the background.
struct Held {
    request: Kept,
    reply: Reply,
}

/// A replicated directory, mounted. It is there until [`unmount`](Volume::unmount), whoever drops it.
pub struct Volume<J: Journal> {
    me: Weak<Volume<J>>,
    tree: Tree,
    journal: Arc<J>,
    exclude: Exclude,
    acl: bool,
    primary: AtomicBool,
    names: RwLock<()>,
    binding: Mutex<()>,
    forgotten: Mutex<Vec<Arc<Node>>>,
    /// Bytes of the removed files among them.
    kept_space: AtomicU64,
    files: RwLock<HashMap<u64, Arc<Open>>>,
    dirs: RwLock<HashMap<u64, OpenDir>>,
    next_handle: AtomicU64,
    room: Room,
    held: Mutex<Option<Sender<Held>>>,
    holder: Mutex<Option<JoinHandle<()>>>,
    session: OnceLock<Session>,
    notifier: OnceLock<Notifier>,
    /// Set if another process could go on with the mount.
    outliving: Option<Outliving>,
}

impl<J: Journal> Volume<J> {
    /// Mounts the directory `backing` on `mountpoint`; `on`: the open directory that it is. With
    /// `outlive` another process may go on with the mount, if the system permits it.
    pub fn mount(
        backing: &Path,
        mountpoint: &Path,
        on: Option<BorrowedFd<'_>>,
        journal: Arc<J>,
        exclude: Exclude,
        options: VolumeOptions,
        outlive: Option<Outlive>,
    ) -> Result<Arc<Volume<J>>, VolumeError> {
        let ledger = outlive.as_ref().map(|o| Arc::clone(&o.ledger));
        let tree = Tree::open(backing, ledger)
            .map_err(|errno| VolumeError::Backing { path: backing.to_owned(), errno })?;
        let mounted = Mounted::new(backing, mountpoint, on, options.acl)?;
        let volume = Volume::build(tree, journal, exclude, options, outlive);
        if let Some(o) = &volume.outliving {
            let Negotiated { minor, flags } = mounted.negotiated();
            o.outlive.ledger.note(&Record::Session { minor, flags });
            if !volume.tree.can_outlive() {
                o.outlive.ledger.give_up("the file system of the directory makes no file handles");
            } else if !mounted.negotiated().resends() {
                o.outlive
                    .ledger
                    .give_up("the kernel does not send unanswered requests again (Linux 6.9 does)");
            }
        }
        volume.serve(mounted, options)?;
        Ok(volume)
    }

    /// Goes on with the mount of an earlier process that was killed: with the numbers that the kernel
    /// knows, and with what that process has done and not answered.
    pub fn resume(
        backing: &Path,
        mountpoint: &Path,
        left: Left,
        journal: Arc<J>,
        exclude: Exclude,
        options: VolumeOptions,
    ) -> Result<Arc<Volume<J>>, VolumeError> {
        let mut tree = Tree::open(backing, None)
            .map_err(|errno| VolumeError::Backing { path: backing.to_owned(), errno })?;
        let ledger = Arc::clone(&left.outlive.ledger);
        let written = tree.read_written(&ledger)?;
        let (minor, flags) = ledger.session().ok_or(LedgerError::Damaged)?;
        let negotiated = Negotiated { minor, flags };
        if !negotiated.resends() {
            return Err(VolumeError::NoResend);
        }
        let volume = Volume::build(tree, journal, exclude, options, Some(left.outlive));
        volume.primary.store(left.primary, Ordering::SeqCst);
        volume.go_on_with(written)?;
        let mounted = Mounted::resume(left.fd, mountpoint, negotiated);
        let notifier = mounted.notifier();
        // Before anything is read: what this process has read would be sent again as well, and done twice.
        notifier.resend().map_err(SessionError::Begin)?;
        volume.serve(mounted, options)?;
        Ok(volume)
    }

    fn build(
        tree: Tree,
        journal: Arc<J>,
        exclude: Exclude,
        options: VolumeOptions,
        outlive: Option<Outlive>,
    ) -> Arc<Volume<J>> {
        Arc::new_cyclic(|me| Volume {
            me: me.clone(),
            tree,
            journal,
            exclude,
            acl: options.acl,
            primary: AtomicBool::new(false),
            names: RwLock::new(()),
            binding: Mutex::new(()),
            forgotten: Mutex::default(),
            kept_space: AtomicU64::new(0),
            files: RwLock::default(),
            dirs: RwLock::default(),
            next_handle: AtomicU64::new(1),
            room: Room::default(),
            held: Mutex::new(None),
            holder: Mutex::new(None),
            session: OnceLock::new(),
            notifier: OnceLock::new(),
            outliving: outlive.map(Outliving::new),
        })
    }

    fn serve(self: &Arc<Self>, mounted: Mounted, options: VolumeOptions) -> Result<(), VolumeError> {
        let (sender, receiver) = channel();
        *lock(&self.held) = Some(sender);
        let _ = self.notifier.set(mounted.notifier());
        let me = Weak::clone(&self.me);
        let holder =
            std::thread::Builder::new().name("fuse-held".into()).spawn(move || go_on(&me, &receiver));
        *lock(&self.holder) = Some(holder.map_err(VolumeError::Thread)?);
        let threads = match options.threads {
            0 => std::thread::available_parallelism().map_or(2, |n| n.get().max(2)),
            n => n,
        };
        let _ = self.session.set(mounted.serve(self, threads)?);
        Ok(())
    }

    /// Unmounts and ends all threads. Requests that are not answered yet fail.
    pub fn unmount(&self) {
        if let Some(session) = self.session.get() {
            session.close();
        }
        lock(&self.held).take();
        if let Some(holder) = lock(&self.holder).take()
            && holder.join().is_err()
        {
            tracing::error!("the thread for held requests had panicked");
        }
    }

    /// This node is primary now, or is not any more. The primary alone changes the directory, so the
    /// kernel keeps what it knows of it; everybody else's kernel asks each time. What was kept before
    /// is forgotten when this returns. To be called when no request is held: the kernel may wait for
    /// it.
    pub fn primary(&self, primary: bool) {
        {
            let _names = self.names_write();
            self.tree.verify();
            self.primary.store(primary, Ordering::SeqCst);
        }
        let Some(notifier) = self.notifier.get() else { return };
        let by_epoch = notifier.epoch().unwrap_or(false);
        for (node, links) in self.tree.all() {
            // A node that the kernel has dropped meanwhile is forgotten anyhow.
            let _ = notifier.inode(node.id.0);
            for (parent, name) in links.iter().filter(|_| !by_epoch) {
                let _ = notifier.entry(parent.0, name);
            }
        }
    }

    /// The names from the root to a file; empty for the root, `None` if it has no name (any more).
    pub fn path_of(&self, id: FileId) -> Option<Vec<Name>> {
        self.tree.path_of(id)
    }

    /// The root of the backing directory.
    pub fn root(&self) -> BorrowedFd<'_> {
        self.tree.root()
    }

    /// What is not replicated.
    pub fn exclude(&self) -> &Exclude {
        &self.exclude
    }

    /// The descriptor of `/dev/fuse`, with which another process can [go on](Volume::resume). `None`
    /// once unmounted.
    pub fn descriptor(&self) -> Option<OwnedFd> {
        self.session.get()?.fd()
    }

    fn names_read(&self) -> RwLockReadGuard<'_, ()> {
        self.names.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn names_write(&self) -> RwLockWriteGuard<'_, ()> {
        self.names.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn ttl(&self) -> u64 {
        if self.primary.load(Ordering::Relaxed) { TTL } else { 0 }
    }

    /// Is this the product's own entry?
    fn hidden(parent: &Node, name: &[u8]) -> bool {
        parent.id == FileId::ROOT && name == HIDDEN.as_bytes()
    }

    /// Is an entry replicated? `directory`: it is one.
    fn verdict(&self, parent: &Node, name: &[u8], directory: bool) -> bool {
        if !parent.replicated || self.exclude.is_empty() {
            return parent.replicated;
        }
        match (self.tree.path_of(parent.id), Name::new(name)) {
            (Some(mut path), Some(name)) => {
                path.push(name);
                self.exclude.replicated(&path, directory)
            }
            _ => true,
        }
    }

    /// Keeps a request until the mode with this number is over.
    fn hold(&self, number: u64, request: &Request<'_>, reply: Reply) {
        let held = Held { request: request.keep(), reply };
        let me = Weak::clone(&self.me);
        let again = move || {
            if let Some(volume) = me.upgrade()
                && let Some(sender) = &*lock(&volume.held)
            {
                // If nobody receives any more, the dropped reply is the answer.
                let _ = sender.send(held);
            }
        };
        self.journal.when_changed(number, Box::new(again));
    }
}

/// Goes on with requests that were held.
fn go_on<J: Journal>(volume: &Weak<Volume<J>>, requests: &Receiver<Held>) {
    let mut buffer = vec![0; MAX_READ as usize];
    while let Ok(held) = requests.recv() {
        let Some(volume) = volume.upgrade() else { return };
        if let Ok(request) = held.request.request() {
            volume.handle(&request, &mut buffer, held.reply);
        }
    }
}

/// Owner and mode of a file as they are recorded.
fn owner(stat: &Stat) -> Owner {
    let Attr { mode, uid, gid, .. } = stat.attr;
    Owner { mode, uid, gid }
}

impl<J: Journal> Filesystem for Volume<J> {
    fn handle(&self, request: &Request<'_>, buffer: &mut [u8], reply: Reply) {
        use Operation as O;
        match request.operation {
            O::Lookup { .. }
            | O::GetAttr { .. }
            | O::ReadLink
            | O::Read { .. }
            | O::Statfs
            | O::GetXattr { .. }
            | O::ListXattr { .. }
            | O::OpenDir
            | O::ReadDir { .. }
            | O::ReleaseDir { .. }
            | O::Seek { .. } => self.look(request, buffer, reply),
            O::Ioctl => {
                reply.error(Errno::NOTTY);
            }
            _ => self.modify(request, reply),
        }
        self.shorten();
    }

    fn forget(&self, node: u64, lookups: u64) {
        self.forget_node(node, lookups);
        self.shorten();
    }
}

//! The layer itself: a session that is taken over on its descriptor.

use crate::support::{LONG, private_mounts, spawn};
use safekit::rfs::fuse::{Attr, Entry, Filesystem, Mounted, Operation, Reply, Request, Session};
use std::fs;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};

/// A file system of an empty root and one file. It keeps what is asked about the file unanswered
/// while `kept` is there.
struct Small {
    kept: Mutex<Option<Sender<Reply>>>,
}

impl Filesystem for Small {
    fn handle(&self, request: &Request<'_>, _buffer: &mut [u8], reply: Reply) {
        let root = Attr { ino: 1, mode: libc::S_IFDIR | 0o755, nlink: 2, ..Attr::default() };
        let file = Attr { ino: 2, mode: libc::S_IFREG | 0o644, nlink: 1, size: 7, ..Attr::default() };
        match request.operation {
            Operation::GetAttr { .. } if request.node == 1 => drop(reply.attr(60, &root)),
            Operation::Lookup { name: b"file" } => match &*self.kept.lock().unwrap() {
                Some(kept) => kept.send(reply).unwrap(),
                None => drop(reply.entry(&Entry { node: 2, ttl: 60, attr: file })),
            },
            _ => drop(reply.error(rustix::io::Errno::NOSYS)),
        }
    }

    fn forget(&self, _node: u64, _lookups: u64) {}
}

#[test]
fn a_session_is_taken_over() {
    private_mounts();
    let mnt = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (sender, kept) = channel();
    let old = Arc::new(Small { kept: Mutex::new(Some(sender)) });
    let first = Mounted::new(mnt.path(), mnt.path(), None, false).unwrap().serve(&old, 1).unwrap();
    let path = mnt.path().join("file");
    let asking = spawn(move || fs::metadata(path));
    let unanswered = kept.recv_timeout(LONG).unwrap();
    // The old process is gone without an answer; here its thread stays, and answers from now on.
    std::mem::forget(unanswered);
    *old.kept.lock().unwrap() = None;
    let new = Arc::new(Small { kept: Mutex::new(None) });
    let fd = first.fd().unwrap();
    let second = Session::resume(fd, mnt.path(), first.negotiated(), &new, 1).unwrap();
    assert_eq!(asking.join().unwrap().unwrap().len(), 7, "what was unanswered is asked again");
    assert!(first.negotiated().minor >= 31);
    first.close();
    drop(second);
    assert!(!mnt.path().join("file").exists(), "it is unmounted");
}

#[test]
fn a_dropped_reply_is_an_error_for_the_caller() {
    private_mounts();
    let mnt = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (sender, kept) = channel();
    let small = Arc::new(Small { kept: Mutex::new(Some(sender)) });
    let session = Mounted::new(mnt.path(), mnt.path(), None, false).unwrap().serve(&small, 2).unwrap();
    let path = mnt.path().join("file");
    let asking = spawn(move || fs::metadata(path));
    drop(kept.recv_timeout(LONG).unwrap());
    assert_eq!(crate::support::errno(asking.join().unwrap()), Some(libc::EIO));
    session.close();
}

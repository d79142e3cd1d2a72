//! What the file system tells the kernel unasked.

use super::abi::{self, Body, notify};
use super::reply::Channel;
use crate::rfs::op::Name;
use rustix::io::Errno;
use std::sync::Weak;

/// Sends notifications. None may be sent by a thread that answers a request: the kernel may wait
/// for that answer first.
#[derive(Clone, Debug)]
pub struct Notifier {
    pub(super) channel: Weak<Channel>,
    pub(super) minor: u32,
}

impl Notifier {
    fn send(&self, code: i32, parts: &[&[u8]]) -> Result<(), Errno> {
        let channel = self.channel.upgrade().ok_or(Errno::NODEV)?;
        match channel.send(0, code, parts) {
            Err(Errno::NOENT) => Ok(()), // The kernel does not know it: nothing to forget.
            other => other,
        }
    }

    /// The kernel forgets attributes and pages of a node.
    pub fn inode(&self, node: u64) -> Result<(), Errno> {
        let body = Body::<24>::new().u64(node).u64(0).u64(0);
        self.send(notify::INVAL_INODE, &[body.bytes()])
    }

    /// The kernel forgets a name. It waits for requests on that directory which are not yet answered.
    pub fn entry(&self, parent: u64, name: &Name) -> Result<(), Errno> {
        let len = u32::try_from(name.as_bytes().len()).map_err(|_| Errno::NAMETOOLONG)?;
        let body = Body::<16>::new().u64(parent).u32(len);
        self.send(notify::INVAL_ENTRY, &[body.bytes(), name.as_bytes(), &[0]])
    }

    /// The kernel looks up every name again; `Ok(false)` if it is too old to know how.
    pub fn epoch(&self) -> Result<bool, Errno> {
        if self.minor < abi::MINOR_EPOCH {
            return Ok(false);
        }
        match self.send(notify::EPOCH, &[]) {
            Ok(()) => Ok(true),
            Err(Errno::INVAL) => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// The kernel sends all requests again that it has no reply for.
    pub fn resend(&self) -> Result<(), Errno> {
        self.send(notify::RESEND, &[])
    }
}

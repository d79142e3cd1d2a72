//! Descriptors that outlive the process that serves a mount: the test keeps them in place of the guard.

use safekit::rfs::volume::Keeper;
use std::collections::HashMap;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::Mutex;

/// Sends descriptors over a socket to the test, which plays the guard.
pub struct Sender(pub Mutex<OwnedFd>);

impl Keeper for Sender {
    fn give(&self, name: &str, fd: BorrowedFd<'_>) -> bool {
        let socket = self.0.lock().unwrap();
        sent(&socket, name, Some(fd.try_clone_to_owned().unwrap()));
        // Only what was received is kept.
        received(&socket).0 == "+"
    }

    fn take(&self, name: &str) -> Option<OwnedFd> {
        let socket = self.0.lock().unwrap();
        rustix::io::write(&*socket, format!("?{name}").as_bytes()).unwrap();
        received(&socket).1
    }

    fn forget(&self, name: &str) {
        let socket = self.0.lock().unwrap();
        rustix::io::write(&*socket, format!("-{name}").as_bytes()).unwrap();
    }
}

/// What is kept.
#[derive(Default)]
pub struct Kept(pub Mutex<HashMap<String, OwnedFd>>);

impl Keeper for Kept {
    fn give(&self, name: &str, fd: BorrowedFd<'_>) -> bool {
        // As long as the way to another process takes.
        (0..20).for_each(|_| std::thread::yield_now());
        self.0.lock().unwrap().insert(name.to_owned(), fd.try_clone_to_owned().unwrap());
        true
    }

    fn take(&self, name: &str) -> Option<OwnedFd> {
        self.0.lock().unwrap().get(name).map(|fd| fd.try_clone().unwrap())
    }

    fn forget(&self, name: &str) {
        self.0.lock().unwrap().retain(|n, _| !n.starts_with(name));
    }
}

pub fn packets() -> OwnedFd {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
    socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None).unwrap()
}

fn sent(socket: &OwnedFd, text: &str, fd: Option<OwnedFd>) {
    use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
    let fds: Vec<i32> = fd.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&fds)];
    let control = if fds.is_empty() { &[][..] } else { &rights[..] };
    let part = [std::io::IoSlice::new(text.as_bytes())];
    // Who is killed receives nothing any more.
    let _ = sendmsg::<()>(socket.as_raw_fd(), &part, control, MsgFlags::MSG_NOSIGNAL, None);
}

fn received(socket: &OwnedFd) -> (String, Option<OwnedFd>) {
    use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
    let mut buffer = [0; 200];
    let mut space = nix::cmsg_space!([i32; 1]);
    let mut parts = [std::io::IoSliceMut::new(&mut buffer)];
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let message = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut space), flags).unwrap();
    let length = message.bytes;
    let fd = message.cmsgs().unwrap().find_map(|part| match part {
        // SAFETY: the kernel has just made it, and nobody else has it.
        ControlMessageOwned::ScmRights(fds) => Some(unsafe { OwnedFd::from_raw_fd(fds[0]) }),
        _ => None,
    });
    (String::from_utf8(buffer[..length].to_vec()).unwrap(), fd)
}

/// Keeps what the process gives, until it ends.
pub fn receive(socket: &OwnedFd, kept: &Kept) {
    loop {
        match received(socket) {
            (name, _) if name.is_empty() => return,
            (name, Some(fd)) => {
                kept.0.lock().unwrap().insert(name, fd);
                sent(socket, "+", None);
            }
            (name, None) => match name.strip_prefix('?') {
                Some(name) => sent(socket, "+", kept.take(name)),
                None => kept.forget(name.trim_start_matches('-')),
            },
        }
    }
}

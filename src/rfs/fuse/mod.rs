//! A thin layer over the kernel's FUSE protocol (ADR 6): mount, requests, replies that may come
//! later, notifications. It knows nothing of files.

pub mod abi;
mod mount;
mod notify;
mod reply;
mod request;
mod session;

pub use mount::MAX_READ;
pub use notify::Notifier;
pub use reply::{Attr, Entry, Opened, Reply};
pub use request::{Forgets, Init, Kept, Malformed, Operation, Request, SetAttr, SetTime};
pub use session::{Filesystem, MAX_WRITE, Mounted, Negotiated, Session, SessionError};

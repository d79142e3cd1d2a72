//! Self-fencing (S8): the protocol with `safeguard`, and the processes of modules as groups.
//!
//! `safeadmin` arms the guard for a module while a peer could take over, and renews it with every
//! heartbeat. When the renewals stop, `safeguard` removes the module's virtual addresses and kills its
//! application before the peer may think that this node is dead.
//!
//! A crash of `safeguard` itself: the connection of `safeadmin` breaks, its next call returns
//! [`client::GuardError`], and the restarted guard starts with nothing armed (modules that it had
//! fenced stay fenced: their markers are read again). `safeadmin` connects and arms again in its next
//! renewal; until then the node is unguarded but renewing, so only the crash of both at once is open.

pub mod cgroup;
pub mod client;
pub mod deadline;
pub mod frame;
mod marked;

//! Reintegration (RFS-20 to RFS-29): the secondary pulls the tree of the primary, which stays in use,
//! in rounds. The first round walks both trees; each further one examines what changed during the one
//! before. For the last one the primary holds modifications for a short, bounded time.
//!
//! [`Source`] answers on the primary; [`Target`] pulls on the secondary and writes directly to its
//! backing directory. What a round meets half-way (a file that is gone, a directory that was renamed)
//! is left to the next one, which knows of it.
//!
//! Resuming: a run that was interrupted leaves no mark that it was there but the files that it brought.
//! Their dates agree, so by hash or zones they are compared and not copied. For a full run the files
//! that were copied are listed in `.safekit_rfs/done`; the next full run compares them by hash instead
//! of copying them, so that the list need not be trusted.

pub(in crate::rfs) mod beneath;
pub mod compare;
pub(in crate::rfs) mod data;
mod diff;
pub(in crate::rfs) mod meta;
mod progress;
mod source;
mod target;
#[cfg(test)]
mod tests;
mod touched;
mod verify;
mod wire;

pub use beneath::{OWN, TreePath, open_root};
pub use diff::{Diff, diff};
pub(in crate::rfs) use meta::Xattrs;
pub use meta::{Entry, Meta, Verdict};
pub use progress::Progress;
pub use source::{Primary, Source};
pub use target::{Detail, Keep, Open, Options, Outcome, Plan, Replicated, Target};
pub use touched::touched_since;
pub use verify::Difference;
pub use wire::{Channel, MESSAGE_MOST, PACKET_MOST};

use std::io;

/// Why a reintegration or a verification did not end well.
#[derive(Debug, thiserror::Error)]
pub enum ResyncError {
    /// The network.
    #[error("the connection to the other node failed: {0}; check the network and that the module runs there")]
    Connection(io::Error),
    /// The peer says what nobody understands.
    #[error(
        "the other node does not speak the protocol of reintegration: {0}; use the same package on both nodes"
    )]
    Protocol(io::Error),
    /// The primary refused.
    #[error("the primary refused: {0}")]
    Refused(String),
    /// This node's disk.
    #[error("{path} on this node: {source}; check the disk and the file's flags (lsattr)")]
    Local {
        /// What.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// Files that only this node may have could not be kept; they are as they were.
    #[error("{path} cannot be kept in the rescue archive: {why}; make room, or see safekit rescue --help")]
    Rescue {
        /// What.
        path: String,
        /// Why.
        why: String,
    },
    /// The primary could not hold its modifications long enough, several times.
    #[error(
        "the last changes could not be copied while the primary held its modifications: {0}; retry when it is less busy"
    )]
    Held(String),
    /// Ended on demand.
    #[error("reintegration was cancelled")]
    Cancelled,
}

//! Who is at the other end of the local socket, as the kernel says, and for whom he speaks.

use super::{Access, Behalf};
use crate::fsm::command;
use crate::log::Lang;

/// A user of the local socket (SO_PEERCRED).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// User number.
    pub uid: u32,
    /// Primary group number.
    pub gid: u32,
    /// Process; identifies a local command in the command log (MSG-CMD-01).
    pub pid: i32,
    /// Name of the user, or its number if it has none.
    pub user_name: String,
    /// Root or member of group safekit (CLI-002). The server passes on no request of others.
    pub allowed: bool,
    /// What it may ask: everything, unless it speaks for a remote user with less.
    pub access: Access,
    /// The remote user it speaks for, e.g. `admin@10.0.0.3`.
    pub remote: Option<String>,
    /// The language that it reads.
    pub lang: Lang,
}

impl Caller {
    /// The caller as the module log names it: the identity of `-i` (CLI-005), else the remote
    /// user, else the user given with `-u` (CLI-006), else the local user (CLI-008).
    pub fn label(&self, identity: Option<&str>, user: Option<&str>) -> command::Caller {
        match (identity, self.remote.as_deref().or(user)) {
            (Some(identity), _) => command::Caller::Identity(identity.to_owned()),
            (None, Some(user)) => command::Caller::User(user.to_owned()),
            (None, None) => command::Caller::User(self.user_name.clone()),
        }
    }

    /// The remote user, else the local one.
    pub fn name(&self) -> &str {
        self.remote.as_deref().unwrap_or(&self.user_name)
    }

    /// Takes on what the hello says; it can only take rights away.
    pub(super) fn speak_for(&mut self, behalf: Behalf) {
        self.access = self.access.min(behalf.access);
        self.remote = Some(behalf.user);
        self.lang = behalf.lang;
    }
}

//! Becoming the user `safekit`: the service keeps no right of root once its ports are open.

use nix::unistd::{Gid, Uid, User, setgid, setgroups, setuid};
use std::ffi::CString;

/// User and group of the service (ADM-13).
const USER: &str = crate::control::GROUP;

/// Why it cannot become that user.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// The user is not there.
    #[error("there is no user {USER}: install SafeKit again, or add it with useradd --system {USER}")]
    Missing,
    /// The system refused.
    #[error("cannot become the user {USER}: {0}")]
    Refused(#[from] nix::Error),
    /// It went on with rights that it must not have.
    #[error("the rights of root are still there after becoming the user {USER}")]
    Kept,
}

/// The user to become; `None` if this process is not root's.
pub(super) fn wanted() -> Result<Option<User>, UserError> {
    if !Uid::effective().is_root() {
        return Ok(None);
    }
    User::from_name(USER)?.map(Some).ok_or(UserError::Missing)
}

/// Becomes the user, for good. To be called before there are other threads.
pub(super) fn become_user(user: &User) -> Result<(), UserError> {
    let name = CString::new(user.name.as_str()).map_err(|_| UserError::Missing)?;
    let groups = nix::unistd::getgrouplist(&name, user.gid)?;
    setgroups(&groups)?;
    setgid(user.gid)?;
    setuid(user.uid)?;
    let root = Uid::from_raw(0);
    if setuid(root).is_ok() || Uid::current().is_root() || Gid::current() != user.gid {
        return Err(UserError::Kept);
    }
    Ok(())
}

/// No program that this process might start, whoever it belongs to, has more rights than it. For good.
pub(super) fn forgo_rights() -> Result<(), UserError> {
    Ok(nix::sys::prctl::set_no_new_privs()?)
}

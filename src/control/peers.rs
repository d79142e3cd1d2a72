//! Who is at the other end, and whether he may use `safekit` (CLI-002).

use super::{Access, Caller, GROUP};
use crate::log::Lang;
use nix::unistd::{Gid, Group, Uid, User, getgrouplist};
use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::CString;
use std::io;
use std::time::{Duration, Instant};
use tokio::net::UnixStream;

/// How long the groups of a user are remembered: a change counts after that time.
const REMEMBER: Duration = Duration::from_secs(10);
/// Users remembered.
const USERS: usize = 256;

/// What is remembered of a user.
#[derive(Clone, Debug)]
struct Known {
    name: String,
    allowed: bool,
    asked: Instant,
}

/// Users met lately.
#[derive(Debug, Default)]
pub(super) struct Peers(RefCell<HashMap<u32, Known>>);

impl Peers {
    /// Takes the user of the tests for one who may.
    #[cfg(test)]
    pub(super) fn trusting_own() -> Self {
        let known = Known { name: "tester".to_owned(), allowed: true, asked: Instant::now() };
        Peers(RefCell::new(HashMap::from([(nix::unistd::getuid().as_raw(), known)])))
    }

    /// The caller at the other end of a connection.
    pub(super) async fn caller(&self, stream: &UnixStream) -> io::Result<Caller> {
        let cred = stream.peer_cred()?;
        let (uid, gid) = (cred.uid(), cred.gid());
        let known = self.known(uid, gid).await?;
        Ok(Caller {
            uid,
            gid,
            pid: cred.pid().unwrap_or(0),
            user_name: known.name,
            allowed: known.allowed,
            access: Access::Admin,
            remote: None,
            lang: Lang::En,
        })
    }

    async fn known(&self, uid: u32, gid: u32) -> io::Result<Known> {
        if uid == 0 {
            return Ok(Known { name: "root".to_owned(), allowed: true, asked: Instant::now() });
        }
        if let Some(known) = self.0.borrow().get(&uid).filter(|k| k.asked.elapsed() < REMEMBER) {
            return Ok(known.clone());
        }
        // The name service may ask a server.
        let known = tokio::task::spawn_blocking(move || look_up(uid, gid)).await?;
        let mut all = self.0.borrow_mut();
        if all.len() >= USERS {
            all.clear();
        }
        all.insert(uid, known.clone());
        Ok(known)
    }
}

/// Asks the name service. What it cannot tell does not give a right.
fn look_up(uid: u32, gid: u32) -> Known {
    let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
    let group = Group::from_name(GROUP).ok().flatten().map(|g| g.gid.as_raw());
    let groups = user
        .as_ref()
        .and_then(|u| CString::new(u.name.as_str()).ok().map(|name| (name, u.gid)))
        .and_then(|(name, primary)| getgrouplist(&name, primary).ok())
        .unwrap_or_default();
    let groups: Vec<u32> = groups.into_iter().map(Gid::as_raw).chain([gid]).collect();
    Known {
        name: user.map_or_else(|| uid.to_string(), |u| u.name),
        allowed: is_allowed(uid, &groups, group),
        asked: Instant::now(),
    }
}

/// Root, or a member of the group if there is one.
fn is_allowed(uid: u32, groups: &[u32], group: Option<u32>) -> bool {
    uid == 0 || group.is_some_and(|g| groups.contains(&g))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_root_and_the_group_may() {
        for (uid, groups, group, allowed) in [
            (0, vec![0], None, true),
            (0, vec![0], Some(990), true),
            (1000, vec![1000, 990], Some(990), true),
            (1000, vec![1000, 27], Some(990), false),
            (1000, vec![1000], None, false),
            (1000, vec![], Some(990), false),
        ] {
            assert_eq!(is_allowed(uid, &groups, group), allowed, "{uid} {groups:?} {group:?}");
        }
    }

    #[test]
    fn a_user_without_name_has_a_number_and_no_right() {
        let nobody = look_up(3_999_999_999, 3_999_999_999);
        assert_eq!(nobody.name, "3999999999");
        assert!(!nobody.allowed);
    }
}

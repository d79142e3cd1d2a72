//! The user `safekit` of the nodes, as an installation makes it (ADM-50). Nodes see this machine's lists of
//! users and groups; where safekit is missing there, they see copies with it.

use super::error::{During, Result};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;

/// User and group of the web service, by name.
const NAME: &str = "safekit";
/// Numbers of system accounts, tried from the last downwards.
const FIRST: u32 = 100;
const LAST: u32 = 999;

/// Files of this machine that nodes see with safekit in them.
pub(super) const FILES: [&str; 2] = ["passwd", "group"];

/// Numbers of the user and the group `safekit` on the nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// User.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
}

/// The user and the group that nodes of this machine have.
pub(super) fn account() -> Result<Account> {
    Ok(of_this_machine()?.0)
}

/// Writes the nodes' lists into `dir`, from those of this machine.
pub(super) fn install(dir: &Path) -> Result<Account> {
    let (account, lists) = of_this_machine()?;
    for (name, text) in FILES.iter().zip(lists) {
        let path = dir.join(name);
        fs::write(&path, text).during(|| format!("write {}", path.display()))?;
    }
    Ok(account)
}

fn of_this_machine() -> Result<(Account, [String; 2])> {
    let read = |name: &str| {
        let path = Path::new("/etc").join(name);
        fs::read_to_string(&path).during(|| format!("read {}", path.display()))
    };
    Ok(with_safekit([read(FILES[0])?, read(FILES[1])?]))
}

/// The lists of users and of groups, each with safekit.
fn with_safekit([mut users, mut groups]: [String; 2]) -> (Account, [String; 2]) {
    let user = field(&users, NAME, 2).zip(field(&users, NAME, 3));
    let group = field(&groups, NAME, 2);
    let taken = |list: &str, number| list.lines().any(|line| number_of(line) == Some(number));
    let free = (FIRST..=LAST).rev().find(|n| !taken(&users, *n) && !taken(&groups, *n)).unwrap_or(LAST);
    let gid = group.or(user.map(|(_, gid)| gid)).unwrap_or(free);
    let account = Account { uid: user.map_or(free, |(uid, _)| uid), gid };
    if user.is_none() {
        end_line(&mut users);
        users += &format!("{NAME}:x:{}:{gid}::/opt/safekit:/usr/sbin/nologin\n", account.uid);
    }
    if group.is_none() {
        end_line(&mut groups);
        groups += &format!("{NAME}:x:{gid}:\n");
    }
    (account, [users, groups])
}

fn end_line(list: &mut String) {
    if !list.is_empty() && !list.ends_with('\n') {
        list.push('\n');
    }
}

/// A number in the line of `name`, by its place in the line.
fn field(list: &str, name: &str, at: usize) -> Option<u32> {
    let line = list.lines().find(|line| line.split(':').next() == Some(name))?;
    line.split(':').nth(at)?.parse().ok()
}

fn number_of(line: &str) -> Option<u32> {
    line.split(':').nth(2)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists(users: &str, groups: &str) -> (Account, [String; 2]) {
        with_safekit([users.to_owned(), groups.to_owned()])
    }

    #[test]
    fn it_is_added_with_a_free_number() {
        let (account, [users, groups]) =
            lists("root:x:0:0:root:/root:/bin/sh\nlast:x:999:999::/:/bin/sh", "root:x:0:\nother:x:998:\n");
        assert_eq!(account, Account { uid: 997, gid: 997 });
        let user = "safekit:x:997:997::/opt/safekit:/usr/sbin/nologin";
        assert_eq!(users.lines().collect::<Vec<_>>()[2..], [user]);
        assert_eq!(groups, "root:x:0:\nother:x:998:\nsafekit:x:997:\n");
    }

    #[test]
    fn what_is_there_is_kept() {
        let (user, group) = ("safekit:x:70:71::/:/bin/false\n", "safekit:x:71:someone\n");
        let (account, kept) = lists(user, group);
        assert_eq!((account.uid, account.gid), (70, 71));
        assert_eq!(kept, [user, group].map(str::to_owned));
        let (account, [users, _]) = lists("", group);
        assert_eq!((account.uid, account.gid), (999, 71));
        assert!(users.starts_with("safekit:x:999:71:"), "{users}");
        let (account, [_, groups]) = lists(user, "");
        assert_eq!((account.uid, account.gid), (70, 71));
        assert_eq!(groups, "safekit:x:71:\n");
    }
}

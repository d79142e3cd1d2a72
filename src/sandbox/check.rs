//! What a sandbox is refused for before anything of it is made.

use super::error::{During, Result, SandboxError};
use super::node::{SERVICES, WEB};
use super::users::{self, Account};
use super::{LAST_NUMBER, MOST_CLIENTS, Options, console, disk, state};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Longest path of a socket (`sockaddr_un`), its end included.
const SOCKET_PATH: usize = 108;

/// Refuses options that cannot be satisfied, before anything is made.
pub(super) fn options(options: &Options) -> Result<()> {
    state::check_name("sandbox", &options.name)?;
    for (at, lan) in options.lans.iter().enumerate() {
        state::check_name("lan", lan)?;
        if options.lans[..at].contains(lan) {
            return Err(SandboxError::Options(format!("the lan {lan} is named twice")));
        }
    }
    let refused = |text: String| Err(SandboxError::Options(text));
    if !(1..=MOST_CLIENTS).contains(&options.clients) || !(1..=99).contains(&options.lans.len()) {
        return refused(format!("a sandbox has 1 to {MOST_CLIENTS} clients and 1 to 99 lans"));
    }
    let most = LAST_NUMBER - options.clients;
    if !(1..=most).contains(&options.nodes) {
        return refused(format!("a sandbox with {} clients has 1 to {most} nodes", options.clients));
    }
    if !nix::unistd::geteuid().is_root() {
        return Err(SandboxError::NotRoot);
    }
    if options.disk.is_some_and(|size| !disk::SIZES.contains(&size)) {
        let (least, most) = (disk::SIZES.start() >> 20, disk::SIZES.end() >> 30);
        return refused(format!("a lossy disk has {least} MiB to {most} GiB"));
    }
    let longest = options.dir.join(&options.name).join("node253/var/run/safeadmin.sock");
    if !options.dir.is_absolute() || longest.as_os_str().len() >= SOCKET_PATH {
        let dir = options.dir.display();
        return refused(format!("the directory {dir} must be absolute, and short enough for sockets in it"));
    }
    for dir in &options.private {
        let at_top = dir.parent() == Some(Path::new("/"));
        if !dir.is_absolute() || !(at_top || dir.is_dir()) {
            let dir = dir.display();
            return refused(format!("no directory {dir}: make it, or name an absolute one right under /"));
        }
    }
    if let Some(password) = &options.password
        && (password.is_empty() || password.len() > 72 || password.chars().any(char::is_control))
    {
        return refused("a password has 1 to 72 bytes without control characters".into());
    }
    let needed = SERVICES.iter().filter(|program| options.daemons && **program != WEB);
    for program in ["safekit", "rfsbox"].iter().chain(needed) {
        if !options.programs.join(program).is_file() {
            let dir = options.programs.display();
            return refused(format!(
                "no program {program} in {dir}: build it, or bring up with --no-daemons"
            ));
        }
    }
    if console::has_web(options.daemons, &options.programs) {
        passage(&options.dir, users::account()?)?;
    }
    Ok(())
}

/// Refuses a directory to which the user of the web service is not let through. What is not there yet will be made
/// for everybody.
fn passage(dir: &Path, account: Account) -> Result<()> {
    let there = dir.ancestors().find(|dir| dir.exists()).unwrap_or(dir);
    // By a link as well as where it leads to.
    let real = there.canonicalize().during(|| format!("look at {}", there.display()))?;
    let way = there.ancestors().chain(real.ancestors());
    for dir in way {
        let meta = dir.metadata().during(|| format!("look at {}", dir.display()))?;
        let (class, bits) = match (meta.uid(), meta.gid()) {
            (uid, _) if uid == account.uid => ('u', meta.mode() >> 6),
            (_, gid) if gid == account.gid => ('g', meta.mode() >> 3),
            _ => ('o', meta.mode()),
        };
        if bits & 1 == 0 {
            let (dir, mode) = (dir.display(), meta.mode() & 0o7777);
            return Err(SandboxError::Options(format!(
                "the web service of the nodes runs as user safekit, who is not let through {dir} (mode {mode:04o}): \
                 run \"chmod {class}+x {dir}\", or give another directory with --dir"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn the_user_of_the_web_service_is_let_through() {
        let root = tempfile::tempdir().unwrap();
        let mode = |dir: &Path, mode| fs::set_permissions(dir, Permissions::from_mode(mode)).unwrap();
        let (mine, other) = (fs::metadata(root.path()).unwrap(), Account { uid: 60_001, gid: 60_001 });
        let (closed, link) = (root.path().join("closed"), root.path().join("link"));
        fs::create_dir_all(closed.join("open")).unwrap();
        symlink(closed.join("open"), &link).unwrap();
        mode(root.path(), 0o755);
        for (bits, class, account) in [
            (0o700, "o", other),
            (0o776, "o", other),
            (0o677, "u", Account { uid: mine.uid(), gid: 60_001 }),
            (0o767, "g", Account { uid: 60_001, gid: mine.gid() }),
        ] {
            mode(&closed, bits);
            for dir in [closed.clone(), closed.join("open"), closed.join("not/yet"), link.join("new")] {
                let refused = passage(&dir, account).unwrap_err().to_string();
                let advice =
                    format!("through {0} (mode {bits:04o}): run \"chmod {class}+x {0}\"", closed.display());
                assert!(refused.contains(&advice), "{refused}");
            }
        }
        for bits in [0o711, 0o755, 0o1777] {
            mode(&closed, bits);
            for dir in [closed.join("open"), closed.join("not/yet"), link.join("new")] {
                passage(&dir, other).unwrap();
            }
        }
    }
}

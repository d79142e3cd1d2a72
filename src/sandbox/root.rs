//! The files a machine of a sandbox sees: those of this machine, but with its own `/proc`, `/sys` and
//! private directories. Its root is a small file system of its own, so that mount points can be
//! made in it without touching this machine.

use super::error::{During, Result};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::pivot_root;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

const NONE: Option<&str> = None;
const OLD: &str = ".old";

/// A directory, or a file that is there, to be shown in another place.
pub(super) struct Private {
    /// The node's own copy.
    pub copy: PathBuf,
    /// Where the node sees it (absolute).
    pub at: PathBuf,
}

/// Keeps what the calling process mounts, and unmounts, to its mount namespace.
pub(super) fn isolate() -> Result<()> {
    mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE)
        .during(|| "make mounts private".into())
}

/// Gives the calling process, which must be alone in its isolated mount and its pid namespace, its own
/// root. `new` is an empty directory.
pub(super) fn enter(new: &Path, private: &[Private]) -> Result<()> {
    mount(Some("tmpfs"), new, Some("tmpfs"), MsFlags::empty(), Some("mode=755,size=1m"))
        .during(|| format!("mount a root on {}", new.display()))?;
    for entry in fs::read_dir("/").during(|| "read /".into())? {
        let entry = entry.during(|| "read /".into())?;
        show(&entry.path(), &new.join(entry.file_name()))?;
    }
    mount(Some("proc"), &new.join("proc"), Some("proc"), MsFlags::empty(), NONE)
        .during(|| "mount /proc".into())?;
    let sys = new.join("sys");
    mount(Some("sysfs"), &sys, Some("sysfs"), MsFlags::empty(), NONE).during(|| "mount /sys".into())?;
    if Path::new("/sys/fs/cgroup").is_dir() {
        bind(Path::new("/sys/fs/cgroup"), &sys.join("fs/cgroup"))?;
    }
    for own in private {
        let at = new.join(own.at.strip_prefix("/").unwrap_or(&own.at));
        if own.copy.is_dir() {
            // Only a directory right under / can be missing here: `up` has checked the others.
            fs::create_dir_all(&at).during(|| format!("make {}", own.at.display()))?;
        }
        bind(&own.copy, &at)?;
    }
    let old = new.join(OLD);
    fs::create_dir(&old).during(|| format!("make {}", old.display()))?;
    pivot_root(new, &old).during(|| "change the root".into())?;
    std::env::set_current_dir("/").during(|| "go to /".into())?;
    let old = Path::new("/").join(OLD);
    umount2(&old, MntFlags::MNT_DETACH).during(|| "leave the old root".into())?;
    // Binding the directory above `new` has shown the root a second time inside itself; or not.
    let _ = umount2(new, MntFlags::MNT_DETACH);
    fs::remove_dir(&old).during(|| "remove the old root".into())
}

/// Makes one entry of `/` appear in the new root; `/proc` and `/sys` only as mount points.
fn show(from: &Path, to: &Path) -> Result<()> {
    let what = || format!("show {} in the new root", from.display());
    let kind = fs::symlink_metadata(from).during(what)?;
    if kind.is_symlink() {
        return symlink(fs::read_link(from).during(what)?, to).during(what);
    }
    if kind.is_dir() {
        fs::create_dir(to).during(what)?;
        if matches!(from.to_str(), Some("/proc" | "/sys")) {
            return Ok(());
        }
    } else {
        fs::write(to, "").during(what)?;
    }
    bind(from, to)
}

fn bind(from: &Path, to: &Path) -> Result<()> {
    mount(Some(from), to, NONE, MsFlags::MS_BIND | MsFlags::MS_REC, NONE)
        .during(|| format!("bind {} to {}", from.display(), to.display()))
}

//! The replicated directories of a module on the disk (RFS-10 to RFS-15).
//!
//! `/a/dir` is renamed `/a/dir_For_SafeKit_Replication`, which holds the data, and becomes a symbolic
//! link to it while the module is stopped and a mount point while it runs. Which directories a module
//! has taken is kept in SAFEVAR/modules/AM/replicated.json, written before the first of them is
//! touched: what a crash leaves is put right by [`settle`] at the next `config` or start of safeadmin.

mod place;

#[cfg(test)]
mod tests;

use super::record::{self, RecordError};
use super::{modules, tree};
use crate::config::module::Rfs;
use crate::config::paths::Paths;
use crate::ids::ModuleName;
use crate::told::Tell;
use place::{Found, Place};
use rustix::mount::UnmountFlags;
use serde::{Deserialize, Serialize};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A replicated directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Directory {
    /// Its path, the same on both nodes.
    pub dir: PathBuf,
    /// What is added to its name for the directory that holds the data (CFG-RFS-01).
    pub suffix: String,
}

/// Why replicated directories cannot be taken, mounted or given back.
#[derive(Debug, thiserror::Error)]
pub enum ReplicatedError {
    /// RFS-01.
    #[error("{dir}: no such directory: make it on both nodes before the module is configured", dir = .0.display())]
    Missing(PathBuf),
    /// RFS-01.
    #[error("{dir} is not a directory: only directories are replicated", dir = .0.display())]
    NotDirectory(PathBuf),
    /// RFS-13.
    #[error(
        "Device or resource busy\n{dir} is the root of a file system: unmount it, configure, then mount it on {backing} (also in /etc/fstab)",
        dir = .0.display(), backing = .1.display()
    )]
    Busy(PathBuf, PathBuf),
    /// A link of somebody else.
    #[error("{dir} is a symbolic link to {to}: name the directory itself", dir = .0.display(), to = .1.display())]
    Link(PathBuf, PathBuf),
    /// Two directories claim to hold the data.
    #[error(
        "{dir} and {backing} are both there: keep the one with the right data as {backing} and remove the other",
        dir = .0.display(), backing = .1.display()
    )]
    Both(PathBuf, PathBuf),
    /// It cannot be changed now.
    #[error("{dir} is mounted: stop the module; if it is stopped, umount {dir}", dir = .0.display())]
    Mounted(PathBuf),
    /// It cannot be mounted.
    #[error("{dir} is not the link of a configured module: run \"safekit config\"", dir = .0.display())]
    NotLinked(PathBuf),
    /// A name that we need is used.
    #[error("{path} is in the way: remove it", path = .0.display())]
    Aside(PathBuf),
    /// Two modules, one directory.
    #[error(
        "{dir} is replicated by module {module} already, or a directory above or below it is ({other})",
        dir = .dir.display(), other = .other.display()
    )]
    Shared {
        /// The directory asked for.
        dir: PathBuf,
        /// The module that has it.
        module: ModuleName,
        /// What that module has.
        other: PathBuf,
    },
    /// The product's own files.
    #[error("{dir} cannot be replicated: SafeKit itself lives in {own}", dir = .0.display(), own = .1.display())]
    Own(PathBuf, PathBuf),
    /// RFS-15.
    #[error("{path} is missing: is the file system of {dir} mounted?", path = .0.display(), dir = .1.display())]
    ToCheck(PathBuf, PathBuf),
    /// The system refused.
    #[error("{path}: {error}", path = .0.display(), error = .1)]
    Io(PathBuf, io::Error),
    /// The list of what is taken.
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl Tell for ReplicatedError {
    fn french(&self) -> String {
        use ReplicatedError as E;
        match self {
            E::Missing(dir) => format!(
                "{} : ce répertoire n'existe pas : créez-le sur les deux nœuds avant de configurer le module",
                dir.display()
            ),
            E::NotDirectory(dir) => {
                format!("{} n'est pas un répertoire : seuls des répertoires sont répliqués", dir.display())
            }
            E::Busy(dir, backing) => format!(
                "Device or resource busy\n{} est la racine d'un système de fichiers : démontez-le, configurez, puis \
                 montez-le sur {} (aussi dans /etc/fstab)",
                dir.display(),
                backing.display()
            ),
            E::Link(dir, to) => format!(
                "{} est un lien symbolique vers {} : nommez le répertoire lui-même",
                dir.display(),
                to.display()
            ),
            E::Both(dir, backing) => {
                let (dir, backing) = (dir.display(), backing.display());
                format!(
                    "{dir} et {backing} sont là tous les deux : gardez celui qui a les bonnes données sous le nom \
                     {backing} et supprimez l'autre"
                )
            }
            E::Mounted(dir) => {
                let dir = dir.display();
                format!("{dir} est monté : arrêtez le module ; s'il est arrêté, umount {dir}")
            }
            E::NotLinked(dir) => format!(
                "{} n'est pas le lien d'un module configuré : exécutez \"safekit config\"",
                dir.display()
            ),
            E::Aside(path) => format!("{} gêne : supprimez-le", path.display()),
            E::Shared { dir, module, other } => format!(
                "{} est déjà répliqué par le module {module}, ou un répertoire au-dessus ou au-dessous l'est ({})",
                dir.display(),
                other.display()
            ),
            E::Own(dir, own) => format!(
                "{} ne peut pas être répliqué : SafeKit lui-même est dans {}",
                dir.display(),
                own.display()
            ),
            E::ToCheck(path, dir) => {
                format!(
                    "{} manque : le système de fichiers de {} est-il monté ?",
                    path.display(),
                    dir.display()
                )
            }
            E::Io(path, error) => format!("{} : {error}", path.display()),
            E::Record(e) => e.french(),
        }
    }
}

impl Directory {
    /// The directories of a configuration; none without `<rfs>`.
    pub fn of(rfs: Option<&Rfs>) -> Vec<Directory> {
        let all = |rfs: &Rfs| {
            let suffix = &rfs.mountoversuffix;
            let one = |dir: &PathBuf| Directory { dir: dir.clone(), suffix: suffix.clone() };
            rfs.replicated.iter().map(|r| one(&r.dir)).collect()
        };
        rfs.map(all).unwrap_or_default()
    }

    /// Where the data is while the module is configured (RFS-12).
    pub fn backing(&self) -> PathBuf {
        let mut name = self.dir.file_name().unwrap_or_default().to_owned();
        name.push(&self.suffix);
        self.dir.with_file_name(name)
    }

    fn place(&self) -> Result<Place, ReplicatedError> {
        Place::open(&self.dir, &self.suffix)
    }

    /// Both names, with the links above them followed.
    fn resolved(&self) -> [PathBuf; 2] {
        [&self.dir, &self.backing()].map(|path| match (path.parent(), path.file_name()) {
            (Some(parent), Some(name)) => {
                parent.canonicalize().unwrap_or_else(|_| parent.to_owned()).join(name)
            }
            _ => path.clone(),
        })
    }
}

/// Checks that a module can have these directories: they are there, no root of a file system, and
/// nobody else's (RFS-01, RFS-13). Changes nothing.
///
/// # Errors
/// See [`ReplicatedError`].
pub fn check(paths: &Paths, module: &ModuleName, wanted: &[Directory]) -> Result<(), ReplicatedError> {
    let held = held(paths, module)?;
    for directory in wanted {
        for own in [&paths.safe, &paths.safevar] {
            let real = own.canonicalize().unwrap_or_else(|_| own.clone());
            if overlap(&directory.resolved(), &[real]) {
                return Err(ReplicatedError::Own(directory.dir.clone(), own.clone()));
            }
        }
        let found = directory.place()?.find()?;
        match found {
            // The module runs, or something is left of its run.
            Found::Mounted if held.contains(directory) => {}
            Found::Mounted => return Err(ReplicatedError::Busy(directory.dir.clone(), directory.backing())),
            Found::Bare { ours: false } if !held.contains(directory) => {
                return Err(ReplicatedError::Both(directory.dir.clone(), directory.backing()));
            }
            _ => {}
        }
    }
    for (other, theirs) in others(paths, module)? {
        for directory in wanted {
            if let Some(clash) = theirs.iter().find(|t| overlap(&directory.resolved(), &t.resolved())) {
                let (dir, other_dir) = (directory.dir.clone(), clash.dir.clone());
                return Err(ReplicatedError::Shared { dir, module: other, other: other_dir });
            }
        }
    }
    Ok(())
}

/// One is the other, or above it.
fn overlap(these: &[PathBuf], those: &[PathBuf]) -> bool {
    these.iter().any(|a| those.iter().any(|b| a.starts_with(b) || b.starts_with(a)))
}

fn others(paths: &Paths, module: &ModuleName) -> Result<Vec<(ModuleName, Vec<Directory>)>, ReplicatedError> {
    let mut found = Vec::new();
    for dir in tree::entries(&paths.modules())? {
        let name = dir.file_name().and_then(|n| n.to_str()).and_then(|n| n.parse::<ModuleName>().ok());
        if let Some(name) = name.filter(|n| n != module && modules::id(paths, n).is_ok()) {
            let theirs = held(paths, &name)?;
            found.push((name, theirs));
        }
    }
    Ok(found)
}

/// The directories that the module has taken.
///
/// # Errors
/// [`RecordError`]: the list is damaged.
pub fn held(paths: &Paths, module: &ModuleName) -> Result<Vec<Directory>, RecordError> {
    Ok(record::load(&file(paths, module))?.unwrap_or_default())
}

fn file(paths: &Paths, module: &ModuleName) -> PathBuf {
    paths.uservar(module).join("replicated.json")
}

/// `config`: takes the directories (RFS-10). What the module had before stays taken until [`settle`].
/// Directories that are mounted are not touched.
///
/// # Errors
/// See [`ReplicatedError`]; then [`settle`] with the former list undoes what was done.
pub fn configure(paths: &Paths, module: &ModuleName, wanted: &[Directory]) -> Result<(), ReplicatedError> {
    check(paths, module, wanted)?;
    let mut all = held(paths, module)?;
    let before = all.len();
    all.extend(wanted.iter().filter(|d| !all.contains(d)).cloned().collect::<Vec<_>>());
    if all.len() > before {
        record::store(&file(paths, module), &all)?;
    }
    for directory in wanted {
        directory.place()?.configure()?;
    }
    Ok(())
}

/// Gives back what the module has taken and does not want (any more), and puts back the links that a
/// crash has cost (RFS-11): their directories are returned. Call it after `config`, `deconfig`, and
/// when safeadmin starts. Directories that are mounted stay, unless they are to be given back.
///
/// # Errors
/// See [`ReplicatedError`]; the others are settled nevertheless.
pub fn settle(
    paths: &Paths,
    module: &ModuleName,
    wanted: &[Directory],
) -> Result<Vec<PathBuf>, ReplicatedError> {
    let held = held(paths, module)?;
    let (mut kept, mut restored, mut error) = (Vec::new(), Vec::new(), None);
    for directory in &held {
        if wanted.contains(directory) {
            kept.push(directory.clone());
            match directory.place().and_then(|place| place.configure()) {
                Ok(true) => restored.push(directory.dir.clone()),
                Ok(false) => {}
                Err(e) => error = error.or(Some(e)),
            }
        } else if let Err(e) = directory.place().and_then(|place| give_back(&place)) {
            kept.push(directory.clone());
            error = error.or(Some(e));
        }
    }
    if kept.is_empty() && !held.is_empty() {
        record::remove(&file(paths, module))?;
    } else if kept != held {
        record::store(&file(paths, module), &kept)?;
    }
    error.map_or(Ok(restored), Err)
}

/// Neither name is there: somebody removed the directory, and nothing is left to give back.
fn give_back(place: &Place) -> Result<(), ReplicatedError> {
    match place.give_back() {
        Err(ReplicatedError::Missing(_)) => Ok(()),
        other => other,
    }
}

/// Takes away the mounts that a box which has ended without unmounting has left: nobody answers there
/// any more, and who waits gets an error. Others' mounts stay. Only while no box serves the directory.
///
/// # Errors
/// The system refuses.
pub fn detach_left(directory: &Directory) -> Result<(), ReplicatedError> {
    let failed = |e: io::Error| ReplicatedError::Io(directory.dir.clone(), e);
    while is_ours(&directory.resolved()[0]).map_err(failed)? {
        // Forced, since somebody may hold the descriptor of its session still.
        let flags = UnmountFlags::FORCE | UnmountFlags::DETACH | UnmountFlags::NOFOLLOW;
        rustix::mount::unmount(&directory.dir, flags).map_err(|e| failed(e.into()))?;
    }
    Ok(())
}

/// Whether what is mounted there is a mount of a box. The file system itself is not asked: it may
/// not answer.
fn is_ours(dir: &Path) -> io::Result<bool> {
    let mounts = std::fs::read("/proc/self/mountinfo")?;
    let last = mounts.split(|b| *b == b'\n').rev().find_map(|line| {
        let mut fields = line.split(|b| *b == b' ');
        let at = unescaped(fields.nth(4)?);
        let kind = fields.skip_while(|f| *f != b"-").nth(1)?;
        (at == dir.as_os_str().as_bytes()).then_some(kind == b"fuse.safekit")
    });
    Ok(last.unwrap_or(false))
}

/// A path of mountinfo: blanks and the like are written as `\\040`.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, tail)) = rest.split_first() {
        let octal = tail.get(..3).filter(|_| byte == b'\\').and_then(|digits| {
            let digits = std::str::from_utf8(digits).ok()?;
            u8::from_str_radix(digits, 8).ok()
        });
        out.push(octal.unwrap_or(byte));
        rest = if octal.is_some() { &tail[3..] } else { tail };
    }
    out
}

/// Puts back the links that a crash has cost (RFS-11), and says which. Nothing must be mounted there
/// any more; what is mounted stays.
///
/// # Errors
/// See [`ReplicatedError`].
pub fn restore_links(directories: &[Directory]) -> Result<Vec<PathBuf>, ReplicatedError> {
    let mut restored = Vec::new();
    for directory in directories {
        detach_left(directory)?;
        let place = directory.place()?;
        if matches!(place.find()?, Found::Bare { .. } | Found::Nameless) && place.configure()? {
            restored.push(directory.dir.clone());
        }
    }
    Ok(restored)
}

/// Replaces the link by an empty directory that nobody can write into, and opens it. Mount on
/// `/proc/self/fd/<descriptor>`, not on the path: the kernel would follow a link there. May be
/// repeated.
///
/// # Errors
/// See [`ReplicatedError`].
pub fn prepare_mount(directory: &Directory) -> Result<OwnedFd, ReplicatedError> {
    directory.place()?.prepare_mount()
}

/// Puts the link back after the directory was unmounted; true if it was not there. May be repeated.
///
/// # Errors
/// See [`ReplicatedError`].
pub fn after_unmount(directory: &Directory) -> Result<bool, ReplicatedError> {
    directory.place()?.after_unmount()
}

/// `<tocheck>`: each relative path must be there before replication starts (RFS-15).
///
/// # Errors
/// [`ReplicatedError::ToCheck`] names the first that is missing.
pub fn check_tocheck(directory: &Directory, relative: &[PathBuf]) -> Result<(), ReplicatedError> {
    let place = directory.place()?;
    let named = |path: &Path| directory.backing().join(path);
    for path in relative {
        if !place.holds(path)? {
            return Err(ReplicatedError::ToCheck(named(path), directory.dir.clone()));
        }
    }
    Ok(())
}

//! `.safe` files: a module tree in a zip (ADM-14). They come from anywhere, so nothing that an
//! archive says of itself is believed: bytes are counted while they are unpacked, names and types
//! are checked, and a refused archive leaves nothing behind.

use crate::config::signature::{self, Kind, MODULE_PARTS};
use crate::told::Words;
use crate::told::attempt::Attempt;
use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Cursor, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};
use zip::read::ZipFile;
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

/// The file without which an archive is no module.
const USERCONFIG: &str = "conf/userconfig.xml";
/// Longest path in an archive, bytes.
const MAX_PATH: usize = 512;
/// Deepest path in an archive.
const MAX_DEPTH: usize = 16;
/// Below this unpacked size no ratio is suspect.
const RATIO_FROM: u64 = 1 << 20;
const NO_FILE: Words = Words(
    "is a link or device: only files and directories are accepted",
    "est un lien ou un périphérique : seuls des fichiers et des répertoires sont acceptés",
);
const NOT_UTF8: Words = Words("has a name that is not UTF-8", "a un nom qui n'est pas en UTF-8");
/// File type of a Unix mode, and the two types that are accepted.
const S_IFMT: u32 = 0o170_000;
const S_IFREG: u32 = 0o100_000;
const S_IFDIR: u32 = 0o040_000;

/// How much an archive may hold.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Files and directories.
    pub entries: usize,
    /// Bytes of all files together.
    pub unpacked: u64,
    /// Unpacked bytes for each packed one, once a megabyte is unpacked.
    pub ratio: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { entries: 2_000, unpacked: 64 << 20, ratio: 200 }
    }
}

impl Limits {
    fn check_ratio(&self, packed: u64, unpacked: u64) -> Result<(), ArchiveError> {
        if unpacked > RATIO_FROM && unpacked / packed.max(1) > self.ratio {
            return Err(ArchiveError::Ratio(self.ratio));
        }
        Ok(())
    }
}

/// Why an archive is refused or could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// Not a zip, damaged, or encrypted.
    #[error("not a readable .safe archive: {0}; pack the module again")]
    Zip(#[from] zip::result::ZipError),
    /// An entry that no module has.
    #[error("refused archive: entry \"{name}\" {what}")]
    Entry {
        /// Name of the entry, shortened and escaped.
        name: String,
        /// What is wrong with it.
        what: Words,
    },
    /// Names given twice.
    #[error("refused archive: a name is given twice")]
    Duplicate,
    /// Too many entries.
    #[error("refused archive: more than {0} entries")]
    TooMany(usize),
    /// Too much to unpack.
    #[error("refused archive: it unpacks to more than {0} bytes")]
    TooLarge(u64),
    /// Compressed suspiciously well.
    #[error("refused archive: it unpacks to more than {0} times its size")]
    Ratio(u64),
    /// No module in it.
    #[error("refused archive: it holds no conf/userconfig.xml, so it is no module")]
    NoUserconfig,
    /// The target is there already.
    #[error("{} already exists: remove it first", .0.display())]
    Exists(PathBuf),
    /// The disk.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was tried.
        what: Attempt,
        /// With which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

fn at(what: Attempt, path: &Path) -> impl FnOnce(io::Error) -> ArchiveError + use<> {
    let path = path.to_owned();
    move |source| ArchiveError::Io { what, path, source }
}

/// A directory or file that vanishes unless it is kept.
struct Scratch(Option<PathBuf>);

impl Scratch {
    /// A name beside `target` that nobody uses, so that a rename stays on one file system.
    fn beside(target: &Path) -> Result<Scratch, ArchiveError> {
        let mut random = [0u8; 8];
        getrandom::fill(&mut random).map_err(|e| at(Attempt::NameBeside, target)(io::Error::other(e)))?;
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let unique = format!(".{name}.{:016x}.new", u64::from_le_bytes(random));
        Ok(Scratch(Some(target.with_file_name(unique))))
    }

    fn path(&self) -> &Path {
        self.0.as_deref().unwrap_or(Path::new(""))
    }

    /// Gives it its final name, durably.
    fn keep(mut self, target: &Path) -> Result<(), ArchiveError> {
        fs::rename(self.path(), target).map_err(at(Attempt::RenameTo, target))?;
        self.0 = None;
        let parent = target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        sync(parent)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // Best effort: it may not have been created, or the disk may be gone.
            let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        }
    }
}

fn sync(path: &Path) -> Result<(), ArchiveError> {
    File::open(path).and_then(|f| f.sync_all()).map_err(at(Attempt::Sync, path))
}

/// Unpacks an archive to the directory `dest`, which must not exist and whose parent must. Files of
/// `bin` become executable. Blocks; on refusal nothing is left.
pub fn unpack(bytes: &[u8], dest: &Path, limits: &Limits) -> Result<(), ArchiveError> {
    if dest.symlink_metadata().is_ok() {
        return Err(ArchiveError::Exists(dest.to_owned()));
    }
    let mut archive = ZipArchive::new(Cursor::new(bytes))?;
    if archive.has_duplicate_names() {
        return Err(ArchiveError::Duplicate);
    }
    if archive.len() > limits.entries {
        return Err(ArchiveError::TooMany(limits.entries));
    }
    let scratch = Scratch::beside(dest)?;
    make_dir(scratch.path())?;
    let mut budget = Budget { limits: *limits, packed: bytes.len() as u64, unpacked: 0 };
    let mut files = BTreeSet::new();
    let mut dirs = BTreeSet::from([scratch.path().to_owned()]);
    for i in 0..archive.len() {
        let entry = archive.by_index(i)?;
        let (relative, is_dir) = check(&entry)?;
        make_parents(scratch.path(), &relative, is_dir, &files, &mut dirs)?;
        if is_dir {
            continue;
        }
        if dirs.contains(&scratch.path().join(&relative)) || !files.insert(relative.clone()) {
            return Err(ArchiveError::Duplicate);
        }
        budget.copy(entry, &scratch.path().join(&relative), relative.starts_with("bin"))?;
    }
    if !files.contains(Path::new(USERCONFIG)) {
        return Err(ArchiveError::NoUserconfig);
    }
    dirs.iter().try_for_each(|dir| sync(dir))?;
    scratch.keep(dest)
}

/// The text of the configuration in an archive, as far as it is text. Nothing else is unpacked.
pub fn userconfig(bytes: &[u8]) -> Result<String, ArchiveError> {
    let mut archive = ZipArchive::new(Cursor::new(bytes))?;
    let entry = match archive.by_name(USERCONFIG) {
        Err(zip::result::ZipError::FileNotFound) => return Err(ArchiveError::NoUserconfig),
        entry => entry?,
    };
    let mut text = Vec::new();
    // What is unpacked counts, not what the archive says about it.
    let most = crate::config::xml::MAX_SIZE as u64;
    entry.take(most + 1).read_to_end(&mut text).map_err(zip::result::ZipError::from)?;
    if text.len() as u64 > most {
        return Err(ArchiveError::TooLarge(most));
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// The relative path of an entry, and whether it is a directory.
fn check<R: Read>(entry: &ZipFile<'_, R>) -> Result<(PathBuf, bool), ArchiveError> {
    let raw = entry.name_raw();
    let refuse = |what| {
        let shown: String =
            String::from_utf8_lossy(raw).chars().take(80).flat_map(char::escape_debug).collect();
        Err(ArchiveError::Entry { name: shown, what })
    };
    let Ok(name) = std::str::from_utf8(raw) else { return refuse(NOT_UTF8) };
    let directory = name.ends_with('/');
    let kind = entry.unix_mode().unwrap_or(0) & S_IFMT;
    if entry.is_symlink() || !(kind == 0 || kind == if directory { S_IFDIR } else { S_IFREG }) {
        return refuse(NO_FILE);
    }
    if entry.encrypted() {
        return refuse(Words("is encrypted", "est chiffrée"));
    }
    if let Err(what) = check_name(name) {
        return refuse(what);
    }
    Ok((Path::new(name).components().collect(), directory))
}

/// Paths that stay inside and that every system can show.
fn check_name(name: &str) -> Result<(), Words> {
    if name.len() > MAX_PATH || name.contains('\\') || name.chars().any(char::is_control) {
        return Err(Words(
            "has a path that is too long, or with a backslash or control character",
            "a un chemin trop long, ou avec une barre oblique inverse ou un caractère de contrôle",
        ));
    }
    let path = Path::new(name);
    let inside = path.components().all(|c| matches!(c, Component::Normal(_)));
    let plain =
        name.strip_suffix('/').unwrap_or(name).split('/').all(|part| !matches!(part, "" | "." | ".."));
    if !inside || !plain || path.components().count() > MAX_DEPTH {
        return Err(Words(
            "has a path that is absolute, has .. or . in it, or is too deep",
            "a un chemin absolu, avec .. ou . dedans, ou trop profond",
        ));
    }
    Ok(())
}

fn make_dir(path: &Path) -> Result<(), ArchiveError> {
    DirBuilder::new().mode(0o755).create(path).map_err(at(Attempt::Create, path))
}

/// Creates the directories above `relative`, and itself if it is one.
fn make_parents(
    root: &Path,
    relative: &Path,
    is_dir: bool,
    files: &BTreeSet<PathBuf>,
    dirs: &mut BTreeSet<PathBuf>,
) -> Result<(), ArchiveError> {
    let above: Vec<&Path> = relative.ancestors().skip(usize::from(!is_dir)).collect();
    for dir in above.into_iter().rev().filter(|d| !d.as_os_str().is_empty()) {
        if files.contains(dir) {
            return Err(ArchiveError::Duplicate);
        }
        if dirs.insert(root.join(dir)) {
            make_dir(&root.join(dir))?;
        }
    }
    Ok(())
}

/// Counts what is really unpacked.
struct Budget {
    limits: Limits,
    packed: u64,
    unpacked: u64,
}

impl Budget {
    fn copy(&mut self, mut entry: impl Read, to: &Path, executable: bool) -> Result<(), ArchiveError> {
        let mode = if executable { 0o755 } else { 0o644 };
        let created = OpenOptions::new().write(true).create_new(true).mode(mode).open(to);
        let mut file = created.map_err(at(Attempt::Create, to))?;
        let mut buffer = vec![0; 64 << 10];
        loop {
            let n = match entry.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => n,
                Err(e) => return Err(ArchiveError::Zip(e.into())),
            };
            self.unpacked += n as u64;
            if self.unpacked > self.limits.unpacked {
                return Err(ArchiveError::TooLarge(self.limits.unpacked));
            }
            self.limits.check_ratio(self.packed, self.unpacked)?;
            file.write_all(&buffer[..n]).map_err(at(Attempt::Write, to))?;
        }
        file.sync_all().map_err(at(Attempt::Sync, to))
    }
}

/// The archive of the module tree `dir`: conf, bin and web. The same tree gives the same bytes.
/// Blocks. Refuses what `unpack` would refuse.
pub fn bytes(dir: &Path) -> Result<Vec<u8>, ArchiveError> {
    bytes_without(dir, &[])
}

/// The same without some files, given by their relative paths.
pub fn bytes_without(dir: &Path, left_out: &[PathBuf]) -> Result<Vec<u8>, ArchiveError> {
    let limits = Limits::default();
    let mut found = signature::walk(dir, &MODULE_PARTS).map_err(at(Attempt::Read, dir))?;
    found.retain(|(path, _)| !left_out.contains(path));
    if found.len() > limits.entries {
        return Err(ArchiveError::TooMany(limits.entries));
    }
    if !found.iter().any(|(path, kind)| path == Path::new(USERCONFIG) && *kind != Kind::Dir) {
        return Err(ArchiveError::NoUserconfig);
    }
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let mut total = 0;
    for (path, kind) in found {
        let entry = |what| ArchiveError::Entry { name: path.display().to_string(), what };
        let name = path.to_str().ok_or_else(|| entry(NOT_UTF8))?;
        check_name(name).map_err(entry)?;
        let options = SimpleFileOptions::default().last_modified_time(zip::DateTime::default());
        match kind {
            Kind::Dir => zip.add_directory(name, options.unix_permissions(0o755))?,
            Kind::File { executable } => {
                let mode = if executable { 0o755 } else { 0o644 };
                zip.start_file(name, options.unix_permissions(mode))?;
                let from = dir.join(&path);
                let file = File::open(&from).map_err(at(Attempt::Open, &from))?;
                let room = limits.unpacked - total;
                total += io::copy(&mut file.take(room + 1), &mut zip).map_err(at(Attempt::Pack, &from))?;
                if total > limits.unpacked {
                    return Err(ArchiveError::TooLarge(limits.unpacked));
                }
            }
            Kind::Other => {
                return Err(ArchiveError::Entry { name: name.to_owned(), what: NO_FILE });
            }
        }
    }
    let bytes = zip.finish()?.into_inner();
    limits.check_ratio(bytes.len() as u64, total)?;
    Ok(bytes)
}

/// The same archive without some files.
pub fn without(archive: Vec<u8>, names: &[&str]) -> Result<Vec<u8>, ArchiveError> {
    let mut zip = ZipArchive::new(Cursor::new(&archive))?;
    if names.iter().all(|name| zip.index_for_name(name).is_none()) {
        return Ok(archive);
    }
    let mut rest = ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..zip.len() {
        let file = zip.by_index_raw(index)?;
        if !names.contains(&&*file.name()?) {
            rest.raw_copy_file(file)?;
        }
    }
    Ok(rest.finish()?.into_inner())
}

/// An archive with a file more, unless it has one of that name.
pub fn with_file(archive: Vec<u8>, name: &str, content: &[u8]) -> Result<Vec<u8>, ArchiveError> {
    if ZipArchive::new(Cursor::new(&archive))?.index_for_name(name).is_some() {
        return Ok(archive);
    }
    let mut zip = ZipWriter::new_append(Cursor::new(archive))?;
    let options = SimpleFileOptions::default().last_modified_time(zip::DateTime::default());
    zip.start_file(name, options.unix_permissions(0o644))?;
    zip.write_all(content).map_err(zip::result::ZipError::from)?;
    Ok(zip.finish()?.into_inner())
}

/// Writes the archive of `dir` to `file`, replacing it durably. Blocks. Only its owner may read it,
/// as it may hold the keys of the module.
pub fn pack(dir: &Path, file: &Path) -> Result<(), ArchiveError> {
    let bytes = bytes(dir)?;
    let scratch = Scratch::beside(file)?;
    let to = scratch.path();
    let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to);
    let mut out = created.map_err(at(Attempt::Create, to))?;
    out.write_all(&bytes).and_then(|()| out.sync_all()).map_err(at(Attempt::Write, to))?;
    scratch.keep(file)
}

#[cfg(test)]
#[path = "archive_tests.rs"]
mod tests;

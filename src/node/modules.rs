//! The modules installed on this node and their ids (CLI-095 to CLI-098, AMB-42).
//!
//! A module is installed when SAFE/modules/AM exists and SAFEVAR/modules/AM/module.json holds its
//! id. The id is kept outside the module's directory because that is deleted and rewritten by
//! every installation, and edited by people.

use super::configure::{self, ConfigureError};
use super::keys;
use super::record::{self, RecordError};
use super::templates;
use super::tree;
use crate::config::archive::{self, ArchiveError};
use crate::config::paths::Paths;
use crate::ids::{ModuleId, ModuleName, NodeName};
use crate::log::Lang;
use crate::told::attempt::Attempt;
use crate::told::{Tell, Told, told};
use serde::{Deserialize, Serialize};
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Directory of SAFE/modules that is no module (ADM-07).
const NO_MODULE: &str = "lastconfig";

/// Largest key that is kept.
const LARGEST_KEY: u64 = 1024 * 1024;

#[derive(Serialize, Deserialize)]
struct Record {
    id: ModuleId,
}

/// A module on another node that can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// The node that has it.
    pub node: NodeName,
    /// Its name there.
    pub module: ModuleName,
    /// Its id there.
    pub id: ModuleId,
    /// It has an active configuration there.
    pub configured: bool,
}

/// Why a command on installed modules is refused.
#[derive(Debug, thiserror::Error)]
pub enum ModuleError {
    /// Not there.
    #[error("module {0} is not installed: install it with \"safekit module install -m {0}\"")]
    NotInstalled(ModuleName),
    /// Already there.
    #[error("module {0} is already installed: use -r to install it again")]
    AlreadyInstalled(ModuleName),
    /// The name belongs to a directory of the product.
    #[error("\"{0}\" cannot be the name of a module: choose another one")]
    Reserved(ModuleName),
    /// Ids begin at 1.
    #[error("0 is not a module id: use 1 to 255")]
    BadId,
    /// Another module has the id.
    #[error("module id {id} is held by module {module} on {place}: use -M with another id")]
    IdHeld {
        /// The id.
        id: ModuleId,
        /// Who has it.
        module: ModuleName,
        /// `this node` or `node <name>`.
        place: Told,
    },
    /// All ids are given.
    #[error("no module id is free: uninstall a module")]
    NoId,
    /// One module, two ids.
    #[error(
        "module {module} has id {here} here and {there} on node {node}: install it again with -r -M {there}"
    )]
    IdsDiffer {
        /// The module.
        module: ModuleName,
        /// Its id on this node.
        here: ModuleId,
        /// Its id on the other one.
        there: ModuleId,
        /// The other node.
        node: NodeName,
    },
    /// A mirror has two nodes.
    #[error(
        "mirror module {module} is configured on more than two nodes ({nodes} besides this one): deconfigure it where it does not belong"
    )]
    ThirdNode {
        /// The module.
        module: ModuleName,
        /// The other nodes that have it.
        nodes: String,
    },
    /// It must be stopped first.
    #[error("module {0} is running: stop it first")]
    Running(ModuleName),
    /// No archive of that name.
    #[error("no {name}.safe or {name}.zip under {dir}: give the absolute path of a .safe file", dir = dir.display())]
    NoTemplate {
        /// What was searched.
        name: String,
        /// Where.
        dir: PathBuf,
    },
    /// The archive cannot be read or written.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A file of the node cannot be used.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The active configuration cannot be removed.
    #[error(transparent)]
    Configure(#[from] Box<ConfigureError>),
}

impl Tell for ModuleError {
    fn french(&self) -> String {
        use ModuleError as E;
        match self {
            E::NotInstalled(m) => {
                format!(
                    "le module {m} n'est pas installé : installez-le par \"safekit module install -m {m}\""
                )
            }
            E::AlreadyInstalled(m) => {
                format!("le module {m} est déjà installé : utilisez -r pour l'installer de nouveau")
            }
            E::Reserved(name) => {
                format!("\"{name}\" ne peut pas être le nom d'un module : choisissez-en un autre")
            }
            E::BadId => "0 n'est pas un identifiant de module : utilisez 1 à 255".to_owned(),
            E::IdHeld { id, module, place } => format!(
                "l'identifiant {id} est celui du module {module} ({}) : utilisez -M avec un autre identifiant",
                place.of(Lang::Fr)
            ),
            E::NoId => "aucun identifiant de module n'est libre : désinstallez un module".to_owned(),
            E::IdsDiffer { module, here, there, node } => format!(
                "le module {module} a l'identifiant {here} ici et {there} sur le nœud {node} : installez-le de \
                 nouveau avec -r -M {there}"
            ),
            E::ThirdNode { module, nodes } => format!(
                "le module miroir {module} est configuré sur plus de deux nœuds ({nodes} en plus de celui-ci) : \
                 déconfigurez-le où il n'a pas sa place"
            ),
            E::Running(m) => format!("le module {m} s'exécute : arrêtez-le d'abord"),
            E::NoTemplate { name, dir } => format!(
                "pas de {name}.safe ni de {name}.zip sous {} : donnez le chemin absolu d'un fichier .safe",
                dir.display()
            ),
            E::Archive(e) => e.french(),
            E::Record(e) => e.french(),
            E::Configure(e) => e.french(),
        }
    }
}

/// Names and ids of the installed modules, by name (CLI-098).
pub fn list(paths: &Paths) -> Result<Vec<(ModuleName, ModuleId)>, ModuleError> {
    let mut found = Vec::new();
    for dir in tree::entries(&paths.modules())? {
        let name = dir.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
        let Some(name) = name.filter(|name: &ModuleName| name.as_str() != NO_MODULE && dir.is_dir()) else {
            continue;
        };
        match id(paths, &name) {
            Ok(id) => found.push((name, id)),
            Err(ModuleError::NotInstalled(_)) => {
                tracing::warn!(module = %name, "directory of SAFE/modules without a module id: not installed");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// Id of an installed module.
pub fn id(paths: &Paths, module: &ModuleName) -> Result<ModuleId, ModuleError> {
    let record: Option<Record> =
        if paths.module(module).is_dir() { record::load(&file(paths, module))? } else { None };
    record.map(|record| record.id).ok_or_else(|| ModuleError::NotInstalled(module.clone()))
}

fn file(paths: &Paths, module: &ModuleName) -> PathBuf {
    paths.uservar(module).join("module.json")
}

/// `module install -m AM [-M id] [-r]`: unpacks the archive to SAFE/modules/AM, in one step, and
/// returns the module's id: the `forced` one, else its present one, else the one it has on another
/// node, else the lowest that is free here and `elsewhere` (AMB-42).
/// The caller sees to it that a module whose id changes is not running.
pub fn install(
    paths: &Paths,
    module: &ModuleName,
    forced: Option<ModuleId>,
    reinstall: bool,
    archive: &[u8],
    elsewhere: &[Elsewhere],
) -> Result<ModuleId, ModuleError> {
    if module.as_str() == NO_MODULE {
        return Err(ModuleError::Reserved(module.clone()));
    }
    let present = match id(paths, module) {
        Ok(_) if !reinstall => return Err(ModuleError::AlreadyInstalled(module.clone())),
        Ok(id) => Some(id),
        Err(ModuleError::NotInstalled(_)) => None,
        Err(error) => return Err(error),
    };
    let id = choose_id(module, forced, present, &list(paths)?, elsewhere)?;
    // Nobody else may look into it while the keys are being unpacked.
    let private = tree::beside(&paths.module(module), "install");
    tree::make_private(&private)?;
    let done = put_in_place(paths, module, id, archive, &private.join(module.as_str()));
    let removed = tree::remove(&private);
    done?;
    removed?;
    Ok(id)
}

fn put_in_place(
    paths: &Paths,
    module: &ModuleName,
    id: ModuleId,
    archive: &[u8],
    fresh: &Path,
) -> Result<(), ModuleError> {
    archive::unpack(archive, fresh, &archive::Limits::default())?;
    for key in key_files() {
        keys::protect(&fresh.join(key))?;
    }
    // The id first: a directory without an id would be no module, an id without a directory is none.
    record::store(&file(paths, module), &Record { id })?;
    Ok(tree::replace(fresh, &paths.module(module))?)
}

fn choose_id(
    module: &ModuleName,
    forced: Option<ModuleId>,
    present: Option<ModuleId>,
    here: &[(ModuleName, ModuleId)],
    elsewhere: &[Elsewhere],
) -> Result<ModuleId, ModuleError> {
    let holder = |id: ModuleId| {
        let local = here.iter().find(|(name, other)| *other == id && name != module);
        let local = local.map(|(name, _)| (name.clone(), told!("this node", "ce nœud")));
        let remote = elsewhere.iter().find(|other| other.id == id && other.module != *module);
        local.or_else(|| {
            remote.map(|other| {
                let node = &other.node;
                (other.module.clone(), told!("node {node}", "nœud {node}"))
            })
        })
    };
    let same = elsewhere.iter().find(|other| other.module == *module).map(|other| other.id);
    match forced.or(present).or(same) {
        Some(0) => Err(ModuleError::BadId),
        Some(id) => match holder(id) {
            Some((module, place)) => Err(ModuleError::IdHeld { id, module, place }),
            None => Ok(id),
        },
        None => (1..=ModuleId::MAX).find(|id| holder(*id).is_none()).ok_or(ModuleError::NoId),
    }
}

/// The other node of a mirror module that has `id` here: the one on which the same module is
/// configured; `None` while none is reached (AMB-41).
pub fn mirror_peer(
    module: &ModuleName,
    id: ModuleId,
    elsewhere: &[Elsewhere],
) -> Result<Option<NodeName>, ModuleError> {
    let others: Vec<&Elsewhere> =
        elsewhere.iter().filter(|other| other.module == *module && other.configured).collect();
    match others.as_slice() {
        [] => Ok(None),
        [peer] if peer.id == id => Ok(Some(peer.node.clone())),
        [peer] => Err(ModuleError::IdsDiffer {
            module: module.clone(),
            here: id,
            there: peer.id,
            node: peer.node.clone(),
        }),
        several => {
            let nodes: Vec<&str> = several.iter().map(|other| other.node.as_str()).collect();
            Err(ModuleError::ThirdNode { module: module.clone(), nodes: nodes.join(", ") })
        }
    }
}

/// `module package`: the archive of SAFE/modules/AM; `keys`: with the module's key if it has one.
pub fn package(paths: &Paths, module: &ModuleName, keys: bool) -> Result<Vec<u8>, ModuleError> {
    id(paths, module)?;
    let left_out: Vec<PathBuf> = if keys { Vec::new() } else { key_files().to_vec() };
    Ok(archive::bytes_without(&paths.module(module), &left_out)?)
}

/// An archive without the keys that it may hold.
pub fn without_keys(archive: Vec<u8>) -> Result<Vec<u8>, ModuleError> {
    let files = key_files();
    let names: Vec<_> = files.iter().map(|file| file.to_string_lossy()).collect();
    Ok(archive::without(archive, &names.iter().map(|name| &**name).collect::<Vec<_>>())?)
}

/// An archive that is to be installed over a module, with the present keys of that module whatever it brings;
/// with none if the module has none.
pub fn with_present_keys(
    paths: &Paths,
    module: &ModuleName,
    archive: Vec<u8>,
) -> Result<Vec<u8>, ModuleError> {
    let archive = without_keys(archive)?;
    key_files().iter().try_fold(archive, |archive, file| {
        match record::load_bytes(&paths.module(module).join(file), LARGEST_KEY)? {
            Some(key) => Ok(archive::with_file(archive, &file.to_string_lossy(), &key)?),
            None => Ok(archive),
        }
    })
}

fn key_files() -> [PathBuf; 2] {
    [keys::MODULE_KEY, keys::MODULE_CERTIFICATE].map(|key| Path::new("conf").join(key))
}

/// `module uninstall`: removes the active configuration (with its `deconfig` script), then
/// SAFE/modules/AM and the id. Logs stay in SAFEVAR/modules/AM, and the module with its key as
/// SAFE/Application_Modules/backup/AM.safe (WEB-29). Refused while the module runs.
pub fn uninstall(paths: &Paths, module: &ModuleName, running: bool) -> Result<(), ModuleError> {
    id(paths, module)?;
    if running {
        return Err(ModuleError::Running(module.clone()));
    }
    configure::deconfig(paths, module, running).map_err(Box::new)?;
    keep(paths, module)?;
    record::remove(&file(paths, module))?;
    tree::take_away(&paths.module(module))?;
    Ok(())
}

/// Keeps a module in SAFE/Application_Modules/backup. The archive holds its key: nobody else may read it.
fn keep(paths: &Paths, module: &ModuleName) -> Result<(), ModuleError> {
    let backup = paths.application_modules().join("backup");
    let mut made = DirBuilder::new();
    made.recursive(true).mode(0o700).create(&backup).map_err(record::io_error(Attempt::Create, &backup))?;
    let archive = package(paths, module, true)?;
    Ok(record::store_bytes(&backup.join(format!("{module}.safe")), &archive, 0o600)?)
}

/// The archive that `module install` means: `name` is an absolute path, or the name of a file under
/// SAFE/Application_Modules with or without `.safe` or `.zip`; without it, the name of the module.
pub fn template(paths: &Paths, module: &ModuleName, name: Option<&str>) -> Result<Vec<u8>, ModuleError> {
    let name = name.unwrap_or(module.as_str());
    let dir = paths.application_modules();
    let missing = || ModuleError::NoTemplate { name: name.to_owned(), dir: dir.clone() };
    let path = if Path::new(name).is_absolute() {
        PathBuf::from(name)
    } else {
        let stem = name.strip_suffix(".safe").or(name.strip_suffix(".zip")).unwrap_or(name);
        let found = [format!("{stem}.safe"), format!("{stem}.zip")];
        let found = found.iter().find_map(|file| search(&dir, file, templates::LEVELS).transpose());
        found.transpose()?.ok_or_else(missing)?
    };
    record::load_bytes(&path, templates::LARGEST)?.ok_or_else(missing)
}

/// Searches `dir` before its sub-directories, those by name.
fn search(dir: &Path, file: &str, levels: u32) -> Result<Option<PathBuf>, RecordError> {
    let direct = dir.join(file);
    if direct.is_file() {
        return Ok(Some(direct));
    }
    if levels > 0 {
        for sub in tree::entries(dir)?.into_iter().filter(|entry| entry.is_dir()) {
            if let Some(found) = search(&sub, file, levels - 1)? {
                return Ok(Some(found));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
#[path = "modules_tests.rs"]
mod tests;

//! The files of a new node: its `SAFE` tree, its cluster configuration and key, its private copies.

use super::error::{During, Result, SandboxError};
use super::node::{Node, SERVICES, WEB};
use super::state::State;
use super::{bounded::run_bounded, disk, web};
use crate::config::archive;
use rustix::fs::IFlags;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Copies of private directories may be large.
const COPY_PATIENCE: Duration = Duration::from_secs(300);

/// Lays out a node as an installation would, configured for the cluster with `key`.
pub(super) fn install(node: &Node, state: &State, key: &[u8; 32]) -> Result<()> {
    let (safe, var) = (node.safe(), node.content(state).join("var"));
    let bin = safe.join("private/bin");
    let generic = safe.join("Application_Modules/generic");
    let cluster = var.join("cluster");
    for dir in [&bin, &generic, &safe.join("modules"), &safe.join("conf"), &cluster, &var.join("run")] {
        fs::create_dir_all(dir).during(|| format!("make {}", dir.display()))?;
    }
    link(&state.programs.join("safekit"), &safe.join("safekit"))?;
    for program in ["safekit", "rfsbox"].iter().chain(SERVICES.iter().filter(|s| **s != WEB)) {
        link(&state.programs.join(program), &bin.join(program))?;
    }
    // Shown there by the node's root: its user may not be let into the directory of the programs.
    write_new(&bin.join(WEB), 0o755, b"")?;
    // The same program under the names of special commands.
    for alias in crate::cli::ALIASES {
        let alias = safe.join(alias);
        let dir = alias.parent().unwrap_or(&safe);
        fs::create_dir_all(dir).during(|| format!("make {}", dir.display()))?;
        link(&state.programs.join("safekit"), &alias)?;
    }
    if let Some(templates) = templates(&state.programs) {
        pack_templates(&templates, &generic)?;
    }
    write_new(&cluster.join("cluster.xml"), 0o644, cluster_xml(state).as_bytes())?;
    // As `safekit cluster genkey` writes it.
    let line = format!("safekit-key-1 {}\n", crate::hex::encode(key));
    write_new(&cluster.join("cluster.key"), 0o600, line.as_bytes())?;
    for private in node.private(state) {
        fs::create_dir_all(&private.copy).during(|| format!("make {}", private.copy.display()))?;
        if private.at.is_dir() {
            copy(&private.at, &private.copy)?;
        }
    }
    web::install_logs(&var, state.account)?;
    if let Some(size) = state.disk {
        let var = node.safevar();
        fs::create_dir(&var).during(|| format!("make {}", var.display()))?;
        disk::make(node, size)?;
    }
    Ok(())
}

/// The cluster configuration (CFG-CL) of a sandbox: every node on every LAN, commands on the first.
pub fn cluster_xml(state: &State) -> String {
    let mut text = String::from("<?xml version=\"1.0\"?>\n<cluster>\n  <lans>\n");
    for (at, lan) in state.lans.iter().enumerate() {
        let command = if at == 0 { " command=\"on\"" } else { "" };
        text.push_str(&format!("    <lan name=\"{lan}\"{command}>\n"));
        for n in 1..=state.nodes {
            text.push_str(&format!("      <node name=\"node{n}\" addr=\"10.77.{}.{n}\"/>\n", at + 1));
        }
        text.push_str("    </lan>\n");
    }
    text.push_str("  </lans>\n</cluster>\n");
    text
}

/// The templates of modules: `conf/modules` of an installation or of a source tree, if there is one.
fn templates(programs: &Path) -> Option<PathBuf> {
    let by_hand = std::env::var_os("SAFEKIT_CONF").map(PathBuf::from);
    // Beside the programs, or above target/debug in a source tree.
    let near = programs.ancestors().take(3).map(|dir| dir.join("conf"));
    by_hand.into_iter().chain(near).map(|conf| conf.join("modules")).find(|dir| dir.is_dir())
}

/// Packs every template as an installation has it: `generic/NAME.safe`.
fn pack_templates(from: &Path, generic: &Path) -> Result<()> {
    for entry in fs::read_dir(from).during(|| format!("read {}", from.display()))? {
        let dir = entry.during(|| format!("read {}", from.display()))?.path();
        let Some(name) = dir.file_name().filter(|_| dir.is_dir()) else { continue };
        let file = generic.join(name).with_extension("safe");
        archive::pack(&dir, &file).map_err(|e| SandboxError::Options(e.to_string()))?;
    }
    Ok(())
}

/// Copies the contents of a directory with owners, modes, times, links and attributes.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let mut command = Command::new("cp");
    command.arg("-a").arg(from.join(".")).arg(to);
    let done = run_bounded(&mut command, COPY_PATIENCE, &format!("the copy of {}", from.display()))?;
    if done.success() {
        return Ok(());
    }
    Err(SandboxError::Options(format!(
        "cannot copy {} to {}: cp ended with {done}",
        from.display(),
        to.display()
    )))
}

fn link(to: &Path, from: &Path) -> Result<()> {
    symlink(to, from).during(|| format!("link {} to {}", from.display(), to.display()))
}

pub(super) fn write_new(path: &Path, mode: u32, content: &[u8]) -> Result<()> {
    let what = || format!("write {}", path.display());
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path).during(what)?;
    file.write_all(content).during(what)
}

/// Removes a directory with all it holds, also what a node has protected: a power failure leaves its
/// mount points immutable.
pub(super) fn remove(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            unprotect(dir)?;
            fs::remove_dir_all(dir)
        }
        other => other,
    }
}

fn unprotect(dir: &Path) -> io::Result<()> {
    let open = fs::File::open(dir)?;
    // A file system without such flags has not protected anything.
    if let Ok(flags) = rustix::fs::ioctl_getflags(&open)
        && flags.contains(IFlags::IMMUTABLE)
    {
        rustix::fs::ioctl_setflags(&open, flags - IFlags::IMMUTABLE)?;
    }
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            unprotect(&entry.path())?;
        }
    }
    Ok(())
}

//! `safekit rescue`: the archives of what was overwritten (S6).

use super::{Admin, AdminError, off};
use crate::control::server::Call;
use crate::control::{Reply, RescueReport, RescueRequest};
use crate::fsm::state::Role;
use crate::ids::ModuleName;
use crate::rfs::rescue::{self, Compared, RescueError, Target};
use crate::told::{Tell, Told, told};
use std::path::{Path, PathBuf};
use tokio::sync::mpsc;

/// Entries in one piece of an answer.
const BATCH: usize = 200;
/// Pieces that may wait for a slow terminal.
const PIECES: usize = 16;

impl Admin {
    pub(super) async fn rescue(
        &self,
        call: &Call,
        module: &ModuleName,
        request: &RescueRequest,
    ) -> Result<i32, AdminError> {
        let role = self.slot(module, super::Slot::role)?;
        let root = rescue::dir(&self.0.paths.uservar(module));
        let report = match request.clone() {
            RescueRequest::List => RescueReport::Archives(off(move || rescue::archives(&root)).await??),
            RescueRequest::Purge(which) => {
                RescueReport::Purged(off(move || rescue::purge(&root, &which)).await??)
            }
            RescueRequest::Diff { archive } => return self.compare(call, root, archive).await,
            RescueRequest::Restore { archive, to, paths } => {
                let target = self.rescue_target(module, role, to)?;
                off(move || restore(&root, archive.as_deref(), &target, &paths)).await??
            }
        };
        self.say(call, Reply::Rescue(report)).await;
        Ok(0)
    }

    /// Live data is written by its primary only, and a directory that is replicated only through its mount.
    fn rescue_target(
        &self,
        module: &ModuleName,
        role: Role,
        to: Option<PathBuf>,
    ) -> Result<Target, AdminError> {
        let Some(to) = to else {
            if !matches!(role, Role::Alone | Role::Prim) {
                let text = told!(
                    "--in-place is for a node that is ALONE or PRIM, this one is {role}; restore to a directory, or run it on the other node",
                    "--in-place est pour un nœud ALONE ou PRIM, celui-ci est {role} ; restaurez dans un répertoire, ou exécutez-le sur l'autre nœud"
                );
                return Err(RescueError::Refused(text).into());
            }
            return Ok(Target::InPlace);
        };
        let rfs = self.slot(module, |s| s.config.as_ref().and_then(|c| c.rfs.clone()))?;
        let inside = rfs.iter().flat_map(|r| r.replicated.iter().map(move |d| (d, &r.mountoversuffix))).any(
            |(d, suffix)| {
                let mut backing = d.dir.clone().into_os_string();
                backing.push(suffix);
                to.starts_with(&d.dir) || to.starts_with(backing)
            },
        );
        if inside {
            let to = to.display();
            let text = told!(
                "{to} is replicated: give another directory, or --in-place",
                "{to} est répliqué : donnez un autre répertoire, ou --in-place"
            );
            return Err(RescueError::Refused(text).into());
        }
        Ok(Target::Directory(to))
    }

    async fn compare(&self, call: &Call, root: PathBuf, archive: Option<String>) -> Result<i32, AdminError> {
        let (send, mut pieces) = mpsc::channel::<Vec<Compared>>(PIECES);
        let work = off(move || {
            let archive = rescue::find(&root, archive.as_deref())?;
            let mut batch = Vec::new();
            rescue::diff(&archive, |compared| {
                batch.push(compared);
                if batch.len() >= BATCH {
                    // Who has gone away misses it.
                    let _gone = send.blocking_send(std::mem::take(&mut batch));
                }
            })?;
            let _gone = send.blocking_send(batch);
            rescue::mark_read(&archive)
        });
        let print = async {
            while let Some(batch) = pieces.recv().await {
                self.say(call, Reply::Rescue(RescueReport::Compared(batch))).await;
            }
        };
        let (done, ()) = futures_util::future::join(work, print).await;
        done??;
        Ok(0)
    }

    /// What `explain` says of archives that nobody has looked into.
    pub(super) async fn unread_rescues(&self, module: &ModuleName) -> Option<Told> {
        let root = rescue::dir(&self.0.paths.uservar(module));
        match off(move || rescue::unread(&root)).await {
            Ok(Ok(names)) if names.is_empty() => None,
            Ok(Ok(names)) => {
                let names = names.join(", ");
                Some(told!(
                    "files of this node were rescued before they were overwritten ({names}): safekit rescue diff -m {module}",
                    "des fichiers de ce nœud ont été sauvés avant d'être remplacés ({names}) : safekit rescue diff -m {module}"
                ))
            }
            Ok(Err(error)) => Some(unreadable(error.told())),
            Err(error) => Some(unreadable(error.told())),
        }
    }
}

fn unreadable(error: Told) -> Told {
    let mut text = told!("rescue archives cannot be read: ", "les archives de secours sont illisibles : ");
    text += error;
    text
}

fn restore(
    root: &Path,
    archive: Option<&str>,
    target: &Target,
    paths: &[PathBuf],
) -> Result<RescueReport, RescueError> {
    let archive = rescue::find(root, archive)?;
    let done = rescue::restore(&archive, target, paths)?;
    rescue::mark_read(&archive)?;
    let archive = archive.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(RescueReport::Restored { archive, files: done.files, left_out: done.left_out })
}

//! Control of a module: commands, resources, messages, loop counter, cleaning (spec/cli.md 5 and 8).

use super::{Admin, AdminError, Change, ask, off};
use crate::actors::module::{Control, Forget, Loop, Print, SetResource};
use crate::control::server::Call;
use crate::control::{CleanWhat, LogChoice, LoopOp, PrintLevel, Reply};
use crate::fsm::command::{Caller, Command};
use crate::fsm::resource::{ResourceName, Value};
use crate::ids::ModuleName;
use crate::node::boot;
use std::path::Path;

impl Admin {
    /// Gives a command to a module; it answers when it has accepted or refused it.
    pub(super) async fn control(
        &self,
        module: &ModuleName,
        command: Command,
        caller: Caller,
    ) -> Result<i32, AdminError> {
        if command.begins() && self.0.stopping.get() {
            return Err(AdminError::Stopping);
        }
        let instance = match command.begins() {
            true => self.refresh(module).await?,
            false => self.instance(module).await?,
        };
        let administrator = caller.is_administrator();
        ask(&instance.handle, Control { command, caller }).await??;
        if let Some(started) = remembered(command).filter(|_| administrator) {
            let (paths, name) = (self.0.paths.clone(), module.clone());
            off(move || boot::set_started(&paths, &name, started)).await??;
        }
        Ok(0)
    }

    pub(super) async fn set(
        &self,
        module: &ModuleName,
        name: ResourceName,
        value: Value,
        log: LogChoice,
        setter: String,
    ) -> Result<i32, AdminError> {
        let instance = self.instance(module).await?;
        ask(&instance.handle, SetResource { name, value, log, setter }).await?;
        Ok(0)
    }

    pub(super) async fn print(
        &self,
        module: &ModuleName,
        level: PrintLevel,
        text: &str,
    ) -> Result<i32, AdminError> {
        let instance = self.instance(module).await?;
        ask(&instance.handle, Print(level, text.to_owned())).await?;
        Ok(0)
    }

    pub(super) async fn loop_counter(
        &self,
        call: &Call,
        module: &ModuleName,
        op: LoopOp,
        identity: Option<String>,
    ) -> Result<i32, AdminError> {
        let instance = self.instance(module).await?;
        let report = ask(&instance.handle, Loop(op, identity)).await?;
        let code = i32::from(report.reached);
        self.say(call, Reply::Loop(report)).await;
        Ok(code)
    }

    /// `clean`: of one module or of all.
    pub(super) async fn clean(
        &self,
        module: Option<&ModuleName>,
        what: CleanWhat,
    ) -> Result<i32, AdminError> {
        let modules = module.map_or_else(|| self.names(), |m| vec![m.clone()]);
        for module in &modules {
            self.slot(module, |_| ())?;
            if matches!(what, CleanWhat::All | CleanWhat::Log) {
                self.clean_log(module).await?;
            }
            if matches!(what, CleanWhat::All | CleanWhat::Resource) {
                self.clean_resources(module).await?;
            }
            if matches!(what, CleanWhat::All | CleanWhat::Process) && self.instance(module).await.is_ok() {
                // Its processes are actors here: a new instance takes the module over.
                let _mark = self.mark(module, Change::Instance).await?;
                self.launch(module).await?;
            }
        }
        Ok(0)
    }

    async fn clean_log(&self, module: &ModuleName) -> Result<(), AdminError> {
        let uservar = self.0.paths.uservar(module);
        let store = self.0.store.module(module, &uservar);
        off(move || {
            std::fs::create_dir_all(&uservar)
                .and_then(|()| remove_userlogs(&uservar))
                .map_err(|e| AdminError::Io(uservar, e))?;
            Ok(store.clear_log()?)
        })
        .await?
    }

    async fn clean_resources(&self, module: &ModuleName) -> Result<(), AdminError> {
        let uservar = self.0.paths.uservar(module);
        let store = self.0.store.module(module, &uservar);
        off(move || {
            std::fs::create_dir_all(&uservar).map_err(|e| AdminError::Io(uservar, e))?;
            Ok::<_, AdminError>(store.clear_resources()?)
        })
        .await??;
        match self.instance(module).await {
            Ok(instance) => ask(&instance.handle, Forget).await,
            // Without an instance nothing holds resources.
            Err(_) => Ok(()),
        }
    }
}

/// Empties the logs of scripts: one that still runs keeps its file.
fn remove_userlogs(uservar: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(uservar)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        if name.starts_with("userlog_") && name.ends_with(".ulog") {
            std::fs::File::options().write(true).truncate(true).open(&path)?;
        }
    }
    Ok(())
}

/// What `boot="auto"` remembers of a command: a start, a stop, or nothing.
fn remembered(command: Command) -> Option<bool> {
    match command {
        _ if command.begins() => Some(true),
        Command::Stop | Command::ForceStop => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_and_stops_are_remembered_and_nothing_else() {
        for command in [Command::Start, Command::Prim { fullsync: false }, Command::PrimForce] {
            assert_eq!(remembered(command), Some(true));
        }
        assert_eq!(remembered(Command::ForceStop), Some(false));
        for command in [Command::Shutdown, Command::Swap { nosync: false }, Command::StopStart] {
            assert_eq!(remembered(command), None, "{command}");
        }
    }

    #[test]
    fn only_the_logs_of_scripts_are_emptied() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["userlog_x.ulog", "record.json"] {
            std::fs::write(dir.path().join(name), "text").unwrap();
        }
        remove_userlogs(dir.path()).unwrap();
        let length = |name: &str| std::fs::metadata(dir.path().join(name)).unwrap().len();
        assert_eq!((length("userlog_x.ulog"), length("record.json")), (0, 4));
    }
}

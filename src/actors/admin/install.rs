//! Installed modules: install, package, uninstall, list, ports, keys (CLI-092, CLI-095 to CLI-099).

use super::{Admin, AdminError, Change, off};
use crate::config::module::{self, Mode};
use crate::config::paths::Paths;
use crate::config::ports;
use crate::control::server::Call;
use crate::control::{InstallSource, ModuleRow, PortRow, PortsOf, Reply};
use crate::fsm::state::Role;
use crate::ids::{ModuleId, ModuleName};
use crate::node::configure::{self, ConfigureError};
use crate::node::modules::{self, ModuleError};
use crate::node::{keys, lastconfig};
use crate::told::{Told, told};
use jiff::Timestamp;

/// The bytes of a key.
type Secret = [u8; keys::KEY_BYTES];

/// How a module is installed.
#[derive(Clone, Copy)]
pub(super) struct Install<'a> {
    /// Number to give it.
    pub forced: Option<ModuleId>,
    /// Over an existing one.
    pub reinstall: bool,
    /// Only over one with one of these signatures, empty: over none.
    pub if_signature: Option<&'a [String]>,
    /// Its key stays, whatever the archive brings.
    pub keep_key: bool,
}

impl Admin {
    pub(super) async fn install(
        &self,
        call: &Call,
        module: &ModuleName,
        how: Install<'_>,
        source: &InstallSource,
    ) -> Result<i32, AdminError> {
        let (paths, name, source) = (self.0.paths.clone(), module.clone(), source.clone());
        let attachment = call.attachment.clone();
        let archive = move || match source {
            InstallSource::Attachment => Ok(attachment),
            InstallSource::Template(file) => {
                Ok(modules::template(&paths, &name, Some(file.strip_suffix(".safe").unwrap_or(&file)))?)
            }
        };
        self.put(call, module, how, archive).await
    }

    /// One of the last successful configurations of a module, without its key.
    pub(super) async fn configuration(
        &self,
        call: &Call,
        module: &ModuleName,
        name: &str,
    ) -> Result<i32, AdminError> {
        self.slot(module, |_| ())?;
        let kept = self.kept(module, name);
        self.give(call, move || Ok(modules::without_keys(kept()?)?)).await
    }

    /// Installs a module again as it was in one of its last successful configurations, but for its key: a key
    /// that was replaced, or the lack of one, never comes back by itself (10.5).
    pub(super) async fn restore(
        &self,
        call: &Call,
        module: &ModuleName,
        name: &str,
        if_signature: Option<&[String]>,
    ) -> Result<i32, AdminError> {
        self.slot(module, |_| ())?;
        let how = Install { forced: None, reinstall: true, if_signature, keep_key: true };
        self.put(call, module, how, self.kept(module, name)).await
    }

    /// Reads the archive of one of the last successful configurations.
    fn kept(
        &self,
        module: &ModuleName,
        name: &str,
    ) -> impl FnOnce() -> Result<Vec<u8>, AdminError> + Send + use<> {
        let (dir, of, kept) = (self.0.paths.lastconfig(), module.clone(), name.to_owned());
        move || lastconfig::load(&dir, &of, &kept)?.ok_or(AdminError::NoConfiguration(kept, of))
    }

    /// Puts an archive in the place of SAFE/modules/AM.
    async fn put(
        &self,
        call: &Call,
        module: &ModuleName,
        Install { forced, reinstall, if_signature, keep_key }: Install<'_>,
        archive: impl FnOnce() -> Result<Vec<u8>, AdminError> + Send + 'static,
    ) -> Result<i32, AdminError> {
        let _turn = self.turn().await?;
        self.refuse_other_files(call, module, if_signature).await?;
        let mut mark = None;
        if self.slot(module, |s| s.role()).is_ok_and(|role| role == Role::Stop) {
            // No start comes between what is seen here and the launch.
            mark = Some(self.mark(module, Change::Instance).await?);
        }
        let present = self.slot(module, |s| (s.id, s.role())).ok();
        let other_id = |(id, role)| role != Role::Stop && forced.is_some_and(|forced| forced != id);
        if present.is_some_and(other_id) {
            return Err(AdminError::Running(
                module.clone(),
                told!("its id would change", "son identifiant changerait"),
            ));
        }
        let elsewhere = self.elsewhere().await?;
        let (paths, name) = (self.0.paths.clone(), module.clone());
        let (id, key) = off(move || -> Result<(ModuleId, Told), AdminError> {
            let mut archive = archive()?;
            if keep_key {
                archive = modules::with_present_keys(&paths, &name, archive)?;
            }
            let file = paths.module(&name).join("conf").join(keys::MODULE_KEY);
            let key = || keys::load(&file).ok().flatten().map(|key| *key.as_bytes());
            let before = key();
            let id = modules::install(&paths, &name, forced, reinstall, &archive, &elsewhere)?;
            Ok((id, key_change(before, key(), keep_key)))
        })
        .await??;
        self.0.store.set_resource(&format!("module.{module}"), &id.to_string(), Timestamp::now());
        // A module that runs goes on with its active configuration.
        if present.is_none_or(|(_, role)| role == Role::Stop) {
            self.launch(module).await?;
        }
        drop(mark);
        let mut text = told!(
            "module {module} is installed with id {id}",
            "le module {module} est installé avec l'identifiant {id}"
        );
        text += key;
        self.tell(call, text).await;
        self.tell_saved(call, module).await;
        Ok(0)
    }

    /// Tells the signature that SAFE/modules/AM has now. What cannot be read is told by whoever needs it.
    async fn tell_saved(&self, call: &Call, module: &ModuleName) {
        let (paths, name) = (self.0.paths.clone(), module.clone());
        if let Ok(Ok(now)) = off(move || configure::current(&paths, &name)).await {
            self.say(call, Reply::Saved { signature: now.signature }).await;
        }
    }

    /// Tells the signature of SAFE/modules/AM if it is none of the expected ones, and refuses.
    pub(super) async fn refuse_other_files(
        &self,
        call: &Call,
        module: &ModuleName,
        expected: Option<&[String]>,
    ) -> Result<(), AdminError> {
        let Some(expected) = expected else { return Ok(()) };
        let (paths, name) = (self.0.paths.clone(), module.clone());
        let signature = match off(move || configure::current(&paths, &name)).await? {
            Ok(now) => now.signature,
            Err(ConfigureError::NotInstalled(_)) => String::new(),
            Err(error) => return Err(error.into()),
        };
        self.refuse_other(call, expected, signature, told!("module {module}", "le module {module}")).await
    }

    /// Tells the signature of what is there if it is none of the expected ones, and refuses.
    pub(super) async fn refuse_other(
        &self,
        call: &Call,
        expected: &[String],
        signature: String,
        what: Told,
    ) -> Result<(), AdminError> {
        if expected.contains(&signature) {
            return Ok(());
        }
        self.say(call, Reply::Conflict { signature }).await;
        Err(AdminError::Conflict(what))
    }

    pub(super) async fn package(
        &self,
        call: &Call,
        module: &ModuleName,
        keys: bool,
    ) -> Result<i32, AdminError> {
        let (paths, name) = (self.0.paths.clone(), module.clone());
        self.give(call, move || Ok(modules::package(&paths, &name, keys)?)).await
    }

    pub(super) async fn uninstall(&self, call: &Call, module: &ModuleName) -> Result<i32, AdminError> {
        let _turn = self.turn().await?;
        let mark = self.mark(module, Change::Configuration).await?;
        if self.slot(module, |s| s.role())? != Role::Stop {
            return Err(ModuleError::Running(module.clone()).into());
        }
        self.close(module).await;
        let (paths, name, store) = (self.0.paths.clone(), module.clone(), self.0.store.clone());
        let done = off(move || -> Result<(), AdminError> {
            modules::uninstall(&paths, &name, false)?;
            Ok(store.close_module(&name)?)
        })
        .await?;
        if self.installed(module).await {
            self.launch(module).await?;
        } else {
            self.0.slots.borrow_mut().remove(module);
            self.0.store.set_resource(&format!("module.{module}"), "uninstalled", Timestamp::now());
        }
        drop(mark);
        self.changed();
        done?;
        self.tell(call, told!("module {module} is uninstalled", "le module {module} est désinstallé")).await;
        Ok(0)
    }

    /// Whether it still is: a command may have failed half way.
    async fn installed(&self, module: &ModuleName) -> bool {
        let (paths, name) = (self.0.paths.clone(), module.clone());
        off(move || modules::id(&paths, &name).is_ok()).await.unwrap_or(false)
    }

    pub(super) async fn module_list(&self, call: &Call) -> Result<i32, AdminError> {
        let paths = self.0.paths.clone();
        let rows = off(move || -> Result<Vec<ModuleRow>, AdminError> {
            let mut rows = Vec::new();
            for (module, id) in modules::list(&paths)? {
                let configured = configure::applied(&paths, &module)?.is_some();
                let mode = mode(&paths, &module).map(|mode| mode.to_string());
                rows.push(ModuleRow { module, id, mode, configured });
            }
            Ok(rows)
        })
        .await??;
        self.say(call, Reply::Modules(rows)).await;
        Ok(0)
    }

    pub(super) async fn ports(&self, call: &Call, of: &PortsOf) -> Result<i32, AdminError> {
        let ports = match of {
            PortsOf::Id(id) => ports::ports(*id, None),
            PortsOf::Module(module) => {
                let (id, config) = self.slot(module, |s| (s.id, s.config.clone()))?;
                let place = self.0.place.borrow().clone().ok();
                let (paths, name) = (self.0.paths.clone(), module.clone());
                match config {
                    Some(config) => ports::of_module(id, &config, place.as_ref().map(|p| &p.config)),
                    None => ports::ports(id, off(move || mode(&paths, &name)).await?),
                }
            }
        };
        let row = |p: ports::Port| PortRow {
            process: p.process.to_owned(),
            name: p.name.to_owned(),
            protocol: p.proto.to_owned(),
            port: p.number,
        };
        self.say(call, Reply::Ports(ports.into_iter().map(row).collect())).await;
        Ok(0)
    }

    pub(super) async fn generate_key(
        &self,
        call: &Call,
        module: &ModuleName,
        if_signature: Option<&[String]>,
    ) -> Result<i32, AdminError> {
        let _turn = self.turn().await?;
        self.refuse_other_files(call, module, if_signature).await?;
        let (paths, name) = (self.0.paths.clone(), module.clone());
        off(move || keys::generate_module_key(&paths, &name)).await??;
        let text = told!(
            "module {module} has a new key: deploy it to the other node (safekit -E {module}), it is used from the next configuration on",
            "le module {module} a une nouvelle clé : déployez-la sur l'autre nœud (safekit -E {module}), elle servira à partir de la prochaine configuration"
        );
        self.tell(call, text).await;
        self.tell_saved(call, module).await;
        Ok(0)
    }

    pub(super) async fn delete_key(
        &self,
        call: &Call,
        module: &ModuleName,
        if_signature: Option<&[String]>,
    ) -> Result<i32, AdminError> {
        let _turn = self.turn().await?;
        self.refuse_other_files(call, module, if_signature).await?;
        let (paths, name) = (self.0.paths.clone(), module.clone());
        let text = match off(move || keys::delete_module_key(&paths, &name)).await?? {
            true => told!(
                "module {module} has no key any more from the next configuration on",
                "le module {module} n'a plus de clé à partir de la prochaine configuration"
            ),
            false => told!("module {module} had no key", "le module {module} n'avait pas de clé"),
        };
        self.tell(call, text).await;
        self.tell_saved(call, module).await;
        Ok(0)
    }
}

/// What an installation made of the key of the module, to be told after its id; nothing if it never had one.
fn key_change(before: Option<Secret>, after: Option<Secret>, kept: bool) -> Told {
    match (before, after) {
        (None, None) if kept => told!("; it stays without a key", " ; il reste sans clé"),
        (None, None) => Told::default(),
        (Some(before), Some(after)) if before == after => told!("; its key stays", " ; sa clé reste la même"),
        (_, Some(_)) => told!(
            "; its key is the one of the archive from the next configuration on",
            " ; sa clé est celle de l'archive à partir de la prochaine configuration"
        ),
        (Some(_), None) => told!(
            "; it has no key any more from the next configuration on: safekit module genkey",
            " ; il n'a plus de clé à partir de la prochaine configuration : safekit module genkey"
        ),
    }
}

/// Mode of a module: of its active configuration, else of SAFE/modules/AM. Blocks.
fn mode(paths: &Paths, module: &ModuleName) -> Option<Mode> {
    if let Ok(Some(config)) = configure::active(paths, module) {
        return Some(config.service.mode);
    }
    current_mode(paths, module)
}

/// Mode of a module as SAFE/modules/AM has it; none if that cannot be read. Blocks.
pub(super) fn current_mode(paths: &Paths, module: &ModuleName) -> Option<Mode> {
    let text = std::fs::read_to_string(paths.userconfig(module)).ok()?;
    let env = |name: &str| std::env::var(name).ok();
    module::load(&text, "userconfig.xml", &env, None).ok().map(|config| config.service.mode)
}

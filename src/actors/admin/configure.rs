//! Configuration of a module: config, deconfig, confcheck, confinfo (CLI-090 to CLI-094).

use super::farm;
use super::launch::find_pair;
use super::{Admin, AdminError, Change, Place, off};
use crate::actors::checkers::plan;
use crate::config::address::Address;
use crate::config::error::{ConfigError, ConfigErrors};
use crate::config::module::{Mode, ModuleConfig, VirtualAddr};
use crate::config::paths::Paths;
use crate::control::server::Call;
use crate::control::{ConfInfo, Fault, Reply, Stamp};
use crate::fsm::state::{Readiness, Role};
use crate::ids::{ModuleId, ModuleName};
use crate::node::configure::{self, ConfigureError, Configured, ModuleSituation};
use crate::node::modules::Elsewhere;
use crate::told::{Tell, Told, told};
use std::sync::Arc;

/// What the rest of the node adds to the check of a configuration.
struct Extra {
    paths: Paths,
    /// The module and its number; none of a text that is for no module yet.
    module: Option<(ModuleName, ModuleId)>,
    place: Option<Arc<Place>>,
    elsewhere: Vec<Elsewhere>,
    /// Configurations of the other modules of this node.
    others: Vec<(ModuleName, Arc<ModuleConfig>)>,
}

impl Extra {
    /// Its rules are understood, no other module has its virtual addresses, and a mirror has a pair of
    /// nodes. Without a cluster, the first two only.
    fn check(&self, config: &ModuleConfig) -> Vec<ConfigError> {
        let mut faults: Vec<ConfigError> = plan::ruleset(config)
            .err()
            .unwrap_or_default()
            .into_iter()
            .map(|e| fault(e.at.line, "failover", e.in_line()))
            .collect();
        faults.extend(self.taken(config));
        if let (Some(place), Some(farm)) = (&self.place, &config.farm)
            && let Err(error) = farm::lans(farm, &place.config, &place.me)
        {
            faults.push(fault(1, "farm", error.told()));
        }
        if config.service.mode == Mode::Mirror
            && let (Some(place), Some((module, id))) = (&self.place, &self.module)
            && let Err(error) = find_pair(&self.paths, module, *id, config, place, &self.elsewhere)
        {
            faults.push(fault(1, "heart", error.told()));
        }
        faults
    }

    /// The virtual addresses that another module has (NET-07). Asks the resolver for names: blocks.
    fn taken(&self, config: &ModuleConfig) -> Vec<ConfigError> {
        let mut faults = Vec::new();
        for mine in virtual_addrs(config) {
            let same = |other: &VirtualAddr| mine.addr == other.addr || same_host(&mine.addr, &other.addr);
            let holds = |config: &ModuleConfig| virtual_addrs(config).any(same);
            if let Some((module, _)) = self.others.iter().find(|(_, config)| holds(config)) {
                faults.push(ConfigError {
                    file: "userconfig.xml".to_owned(),
                    line: mine.line.0,
                    tag: "virtual_addr".to_owned(),
                    attribute: Some("addr".to_owned()),
                    value: Some(mine.addr.to_string()),
                    what: told!(
                        "module {module} has this virtual address: choose another one",
                        "le module {module} a cette adresse virtuelle : choisissez-en une autre"
                    ),
                });
            }
        }
        faults
    }
}

fn fault(line: u32, tag: &str, what: Told) -> ConfigError {
    ConfigError {
        file: "userconfig.xml".to_owned(),
        line,
        tag: tag.to_owned(),
        attribute: None,
        value: None,
        what,
    }
}

fn virtual_addrs(config: &ModuleConfig) -> impl Iterator<Item = &VirtualAddr> {
    config.vip.iter().flat_map(|vip| &vip.interfaces).flat_map(|interface| &interface.addrs)
}

/// Whether two addresses, of which one is a name, mean the same; no when that cannot be found out.
fn same_host(a: &Address, b: &Address) -> bool {
    let named = a.ip().is_none() || b.ip().is_none();
    named && matches!((a.resolve(), b.resolve()), (Ok(a), Ok(b)) if a == b)
}

/// What may change now (CFG-GEN-04).
fn situation(shown: (Role, Readiness)) -> ModuleSituation {
    match shown {
        (Role::Stop, Readiness::NotReady) => ModuleSituation::Stopped,
        (Role::Alone, Readiness::Ready) => ModuleSituation::Alone,
        (Role::Wait, Readiness::NotReady) => ModuleSituation::Wait,
        _ => ModuleSituation::Running,
    }
}

impl Admin {
    async fn extra(&self, module: Option<&ModuleName>) -> Result<Extra, AdminError> {
        let elsewhere = self.elsewhere().await?;
        let others = (self.0.slots.borrow().iter())
            .filter(|(name, _)| Some(*name) != module)
            .filter_map(|(name, slot)| Some((name.clone(), slot.config.clone()?)))
            .collect();
        let id = module.map(|module| self.slot(module, |s| s.id)).transpose()?;
        Ok(Extra {
            paths: self.0.paths.clone(),
            module: module.cloned().zip(id),
            place: self.0.place.borrow().clone().ok(),
            elsewhere,
            others,
        })
    }

    pub(super) async fn config(
        &self,
        call: &Call,
        module: &ModuleName,
        if_signature: Option<&[String]>,
    ) -> Result<i32, AdminError> {
        let _turn = self.turn().await?;
        self.refuse_other_files(call, module, if_signature).await?;
        let extra = self.extra(Some(module)).await?;
        let mark = self.mark(module, Change::Configuration).await?;
        let situation = situation(self.slot(module, super::Slot::shown)?);
        let (paths, name) = (self.0.paths.clone(), module.clone());
        let configured =
            off(move || configure::config(&paths, &name, situation, &|config| extra.check(config))).await??;
        self.launch(module).await?;
        drop(mark);
        self.tell_checked(call, &configured).await;
        let trouble = self.slot(module, |s| s.instance.as_ref().err().cloned())?;
        let text = match trouble {
            None => told!("module {module} is configured", "le module {module} est configuré"),
            Some(why) => {
                let mut text = told!(
                    "module {module} is configured, but cannot run yet: ",
                    "le module {module} est configuré, mais ne peut pas encore s'exécuter : "
                );
                text += why;
                text
            }
        };
        self.tell(call, text).await;
        Ok(0)
    }

    async fn tell_checked(&self, call: &Call, checked: &Configured) {
        for warning in &checked.warnings {
            let mut text = told!("warning: ", "avertissement : ");
            text += warning.told();
            self.tell(call, text).await;
        }
        if let Some(output) = checked.output.as_ref().filter(|o| !o.is_empty()) {
            self.say(call, Reply::Text(output.clone())).await;
        }
    }

    pub(super) async fn confcheck(&self, call: &Call, module: &ModuleName) -> Result<i32, AdminError> {
        let extra = self.extra(Some(module)).await?;
        let (paths, name) = (self.0.paths.clone(), module.clone());
        let checked =
            off(move || configure::confcheck(&paths, &name, &|config| extra.check(config))).await??;
        self.tell_checked(call, &checked).await;
        let text = told!(
            "the configuration of module {module} is valid",
            "la configuration du module {module} est valide"
        );
        self.tell(call, text).await;
        Ok(0)
    }

    /// Checks the attached userconfig.xml and tells each fault with its place; 1 if one is no warning.
    pub(super) async fn confcheck_text(
        &self,
        call: &Call,
        module: Option<&ModuleName>,
    ) -> Result<i32, AdminError> {
        let extra = self.extra(module).await?;
        let (paths, name) = (self.0.paths.clone(), module.cloned());
        let attachment = call.attachment.clone();
        let checked = off(move || {
            let text = std::str::from_utf8(&attachment).map_err(|e| {
                let before = attachment.get(..e.valid_up_to()).unwrap_or_default();
                let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
                let line = u32::try_from(line).unwrap_or(u32::MAX);
                ConfigureError::Config(ConfigErrors(vec![fault(
                    line,
                    "",
                    told!("not UTF-8 text", "ce n'est pas un texte UTF-8"),
                )]))
            })?;
            configure::check_text(&paths, name.as_ref(), text, &|config| extra.check(config))
        })
        .await?;
        let lang = call.caller.lang;
        let (code, faults) = match checked {
            Ok(warnings) => (0, Fault::all(&[], &warnings, lang)),
            Err(ConfigureError::Config(errors)) => (1, Fault::all(&errors.0, &[], lang)),
            Err(ConfigureError::Replicated(error)) => {
                (1, Fault::all(&[fault(1, "rfs", error.told())], &[], lang))
            }
            Err(other) => return Err(other.into()),
        };
        self.say(call, Reply::Faults(faults)).await;
        Ok(code)
    }

    pub(super) async fn deconfig(&self, call: &Call, module: &ModuleName) -> Result<i32, AdminError> {
        let _turn = self.turn().await?;
        let mark = self.mark(module, Change::Configuration).await?;
        let running = self.slot(module, |s| s.role() != Role::Stop)?;
        if !running {
            self.close(module).await;
        }
        let (paths, name) = (self.0.paths.clone(), module.clone());
        let done = off(move || configure::deconfig(&paths, &name, running)).await?;
        if !running {
            // Without a configuration this launches nothing; after a failure the module is back.
            self.launch(module).await?;
        }
        drop(mark);
        let text = match done? {
            true => told!("module {module} is deconfigured", "le module {module} est déconfiguré"),
            false => told!("module {module} was not configured", "le module {module} n'était pas configuré"),
        };
        self.tell(call, text).await;
        Ok(0)
    }

    pub(super) async fn confinfo(&self, call: &Call, module: &ModuleName) -> Result<i32, AdminError> {
        let (paths, name) = (self.0.paths.clone(), module.clone());
        let (active, current) = off(move || configure::confinfo(&paths, &name)).await??;
        let info = ConfInfo { active: active.map(stamp), current: stamp(current) };
        self.say(call, Reply::ConfInfo(info)).await;
        Ok(0)
    }
}

/// Signature and date as they are told.
pub(super) fn stamp(info: configure::ConfInfo) -> Stamp {
    Stamp { signature: info.signature, date: i64::try_from(info.date).unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_configured_in_stable_stop_alone_and_wait_only() {
        use Readiness::{NotReady, Ready, Transient};
        let cases = [
            ((Role::Stop, NotReady), ModuleSituation::Stopped),
            ((Role::Alone, Ready), ModuleSituation::Alone),
            ((Role::Wait, NotReady), ModuleSituation::Wait),
            ((Role::Wait, Transient), ModuleSituation::Running),
            ((Role::Stop, Transient), ModuleSituation::Running),
            ((Role::Prim, Ready), ModuleSituation::Running),
            ((Role::Second, Ready), ModuleSituation::Running),
        ];
        for (shown, wanted) in cases {
            assert_eq!(situation(shown), wanted, "{shown:?}");
        }
    }

    fn config(parts: &str) -> ModuleConfig {
        let heart = "<heart><heartbeat name='a'/></heart>";
        let text = format!("<safe><service mode='mirror'>{heart}{parts}</service></safe>");
        crate::config::module::load(&text, "userconfig.xml", &|_| None, None).unwrap()
    }

    fn extra(others: Vec<(ModuleName, Arc<ModuleConfig>)>) -> Extra {
        Extra {
            paths: Paths::new("/nowhere", "/nowhere"),
            module: Some(("mirror".parse().unwrap(), 1)),
            place: None,
            elsewhere: Vec::new(),
            others,
        }
    }

    /// NET-07.
    #[test]
    fn two_modules_never_have_the_same_virtual_address() {
        let vip = |addr: &str| {
            config(&format!(
                "<vip><interface_list><interface><real_interface>\n<virtual_addr addr='10.0.0.8'/>\n\
                 <virtual_addr addr='{addr}'/></real_interface></interface></interface_list></vip>"
            ))
        };
        let other = vip("::1:2");
        let extra = extra(vec![("other".parse().unwrap(), Arc::new(other))]);
        let faults = |config: &ModuleConfig| -> Vec<String> {
            extra.check(config).iter().map(ToString::to_string).collect()
        };
        let line = |n, addr: &str| {
            format!(
                "userconfig.xml:{n}: <virtual_addr> addr=\"{addr}\": module other has this virtual address: choose \
                 another one"
            )
        };
        assert_eq!(faults(&vip("::0001:2")), [line(2, "10.0.0.8"), line(3, "::1:2")]);
        assert_eq!(faults(&vip("10.0.0.9")), [line(2, "10.0.0.8")]);
        assert!(faults(&config("")).is_empty());
    }

    #[test]
    fn wrong_rules_are_told_with_their_place() {
        let config = config("<failover><![CDATA[\nr: if (tcp.x = down) then stop();\n]]></failover>");
        let faults = extra(Vec::new()).check(&config);
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0].to_string().starts_with("userconfig.xml:2: <failover>: column "), "{}", faults[0]);
    }
}

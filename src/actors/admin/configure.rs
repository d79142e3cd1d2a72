//! Configuration of a module: config, deconfig, confcheck, confinfo (CLI-090 to CLI-094).

use super::launch::find_pair;
use super::{Admin, AdminError, Place, off};
use crate::actors::checkers::plan;
use crate::config::error::ConfigError;
use crate::config::module::ModuleConfig;
use crate::config::paths::Paths;
use crate::control::server::Call;
use crate::control::{ConfInfo, Reply, Stamp};
use crate::fsm::state::{Readiness, Role};
use crate::ids::{ModuleId, ModuleName};
use crate::node::configure::{self, Configured, ModuleSituation};
use crate::node::modules::Elsewhere;
use std::sync::Arc;

/// What the rest of the node adds to the check of a configuration.
struct Extra {
    paths: Paths,
    module: ModuleName,
    id: ModuleId,
    place: Option<Arc<Place>>,
    elsewhere: Vec<Elsewhere>,
}

impl Extra {
    /// Its rules are understood and it has a pair of nodes. Without a cluster, rules only.
    fn check(&self, config: &ModuleConfig) -> Vec<ConfigError> {
        let fault = |line, tag: &str, what: String| ConfigError {
            file: "userconfig.xml".to_owned(),
            line,
            tag: tag.to_owned(),
            attribute: None,
            value: None,
            what,
        };
        let mut faults: Vec<ConfigError> = plan::ruleset(config)
            .err()
            .unwrap_or_default()
            .into_iter()
            .map(|e| fault(e.at.line, "failover", format!("column {}: {}", e.at.column, e.problem)))
            .collect();
        if let Some(place) = &self.place
            && let Err(error) = find_pair(&self.paths, &self.module, self.id, config, place, &self.elsewhere)
        {
            faults.push(fault(1, "heart", error.to_string()));
        }
        faults
    }
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
    async fn extra(&self, module: &ModuleName) -> Result<Extra, AdminError> {
        let elsewhere = self.elsewhere().await?;
        Ok(Extra {
            paths: self.0.paths.clone(),
            module: module.clone(),
            id: self.slot(module, |s| s.id)?,
            place: self.0.place.borrow().clone().ok(),
            elsewhere,
        })
    }

    pub(super) async fn config(&self, call: &Call, module: &ModuleName) -> Result<i32, AdminError> {
        let _turn = self.turn().await?;
        let extra = self.extra(module).await?;
        // From here to the mark nothing is awaited: no start can come between.
        let situation = situation(self.slot(module, super::Slot::shown)?);
        let mark = self.mark(module)?;
        let (paths, name) = (self.0.paths.clone(), module.clone());
        let configured =
            off(move || configure::config(&paths, &name, situation, &|config| extra.check(config))).await??;
        self.launch(module).await?;
        drop(mark);
        self.tell_checked(call, &configured).await;
        let trouble = self.slot(module, |s| s.instance.as_ref().err().cloned())?;
        let text = match trouble {
            None => format!("module {module} is configured"),
            Some(why) => format!("module {module} is configured, but cannot run yet: {why}"),
        };
        self.say(call, Reply::Text(text)).await;
        Ok(0)
    }

    async fn tell_checked(&self, call: &Call, checked: &Configured) {
        for warning in &checked.warnings {
            self.say(call, Reply::Text(format!("warning: {warning}"))).await;
        }
        if let Some(output) = checked.output.as_ref().filter(|o| !o.is_empty()) {
            self.say(call, Reply::Text(output.clone())).await;
        }
    }

    pub(super) async fn confcheck(&self, call: &Call, module: &ModuleName) -> Result<i32, AdminError> {
        let extra = self.extra(module).await?;
        let (paths, name) = (self.0.paths.clone(), module.clone());
        let checked =
            off(move || configure::confcheck(&paths, &name, &|config| extra.check(config))).await??;
        self.tell_checked(call, &checked).await;
        self.say(call, Reply::Text(format!("the configuration of module {module} is valid"))).await;
        Ok(0)
    }

    pub(super) async fn deconfig(&self, call: &Call, module: &ModuleName) -> Result<i32, AdminError> {
        let _turn = self.turn().await?;
        let running = self.slot(module, |s| s.role() != Role::Stop)?;
        let mark = self.mark(module)?;
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
            true => format!("module {module} is deconfigured"),
            false => format!("module {module} was not configured"),
        };
        self.say(call, Reply::Text(text)).await;
        Ok(0)
    }

    pub(super) async fn confinfo(&self, call: &Call, module: &ModuleName) -> Result<i32, AdminError> {
        let (paths, name) = (self.0.paths.clone(), module.clone());
        let (active, current) = off(move || configure::confinfo(&paths, &name)).await??;
        let stamp = |info: configure::ConfInfo| Stamp {
            signature: info.signature,
            date: i64::try_from(info.date).unwrap_or_default(),
        };
        let info = ConfInfo { active: active.map(stamp), current: stamp(current) };
        self.say(call, Reply::ConfInfo(info)).await;
        Ok(0)
    }
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

    #[test]
    fn wrong_rules_are_told_with_their_place() {
        let text = "<safe><service mode='mirror'><heart><heartbeat name='a'/></heart><failover><![CDATA[\n\
                    r: if (tcp.x = down) then stop();\n]]></failover></service></safe>";
        let config = crate::config::module::load(text, "userconfig.xml", &|_| None, None).unwrap();
        let extra = Extra {
            paths: Paths::new("/nowhere", "/nowhere"),
            module: "mirror".parse().unwrap(),
            id: 1,
            place: None,
            elsewhere: Vec::new(),
        };
        let faults = extra.check(&config);
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0].to_string().starts_with("userconfig.xml:2: <failover>: column "), "{}", faults[0]);
    }
}

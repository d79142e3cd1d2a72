//! Boot start of modules and the firewall of the node (CLI-033, CLI-039, CLI-040).

use super::{Admin, AdminError, off};
use crate::config::module::Boot;
use crate::control::server::Call;
use crate::control::{BootOp, BootRow, FirewallOp, Reply};
use crate::ids::ModuleName;
use crate::node::boot;
use crate::node::firewall::{self, Change, System};
use crate::node::webserver::WebserverError;
use crate::web::settings::Settings;

impl Admin {
    pub(super) async fn boot(
        &self,
        call: &Call,
        module: Option<&ModuleName>,
        op: BootOp,
    ) -> Result<i32, AdminError> {
        let modules = module.map_or_else(|| self.names(), |m| vec![m.clone()]);
        let mut rows = Vec::new();
        for module in modules {
            let configured = self.slot(&module, |s| s.config.as_ref().map(|c| c.service.boot))?;
            let (paths, name) = (self.0.paths.clone(), module.clone());
            let on = off(move || match op {
                BootOp::Status => boot::setting(&paths, &name),
                BootOp::On | BootOp::Off => {
                    boot::set_setting(&paths, &name, op == BootOp::On).map(|()| op == BootOp::On)
                }
            })
            .await??;
            rows.push(row(module, on, configured));
        }
        match op {
            BootOp::Status => self.say(call, Reply::Boot(rows)).await,
            BootOp::On | BootOp::Off => {
                for BootRow { module, configured, .. } in rows {
                    let Some(rules) = configured else { continue };
                    let text = format!(
                        "module {module}: boot=\"{rules}\" of its userconfig.xml rules, not this setting"
                    );
                    self.say(call, Reply::Text(text)).await;
                }
            }
        }
        Ok(0)
    }

    pub(super) async fn firewall(
        &self,
        call: &Call,
        op: FirewallOp,
        module: Option<&ModuleName>,
    ) -> Result<i32, AdminError> {
        let ports = match module {
            None => {
                let web = Settings::read(&self.0.paths.httpd_conf()).map_err(WebserverError::from)?;
                let cluster = self.place().ok();
                firewall::core_ports(cluster.as_ref().map(|p| &p.config), [web.http_port, web.https_port])
            }
            Some(module) => {
                let (id, config) = self.slot(module, |s| (s.id, s.config.clone()))?;
                let config = config.ok_or_else(|| AdminError::NotConfigured(module.clone()))?;
                firewall::module_ports(id, &config)
            }
        };
        let change = match op {
            FirewallOp::Add => Change::Add,
            FirewallOp::Del => Change::Delete,
        };
        let count = ports.len();
        let used = off(move || firewall::apply(&mut System, change, &ports)).await??;
        let verb = if change == Change::Add { "opened" } else { "closed" };
        self.say(
            call,
            Reply::Text(format!("{count} ports {verb} in {}", format!("{used:?}").to_lowercase())),
        )
        .await;
        Ok(0)
    }
}

/// `on` is the setting of `safekit boot`; `configured` that of userconfig.xml, which rules unless it is `ignore`.
fn row(module: ModuleName, on: bool, configured: Option<Boot>) -> BootRow {
    let rules = configured.filter(|boot| *boot != Boot::Ignore);
    let on = match rules {
        Some(Boot::On) => true,
        Some(Boot::Off) => false,
        _ => on,
    };
    BootRow { module, on, configured: rules.map(|boot| boot.to_string()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_rules_unless_it_says_ignore() {
        let of = |on, configured| {
            let row = row("mirror".parse().unwrap(), on, configured);
            (row.on, row.configured)
        };
        assert_eq!(of(true, None), (true, None));
        assert_eq!(of(true, Some(Boot::Ignore)), (true, None));
        assert_eq!(of(true, Some(Boot::Off)), (false, Some("off".to_owned())));
        assert_eq!(of(false, Some(Boot::On)), (true, Some("on".to_owned())));
    }
}

//! Which part of the node answers which request.

use super::install::Install;
use super::{Admin, AdminError};
use crate::control::server::Call;
use crate::control::{Request, SessionEvent};
use crate::log::LogPage;
use jiff::Timestamp;

impl Admin {
    /// Answers a request; its exit code.
    pub(super) async fn answer(&self, call: &Call) -> Result<i32, AdminError> {
        match &call.request {
            // The line in the command log is all.
            Request::Ping | Request::Token(_) => Ok(0),
            Request::Session(event) => Ok(self.session(call, *event)),
            Request::Level { module } => self.level(call, module.as_ref()).await,
            Request::State { module, verbose } => self.state(call, module.as_ref(), *verbose).await,
            Request::Explain { module } => self.explain(call, module).await,
            Request::Watch { module: None } => self.watch_node(call).await,
            Request::Watch { module: Some(module) } => self.watch_module(call, module).await,
            Request::CmdLog { count, follow } => self.command_log(call, *count, *follow).await,
            Request::UserLogs { module } => self.userlogs(call, module).await,
            Request::UserLog { module, name } => self.userlog(call, module, name).await,
            Request::History { module, resource, count } => {
                self.history(call, module, resource, *count).await
            }
            Request::Wait { module, until } => self.wait(call, module, *until).await,
            Request::Log { module, count, all, lang, follow, before, filter } => {
                let (all, lang, filter) = (*all, *lang, filter.clone());
                let (before, count) = (before.unwrap_or(i64::MAX), count.unwrap_or(u32::MAX));
                let page = LogPage { before, count, all, filter, lang };
                self.log(call, module, page, *follow).await
            }
            Request::Control { module, command, identity, user } => {
                let caller = call.caller.label(identity.as_deref(), user.as_deref());
                self.control(module, *command, caller).await
            }
            Request::Set { module, resource, value, log, identity } => {
                let setter = identity.clone().unwrap_or_else(|| call.caller.name().to_owned());
                self.set(module, resource.clone(), value.clone(), *log, setter).await
            }
            Request::Print { module, level, text } => self.print(module, *level, text).await,
            Request::Loop { module, op, identity } => {
                self.loop_counter(call, module, *op, identity.clone()).await
            }
            Request::Rfs { module, request } => self.rfs(call, module, request).await,
            Request::Rescue { module, request } => self.rescue(call, module, request).await,
            Request::FarmBitmaps { module } => self.bitmaps(call, module.as_ref()).await,
            Request::FarmOwner { module, client, port } => {
                self.farm_owner(call, module, *client, *port).await
            }
            Request::Clean { module, what } => self.clean(module.as_ref(), *what).await,
            Request::Shutdown => self.shut_down(call).await,
            other => self.change(call, other).await,
        }
    }

    /// Notes who logs in to the web service.
    fn session(&self, call: &Call, event: SessionEvent) -> i32 {
        let who = call.caller.name();
        let text = match event {
            SessionEvent::Login => format!("login of {who}"),
            SessionEvent::Logout => format!("logout of {who}"),
            SessionEvent::Refused { more: 0 } => format!("login of {who} refused"),
            SessionEvent::Refused { more } => format!("login of {who} refused, and {more} others before"),
        };
        self.0.store.commands().session(Timestamp::now(), &text);
        0
    }

    /// What the node holds: modules, configurations, the cluster.
    async fn change(&self, call: &Call, request: &Request) -> Result<i32, AdminError> {
        match request {
            Request::ModuleInstall { module, id, reinstall, source, if_signature, keep_key } => {
                let how = Install {
                    forced: *id,
                    reinstall: *reinstall,
                    if_signature: if_signature.as_deref(),
                    keep_key: *keep_key,
                };
                self.install(call, module, how, source).await
            }
            Request::ModulePackage { module, keys } => self.package(call, module, *keys).await,
            Request::Templates => self.templates(call).await,
            Request::Configurations { module } => self.configurations(call, module.as_ref()).await,
            Request::ConfigurationGet { module, name } => self.configuration(call, module, name).await,
            Request::ConfigurationRestore { module, name, if_signature } => {
                self.restore(call, module, name, if_signature.as_deref()).await
            }
            Request::ConfCheckText { module } => self.confcheck_text(call, module.as_ref()).await,
            Request::ModuleUninstall { module } => self.uninstall(call, module).await,
            Request::ModuleList => self.module_list(call).await,
            Request::ModuleGetPorts(of) => self.ports(call, of).await,
            Request::ModuleGenKey { module, if_signature } => {
                self.generate_key(call, module, if_signature.as_deref()).await
            }
            Request::ModuleDelKey { module, if_signature } => {
                self.delete_key(call, module, if_signature.as_deref()).await
            }
            Request::Config { module, if_signature } => {
                self.config(call, module, if_signature.as_deref()).await
            }
            Request::Deconfig { module } => self.deconfig(call, module).await,
            Request::ConfInfo { module } => self.confinfo(call, module).await,
            Request::ConfCheck { module } => self.confcheck(call, module).await,
            Request::ClusterConfig { source, lock, if_signature } => {
                self.cluster_config(call, *source, *lock, if_signature.as_deref()).await
            }
            Request::ClusterGet => self.cluster_get(call).await,
            Request::ClusterExport => self.cluster_export(call).await,
            Request::Nodes => self.nodes(call).await,
            Request::Certificate => self.certificate(call).await,
            Request::ClusterConfCheck => self.cluster_confcheck(call).await,
            Request::ClusterConfInfo => self.cluster_confinfo(call).await,
            Request::ClusterDeconfig => self.cluster_deconfig(call).await,
            Request::ClusterState => self.cluster_state(call).await,
            Request::ClusterGenKey => self.cluster_key(call, true).await,
            Request::ClusterDelKey => self.cluster_key(call, false).await,
            Request::ClusterCheck => self.cluster_check(call).await,
            Request::Boot { module, op } => self.boot(call, module.as_ref(), *op).await,
            Request::Webserver { op } => self.webserver(call, *op).await,
            Request::Firewall { op, module } => self.firewall(call, *op, module.as_ref()).await,
            // `answer` has all the others.
            _ => Ok(1),
        }
    }
}

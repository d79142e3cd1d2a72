//! Replicated directories of a module: policy and comparison (CLI-063, CLI-118).

use super::{Admin, AdminError, ask_mirror, off};
use crate::actors::module::{Examination, Examine, News, SyncPolicy};
use crate::control::server::Call;
use crate::control::{Reply, RfsReport, RfsRequest};
use crate::fsm::state::Role;
use crate::ids::ModuleName;
use crate::log::Lang;
use crate::node::rfssync::{self, Policy, Side};
use crate::told::{Told, told};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// A comparison that says nothing for this long has hung: it speaks every second.
const SILENCE: Duration = Duration::from_secs(60);
/// What a comparison says and nobody has read yet; 50 reports of files at most, and how far it is.
const NEWS: usize = 256;

impl Admin {
    pub(super) async fn rfs(
        &self,
        call: &Call,
        module: &ModuleName,
        request: &RfsRequest,
    ) -> Result<i32, AdminError> {
        let replicates = self.slot(module, |s| s.config.as_ref().map(|c| c.rfs.is_some()))?;
        if !replicates.ok_or_else(|| AdminError::NotConfigured(module.clone()))? {
            return Err(AdminError::NoRfs(module.clone()));
        }
        if let RfsRequest::SetPolicy(policy) = request {
            may_set(policy, self.slot(module, super::Slot::role)?)?;
            let (paths, name, policy) = (self.0.paths.clone(), module.clone(), policy.clone());
            off(move || rfssync::set_policy(&paths, &name, &policy)).await??;
        }
        let what = match request {
            RfsRequest::Verify => Examination::Verify,
            RfsRequest::Diff => Examination::Diff,
            RfsRequest::Policy => return self.policy(call, module, None).await,
            RfsRequest::SetPolicy(policy) => return self.policy(call, module, Some(policy.clone())).await,
        };
        self.examine(call, module, what).await
    }

    async fn policy(&self, call: &Call, module: &ModuleName, new: Option<Policy>) -> Result<i32, AdminError> {
        let policy = match self.instance(module).await {
            Ok(instance) => ask_mirror(&instance.handle, SyncPolicy(new)).await?,
            // It is kept for the next instance.
            Err(_) => {
                let (paths, name) = (self.0.paths.clone(), module.clone());
                off(move || rfssync::policy(&paths, &name)).await??
            }
        };
        self.say(call, Reply::Rfs(RfsReport::Policy(policy))).await;
        Ok(0)
    }

    /// Passes on what a comparison says, for as long as it says something. Code 1 if files differ.
    async fn examine(&self, call: &Call, module: &ModuleName, what: Examination) -> Result<i32, AdminError> {
        let instance = self.instance(module).await?;
        let (to, mut news) = mpsc::channel(NEWS);
        ask_mirror(&instance.handle, Examine(what, to)).await?.map_err(AdminError::Rfs)?;
        let mut code = 0;
        loop {
            let heard = tokio::select! {
                heard = timeout(SILENCE, news.recv()) => heard,
                () = call.sink.closed() => return Ok(1),
            };
            match heard {
                Ok(Some(News::Progress(measure))) => {
                    self.say(call, Reply::Progress(measure.bar())).await;
                }
                Ok(Some(News::Report(report))) => {
                    if matches!(report, RfsReport::Verified { different: 1.., .. }) {
                        code = 1;
                    }
                    self.say(call, Reply::Rfs(report)).await;
                }
                Ok(Some(News::End(result))) => return result.map(|()| code).map_err(AdminError::Rfs),
                Ok(None) => return Err(AdminError::NoAnswer(module.clone())),
                Err(_) => {
                    let text = told!(
                        "the replication of module {module} says nothing any more",
                        "la réplication du module {module} ne dit plus rien"
                    );
                    return Err(AdminError::Rfs(text));
                }
            }
        }
    }
}

/// A backup is taken where nothing or only this node writes, and restored where nothing runs (RFS-59).
fn may_set(policy: &Policy, role: Role) -> Result<(), AdminError> {
    let (allowed, states) = match policy {
        Policy::Default | Policy::Full => (true, Told::default()),
        // Without detection nothing may change before the module starts (RFS-52).
        Policy::External { side: Side::Prim, detect: false, .. } => (role == Role::Stop, Told::same("STOP")),
        Policy::External { side: Side::Prim, .. } => {
            (matches!(role, Role::Stop | Role::Alone), told!("STOP or ALONE", "STOP ou ALONE"))
        }
        Policy::External { side: Side::Second, .. } => (role == Role::Stop, Told::same("STOP")),
    };
    if allowed {
        return Ok(());
    }
    let (en, fr) = (states.of(Lang::En), states.of(Lang::Fr));
    Err(AdminError::Rfs(told!(
        "this policy is set in {en} only, the module is {role}",
        "cette politique n'est définie qu'en {fr}, le module est {role}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_external_policy_needs_a_quiet_node() {
        let external = |side| Policy::External { side, uid: "u".to_owned(), detect: true };
        let allowed = |policy: &Policy| {
            let roles = [Role::Stop, Role::Wait, Role::Alone, Role::Prim, Role::Second];
            roles.map(|role| may_set(policy, role).is_ok())
        };
        assert_eq!(allowed(&Policy::Full), [true; 5]);
        assert_eq!(allowed(&external(Side::Prim)), [true, false, true, false, false]);
        assert_eq!(allowed(&external(Side::Second)), [true, false, false, false, false]);
        let cold = Policy::External { side: Side::Prim, uid: "u".to_owned(), detect: false };
        assert_eq!(allowed(&cold), [true, false, false, false, false]);
    }
}

//! Replicated directories of a module: policy, comparison, forced secondary (CLI-063, CLI-118).

use super::{Admin, AdminError, ask, off};
use crate::actors::module::Rfs;
use crate::control::server::Call;
use crate::control::{Reply, RfsReport, RfsRequest};
use crate::fsm::state::Role;
use crate::ids::ModuleName;
use crate::node::rfssync::{self, Policy, Side};

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
        let report = match (self.instance(module), request) {
            (Ok(instance), _) => {
                ask(&instance.handle, Rfs(request.clone())).await?.map_err(AdminError::Rfs)?
            }
            // The policy is kept for the next instance.
            (Err(_), RfsRequest::Policy | RfsRequest::SetPolicy(_)) => {
                let (paths, name) = (self.0.paths.clone(), module.clone());
                RfsReport::Policy(off(move || rfssync::policy(&paths, &name)).await??)
            }
            (Err(error), _) => return Err(error),
        };
        self.say(call, Reply::Rfs(report)).await;
        Ok(0)
    }
}

/// A backup is taken where nothing or only this node writes, and restored where nothing runs (RFS-59).
fn may_set(policy: &Policy, role: Role) -> Result<(), AdminError> {
    let (allowed, states) = match policy {
        Policy::Default | Policy::Full => (true, ""),
        Policy::External { side: Side::Prim, .. } => {
            (matches!(role, Role::Stop | Role::Alone), "STOP or ALONE")
        }
        Policy::External { side: Side::Second, .. } => (role == Role::Stop, "STOP"),
    };
    if allowed {
        return Ok(());
    }
    Err(AdminError::Rfs(format!("this policy is set in {states} only, the module is {role}")))
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
    }
}

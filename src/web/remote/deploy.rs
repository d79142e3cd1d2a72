//! Giving what this node has to other nodes: the cluster configuration (CLI-018) and modules (CLI-017).
//!
//! Each node applies what it gets by itself, wholly or not at all, so there is nothing to undo: the
//! result says which nodes have it now.

use crate::control::async_client::{Answer, Finished};
use crate::control::{ClusterSource, Failure, FailureKind, InstallSource, Reply, Request};
use crate::ids::{ModuleId, ModuleName};
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};

/// Nodes that are asked at the same time.
pub const AT_ONCE: usize = 16;

/// A node that can be asked.
pub trait Reach {
    /// Its name, for results.
    fn name(&self) -> String;

    /// Asks it; the error says what to do.
    fn ask(&self, request: Request, attachment: Vec<u8>) -> impl Future<Output = Result<Answer, Failure>>;
}

/// What a node answered to a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Outcome {
    /// The node.
    pub node: String,
    /// Exit code; not 0 when it could not be asked.
    pub code: i32,
    /// Lines for standard output.
    pub output: Vec<String>,
    /// What went wrong and what to do.
    pub errors: Vec<String>,
}

impl Outcome {
    /// Of an answer, or of why there is none.
    pub fn new(node: String, answer: Result<Finished, Failure>) -> Outcome {
        let mut outcome = Outcome { node, code: 1, output: Vec::new(), errors: Vec::new() };
        match answer {
            Err(failure) => outcome.errors.push(failure.text),
            Ok(finished) => {
                outcome.code = finished.code;
                for reply in finished.replies {
                    match reply {
                        Reply::Text(text) => outcome.output.extend(text.lines().map(str::to_owned)),
                        Reply::Error(failure) => {
                            outcome.errors.extend(failure.text.lines().map(str::to_owned))
                        }
                        _ => {}
                    }
                }
            }
        }
        outcome
    }

    /// The same with what a further command on the node gave.
    fn and(mut self, next: Outcome) -> Outcome {
        self.output.extend(next.output);
        self.errors.extend(next.errors);
        Outcome { code: next.code, ..self }
    }
}

/// A module as it is given to other nodes.
struct Package {
    /// Its name.
    module: ModuleName,
    /// Its number, the same on all nodes.
    id: ModuleId,
    /// It is configured on the node that gives it, so it will be on those that take it.
    configured: bool,
    /// The `.safe` with the module's key.
    archive: Vec<u8>,
}

/// The whole answer of a node.
pub async fn ask(node: &impl Reach, request: Request, attachment: Vec<u8>) -> Result<Finished, Failure> {
    node.ask(request, attachment).await?.finish().await.map_err(Failure::from)
}

/// Gives the cluster configuration of a node to others; results in their order. The error says why there is
/// none to give.
pub async fn give_cluster(from: &impl Reach, nodes: &[impl Reach]) -> Result<Vec<Outcome>, Failure> {
    let zip = pack_cluster(from).await?;
    Ok(deploy_cluster(&zip, nodes).await)
}

/// Gives a module of a node to others, after it was configured on that node itself if `here`: what that one
/// refuses is given to nobody. Results in this order; the error says why there is nothing to give.
pub async fn give_module(
    from: &impl Reach,
    module: &ModuleName,
    here: bool,
    others: &[impl Reach],
) -> Result<Vec<Outcome>, Failure> {
    let mut results = Vec::new();
    if here {
        results.push(outcome(from, Request::Config { module: module.clone() }, Vec::new()).await);
    }
    if !others.is_empty() && results.iter().all(|outcome| outcome.code == 0) {
        let package = pack_module(from, module).await?;
        results.extend(deploy_module(&package, others).await);
    }
    Ok(results)
}

/// The cluster configuration of a node with its key.
async fn pack_cluster(from: &impl Reach) -> Result<Vec<u8>, Failure> {
    attachment(ask(from, Request::ClusterExport, Vec::new()).await?)
}

/// A module of a node with its key.
async fn pack_module(from: &impl Reach, module: &ModuleName) -> Result<Package, Failure> {
    let listed = ask(from, Request::ModuleList, Vec::new()).await?;
    let rows = listed.replies.into_iter().filter_map(|reply| match reply {
        Reply::Modules(rows) => Some(rows),
        _ => None,
    });
    let row = rows.flatten().find(|row| row.module == *module);
    let row = row.ok_or_else(|| Failure {
        kind: FailureKind::NotFound,
        text: format!("module {module} is not installed on this node"),
    })?;
    let request = Request::ModulePackage { module: module.clone(), keys: true };
    let archive = attachment(ask(from, request, Vec::new()).await?)?;
    Ok(Package { module: row.module, id: row.id, configured: row.configured, archive })
}

/// Gives a cluster configuration to nodes; results in their order.
async fn deploy_cluster(zip: &[u8], nodes: &[impl Reach]) -> Vec<Outcome> {
    let give = |node| async move {
        let request = Request::ClusterConfig { source: ClusterSource::Zip, lock: None, if_signature: None };
        outcome(node, request, zip.to_vec()).await
    };
    stream::iter(nodes).map(give).buffered(AT_ONCE).collect().await
}

/// Gives a module to nodes, and configures it there if it is configured here; results in their order.
async fn deploy_module(package: &Package, nodes: &[impl Reach]) -> Vec<Outcome> {
    let give = |node| async move {
        let Package { module, id, configured, archive } = package;
        let request = Request::ModuleInstall {
            module: module.clone(),
            id: Some(*id),
            reinstall: true,
            source: InstallSource::Attachment,
            if_signature: None,
        };
        let installed = outcome(node, request, archive.clone()).await;
        if installed.code != 0 || !configured {
            return installed;
        }
        installed.and(outcome(node, Request::Config { module: module.clone() }, Vec::new()).await)
    };
    stream::iter(nodes).map(give).buffered(AT_ONCE).collect().await
}

async fn outcome(node: &impl Reach, request: Request, attachment: Vec<u8>) -> Outcome {
    Outcome::new(node.name(), ask(node, request, attachment).await)
}

/// What came attached to a command that succeeded, else what it said.
fn attachment(finished: Finished) -> Result<Vec<u8>, Failure> {
    if finished.code == 0 && !finished.attachment.is_empty() {
        return Ok(finished.attachment);
    }
    match finished.code {
        0 => Err(Failure { kind: FailureKind::Failed, text: "safeadmin has given nothing".to_owned() }),
        _ => Err(finished.failure()),
    }
}

#[cfg(test)]
#[path = "deploy_tests.rs"]
mod tests;

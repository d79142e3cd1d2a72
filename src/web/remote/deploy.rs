//! Giving what this node has to other nodes: the cluster configuration (CLI-018) and modules (CLI-017).
//!
//! Each node applies what it gets by itself, wholly or not at all, so there is nothing to undo: the
//! result says which nodes have it now. With [`Expected`] a node takes it only in the place of what it is
//! expected to hold: what somebody else has given it in between is not lost unseen.

use crate::control::async_client::{Answer, Finished};
use crate::control::{ClusterSource, Failure, FailureKind, InstallSource, ModuleRow, Reply, Request};
use crate::ids::{ModuleId, ModuleName, NodeName};
use crate::log::Lang;
use crate::told::{Told, told};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Nodes that are asked at the same time.
pub const AT_ONCE: usize = 16;
/// How often something is read that changes meanwhile.
const TRIES: usize = 5;

/// A node that can be asked.
pub trait Reach {
    /// Its name, for results.
    fn name(&self) -> String;

    /// The language of whoever asks.
    fn lang(&self) -> Lang;

    /// Asks it; the error says what to do. Who asks many nodes gives all the same bytes.
    fn ask(&self, request: Request, attachment: Bytes) -> impl Future<Output = Result<Answer, Failure>>;
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
    /// Signature of what the node holds instead of what was expected there: nothing was changed on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflict: Option<String>,
    /// Signature of what the command has saved: the files of the module with its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

impl Outcome {
    /// Of an answer, or of why there is none.
    pub fn new(node: String, answer: Result<Finished, Failure>) -> Outcome {
        let (output, errors) = (Vec::new(), Vec::new());
        let mut outcome = Outcome { node, code: 1, output, errors, conflict: None, signature: None };
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
                        Reply::Conflict { signature } => outcome.conflict = Some(signature),
                        Reply::Saved { signature } => outcome.signature = Some(signature),
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
        Outcome { code: next.code, conflict: next.conflict, ..self }
    }
}

/// What each node may hold for it to be replaced: signatures, an empty one for nothing.
#[derive(Clone, Debug, Default)]
pub enum Expected {
    /// Whatever it is.
    #[default]
    Anything,
    /// One of those of its name, or what is given to it already.
    ByNode(BTreeMap<NodeName, Vec<String>>),
}

impl Expected {
    /// The condition for a node that is given what has the signature `given`.
    fn of(&self, node: &str, given: &str) -> Option<Vec<String>> {
        let Expected::ByNode(nodes) = self else { return None };
        let listed = nodes.iter().find(|(name, _)| name.as_str() == node);
        let mut list = listed.map(|(_, list)| list.clone()).unwrap_or_default();
        list.push(given.to_owned());
        Some(list)
    }
}

/// What must be so for a module to be given.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// Signature of the files that are meant: those of the node that gives them must have it; without it they
    /// are given whatever they are.
    pub signature: Option<String>,
    /// What the others may hold.
    pub expected: Expected,
}

/// A cluster configuration as it is given to other nodes.
struct ClusterPackage {
    /// cluster.xml with its key.
    zip: Bytes,
    /// Its signature.
    signature: String,
}

/// A module as it is given to other nodes.
struct Package {
    /// Its name.
    module: ModuleName,
    /// Its number, the same on all nodes.
    id: ModuleId,
    /// It is configured on the node that gives it, so it will be on those that take it.
    configured: bool,
    /// Signature of its files.
    signature: String,
    /// The `.safe` with the module's key.
    archive: Bytes,
}

/// The whole answer of a node.
pub async fn ask(
    node: &impl Reach,
    request: Request,
    attachment: impl Into<Bytes>,
) -> Result<Finished, Failure> {
    node.ask(request, attachment.into()).await?.finish().await.map_err(|error| error.failure(node.lang()))
}

/// Gives the cluster configuration of a node to others; results in their order. The error says why there is
/// none to give.
pub async fn give_cluster(
    from: &impl Reach,
    nodes: &[impl Reach],
    expected: &Expected,
) -> Result<Vec<Outcome>, Failure> {
    let package = pack_cluster(from).await?;
    Ok(deploy_cluster(&package, nodes, expected).await)
}

/// Gives a module of a node to others, after it was configured on that node itself if `here`: what that one
/// refuses is given to nobody. Results in this order; the error says why there is nothing to give.
pub async fn give_module(
    from: &impl Reach,
    module: &ModuleName,
    here: bool,
    others: &[impl Reach],
    terms: &Terms,
) -> Result<Vec<Outcome>, Failure> {
    let mut results = Vec::new();
    if here {
        let if_signature = terms.signature.clone().map(|signature| vec![signature]);
        let request = Request::Config { module: module.clone(), if_signature };
        results.push(outcome(from, request, Vec::new()).await);
    }
    if !others.is_empty() && results.iter().all(|outcome| outcome.code == 0) {
        match pack_meant(from, module, terms).await {
            Ok(package) => results.extend(deploy_module(&package, others, &terms.expected).await),
            // It is applied on the node itself: that must not look as if nothing had been done.
            Err(failure) if here => results.extend(not_given(others.iter().map(Reach::name), &failure)),
            Err(failure) => return Err(failure),
        }
    }
    Ok(results)
}

/// The module of a node, if it still is what is meant.
async fn pack_meant(from: &impl Reach, module: &ModuleName, terms: &Terms) -> Result<Package, Failure> {
    let package = pack_module(from, module).await?;
    if terms.signature.as_ref().is_some_and(|meant| *meant != package.signature) {
        let text = told!(
            "module {module} has changed meanwhile on this node: look at what it is now; it was given to nobody",
            "le module {module} a changé entre-temps sur ce nœud : regardez ce qu'il en est maintenant ; il n'a été \
             donné à personne"
        );
        return Err(Failure { kind: FailureKind::Conflict, text: text.into(from.lang()) });
    }
    Ok(package)
}

/// Results of nodes that are not asked, because there is nothing to give them.
pub fn not_given(nodes: impl Iterator<Item = impl ToString>, why: &Failure) -> Vec<Outcome> {
    nodes.map(|node| Outcome::new(node.to_string(), Err(why.clone()))).collect()
}

/// The cluster configuration of a node with its key.
async fn pack_cluster(from: &impl Reach) -> Result<ClusterPackage, Failure> {
    let signature = async || {
        one(from, Request::ClusterGet, |reply| match reply {
            Reply::Cluster(report) => Some(report.signature),
            _ => None,
        })
        .await
    };
    let zip = async || attachment(ask(from, Request::ClusterExport, Vec::new()).await?, from.lang());
    match steady(signature, zip).await? {
        Some((signature, zip)) => Ok(ClusterPackage { zip, signature }),
        None => {
            let text = told!(
                "the cluster configuration of this node changes again and again while it is read: try again when nobody changes it any more",
                "la configuration de cluster de ce nœud change sans cesse pendant sa lecture : réessayez quand plus personne ne la change"
            );
            Err(Failure { kind: FailureKind::Busy, text: text.into(from.lang()) })
        }
    }
}

/// A module of a node with its key.
async fn pack_module(from: &impl Reach, module: &ModuleName) -> Result<Package, Failure> {
    let listed = ask(from, Request::ModuleList, Vec::new()).await?;
    let rows = listed.replies.into_iter().filter_map(|reply| match reply {
        Reply::Modules(rows) => Some(rows),
        _ => None,
    });
    let row = rows.flatten().find(|row| row.module == *module);
    let row = row.ok_or_else(|| {
        let text = told!(
            "module {module} is not installed on this node",
            "le module {module} n'est pas installé sur ce nœud"
        );
        Failure { kind: FailureKind::NotFound, text: text.into(from.lang()) }
    })?;
    let ModuleRow { module, id, configured, .. } = row;
    let signature = async || {
        one(from, Request::ConfInfo { module: module.clone() }, |reply| match reply {
            Reply::ConfInfo(info) => Some(info.current.signature),
            _ => None,
        })
        .await
    };
    let package = Request::ModulePackage { module: module.clone(), keys: true };
    let archive = async || attachment(ask(from, package.clone(), Vec::new()).await?, from.lang());
    match steady(signature, archive).await? {
        Some((signature, archive)) => Ok(Package { module, id, configured, signature, archive }),
        None => Err(Failure { kind: FailureKind::Busy, text: restless(&module).into(from.lang()) }),
    }
}

/// What is read, and the signature that it had before and after: somebody may be changing it. None if that does
/// not end.
pub async fn steady<T, E>(
    signature: impl AsyncFn() -> Result<String, E>,
    read: impl AsyncFn() -> Result<T, E>,
) -> Result<Option<(String, T)>, E> {
    let mut before = signature().await?;
    for _ in 0..TRIES {
        let what = read().await?;
        let after = signature().await?;
        if after == before {
            return Ok(Some((after, what)));
        }
        before = after;
    }
    Ok(None)
}

/// What is told of a module whose files are never [`steady`].
pub fn restless(module: &ModuleName) -> Told {
    told!(
        "module {module} changes again and again while it is read: something writes below SAFE/modules/{module}; end that, then try again",
        "le module {module} change sans cesse pendant sa lecture : quelque chose écrit sous SAFE/modules/{module} ; arrêtez cela, puis réessayez"
    )
}

/// The reply that `pick` takes, else why there is none.
async fn one<T>(
    from: &impl Reach,
    request: Request,
    pick: impl Fn(Reply) -> Option<T>,
) -> Result<T, Failure> {
    let finished = ask(from, request, Vec::new()).await?;
    if finished.code != 0 {
        return Err(finished.failure(from.lang()));
    }
    finished.replies.into_iter().find_map(pick).ok_or_else(|| nothing(from.lang()))
}

fn nothing(lang: Lang) -> Failure {
    let text = told!("safeadmin has given nothing", "safeadmin n'a rien donné");
    Failure { kind: FailureKind::Failed, text: text.into(lang) }
}

/// Gives a cluster configuration to nodes; results in their order.
async fn deploy_cluster(package: &ClusterPackage, nodes: &[impl Reach], expected: &Expected) -> Vec<Outcome> {
    let give = |node| async move {
        let if_signature = expected.of(&Reach::name(node), &package.signature);
        let request = Request::ClusterConfig { source: ClusterSource::Zip, lock: None, if_signature };
        outcome(node, request, package.zip.clone()).await
    };
    stream::iter(nodes).map(give).buffered(AT_ONCE).collect().await
}

/// Gives a module to nodes, and configures it there if it is configured here; results in their order.
async fn deploy_module(package: &Package, nodes: &[impl Reach], expected: &Expected) -> Vec<Outcome> {
    let give = |node| async move {
        let Package { module, id, configured, signature, archive } = package;
        let if_signature = expected.of(&Reach::name(node), signature);
        // What was installed is configured, not what somebody has put in its place since.
        let then = if_signature.as_ref().map(|_| vec![signature.clone()]);
        let request = Request::ModuleInstall {
            module: module.clone(),
            id: Some(*id),
            reinstall: true,
            source: InstallSource::Attachment,
            if_signature,
            keep_key: false,
        };
        let installed = outcome(node, request, archive.clone()).await;
        if installed.code != 0 || !configured {
            return installed;
        }
        let request = Request::Config { module: module.clone(), if_signature: then };
        let mut outcome = installed.and(outcome(node, request, Vec::new()).await);
        if outcome.code != 0 {
            let there = &outcome.node;
            let text = told!(
                "the files of module {module} are on {there} now, but they are not applied there: what was applied before \
                 stays active",
                "les fichiers du module {module} sont maintenant sur {there}, mais ils n'y sont pas appliqués : ce qui \
                 était appliqué avant reste actif"
            );
            outcome.errors.push(text.into(Reach::lang(node)));
        }
        outcome
    };
    stream::iter(nodes).map(give).buffered(AT_ONCE).collect().await
}

async fn outcome(node: &impl Reach, request: Request, attachment: impl Into<Bytes>) -> Outcome {
    Outcome::new(node.name(), ask(node, request, attachment).await)
}

/// What came attached to a command that succeeded, else what it said.
fn attachment(finished: Finished, lang: Lang) -> Result<Bytes, Failure> {
    if finished.code == 0 && !finished.attachment.is_empty() {
        return Ok(finished.attachment.into());
    }
    match finished.code {
        0 => Err(nothing(lang)),
        _ => Err(finished.failure(lang)),
    }
}

#[cfg(test)]
#[path = "deploy_tests.rs"]
mod tests;

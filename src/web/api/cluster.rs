//! The cluster: its configuration here and on the other nodes (CLI-041 to CLI-046, CLI-018).

use super::Asking;
use super::asking::unsaid;
use super::types::{
    ClusterChange, ClusterDeploy, ClusterFile, ClusterText, Faults, NodeList, Outcome, Outcomes, ProbeTarget,
    Probed, expected,
};
use crate::config::address::Address;
use crate::config::cluster;
use crate::control::{
    CheckRow, ClusterNodeRow, ClusterSource, ClusterStateRow, Failure, NodeRow, Reply, Request,
};
use crate::ids::NodeName;
use crate::told::told;
use crate::web::problem::Problem;
use crate::web::remote::deploy::{self, Expected};
use actix_web::http::StatusCode;
use actix_web::web::{Json, Query};

/// cluster.xml of the node.
#[utoipa::path(get, path = "/cluster", tag = "cluster", responses((status = 200, body = ClusterFile)))]
pub async fn show(asking: Asking) -> Result<Json<ClusterFile>, Problem> {
    Ok(Json(file(&asking).await?))
}

async fn file(asking: &Asking) -> Result<ClusterFile, Problem> {
    let finished = asking.done(Request::ClusterGet, Vec::new()).await?;
    let report = finished.replies.into_iter().find_map(|reply| match reply {
        Reply::Cluster(report) => Some(report),
        _ => None,
    });
    let report = report.ok_or_else(|| Problem::internal(unsaid()))?;
    let xml = String::from_utf8(finished.attachment).map_err(|_| {
        Problem::internal(told!(
            "cluster.xml of the node is not UTF-8 text",
            "cluster.xml du nœud n'est pas un texte UTF-8"
        ))
    })?;
    Ok(ClusterFile {
        configured: report.configured,
        xml,
        signature: report.signature,
        date: report.date,
        lock: report.lock,
        nodes: report.nodes,
        trouble: report.trouble,
    })
}

/// Applies a cluster.xml on this node with new keys, and deploys it to the nodes. Somebody else's change in
/// between is a conflict that shows it.
#[utoipa::path(put, path = "/cluster", tag = "cluster", request_body = ClusterChange,
    responses((status = 200, body = Outcomes)))]
pub async fn apply(asking: Asking, body: Json<ClusterChange>) -> Result<Json<Outcomes>, Problem> {
    let ClusterChange { xml, signature, nodes, expected: holding } = body.into_inner();
    let if_signature = signature.map(|signature| vec![signature]);
    let request = Request::ClusterConfig { source: ClusterSource::Xml, lock: None, if_signature };
    let finished = match asking.done(request, xml.clone().into_bytes()).await {
        Err(problem) if problem.status() == StatusCode::CONFLICT => {
            let theirs = file(&asking).await?;
            return Err(problem.into_conflict(theirs.signature).with_member("xml", theirs.xml));
        }
        other => other?,
    };
    // This node has it now: whatever goes wrong from here on is what the others have not.
    let (me, all) = match rows(&asking).await {
        // It may be the first configuration: only now this node has a name.
        Ok(rows) => {
            let me = rows.iter().find(|row| row.me).map(|row| row.node.clone());
            (me, rows.into_iter().map(|row| row.node).collect())
        }
        Err(_) => (asking.node().parse().ok(), names(&xml)),
    };
    let mut results =
        vec![Outcome::new(me.as_ref().map(ToString::to_string).unwrap_or_default(), Ok(finished))];
    let mut others = nodes.unwrap_or(all);
    others.retain(|node| Some(node) != me.as_ref());
    let given = give(&asking, &others, &expected(holding)).await;
    results.extend(given.unwrap_or_else(|failure| deploy::not_given(others.iter(), &failure)));
    Ok(Json(Outcomes { results }))
}

/// The nodes of a cluster.xml that was applied.
fn names(xml: &str) -> Vec<NodeName> {
    cluster::load(xml, "cluster.xml").map(|config| config.nodes()).unwrap_or_default()
}

/// Gives the cluster configuration of this node to nodes.
async fn give(asking: &Asking, nodes: &[NodeName], expected: &Expected) -> Result<Vec<Outcome>, Failure> {
    if nodes.is_empty() {
        return Ok(Vec::new());
    }
    let nodes: Vec<Asking> = nodes.iter().map(|node| asking.at(node)).collect();
    deploy::give_cluster(asking, &nodes, expected).await
}

/// The nodes of a list, or all of the cluster.
pub(super) async fn chosen(asking: &Asking, nodes: Option<Vec<NodeName>>) -> Result<Vec<NodeName>, Problem> {
    match nodes {
        Some(nodes) if nodes.is_empty() => {
            Err(Problem::bad_request(told!("no node is chosen", "aucun nœud n'est choisi")))
        }
        Some(nodes) => Ok(nodes),
        None => Ok(rows(asking).await?.into_iter().map(|row| row.node).collect()),
    }
}

/// The nodes of the cluster, as this node has them.
async fn rows(asking: &Asking) -> Result<Vec<NodeRow>, Problem> {
    let rows = asking.rows(Request::Nodes, |reply| match reply {
        Reply::Nodes(rows) => Some(rows),
        _ => None,
    });
    rows.await
}

/// Deploys the cluster configuration of this node again.
#[utoipa::path(post, path = "/cluster/deploy", tag = "cluster", request_body = ClusterDeploy,
    responses((status = 200, body = Outcomes)))]
pub async fn deploy(asking: Asking, body: Json<ClusterDeploy>) -> Result<Json<Outcomes>, Problem> {
    let ClusterDeploy { nodes, expected: holding } = body.into_inner();
    let nodes = chosen(&asking, nodes).await?;
    Ok(Json(Outcomes { results: give(&asking, &nodes, &expected(holding)).await? }))
}

/// Takes nodes out of the cluster: their configuration and key are removed. This node comes last, since
/// without its configuration it does not find the others.
#[utoipa::path(delete, path = "/cluster", tag = "cluster", params(NodeList), responses((status = 200, body = Outcomes)))]
pub async fn deconfigure(asking: Asking, query: Query<NodeList>) -> Result<Json<Outcomes>, Problem> {
    let names = query.into_inner().nodes.map(|list| {
        list.split(',').map(|name| name.trim().parse::<NodeName>()).collect::<Result<Vec<_>, _>>()
    });
    let names = names.transpose().map_err(|e| Problem::bad_request(e.into()))?;
    let mut nodes = chosen(&asking, names).await?;
    let me = asking.node();
    nodes.sort_by_key(|node| node.as_str() == me);
    let mut results: Vec<Outcome> = Vec::new();
    for node in nodes {
        let answer = deploy::ask(&asking.at(&node), Request::ClusterDeconfig, Vec::new()).await;
        results.push(Outcome::new(node.to_string(), answer));
    }
    Ok(Json(Outcomes { results }))
}

/// Checks a cluster.xml without applying it. Faults are no error here.
#[utoipa::path(post, path = "/cluster/check", tag = "cluster", request_body = ClusterText,
    responses((status = 200, body = Faults)))]
pub async fn check(asking: Asking, body: Json<ClusterText>) -> Result<Json<Faults>, Problem> {
    super::module::faults(&asking, Request::ClusterConfCheck, body.into_inner().xml.into_bytes()).await
}

/// Looks whether a node to be is at an address.
#[utoipa::path(post, path = "/cluster/probe", tag = "cluster", request_body = ProbeTarget,
    responses((status = 200, body = Probed)))]
pub async fn probe(asking: Asking, body: Json<ProbeTarget>) -> Result<Json<Probed>, Problem> {
    let lang = asking.principal.lang;
    let address: Address = match body.address.trim().parse() {
        Ok(address) => address,
        Err(error) => return Ok(Json(Probed { error: Some(error.into(lang)), ..Probed::default() })),
    };
    let level = asking.web.asker.look(&address, asking.principal.behalf()).await;
    Ok(Json(match level {
        Ok(level) => {
            Probed { reachable: true, hostname: Some(level.host), version: Some(level.safekit), error: None }
        }
        Err(error) => Probed { error: Some(error.into(lang)), ..Probed::default() },
    }))
}

/// Cluster configuration of each active node.
#[utoipa::path(get, path = "/cluster/confinfo", tag = "cluster", responses((status = 200, body = [ClusterNodeRow])))]
pub async fn confinfo(asking: Asking) -> Result<Json<Vec<ClusterNodeRow>>, Problem> {
    let rows = asking.rows(Request::ClusterConfInfo, |reply| match reply {
        Reply::ClusterNodes(rows) => Some(rows),
        _ => None,
    });
    Ok(Json(rows.await?))
}

/// Modules of each node.
#[utoipa::path(get, path = "/cluster/state", tag = "cluster", responses((status = 200, body = [ClusterStateRow])))]
pub async fn state(asking: Asking) -> Result<Json<Vec<ClusterStateRow>>, Problem> {
    let rows = asking.rows(Request::ClusterState, |reply| match reply {
        Reply::ClusterState(rows) => Some(rows),
        _ => None,
    });
    Ok(Json(rows.await?))
}

/// Examines networks, clocks, ports and keys from the node. What is not good is no error here.
#[utoipa::path(get, path = "/cluster/checks", tag = "cluster", responses((status = 200, body = [CheckRow])))]
pub async fn checks(asking: Asking) -> Result<Json<Vec<CheckRow>>, Problem> {
    let finished = asking.finish(Request::ClusterCheck, Vec::new()).await?;
    let rows = finished.replies.into_iter().filter_map(|reply| match reply {
        Reply::Checks(rows) => Some(rows),
        _ => None,
    });
    Ok(Json(rows.flatten().collect()))
}

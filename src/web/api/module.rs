//! Configuration of a module: check, apply, deploy, keys (CLI-090 to CLI-094, CLI-017).

use super::Asking;
use super::observe::Module;
use super::types::{CheckText, Faults, Meant, ModuleDeploy, Outcome, Outcomes, expected};
use crate::control::{ConfInfo, PortRow, PortsOf, Reply, Request};
use crate::ids::ModuleName;
use crate::web::problem::Problem;
use crate::web::remote::deploy::{self, Terms};
use actix_web::web::{Json, Path, Query};

/// Checks the module, or a userconfig.xml for it, without applying anything. Faults are no error here.
#[utoipa::path(post, path = "/modules/{module}/check", tag = "module", params(("module" = String, Path)),
    request_body = CheckText, responses((status = 200, body = Faults)))]
pub async fn check(
    asking: Asking,
    path: Path<Module>,
    body: Json<CheckText>,
) -> Result<Json<Faults>, Problem> {
    let module = path.into_inner().module;
    match body.into_inner().userconfig {
        Some(text) => {
            faults(&asking, Request::ConfCheckText { module: Some(module) }, text.into_bytes()).await
        }
        None => faults(&asking, Request::ConfCheck { module }, Vec::new()).await,
    }
}

/// The faults that a check finds; a check that cannot be made is a problem.
pub(super) async fn faults(
    asking: &Asking,
    request: Request,
    attachment: Vec<u8>,
) -> Result<Json<Faults>, Problem> {
    let finished = asking.finish(request, attachment).await?;
    let (mut found, mut output) = (None, Vec::new());
    for reply in &finished.replies {
        match reply {
            Reply::Faults(faults) => found.get_or_insert_with(Vec::new).extend(faults.clone()),
            Reply::Text(text) => output.push(text.clone()),
            _ => {}
        }
    }
    match found {
        Some(faults) => Ok(Json(Faults { faults, output })),
        None if finished.code == 0 => Ok(Json(Faults { faults: Vec::new(), output })),
        None => Err(Problem::of(&finished)),
    }
}

/// Applies SAFE/modules/AM on the node. With a signature, what somebody else saved in between is a conflict.
#[utoipa::path(post, path = "/modules/{module}/config", tag = "module", params(("module" = String, Path), Meant),
    responses((status = 200, body = Outcome)))]
pub async fn configure(
    asking: Asking,
    path: Path<Module>,
    query: Query<Meant>,
) -> Result<Json<Outcome>, Problem> {
    let module = path.into_inner().module;
    let request = Request::Config { module: module.clone(), if_signature: query.into_inner().list() };
    act(&asking, module, request).await
}

/// Unconfigures the module on the node; its files stay.
#[utoipa::path(delete, path = "/modules/{module}/config", tag = "module", params(("module" = String, Path)),
    responses((status = 200, body = Outcome)))]
pub async fn deconfigure(asking: Asking, path: Path<Module>) -> Result<Json<Outcome>, Problem> {
    asking.act(Request::Deconfig { module: path.into_inner().module }, Vec::new()).await
}

/// Installs the module of this node on others, with its number and key, and configures it there and here.
/// With `signature` and `expected`, what somebody else saved in between, here or there, is not replaced.
#[utoipa::path(post, path = "/modules/{module}/deploy", tag = "module", params(("module" = String, Path)),
    request_body = ModuleDeploy, responses((status = 200, body = Outcomes)))]
pub async fn deploy(
    asking: Asking,
    path: Path<Module>,
    body: Json<ModuleDeploy>,
) -> Result<Json<Outcomes>, Problem> {
    let module = path.into_inner().module;
    let ModuleDeploy { nodes, signature, expected: holding } = body.into_inner();
    let nodes = super::cluster::chosen(&asking, nodes).await?;
    let me = asking.node();
    let (here, others): (Vec<_>, Vec<_>) = nodes.into_iter().partition(|node| node.as_str() == me);
    let others: Vec<Asking> = others.iter().map(|node| asking.at(node)).collect();
    let terms = Terms { signature, expected: expected(holding) };
    let results = match deploy::give_module(&asking, &module, !here.is_empty(), &others, &terms).await {
        Ok(results) => results,
        Err(failure) => return Err(super::files::with_theirs(&asking, module, failure.into()).await),
    };
    Ok(Json(Outcomes { results }))
}

/// Gives the module a new key; it is used from the next configuration on. With a signature, files or another key
/// that somebody else saved in between are a conflict.
#[utoipa::path(post, path = "/modules/{module}/key", tag = "module", params(("module" = String, Path), Meant),
    responses((status = 200, body = Outcome)))]
pub async fn make_key(
    asking: Asking,
    path: Path<Module>,
    query: Query<Meant>,
) -> Result<Json<Outcome>, Problem> {
    let module = path.into_inner().module;
    let request = Request::ModuleGenKey { module: module.clone(), if_signature: query.into_inner().list() };
    act(&asking, module, request).await
}

/// Takes the key of the module away, from the next configuration on. With a signature, files or another key that
/// somebody else saved in between are a conflict.
#[utoipa::path(delete, path = "/modules/{module}/key", tag = "module", params(("module" = String, Path), Meant),
    responses((status = 200, body = Outcome)))]
pub async fn delete_key(
    asking: Asking,
    path: Path<Module>,
    query: Query<Meant>,
) -> Result<Json<Outcome>, Problem> {
    let module = path.into_inner().module;
    let request = Request::ModuleDelKey { module: module.clone(), if_signature: query.into_inner().list() };
    act(&asking, module, request).await
}

/// Carries out what has a condition; a conflict shows what is there.
pub(super) async fn act(
    asking: &Asking,
    module: ModuleName,
    request: Request,
) -> Result<Json<Outcome>, Problem> {
    match asking.act(request, Vec::new()).await {
        Err(problem) => Err(super::files::with_theirs(asking, module, problem).await),
        done => done,
    }
}

/// Signatures of the applied and of the edited configuration.
#[utoipa::path(get, path = "/modules/{module}/confinfo", tag = "module", params(("module" = String, Path)),
    responses((status = 200, body = ConfInfo)))]
pub async fn confinfo(asking: Asking, path: Path<Module>) -> Result<Json<ConfInfo>, Problem> {
    Ok(Json(confinfo_of(&asking, path.into_inner().module).await?))
}

pub(super) async fn confinfo_of(asking: &Asking, module: ModuleName) -> Result<ConfInfo, Problem> {
    let pick = |reply| match reply {
        Reply::ConfInfo(info) => Some(info),
        _ => None,
    };
    asking.one(Request::ConfInfo { module }, pick).await
}

/// Ports of the module.
#[utoipa::path(get, path = "/modules/{module}/ports", tag = "module", params(("module" = String, Path)),
    responses((status = 200, body = [PortRow])))]
pub async fn ports(asking: Asking, path: Path<Module>) -> Result<Json<Vec<PortRow>>, Problem> {
    let request = Request::ModuleGetPorts(PortsOf::Module(path.into_inner().module));
    let rows = asking.rows(request, |reply| match reply {
        Reply::Ports(rows) => Some(rows),
        _ => None,
    });
    Ok(Json(rows.await?))
}

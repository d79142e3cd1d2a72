//! What a node is and holds: version, modules, command log, templates, who may log in.

use super::Asking;
use super::types::{Count, Modules};
use crate::control::{
    CertificateReport, CommandRow, ConfigurationRow, LevelReport, NodeRow, Overview, Reply, Request,
    TemplateRow,
};
use crate::web::ask::PART;
use crate::web::auth::AccessPage;
use crate::web::problem::Problem;
use actix_web::web::{Json, Query};

/// Lists are no longer than this.
pub(super) const MOST: u32 = PART;
/// Length of a list when nothing else is asked.
pub(super) const USUAL: u32 = 300;

/// Version and system of the node.
#[utoipa::path(get, path = "/level", tag = "node", responses((status = 200, body = LevelReport)))]
pub async fn level(asking: Asking) -> Result<Json<LevelReport>, Problem> {
    let level = asking.one(Request::Level { module: None }, |reply| match reply {
        Reply::Level(level) => Some(level),
        _ => None,
    });
    Ok(Json(level.await?))
}

/// The node with all its modules, as it is now.
#[utoipa::path(get, path = "/overview", tag = "node", responses((status = 200, body = Overview)))]
pub async fn overview(asking: Asking) -> Result<Json<Overview>, Problem> {
    Ok(Json(look(&asking).await?))
}

/// The modules of the node.
#[utoipa::path(get, path = "/modules", tag = "module", responses((status = 200, body = Modules)))]
pub async fn modules(asking: Asking) -> Result<Json<Modules>, Problem> {
    Ok(Json(look(&asking).await?.modules))
}

/// The first word of a watch; hanging up ends it.
async fn look(asking: &Asking) -> Result<Overview, Problem> {
    super::observe::first(asking, Request::Watch { module: None }, |reply| match reply {
        Reply::Overview(overview) => Some(overview),
        _ => None,
    })
    .await
}

/// The nodes of the cluster, as this node sees them.
#[utoipa::path(get, path = "/nodes", tag = "cluster", responses((status = 200, body = [NodeRow])))]
pub async fn nodes(asking: Asking) -> Result<Json<Vec<NodeRow>>, Problem> {
    let rows = asking.rows(Request::Nodes, |reply| match reply {
        Reply::Nodes(rows) => Some(rows),
        _ => None,
    });
    Ok(Json(rows.await?))
}

/// The command log of the node, oldest line first.
#[utoipa::path(get, path = "/commands", tag = "node", params(Count), responses((status = 200, body = [CommandRow])))]
pub async fn commands(asking: Asking, query: Query<Count>) -> Result<Json<Vec<CommandRow>>, Problem> {
    let count = Some(query.count.unwrap_or(USUAL).min(MOST));
    let rows = asking.rows(Request::CmdLog { count, follow: false }, |reply| match reply {
        Reply::Commands(rows) => Some(rows),
        _ => None,
    });
    Ok(Json(rows.await?))
}

/// What a new module can be made of.
#[utoipa::path(get, path = "/templates", tag = "module", responses((status = 200, body = [TemplateRow])))]
pub async fn templates(asking: Asking) -> Result<Json<Vec<TemplateRow>>, Problem> {
    let rows = asking.rows(Request::Templates, |reply| match reply {
        Reply::Templates(rows) => Some(rows),
        _ => None,
    });
    Ok(Json(rows.await?))
}

/// The last successful configurations of all modules, the newest first.
#[utoipa::path(get, path = "/configurations", tag = "module", responses((status = 200, body = [ConfigurationRow])))]
pub async fn configurations(asking: Asking) -> Result<Json<Vec<ConfigurationRow>>, Problem> {
    let rows = asking.rows(Request::Configurations { module: None }, |reply| match reply {
        Reply::Configurations(rows) => Some(rows),
        _ => None,
    });
    Ok(Json(rows.await?))
}

/// The certificate that is installed for the web service of the node, and what is wrong with it.
#[utoipa::path(get, path = "/certificate", tag = "access", responses((status = 200, body = CertificateReport)))]
pub async fn certificate(asking: Asking) -> Result<Json<CertificateReport>, Problem> {
    let report = asking.one(Request::Certificate, |reply| match reply {
        Reply::Certificate(report) => Some(report),
        _ => None,
    });
    Ok(Json(report.await?))
}

/// Who may log in here.
#[utoipa::path(get, path = "/access", tag = "access", responses((status = 200, body = AccessPage)))]
pub async fn access(asking: Asking) -> Json<AccessPage> {
    let token_days = asking.web.token_days(asking.web.method(&asking.principal.how));
    Json(AccessPage { report: asking.web.auth.report(asking.principal.lang), token_days })
}

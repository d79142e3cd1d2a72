//! Server-sent events: what changes, while a browser looks (`/events`, `/modules/AM/events`, ...).
//!
//! However many consoles look, the [`Hub`] has one watch of each thing that is looked at. A browser that
//! is slow misses what was between, never the last state, and holds no memory for it.

mod follow;
mod hub;
mod sse;

#[cfg(test)]
mod tests;

pub use hub::{Feed, Hub, ModuleState, Told};
pub use sse::Streams;

use super::api::Asking;
use super::api::observe::{Module, lang, not_configured};
use super::api::types::LiveQuery;
use super::problem::Problem;
use crate::control::{LogLine, Reply, Request};
use crate::log::LogFilter;
use actix_web::HttpResponse;
use actix_web::web::{Path, Query};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::broadcast::error::RecvError;
use utoipa::ToSchema;

/// A node as the connection node sees it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NodeStatus {
    /// The node; empty for one without a cluster. The connection node goes by its host name as long as it has
    /// never answered.
    pub node: String,
    /// It answers.
    pub reachable: bool,
    /// Why it does not.
    pub error: Option<String>,
    /// What it said last, if it ever has.
    #[schema(value_type = Option<crate::control::Overview>)]
    pub overview: Option<Arc<crate::control::Overview>>,
}

/// The whole cluster: `event: node` for every node, then for each change; `event: gone` for a node that is
/// no longer in the cluster.
#[utoipa::path(get, path = "/events", tag = "cluster",
    responses((status = 200, body = NodeStatus, content_type = "text/event-stream")))]
pub async fn cluster(asking: Asking) -> Result<HttpResponse, Problem> {
    let mut nodes = asking.web.hub.cluster(asking.principal.lang);
    sse::respond(&asking, async move |out| {
        let mut sent: BTreeMap<String, Feed<crate::control::Overview>> = BTreeMap::new();
        loop {
            let now = nodes.borrow_and_update().clone();
            for (node, feed) in now.iter() {
                if sent.get(node).is_some_and(|before| before.same(feed)) {
                    continue;
                }
                out.send("node", &status(node, feed)).await?;
                sent.insert(node.clone(), feed.clone());
            }
            for node in sent.keys().filter(|node| !now.contains_key(*node)).cloned().collect::<Vec<_>>() {
                out.send("gone", &Gone { node: node.clone() }).await?;
                sent.remove(&node);
            }
            if out.wait(nodes.changed()).await?.is_err() {
                return Ok(());
            }
        }
    })
}

#[derive(Serialize)]
struct Gone {
    node: String,
}

fn status(node: &str, feed: &Feed<crate::control::Overview>) -> NodeStatus {
    NodeStatus {
        node: node.to_owned(),
        reachable: feed.value.is_some() && feed.error.is_none(),
        error: feed.error.as_ref().map(|error| error.text.clone()),
        overview: feed.value.clone(),
    }
}

/// State and resources of a module: `event: state` now and after each change, `event: unconfigured` when it is
/// installed only, `event: lost` while it is not installed or its node does not answer; the two with `error`.
#[utoipa::path(get, path = "/modules/{module}/events", tag = "module", params(("module" = String, Path)),
    responses((status = 200, body = crate::control::StateReport, content_type = "text/event-stream")))]
pub async fn module(asking: Asking, path: Path<Module>) -> Result<HttpResponse, Problem> {
    let (module, lang) = (path.into_inner().module, asking.principal.lang);
    let mut state = asking.web.hub.module(&asking.place, module.clone(), lang);
    sse::respond(&asking, async move |out| {
        let mut sent: Option<Feed<ModuleState>> = None;
        loop {
            let now = state.borrow_and_update().clone();
            if !sent.as_ref().is_some_and(|before| before.same(&now)) {
                match (&now.error, now.value.as_deref()) {
                    (Some(why), _) => out.send("lost", &Lost { error: &why.text }).await?,
                    (None, Some(Some(state))) => out.send("state", state).await?,
                    (None, Some(None)) => {
                        let error = not_configured(&module).into(lang);
                        out.send("unconfigured", &Lost { error: &error }).await?;
                    }
                    (None, None) => {}
                }
                sent = Some(now);
            }
            if out.wait(state.changed()).await?.is_err() {
                return Ok(());
            }
        }
    })
}

#[derive(Serialize)]
struct Lost<'a> {
    error: &'a str,
}

/// The log of a module: `event: log` with the last messages (`count`), then with each new one, oldest first;
/// `event: lost` when its node does not answer any more, and the end.
#[utoipa::path(get, path = "/modules/{module}/log/events", tag = "module", params(("module" = String, Path), LiveQuery),
    responses((status = 200, body = [LogLine], content_type = "text/event-stream")))]
pub async fn log(
    asking: Asking,
    path: Path<Module>,
    query: Query<LiveQuery>,
) -> Result<HttpResponse, Problem> {
    let (module, lang) = (path.into_inner().module, lang(query.lang.as_deref())?);
    let (all, count) = (query.all, query.count.unwrap_or(USUAL).min(MOST));
    // Subscribed before the past is read: nothing falls between.
    let topic = hub::LogTopic { module: module.clone(), all, lang };
    let mut live = asking.web.hub.log(&asking.place, topic);
    // Whoever wants nothing of the past must know its end too.
    let past = Request::Log {
        module,
        count: Some(count.max(1)),
        all,
        lang,
        follow: false,
        before: None,
        filter: LogFilter::default(),
    };
    let past = asking.rows(past, |reply| match reply {
        Reply::Log(lines) => Some(lines),
        _ => None,
    });
    let mut past = past.await?;
    let mut last = past.last().map_or(i64::MIN, |line| line.id);
    past.truncate(count as usize);
    sse::respond(&asking, async move |out| {
        out.send("log", &past).await?;
        drop(past);
        loop {
            match out.wait(live.recv()).await? {
                Ok(hub::Lines::New(lines)) => {
                    let new: Vec<&LogLine> = lines.iter().filter(|line| line.id > last).collect();
                    if let Some(newest) = new.last() {
                        last = newest.id;
                        out.send("log", &new).await?;
                    }
                }
                Ok(hub::Lines::Lost(error)) => {
                    out.send("lost", &Lost { error: &error }).await?;
                    return Ok(());
                }
                // Too slow: the browser connects again and reads the last messages anew.
                Err(RecvError::Lagged(_) | RecvError::Closed) => return Ok(()),
            }
        }
    })
}

/// Messages that a log begins with when nothing else is asked.
const USUAL: u32 = 100;
/// It begins with no more than this.
const MOST: u32 = 2000;

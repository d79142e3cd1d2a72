//! The API: `/api/v1/...` for this node, `/api/v1/nodes/{node}/...` for any node of the cluster.
//!
//! [`ENDPOINTS`] says of each endpoint which role it needs; [`gate`] asks for it before anything of
//! the endpoint runs. `safeadmin` asks again, for the request that the endpoint makes of it.

mod asking;
mod cluster;
mod control;
mod files;
mod module;
mod node;
pub(super) mod observe;
mod openapi;
mod setup;
mod tokens;
pub(super) mod types;

#[cfg(test)]
mod tests;

pub use asking::Asking;
pub use openapi::{describe, document};
pub use types::Outcomes;

use super::principal::Principal;
use super::problem::Problem;
use super::{events, session};
use crate::control::Access;
use crate::told::told;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::{Next, from_fn};
use actix_web::{HttpMessage, Route, web};

/// Where the API begins.
pub const ROOT: &str = "/api/v1";
/// What stands before the path of an endpoint when another node is to answer.
const NODE: &str = "/nodes/{node}";

/// An operation of the API.
pub struct Endpoint {
    /// Its method.
    pub method: Method,
    /// Its path below [`ROOT`], with names in braces.
    pub path: &'static str,
    /// The least role that may use it; `None`: anybody, it is how one logs in.
    pub needs: Option<Access>,
    /// It can be asked of another node too.
    pub elsewhere: bool,
    route: fn() -> Route,
}

macro_rules! endpoint {
    ($method:ident $path:literal $handler:path, $needs:expr, $elsewhere:expr) => {
        Endpoint {
            method: Method::$method,
            path: $path,
            needs: $needs,
            elsewhere: $elsewhere,
            route: || web::method(Method::$method).to($handler),
        }
    };
}

macro_rules! endpoints {
    ($($method:ident $path:literal $role:ident $place:ident $handler:path;)*) => {
        &[$(endpoint!($method $path $handler, endpoints!(role $role), endpoints!(place $place))),*]
    };
    (role Anybody) => { None };
    (role $role:ident) => { Some(Access::$role) };
    (place Any) => { true };
    (place Here) => { false };
}

/// Every operation, with the role that it needs and whether it can be asked of another node.
#[rustfmt::skip]
pub static ENDPOINTS: &[Endpoint] = endpoints! {
    GET    "/session"                                Anybody Here session::show;
    POST   "/session"                                Anybody Here session::login;
    DELETE "/session"                                Anybody Here session::logout;

    GET    "/level"                                  Monitor Any  node::level;
    GET    "/overview"                               Monitor Any  node::overview;
    GET    "/nodes"                                  Monitor Here node::nodes;
    GET    "/commands"                               Monitor Any  node::commands;
    GET    "/templates"                              Admin   Any  node::templates;
    GET    "/configurations"                         Admin   Any  node::configurations;
    GET    "/access"                                 Admin   Here node::access;
    GET    "/certificate"                            Monitor Any  node::certificate;
    GET    "/tokens"                                 Admin   Here tokens::list;
    POST   "/tokens"                                 Admin   Here tokens::create;
    DELETE "/tokens"                                 Admin   Here tokens::revoke;
    GET    "/events"                                 Monitor Here events::cluster;

    GET    "/cluster"                                Admin   Any  cluster::show;
    PUT    "/cluster"                                Admin   Any  cluster::apply;
    DELETE "/cluster"                                Admin   Here cluster::deconfigure;
    POST   "/cluster/check"                          Admin   Any  cluster::check;
    POST   "/cluster/probe"                          Admin   Any  cluster::probe;
    POST   "/cluster/deploy"                         Admin   Any  cluster::deploy;
    GET    "/cluster/confinfo"                       Monitor Any  cluster::confinfo;
    GET    "/cluster/state"                          Monitor Any  cluster::state;
    GET    "/cluster/checks"                         Monitor Any  cluster::checks;

    GET    "/modules"                                Monitor Any  node::modules;
    POST   "/modules"                                Admin   Any  setup::create;
    DELETE "/modules/{module}"                       Admin   Any  setup::uninstall;
    GET    "/modules/{module}/archive"               Admin   Any  setup::download_archive;
    PUT    "/modules/{module}/archive"               Admin   Any  setup::upload;
    POST   "/modules/{module}/restore"               Admin   Any  setup::restore;
    GET    "/modules/{module}/configurations/{name}" Admin   Any  files::kept;
    GET    "/modules/{module}/files"                 Admin   Any  files::show;
    PUT    "/modules/{module}/files"                 Admin   Any  files::save;
    POST   "/modules/{module}/check"                 Admin   Any  module::check;
    POST   "/modules/{module}/config"                Admin   Any  module::configure;
    DELETE "/modules/{module}/config"                Admin   Any  module::deconfigure;
    POST   "/modules/{module}/deploy"                Admin   Here module::deploy;
    POST   "/modules/{module}/key"                   Admin   Any  module::make_key;
    DELETE "/modules/{module}/key"                   Admin   Any  module::delete_key;
    GET    "/modules/{module}/confinfo"              Monitor Any  module::confinfo;
    GET    "/modules/{module}/ports"                 Monitor Any  module::ports;

    POST   "/modules/{module}/commands"              Control Any  control::command;
    POST   "/modules/{module}/resources/{resource}"  Control Any  control::set;

    GET    "/modules/{module}/state"                 Monitor Any  observe::state;
    GET    "/modules/{module}/explain"               Monitor Any  observe::explain;
    GET    "/modules/{module}/events"                Monitor Any  events::module;
    GET    "/modules/{module}/resources/{resource}/history" Monitor Any observe::history;
    GET    "/modules/{module}/log"                   Monitor Any  observe::log;
    GET    "/modules/{module}/log.txt"               Monitor Any  observe::log_text;
    GET    "/modules/{module}/log/events"            Monitor Any  events::log;
    GET    "/modules/{module}/userlogs"              Monitor Any  observe::user_logs;
    GET    "/modules/{module}/userlogs/{name}"       Monitor Any  observe::user_log;
    GET    "/modules/{module}/rescue"                Monitor Any  observe::rescue;
    GET    "/modules/{module}/farm/owner"            Monitor Any  observe::farm_owner;
};

/// Adds the API to a server.
pub fn configure(config: &mut web::ServiceConfig) {
    let mut scope = web::scope(ROOT).wrap(from_fn(gate));
    for path in paths() {
        let mut resource = web::resource(path.as_str());
        for endpoint in ENDPOINTS.iter().filter(|e| path == e.path || path == format!("{NODE}{}", e.path)) {
            if path == endpoint.path || endpoint.elsewhere {
                resource = resource.route((endpoint.route)());
            }
        }
        scope = scope.service(resource.default_service(web::to(wrong_method)));
    }
    config.service(scope.default_service(web::to(unknown)));
}

/// Paths of the endpoints, then the same for other nodes; each once.
fn paths() -> Vec<String> {
    let mut paths: Vec<String> = Vec::new();
    let elsewhere = ENDPOINTS.iter().filter(|e| e.elsewhere).map(|e| format!("{NODE}{}", e.path));
    for path in ENDPOINTS.iter().map(|e| e.path.to_owned()).chain(elsewhere) {
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    paths
}

/// The endpoint of a request, if it is one.
fn endpoint(method: &Method, pattern: &str) -> Option<&'static Endpoint> {
    let path = pattern.strip_prefix(ROOT)?;
    let of = |path: &str, node: bool| {
        ENDPOINTS.iter().find(|e| e.method == *method && e.path == path && (!node || e.elsewhere))
    };
    of(path, false).or_else(|| of(path.strip_prefix(NODE)?, true))
}

/// Asks for the role that the endpoint needs. What is no endpoint needs a login too, so that nobody
/// else learns what there is.
async fn gate(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> actix_web::Result<ServiceResponse<BoxBody>> {
    let pattern = request.match_pattern().unwrap_or_default();
    let needs = match endpoint(request.method(), &pattern) {
        Some(endpoint) => endpoint.needs,
        None => Some(Access::Monitor),
    };
    if let Some(access) = needs {
        let allowed = match request.extract::<Principal>().await {
            Ok(principal) => principal.require(access).map(|()| principal),
            Err(problem) => Err(problem),
        };
        match allowed {
            Ok(principal) => request.extensions_mut().insert(principal),
            // An answer like others: what bounds requests sees it too.
            Err(problem) => return Ok(request.error_response(problem)),
        };
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}

async fn unknown() -> Result<&'static str, Problem> {
    Err(Problem::not_found(told!(
        "there is nothing of this name: see /swagger-ui/index.html",
        "il n'y a rien de ce nom : voir /swagger-ui/index.html"
    )))
}

async fn wrong_method() -> Result<&'static str, Problem> {
    Err(Problem::method_not_allowed(told!(
        "this method is not for this resource: see /swagger-ui/index.html",
        "cette méthode n'est pas pour cette ressource : voir /swagger-ui/index.html"
    )))
}

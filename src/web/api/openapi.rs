//! The OpenAPI document of the API, for `/swagger-ui/` and for programs that are made from it.

use super::{ENDPOINTS, NODE, ROOT, cluster, control, files, module, node, observe, setup, tokens};
use crate::web::problem::Problem;
use crate::web::{events, session};
use actix_web::http::Method;
use actix_web::{HttpResponse, web};
use std::sync::LazyLock;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Required, ResponseBuilder, Schema};
use utoipa::{OpenApi, PartialSchema, ToSchema};
use utoipa_swagger_ui::SwaggerUi;

/// Kind of every error.
const PROBLEM: &str = "application/problem+json";
/// Kind of what goes on.
const EVENTS: &str = "text/event-stream";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "SafeKit",
        description = "High availability modules of a cluster. Every path below /api/v1 asks this node; with /api/v1/nodes/{node} before the rest it asks another node of the cluster through this one. Errors are problem documents (RFC 9457). Texts for people are in English or French, as the header Accept-Language asks.\n\nTo try it out, log in to the [console](/console/) in this browser: the page then acts as that user, and adds the header X-SafeKit-CSRF itself. Or press Authorize and give a token, or a name and password."
    ),
    tags(
        (name = "session", description = "Logging in and out"),
        (name = "node", description = "A node"),
        (name = "cluster", description = "The cluster"),
        (name = "module", description = "Modules"),
        (name = "access", description = "Who may log in, and certificates"),
    ),
    paths(
        session::show, session::login, session::logout,
        node::level, node::overview, node::nodes, node::commands, node::templates, node::configurations,
        node::access, node::certificate, node::modules,
        cluster::show, cluster::apply, cluster::deconfigure, cluster::check, cluster::probe, cluster::deploy,
        cluster::confinfo, cluster::state, cluster::checks,
        setup::create, setup::uninstall, setup::download_archive, setup::upload, setup::restore,
        files::show, files::save, files::kept,
        module::check, module::configure, module::deconfigure, module::deploy, module::make_key,
        module::delete_key, module::confinfo, module::ports,
        control::command, control::set,
        observe::state, observe::explain, observe::history, observe::log, observe::log_text,
        observe::user_logs, observe::user_log, observe::rescue, observe::farm_owner,
        events::cluster, events::module, events::log,
        tokens::list, tokens::create, tokens::revoke,
    )
)]
struct Document;

/// The document, made once.
pub fn document() -> &'static utoipa::openapi::OpenApi {
    static DOCUMENT: LazyLock<utoipa::openapi::OpenApi> = LazyLock::new(make);
    &DOCUMENT
}

/// Adds the document and the pages that show it (WEB-08). They need no login: they are the same for everybody.
pub fn describe(config: &mut web::ServiceConfig) {
    config.service(web::redirect("/swagger-ui", "/swagger-ui/index.html"));
    config.route("/swagger-ui/swagger-initializer.js", web::get().to(initializer));
    config.service(
        SwaggerUi::new("/swagger-ui/{_:.*}").url(format!("{ROOT}/openapi.json"), document().clone()),
    );
}

/// How the page begins. What it sends carries the token of the session, which no page can know before.
async fn initializer() -> HttpResponse {
    HttpResponse::Ok().content_type("text/javascript; charset=utf-8").body(include_str!("swagger.js"))
}

fn make() -> utoipa::openapi::OpenApi {
    let mut document = Document::openapi();
    document.info.version = env!("CARGO_PKG_VERSION").to_owned();
    let described = std::mem::take(&mut document.paths.paths);
    for endpoint in ENDPOINTS {
        let Some(operation) = described.get(endpoint.path).and_then(|item| operation(item, &endpoint.method))
        else {
            continue;
        };
        let mut operation = operation.clone();
        complete(&mut operation, endpoint);
        let mut add = |path: String, operation: Operation| {
            let item = document.paths.paths.entry(path).or_default();
            *slot(item, &endpoint.method) = Some(operation);
        };
        if endpoint.elsewhere {
            add(format!("{ROOT}{NODE}{}", endpoint.path), at_node(operation.clone()));
        }
        add(format!("{ROOT}{}", endpoint.path), operation);
    }
    let components = document.components.get_or_insert_default();
    components.schemas.insert(Problem::name().into_owned(), Problem::schema());
    let cookie = SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(session::COOKIE)));
    components.security_schemes.insert("session".to_owned(), RefOr::T(cookie));
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    components.security_schemes.insert("token".to_owned(), RefOr::T(bearer));
    let basic = SecurityScheme::Http(Http::new(HttpAuthScheme::Basic));
    components.security_schemes.insert("password".to_owned(), RefOr::T(basic));
    document
}

/// What every operation has: its role, its ways to log in, its errors.
fn complete(operation: &mut Operation, endpoint: &super::Endpoint) {
    let role =
        endpoint.needs.map_or("Anybody may use it.".to_owned(), |access| format!("Needs the role {access}."));
    operation.operation_id = Some(name(endpoint));
    let text = operation.description.take().filter(|text| !text.is_empty());
    operation.description = Some(text.map_or(role.clone(), |text| format!("{text}\n\n{role}")));
    if endpoint.needs.is_some() {
        let ways = ["session", "token", "password"];
        operation.security =
            Some(ways.map(|way| SecurityRequirement::new(way, Vec::<String>::new())).to_vec());
    }
    let problem = Ref::from_schema_name(Problem::name());
    let problem = ContentBuilder::new().schema(Some(RefOr::Ref(problem))).build();
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        if status.starts_with('4') {
            response.content = [(PROBLEM.to_owned(), RefOr::T(problem.clone()))].into_iter().collect();
        }
        if let Some(RefOr::T(stream)) = response.content.get_mut(EVENTS) {
            stream.schema = stream.schema.take().map(event);
        }
    }
    for (status, description) in errors(endpoint) {
        let response =
            ResponseBuilder::new().description(description).content(PROBLEM, problem.clone()).build();
        operation.responses.responses.entry(status.to_owned()).or_insert(RefOr::T(response));
    }
}

/// The problems of an operation, by status.
fn errors(endpoint: &super::Endpoint) -> Vec<(&'static str, &'static str)> {
    let mut errors = vec![("default", "Why it was not done")];
    if endpoint.needs.is_some() {
        errors.push(("401", "Nobody is logged in"));
        errors.push(("403", "The role of the user does not reach"));
        errors.push(("503", "Not now: safeadmin does not run, or something else is under way"));
    }
    if endpoint.elsewhere {
        errors.push(("404", "The node, the module or what is named besides is not there"));
        errors.push(("422", "Refused: the state does not allow it, or what was sent has faults"));
    }
    if endpoint.needs.is_some() && endpoint.method != Method::GET {
        errors.push(("409", "Somebody else was faster, or something of that name is there already"));
    }
    errors
}

/// One event of a stream: JSON of its own kind, or why there is none.
fn event(news: RefOr<Schema>) -> RefOr<Schema> {
    let of = |names: &[&str], data: RefOr<Schema>| {
        let text = ObjectBuilder::new().schema_type(Type::String);
        let data = text.content_media_type("application/json").content_schema(Some(data));
        let name = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names.iter().copied()));
        let event = ObjectBuilder::new().property("event", name).property("data", data);
        event.required("event").required("data")
    };
    let other = ObjectBuilder::new().build();
    let kinds = OneOfBuilder::new().item(of(&["node", "state", "log"], news));
    RefOr::T(kinds.item(of(&["gone", "lost", "unconfigured"], RefOr::T(other.into()))).build().into())
}

/// `GET /modules/{module}/log.txt` is `get_modules_module_log_txt`.
fn name(endpoint: &super::Endpoint) -> String {
    let words = endpoint.path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.fold(endpoint.method.as_str().to_lowercase(), |name, word| format!("{name}_{word}"))
}

/// The same, asked of another node.
fn at_node(mut operation: Operation) -> Operation {
    let node = ParameterBuilder::new()
        .name("node")
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .schema(Some(String::schema()))
        .build();
    operation.parameters.get_or_insert_default().insert(0, RefOr::T(node));
    operation.operation_id = operation.operation_id.map(|id| format!("{id}_at_node"));
    operation
}

fn operation<'a>(item: &'a PathItem, method: &Method) -> Option<&'a Operation> {
    match *method {
        Method::GET => item.get.as_ref(),
        Method::PUT => item.put.as_ref(),
        Method::POST => item.post.as_ref(),
        Method::DELETE => item.delete.as_ref(),
        _ => None,
    }
}

fn slot<'a>(item: &'a mut PathItem, method: &Method) -> &'a mut Option<Operation> {
    match *method {
        Method::PUT => &mut item.put,
        Method::POST => &mut item.post,
        Method::DELETE => &mut item.delete,
        _ => &mut item.get,
    }
}

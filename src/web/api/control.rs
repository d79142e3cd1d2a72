//! Control commands of a module.

use super::Asking;
use super::observe::{Module, Resource, resource_name};
use super::types::{ModuleCommand, NewValue, Outcome};
use crate::control::{LogChoice, Request};
use crate::fsm::resource::Value;
use crate::web::problem::Problem;
use actix_web::web::{Json, Path};

/// Carries out a control command. A start is answered when it was taken, not when it has ended.
#[utoipa::path(post, path = "/modules/{module}/commands", tag = "module", params(("module" = String, Path)),
    request_body = ModuleCommand, responses((status = 200, body = Outcome)))]
pub async fn command(
    asking: Asking,
    path: Path<Module>,
    body: Json<ModuleCommand>,
) -> Result<Json<Outcome>, Problem> {
    let command = body.command.0;
    let module = path.into_inner().module;
    asking.act(Request::Control { module, command, identity: None, user: None }, Vec::new()).await
}

/// Sets a resource (CLI-113).
#[utoipa::path(post, path = "/modules/{module}/resources/{resource}", tag = "module",
    params(("module" = String, Path), ("resource" = String, Path)), request_body = NewValue,
    responses((status = 200, body = Outcome)))]
pub async fn set(
    asking: Asking,
    path: Path<Resource>,
    body: Json<NewValue>,
) -> Result<Json<Outcome>, Problem> {
    let Resource { module, resource } = path.into_inner();
    let resource = resource_name(&resource)?;
    let value = Value::from(body.into_inner().value);
    let request = Request::Set { module, resource, value, log: LogChoice::Default, identity: None };
    asking.act(request, Vec::new()).await
}

//! Installed modules: new ones, archives, restored configurations (CLI-095 to CLI-097, WEB-26, WEB-29).

use super::Asking;
use super::observe::{Module, download};
use super::types::{NewModule, Outcome, RestoreName, Upload};
use crate::control::{InstallSource, Request};
use crate::web::pace::Early;
use crate::web::problem::Problem;
use actix_web::HttpResponse;
use actix_web::web::{Bytes, Json, Path, Query};

/// A `.safe`: bytes of a zip.
#[derive(utoipa::ToSchema)]
#[schema(value_type = String, format = Binary)]
#[allow(dead_code, reason = "only the document has it")]
pub struct SafeArchive(Vec<u8>);

/// Installs a module from a template.
#[utoipa::path(post, path = "/modules", tag = "module", request_body = NewModule,
    responses((status = 200, body = Outcome)))]
pub async fn create(asking: Asking, body: Json<NewModule>) -> Result<Json<Outcome>, Problem> {
    let NewModule { module, id, template } = body.into_inner();
    let source = InstallSource::Template(template);
    let request =
        Request::ModuleInstall { module, id, reinstall: false, source, if_signature: None, keep_key: false };
    asking.act(request, Vec::new()).await
}

/// Uninstalls a module; it is kept in SAFE/Application_Modules/backup.
#[utoipa::path(delete, path = "/modules/{module}", tag = "module", params(("module" = String, Path)),
    responses((status = 200, body = Outcome)))]
pub async fn uninstall(asking: Asking, path: Path<Module>) -> Result<Json<Outcome>, Problem> {
    asking.act(Request::ModuleUninstall { module: path.into_inner().module }, Vec::new()).await
}

/// The module as a `.safe` archive, without its keys.
#[utoipa::path(get, path = "/modules/{module}/archive", tag = "module", params(("module" = String, Path)),
    responses((status = 200, body = SafeArchive, content_type = "application/zip")))]
pub async fn download_archive(
    asking: Asking,
    _place: Early,
    path: Path<Module>,
) -> Result<HttpResponse, Problem> {
    let module = path.into_inner().module;
    let name = format!("{module}.safe");
    let bytes = asking.attachment(Request::ModulePackage { module, keys: false }).await?;
    Ok(download("application/zip", &name, bytes))
}

/// Installs a module from an archive. One that is there keeps its keys as they are.
#[utoipa::path(put, path = "/modules/{module}/archive", tag = "module", params(("module" = String, Path), Upload),
    request_body(content = SafeArchive, content_type = "application/zip"), responses((status = 200, body = Outcome)))]
pub async fn upload(
    asking: Asking,
    path: Path<Module>,
    query: Query<Upload>,
    body: Bytes,
) -> Result<Json<Outcome>, Problem> {
    let Upload { id, reinstall } = query.into_inner();
    let (module, source) = (path.into_inner().module, InstallSource::Attachment);
    let request =
        Request::ModuleInstall { module, id, reinstall, source, if_signature: None, keep_key: reinstall };
    asking.act(request, body).await
}

/// Installs the module again as it was in one of the last successful configurations; its keys stay as they
/// are. It is applied by `config` or `deploy` afterwards. With a signature, what somebody else saved in between
/// is a conflict that shows it.
#[utoipa::path(post, path = "/modules/{module}/restore", tag = "module", params(("module" = String, Path)),
    request_body = RestoreName, responses((status = 200, body = Outcome)))]
pub async fn restore(
    asking: Asking,
    path: Path<Module>,
    body: Json<RestoreName>,
) -> Result<Json<Outcome>, Problem> {
    let module = path.into_inner().module;
    let RestoreName { name, signature } = body.into_inner();
    let if_signature = signature.map(|signature| vec![signature]);
    let request = Request::ConfigurationRestore { module: module.clone(), name, if_signature };
    super::module::act(&asking, module, request).await
}

//! `/var/modules/AM/ready.txt`: whether clients are to be sent to this node (NET-50, NET-51).

use super::Web;
use crate::control::{ModuleOverview, Overview};
use crate::fsm::state::{Readiness, Role};
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, web};

/// Changes at each start of the application: who asks can tell that it was restarted (C-4.4.6).
pub const START: &str = "SafeKit-Start";

/// Adds the path; it needs no login.
pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.service(
        web::resource("/var/modules/{module}/ready.txt")
            .route(web::get().to(show))
            .route(web::head().to(show)),
    );
}

async fn show(web: Data<Web>, module: Path<String>) -> HttpResponse {
    let starts = web.here.now().and_then(|now| serving(&now, &module));
    let (mut response, text) = match starts {
        Some(_) => (HttpResponse::Ok(), "OK"),
        None => (HttpResponse::NotFound(), "NOT FOUND"),
    };
    if let Some(starts) = starts {
        response.insert_header((START, starts.to_string()));
    }
    response.insert_header((CONTENT_TYPE, "text/plain")).insert_header((CACHE_CONTROL, "no-store")).body(text)
}

/// The start of the application of a module that serves clients here.
fn serving(now: &Overview, module: &str) -> Option<u64> {
    let module = now.modules.iter().find(|m| m.module.as_str() == module)?;
    serves(module).then_some(module.starts)
}

/// Whether a module serves clients here: PRIM, ALONE or UP, Ready.
pub(super) fn serves(module: &ModuleOverview) -> bool {
    matches!(module.role, Role::Prim | Role::Alone | Role::Up) && module.readiness == Readiness::Ready
}

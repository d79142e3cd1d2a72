//! `/api/v1/tokens`: administrators make, list and revoke the tokens of scripts.

use super::Asking;
use crate::control::{Access, Request, TokenEvent};
use crate::told::{Tell, told};
use crate::web::auth::tokens::{self, Maker, Making, TokenError, TokenRow};
use crate::web::principal::How;
use crate::web::problem::Problem;
use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use std::time::Instant;
use utoipa::ToSchema;

/// A token that is wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// Its name, which stands for the user in logs, as `token:<name>`.
    pub name: String,
    /// Its role.
    pub role: Access,
    /// Days that it lives.
    pub days: u32,
}

/// A token that was made.
#[derive(Debug, Serialize, ToSchema)]
pub struct CreatedToken {
    /// Its text, shown this once: send it as `Authorization: Bearer <token>`.
    pub token: String,
    /// What is known of it from now on.
    pub row: TokenRow,
}

/// The token to revoke.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// Its name.
    pub name: String,
}

/// The tokens of this node. Each is good at this node only, which asks the others for it
/// (`/nodes/{node}/...`).
#[utoipa::path(get, path = "/tokens", tag = "access", responses((status = 200, body = Vec<TokenRow>)))]
pub async fn list(asking: Asking) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(blocking(move || asking.web.token_rows()).await?))
}

/// Makes a token, which is good at this node only. A token makes no tokens.
#[utoipa::path(post, path = "/tokens", tag = "access", request_body = NewToken,
    responses((status = 201, body = CreatedToken), (status = 409, body = Problem)))]
pub async fn create(asking: Asking, body: web::Json<NewToken>) -> Result<HttpResponse, Problem> {
    let making = making(&asking)?;
    let NewToken { name, role, days } = body.into_inner();
    let web = asking.web.clone();
    let made = blocking(move || web.tokens.create((&name, role, days), making, tokens::now()));
    let (token, row) = made.await?;
    note(&asking, TokenEvent::Created { name: row.name.clone(), role, days }).await;
    Ok(HttpResponse::Created().json(CreatedToken { token: token.expose().to_owned(), row }))
}

/// Revokes a token.
#[utoipa::path(delete, path = "/tokens", tag = "access", params(Named),
    responses((status = 204), (status = 404, body = Problem)))]
pub async fn revoke(asking: Asking, query: web::Query<Named>) -> Result<HttpResponse, Problem> {
    let name = query.into_inner().name;
    let (web, revoked) = (asking.web.clone(), name.clone());
    blocking(move || web.tokens.revoke(&revoked)).await?;
    note(&asking, TokenEvent::Revoked { name }).await;
    Ok(HttpResponse::NoContent().finish())
}

/// Who makes a token: somebody who is there himself.
fn making(asking: &Asking) -> Result<Making, Problem> {
    let (web, how) = (&asking.web, &asking.principal.how);
    let proof = match how {
        How::Token(_) => {
            return Err(Problem::forbidden(told!(
                "a token makes no tokens: log in to make one",
                "un jeton ne crée pas de jeton : connectez-vous pour en créer un"
            )));
        }
        How::Certificate(_) | How::Nobody => None,
        How::Session(key) => web.sessions.touch(*key, Instant::now()).and_then(|session| session.proof),
        How::Credentials(proof) => *proof,
    };
    let method = web.method(how);
    let maker = Maker { user: asking.principal.user.clone(), method: method.to_owned() };
    Ok(Making { maker, proof, most_days: web.token_days(method) })
}

/// In the command log, where an administrator looks. What is done is done, also without safeadmin.
async fn note(asking: &Asking, event: TokenEvent) {
    let (user, address) = (&asking.principal.user, asking.principal.address);
    tracing::info!(user, %address, ?event, "token");
    if let Err(error) = asking.done(Request::Token(event), Vec::new()).await {
        tracing::warn!(%error, "the command log does not know of a token");
    }
}

/// The file is read and written on a thread that may wait.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, TokenError> + Send + 'static,
) -> Result<T, Problem> {
    let done = web::block(work)
        .await
        .map_err(|_| Problem::unavailable(told!("the server ends", "le serveur s'arrête")))?;
    done.map_err(|e| {
        let text = e.told();
        match e {
            TokenError::Exists(_) | TokenError::Most => Problem::conflict(text),
            TokenError::Unknown(_) => Problem::not_found(text),
            TokenError::Name | TokenError::Days(_) => Problem::bad_request(text),
            TokenError::File(_) | TokenError::Content { .. } | TokenError::Random(_) => {
                Problem::internal(text)
            }
        }
    })
}

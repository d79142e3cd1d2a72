//! `/api/v1/tokens`: administrators make, list and revoke the tokens of scripts.

use super::Asking;
use crate::control::Access;
use crate::web::auth::tokens::{self, TokenError, TokenRow};
use crate::web::problem::Problem;
use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A token that is wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// Its name, which stands for the user in logs.
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

/// The tokens of this node.
#[utoipa::path(get, path = "/tokens", tag = "access", responses((status = 200, body = Vec<TokenRow>)))]
pub async fn list(asking: Asking) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(blocking(move || asking.web.tokens.list()).await?))
}

/// Makes a token.
#[utoipa::path(post, path = "/tokens", tag = "access", request_body = NewToken,
    responses((status = 201, body = CreatedToken), (status = 409, body = Problem)))]
pub async fn create(asking: Asking, body: web::Json<NewToken>) -> Result<HttpResponse, Problem> {
    let Asking { web, principal: who, .. } = asking;
    let NewToken { name, role, days } = body.into_inner();
    let (token, row) = blocking(move || web.tokens.create(&name, role, days, tokens::now())).await?;
    tracing::info!(user = who.user, address = %who.address, token = row.name, %role, days, "token made");
    Ok(HttpResponse::Created().json(CreatedToken { token: token.expose().to_owned(), row }))
}

/// Revokes a token.
#[utoipa::path(delete, path = "/tokens", tag = "access", params(Named),
    responses((status = 204), (status = 404, body = Problem)))]
pub async fn revoke(asking: Asking, query: web::Query<Named>) -> Result<HttpResponse, Problem> {
    let Asking { web, principal: who, .. } = asking;
    let name = query.into_inner().name;
    tracing::info!(user = who.user, address = %who.address, token = name, "token revoked");
    blocking(move || web.tokens.revoke(&name)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The file is read and written on a thread that may wait.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, TokenError> + Send + 'static,
) -> Result<T, Problem> {
    let done = web::block(work).await.map_err(|_| Problem::unavailable("the server ends"))?;
    done.map_err(|e| {
        let text = e.to_string();
        match e {
            TokenError::Exists(_) | TokenError::Most => Problem::conflict(text),
            TokenError::Unknown(_) => Problem::not_found(text),
            TokenError::Name | TokenError::Days => Problem::bad_request(text),
            TokenError::File(_) | TokenError::Content { .. } | TokenError::Random(_) => {
                Problem::internal(text)
            }
        }
    })
}

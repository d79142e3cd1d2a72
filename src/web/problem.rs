//! What is answered when something goes wrong: problem documents (RFC 9457).

use super::ask::AskError;
use super::principal;
use crate::control::async_client::Finished;
use crate::control::client::ClientError;
use crate::control::{Failure, FailureKind, Reply};
use crate::log::Lang;
use crate::told::{Tell, Told};
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{StatusCode, header};
use actix_web::middleware::Next;
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;
use utoipa::ToSchema;

/// When what is not possible now may be tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// A problem document.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// Always `about:blank`: the status says of what kind it is.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status in words.
    title: &'static str,
    /// Status of the answer.
    status: u16,
    /// What is wrong and what to do; in English until somebody asks in another language.
    #[serde(serialize_with = "as_text")]
    #[schema(value_type = String)]
    pub detail: Told,
    #[serde(flatten)]
    rest: Box<Rest>,
}

/// What only some problems have.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
struct Rest {
    /// What a command printed before it failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    output: Vec<String>,
    /// Faults of a configuration, as far as they are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    faults: Option<serde_json::Value>,
    /// The node that did not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<String>,
    /// Signature of what is there instead, when somebody else was faster.
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
    /// What is there instead.
    #[serde(flatten)]
    more: BTreeMap<String, serde_json::Value>,
    #[serde(skip)]
    retry_after: Option<Duration>,
}

impl Problem {
    /// A problem of this status.
    pub fn new(status: StatusCode, detail: Told) -> Problem {
        Problem {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Problem"),
            status: status.as_u16(),
            detail,
            rest: Box::default(),
        }
    }

    /// 400: the request itself is wrong.
    pub fn bad_request(detail: Told) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 401: nobody is logged in.
    pub fn unauthorized(detail: Told) -> Problem {
        Problem::new(StatusCode::UNAUTHORIZED, detail)
    }

    /// 403: the role does not reach.
    pub fn forbidden(detail: Told) -> Problem {
        Problem::new(StatusCode::FORBIDDEN, detail)
    }

    /// 404.
    pub fn not_found(detail: Told) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, detail)
    }

    /// 405.
    pub fn method_not_allowed(detail: Told) -> Problem {
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail)
    }

    /// 409: something else is there than what was to be changed, or something of that name already.
    pub fn conflict(detail: Told) -> Problem {
        Problem::new(StatusCode::CONFLICT, detail)
    }

    /// 422: understood, and refused by the product: the state does not permit it, or it has faults.
    pub fn refused(detail: Told) -> Problem {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }

    /// 429, and when to try again.
    pub fn too_many(detail: Told, retry_after: Duration) -> Problem {
        let mut problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, detail);
        problem.rest.retry_after = Some(retry_after);
        problem
    }

    /// 500: a fault of the node or of this program.
    pub fn internal(detail: Told) -> Problem {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
    }

    /// 503: not now; and when to try again, for programs that look at that.
    pub fn unavailable(detail: Told) -> Problem {
        let mut problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail);
        problem.rest.retry_after = Some(AGAIN);
        problem
    }

    /// Of a request that `safeadmin` has refused, in its words.
    pub fn of(finished: &Finished) -> Problem {
        let mut problem =
            finished.errors().map_or_else(|| Problem::refused(Finished::silent()), Problem::from);
        for reply in &finished.replies {
            match reply {
                Reply::Text(text) => problem.rest.output.push(text.clone()),
                Reply::Conflict { signature } => problem = problem.into_conflict(signature.clone()),
                Reply::Faults(faults) => problem = problem.with_faults(faults.clone()),
                _ => {}
            }
        }
        problem
    }

    /// With what a command printed.
    pub fn with_output(mut self, output: Vec<String>) -> Problem {
        self.rest.output = output;
        self
    }

    /// With the faults of a configuration.
    pub fn with_faults(mut self, faults: impl Serialize) -> Problem {
        self.rest.faults = serde_json::to_value(faults).ok();
        self
    }

    /// Of this node.
    pub fn of_node(mut self, node: impl Into<String>) -> Problem {
        self.rest.node = Some(node.into());
        self
    }

    /// The same as a conflict with what has this signature.
    pub fn into_conflict(mut self, signature: impl Into<String>) -> Problem {
        self.rest.signature = Some(signature.into());
        Problem { detail: self.detail, rest: self.rest, ..Problem::conflict(Told::default()) }
    }

    /// With one more member.
    pub fn with_member(mut self, name: &str, value: impl Serialize) -> Problem {
        if let Ok(value) = serde_json::to_value(value) {
            self.rest.more.insert(name.to_owned(), value);
        }
        self
    }

    /// The same in the language of whoever asks.
    pub fn in_language(mut self, lang: Lang) -> Problem {
        self.detail = Told::same(self.detail.into(lang));
        self
    }

    /// Status of the answer.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

fn as_text<S: serde::Serializer>(detail: &Told, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(detail)
}

/// Tells problems in the language of whoever asks: those of everything that is served inside.
pub(super) async fn translate(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> actix_web::Result<ServiceResponse<BoxBody>> {
    let lang = principal::lang(request.request());
    let found = |error: &actix_web::Error| error.as_error::<Problem>().cloned();
    match next.call(request).await {
        Ok(response) => Ok(match response.response().error().and_then(found) {
            Some(problem) => response.error_response(problem.in_language(lang)),
            None => response.map_into_boxed_body(),
        }),
        Err(error) => Err(found(&error).map_or(error, |problem| problem.in_language(lang).into())),
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.detail.fmt(f)
    }
}

impl std::error::Error for Problem {}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status()
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status());
        if let Some(after) = self.rest.retry_after {
            response.insert_header((header::RETRY_AFTER, after.as_secs().max(1).to_string()));
        }
        if self.status() == StatusCode::SERVICE_UNAVAILABLE {
            // There are too many already: a connection that is kept would be one more.
            response.force_close();
        }
        let body = serde_json::to_string(self).unwrap_or_default();
        response.content_type("application/problem+json").body(body)
    }
}

impl From<Failure> for Problem {
    /// It was told in the language of whoever asks.
    fn from(Failure { kind, text }: Failure) -> Problem {
        let text = Told::same(text);
        match kind {
            FailureKind::NotFound => Problem::not_found(text),
            FailureKind::Conflict => Problem::conflict(text),
            FailureKind::Denied => Problem::forbidden(text),
            FailureKind::Refused => Problem::refused(text),
            FailureKind::Busy => Problem::unavailable(text),
            FailureKind::Failed => Problem::internal(text),
        }
    }
}

impl From<AskError> for Problem {
    fn from(e: AskError) -> Problem {
        let detail = e.told();
        match e {
            AskError::Busy | AskError::Client(ClientError::NotRunning) => Problem::unavailable(detail),
            AskError::Client(ClientError::Silent(_)) => Problem::new(StatusCode::GATEWAY_TIMEOUT, detail),
            AskError::Client(_) => Problem::new(StatusCode::BAD_GATEWAY, detail),
            AskError::NoNode(_) => Problem::not_found(detail),
            AskError::Node { node, .. } => {
                Problem::new(StatusCode::BAD_GATEWAY, detail).of_node(node.to_string())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_has_the_members_of_the_standard() {
        let problem = Problem::refused(Told::same("the module is not stopped"))
            .with_output(vec!["looked".to_owned()])
            .into_conflict("ab12")
            .with_member("xml", "<safe/>");
        let expected = serde_json::json!({
            "type": "about:blank", "title": "Conflict", "status": 409, "detail": "the module is not stopped",
            "output": ["looked"], "signature": "ab12", "xml": "<safe/>",
        });
        assert_eq!(serde_json::to_value(&problem).unwrap(), expected);
    }

    #[test]
    fn each_kind_of_failure_has_its_status() {
        for (kind, status) in [
            (FailureKind::NotFound, 404),
            (FailureKind::Conflict, 409),
            (FailureKind::Denied, 403),
            (FailureKind::Refused, 422),
            (FailureKind::Busy, 503),
            (FailureKind::Failed, 500),
        ] {
            let problem = Problem::from(Failure { kind, text: "why".to_owned() });
            assert_eq!((problem.status().as_u16(), problem.detail.of(Lang::Fr)), (status, "why"));
        }
    }

    #[test]
    fn what_a_command_said_is_told_with_its_problem() {
        let replies = vec![
            Reply::Text("looked".to_owned()),
            Reply::error(FailureKind::NotFound, "no m"),
            Reply::error(FailureKind::Failed, "and no disk"),
        ];
        let problem = Problem::of(&Finished { replies, attachment: Vec::new(), code: 1 });
        assert_eq!((problem.status().as_u16(), problem.detail.of(Lang::Fr)), (404, "no m\nand no disk"));
        assert_eq!(problem.rest.output, ["looked"]);
    }

    #[test]
    fn who_is_too_fast_learns_when_to_come_back() {
        let response = Problem::too_many(Told::same("slower"), Duration::from_millis(100)).error_response();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers().get(header::RETRY_AFTER).unwrap(), "1");
    }
}

//! One request of the API: who asks, which node is to answer, and how its answer becomes HTTP.

use super::types::Outcome;
use crate::control::async_client::{Answer, Finished};
use crate::control::{Failure, Reply, Request};
use crate::ids::NodeName;
use crate::log::Lang;
use crate::told::{Told, told};
use crate::web::Web;
use crate::web::ask::Place;
use crate::web::auth;
use crate::web::principal::Principal;
use crate::web::problem::Problem;
use crate::web::remote::deploy::Reach;
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use bytes::Bytes;
use std::future::{Ready, ready};

/// Who asks, and of which node.
#[derive(Clone)]
pub struct Asking {
    /// The server.
    pub web: Web,
    /// The user; the gate has looked at his role.
    pub principal: Principal,
    /// The node.
    pub place: Place,
}

impl FromRequest for Asking {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Asking::of(request))
    }
}

impl Asking {
    fn of(request: &HttpRequest) -> Result<Asking, Problem> {
        let web = request.app_data::<web::Data<Web>>().map(|web| web.get_ref().clone());
        let principal = request.extensions().get::<Principal>().cloned();
        // Both are there behind the gate; without it nothing is answered.
        let (Some(web), Some(principal)) = (web, principal) else {
            return Err(Problem::unauthorized(auth::log_in_first()));
        };
        let place = match request.match_info().get("node") {
            None => Place::Here,
            Some(name) => Place::Node(name.parse::<NodeName>().map_err(|e| Problem::bad_request(e.into()))?),
        };
        Ok(Asking { web, principal, place })
    }

    /// Asks, and gives the answer piece by piece.
    pub async fn ask(&self, request: Request, attachment: impl Into<Bytes>) -> Result<Answer, Problem> {
        Ok(self.web.asker.ask(&self.place, self.principal.behalf(), request, attachment).await?)
    }

    /// The whole answer, whatever its exit code.
    pub async fn finish(&self, request: Request, attachment: impl Into<Bytes>) -> Result<Finished, Problem> {
        let answer = self.ask(request, attachment).await?;
        Ok(answer.finish().await.map_err(crate::web::ask::AskError::from)?)
    }

    /// The whole answer of a request that has succeeded; its errors are the problem otherwise.
    pub async fn done(&self, request: Request, attachment: impl Into<Bytes>) -> Result<Finished, Problem> {
        let finished = self.finish(request, attachment).await?;
        if finished.code == 0 { Ok(finished) } else { Err(Problem::of(&finished)) }
    }

    /// The one reply that `pick` takes.
    pub async fn one<T>(&self, request: Request, pick: impl Fn(Reply) -> Option<T>) -> Result<T, Problem> {
        let found = self.done(request, Vec::new()).await?.replies.into_iter().find_map(pick);
        found.ok_or_else(|| Problem::internal(unsaid()))
    }

    /// All rows of the replies that `pick` takes.
    pub async fn rows<T>(
        &self,
        request: Request,
        pick: impl Fn(Reply) -> Option<Vec<T>>,
    ) -> Result<Vec<T>, Problem> {
        Ok(self.done(request, Vec::new()).await?.replies.into_iter().filter_map(pick).flatten().collect())
    }

    /// The attachment of an answer.
    pub async fn attachment(&self, request: Request) -> Result<Vec<u8>, Problem> {
        Ok(self.done(request, Vec::new()).await?.attachment)
    }

    /// Carries out an action; a refusal is a problem.
    pub async fn act(
        &self,
        request: Request,
        attachment: impl Into<Bytes>,
    ) -> Result<web::Json<Outcome>, Problem> {
        let finished = self.done(request, attachment).await?;
        Ok(web::Json(Outcome::new(self.node(), Ok(finished))))
    }

    /// The same, of another node.
    pub fn at(&self, node: &NodeName) -> Asking {
        let place =
            if node.as_str() == self.web.node_name() { Place::Here } else { Place::Node(node.clone()) };
        Asking { place, ..self.clone() }
    }

    /// Name of the node that answers, for people; empty for one without a cluster.
    pub fn node(&self) -> String {
        match &self.place {
            Place::Node(node) => node.to_string(),
            Place::Here => self.web.node_name(),
        }
    }
}

/// What is said when an answer has not what was asked.
pub(super) fn unsaid() -> Told {
    told!("safeadmin has not said what was asked", "safeadmin n'a pas dit ce qui était demandé")
}

impl Reach for Asking {
    fn name(&self) -> String {
        self.node()
    }

    fn lang(&self) -> Lang {
        self.principal.lang
    }

    async fn ask(&self, request: Request, attachment: Bytes) -> Result<Answer, Failure> {
        let answer = self.web.asker.ask(&self.place, self.principal.behalf(), request, attachment);
        answer.await.map_err(|error| error.failure(self.principal.lang))
    }
}

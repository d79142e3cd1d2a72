//! Asking a node on behalf of a user: this one by its local socket, another one by its web service.

use crate::control::async_client::{self, Answer};
use crate::control::client::ClientError;
use crate::control::{Behalf, Request};
use crate::ids::NodeName;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Requests that end by themselves, at the same time. Together with the long ones they leave room for
/// the command line among the connections of safeadmin.
const SHORT: usize = 24;
/// Requests that go on until somebody hangs up, at the same time.
const LONG: usize = 24;
/// How long a request waits for its turn.
const TURN: Duration = Duration::from_secs(5);

/// Which node is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// This one.
    Here,
    /// The one of this name; it may be this one too.
    Node(NodeName),
}

/// Why a node did not answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Too many requests at once.
    #[error("the web service is busy with other requests: try again")]
    Busy,
    /// The daemon of this node did not answer.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Another node did not answer.
    #[error("{node} does not answer: {why}")]
    Node {
        /// The node.
        node: NodeName,
        /// Why.
        why: String,
    },
}

/// The way to the nodes. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Asker(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    socket: PathBuf,
    short: Arc<Semaphore>,
    long: Arc<Semaphore>,
}

impl Asker {
    /// One that asks this node by the socket of its safeadmin.
    pub fn new(socket: PathBuf) -> Asker {
        let room = |n| Arc::new(Semaphore::new(n));
        Asker(Arc::new(Inner { socket, short: room(SHORT), long: room(LONG) }))
    }

    /// Asks one request; the answer comes piece by piece. A dropped answer hangs up.
    pub async fn ask(
        &self,
        place: &Place,
        behalf: Behalf,
        request: Request,
        attachment: Vec<u8>,
    ) -> Result<Answer, AskError> {
        match place {
            Place::Here => self.here(behalf, &request, attachment).await,
            Place::Node(node) => {
                Err(AskError::Node { node: node.clone(), why: "it cannot be reached from here".to_owned() })
            }
        }
    }

    async fn here(&self, behalf: Behalf, request: &Request, attachment: Vec<u8>) -> Result<Answer, AskError> {
        let room = if endless(request) { &self.0.long } else { &self.0.short };
        // The semaphores are never closed: only the time can end this wait.
        let turn = timeout(TURN, room.clone().acquire_owned()).await;
        let Ok(Ok(turn)) = turn else { return Err(AskError::Busy) };
        let answer = async_client::call(&self.0.socket, Some(behalf), request, attachment).await?;
        Ok(answer.holding(turn))
    }
}

/// Whether a request may go on for as long as somebody listens.
fn endless(request: &Request) -> bool {
    matches!(request, Request::Log { follow: true, .. } | Request::Wait { .. })
}

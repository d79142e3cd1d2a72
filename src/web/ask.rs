//! Asking a node on behalf of a user: this one by its local socket, another one by its web service.

use crate::config::address::Address;
use crate::config::paths::Paths;
use crate::control::async_client::{self, Answer};
use crate::control::client::ClientError;
use crate::control::{Behalf, Failure, FailureKind, LevelReport, NodeRow, Reply, Request};
use crate::ids::NodeName;
use crate::web::remote::target::Service;
use crate::web::remote::way::Way;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Requests that end by themselves, at the same time. Together with the long ones they leave room for
/// the command line among the connections of safeadmin.
const SHORT: usize = 24;
/// Requests that go on until somebody hangs up, at the same time.
const LONG: usize = 24;
/// Requests of other nodes at the same time.
const FAR: usize = 128;
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
    /// cluster.xml does not name it.
    #[error("{0} is not a node of the cluster")]
    NoNode(NodeName),
    /// Another node did not answer.
    #[error("{why}")]
    Node {
        /// The node.
        node: NodeName,
        /// Why; names the node and says what to do.
        why: String,
    },
}

impl From<AskError> for Failure {
    fn from(error: AskError) -> Failure {
        let kind = match error {
            AskError::NoNode(_) => FailureKind::NotFound,
            AskError::Busy | AskError::Client(_) | AskError::Node { .. } => FailureKind::Busy,
        };
        Failure { kind, text: error.to_string() }
    }
}

/// The way to the nodes. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Asker(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    socket: PathBuf,
    /// To other nodes.
    way: Way,
    short: Arc<Semaphore>,
    long: Arc<Semaphore>,
    far: Arc<Semaphore>,
}

impl Asker {
    /// One that asks this node by the socket of its safeadmin, and others by their web services, which
    /// are reached as that of this node.
    pub fn new(paths: &Paths, service: Service) -> Asker {
        let room = |n| Arc::new(Semaphore::new(n));
        Asker(Arc::new(Inner {
            socket: paths.admin_socket(),
            way: Way::new(paths, service),
            short: room(SHORT),
            long: room(LONG),
            far: room(FAR),
        }))
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
            Place::Node(node) => match self.row(node, behalf.clone()).await? {
                row if row.me => self.here(behalf, &request, attachment).await,
                row => self.far(&row, behalf, &request, attachment).await,
            },
        }
    }

    /// Version of the node at an address, which need not be in the cluster yet.
    pub async fn look(&self, address: &Address, behalf: Behalf) -> Result<LevelReport, String> {
        let _turn = turn(&self.0.far).await.map_err(|e| e.to_string())?;
        let request = Request::Level { module: None };
        let answer = self.0.way.ask_address(address, behalf, &request).await.map_err(|e| e.to_string())?;
        let finished = answer.finish().await.map_err(|e| format!("{address}: {e}"))?;
        let level = finished.replies.into_iter().find_map(|reply| match reply {
            Reply::Level(level) => Some(level),
            _ => None,
        });
        level.ok_or_else(|| format!("{address} does not say what it is"))
    }

    /// What the cluster knows of a node.
    async fn row(&self, node: &NodeName, behalf: Behalf) -> Result<NodeRow, AskError> {
        let known = self.here(behalf, &Request::Nodes, Vec::new()).await?.finish().await?;
        let rows = known.replies.into_iter().filter_map(|reply| match reply {
            Reply::Nodes(rows) => Some(rows),
            _ => None,
        });
        rows.flatten().find(|row| row.node == *node).ok_or_else(|| AskError::NoNode(node.clone()))
    }

    async fn far(
        &self,
        row: &NodeRow,
        behalf: Behalf,
        request: &Request,
        attachment: Vec<u8>,
    ) -> Result<Answer, AskError> {
        let turn = turn(&self.0.far).await?;
        let asked = self.0.way.ask(row, behalf, request, attachment).await;
        let answer = asked.map_err(|e| AskError::Node { node: row.node.clone(), why: e.to_string() })?;
        Ok(answer.holding(turn))
    }

    async fn here(&self, behalf: Behalf, request: &Request, attachment: Vec<u8>) -> Result<Answer, AskError> {
        let room = if endless(request) { &self.0.long } else { &self.0.short };
        let turn = turn(room).await?;
        let answer = async_client::call(&self.0.socket, Some(behalf), request, attachment).await?;
        Ok(answer.holding(turn))
    }
}

/// A place among the requests that may go on at the same time.
async fn turn(room: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, AskError> {
    // The semaphores are never closed: only the time can end this wait.
    match timeout(TURN, room.clone().acquire_owned()).await {
        Ok(Ok(turn)) => Ok(turn),
        Ok(Err(_)) | Err(_) => Err(AskError::Busy),
    }
}

/// Whether a request may go on for as long as somebody listens.
fn endless(request: &Request) -> bool {
    matches!(
        request,
        Request::Log { follow: true, .. }
            | Request::CmdLog { follow: true, .. }
            | Request::Wait { .. }
            | Request::Watch { .. }
    )
}

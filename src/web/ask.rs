//! Asking a node on behalf of a user: this one by its local socket, another one by its web service.

use crate::config::address::Address;
use crate::config::paths::Paths;
use crate::control::async_client::{self, Answer};
use crate::control::client::ClientError;
use crate::control::server::CONNECTIONS;
use crate::control::{Behalf, Failure, FailureKind, LevelReport, NodeRow, Reply, Request};
use crate::ids::NodeName;
use crate::lock::lock;
use crate::log::Lang;
use crate::told::{Tell, Told, told};
use crate::web::here::Here;
use crate::web::remote::table::MOST_OF_ONE;
use crate::web::remote::target::Service;
use crate::web::remote::way::{NoWay, Way};
use bytes::Bytes;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Requests that end by themselves, at the same time.
const SHORT: usize = 24;
/// Requests that go on until somebody hangs up, at the same time: states and logs of modules that somebody
/// looks at, from here and from other nodes.
const LONG: usize = 384;
/// Logs that are taken as a whole at the same time, of this node, and of others: who takes one may be slow.
const WHOLE: usize = 8;
/// A log of no more messages than this is read at once, and so a short request.
pub const PART: u32 = 10_000;
/// Connections of safeadmin that are left to the command line and to scripts.
const OTHERS: usize = 64;
const _: () =
    assert!(SHORT + LONG + WHOLE + OTHERS <= CONNECTIONS, "safeadmin has room for the command line");
/// Requests of other nodes that end by themselves, at the same time.
const FAR_SHORT: usize = 120;
/// Those that go on: one for each other node, and states and logs of their modules.
const FAR_LONG: usize = 512;
const _: () = assert!(FAR_SHORT + FAR_LONG + WHOLE <= MOST_OF_ONE, "another node takes all of them");
/// How long a request waits for its turn.
const TURN: Duration = Duration::from_secs(5);
/// How long the nodes of the cluster are known without a look.
const FRESH: Duration = Duration::from_secs(10);

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
        why: Told,
    },
}

impl Tell for AskError {
    fn french(&self) -> String {
        match self {
            AskError::Busy => "le service web est occupé par d'autres requêtes : réessayez".to_owned(),
            AskError::Client(error) => error.french(),
            AskError::NoNode(node) => format!("{node} n'est pas un nœud du cluster"),
            AskError::Node { why, .. } => why.of(Lang::Fr).to_owned(),
        }
    }
}

impl AskError {
    /// The same as what is told of a request that was not carried out.
    pub fn failure(&self, lang: Lang) -> Failure {
        let kind = match self {
            AskError::NoNode(_) => FailureKind::NotFound,
            AskError::Busy | AskError::Client(_) | AskError::Node { .. } => FailureKind::Busy,
        };
        Failure { kind, text: self.text(lang) }
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
    here: Room,
    far: Room,
    known: Mutex<Known>,
}

/// Room for requests at the same time: those that end by themselves, those that do not, and those that end
/// when somebody has taken a whole log.
#[derive(Debug)]
struct Room {
    short: Arc<Semaphore>,
    long: Arc<Semaphore>,
    whole: Arc<Semaphore>,
}

/// The nodes of the cluster as they were said last.
#[derive(Debug, Default)]
struct Known {
    rows: Option<(Instant, Arc<[NodeRow]>)>,
    /// Counts how often they were forgotten: what was asked before counts no more.
    forgotten: u64,
}

impl Room {
    fn new(short: usize, long: usize) -> Room {
        let room = |size| Arc::new(Semaphore::new(size));
        Room { short: room(short), long: room(long), whole: room(WHOLE) }
    }

    /// The one for a request.
    fn of(&self, request: &Request) -> &Arc<Semaphore> {
        match request {
            Request::Log { follow: true, .. }
            | Request::CmdLog { follow: true, .. }
            | Request::Wait { .. }
            | Request::Watch { .. } => &self.long,
            Request::Log { count, .. } if count.is_none_or(|count| count > PART) => &self.whole,
            _ => &self.short,
        }
    }

    /// A place among the requests that may go on at the same time.
    async fn turn(&self, request: &Request) -> Result<OwnedSemaphorePermit, AskError> {
        let room = self.of(request);
        // The semaphores are never closed: only the time can end this wait.
        match timeout(TURN, room.clone().acquire_owned()).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) | Err(_) => Err(AskError::Busy),
        }
    }
}

impl Asker {
    /// One that asks this node by the socket of its safeadmin, and others by their web services, which
    /// are reached as that of this node.
    pub fn new(paths: &Paths, service: Service) -> Asker {
        Asker(Arc::new(Inner {
            socket: paths.admin_socket(),
            way: Way::new(paths, service),
            here: Room::new(SHORT, LONG),
            far: Room::new(FAR_SHORT, FAR_LONG),
            known: Mutex::default(),
        }))
    }

    /// Asks one request; the answer comes piece by piece. A dropped answer hangs up.
    pub async fn ask(
        &self,
        place: &Place,
        behalf: Behalf,
        request: Request,
        attachment: impl Into<Bytes>,
    ) -> Result<Answer, AskError> {
        let attachment = attachment.into();
        match place {
            Place::Here => self.here(behalf, &request, attachment).await,
            Place::Node(node) => match self.row(node).await? {
                row if row.me => self.here(behalf, &request, attachment).await,
                row => self.far(&row, behalf, &request, attachment).await,
            },
        }
    }

    /// Version of the node at an address, which need not be in the cluster yet.
    pub async fn look(&self, address: &Address, behalf: Behalf) -> Result<LevelReport, Told> {
        let request = Request::Level { module: None };
        let _turn = self.0.far.turn(&request).await.map_err(|e| e.told())?;
        let answer = self.0.way.ask_address(address, behalf, &request).await.map_err(|NoWay(why)| why)?;
        let finished = answer.finish().await.map_err(|e| {
            let mut why = told!("{address}: ", "{address} : ");
            why += e.told();
            why
        })?;
        let level = finished.replies.into_iter().find_map(|reply| match reply {
            Reply::Level(level) => Some(level),
            _ => None,
        });
        level.ok_or_else(|| told!("{address} does not say what it is", "{address} ne dit pas ce qu'il est"))
    }

    /// The nodes of the cluster, as this one knows them now; none without a cluster.
    pub async fn nodes(&self) -> Result<Arc<[NodeRow]>, AskError> {
        let forgotten = self.known().forgotten;
        let answer = self.here(Here::behalf(), &Request::Nodes, Bytes::new()).await?.finish().await?;
        let rows = answer.replies.into_iter().filter_map(|reply| match reply {
            Reply::Nodes(rows) => Some(rows),
            _ => None,
        });
        let rows: Arc<[NodeRow]> = rows.flatten().collect();
        let mut known = self.known();
        if known.forgotten == forgotten {
            known.rows = Some((Instant::now(), rows.clone()));
        }
        Ok(rows)
    }

    /// The cluster has changed, or nobody can say whether it has.
    pub(super) fn forget_nodes(&self) {
        let mut known = self.known();
        known.rows = None;
        known.forgotten += 1;
    }

    /// What the cluster knows of a node: its address above all.
    async fn row(&self, node: &NodeName) -> Result<NodeRow, AskError> {
        let find = |rows: &[NodeRow]| rows.iter().find(|row| row.node == *node).cloned();
        let known = self.known().rows.clone().filter(|(since, _)| since.elapsed() < FRESH);
        if let Some(row) = known.and_then(|(_, rows)| find(&rows)) {
            return Ok(row);
        }
        find(&self.nodes().await?).ok_or_else(|| AskError::NoNode(node.clone()))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        lock(&self.0.known)
    }

    async fn far(
        &self,
        row: &NodeRow,
        behalf: Behalf,
        request: &Request,
        attachment: Bytes,
    ) -> Result<Answer, AskError> {
        let turn = self.0.far.turn(request).await?;
        let asked = self.0.way.ask(row, behalf, request, attachment).await;
        let answer = asked.map_err(|NoWay(why)| AskError::Node { node: row.node.clone(), why })?;
        Ok(answer.holding(turn))
    }

    async fn here(&self, behalf: Behalf, request: &Request, attachment: Bytes) -> Result<Answer, AskError> {
        let turn = self.0.here.turn(request).await?;
        let answer = async_client::call(&self.0.socket, Some(behalf), request, &attachment).await?;
        Ok(answer.holding(turn))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Lang, LogFilter};

    fn log(count: Option<u32>) -> Request {
        let module = "m".parse().unwrap();
        let (lang, filter) = (Lang::En, LogFilter::default());
        Request::Log { module, count, all: false, lang, follow: false, before: None, filter }
    }

    #[tokio::test(start_paused = true)]
    async fn whole_logs_take_no_room_of_other_requests() {
        let room = Room::new(SHORT, LONG);
        let mut held = Vec::new();
        for count in [None, Some(PART + 1), Some(u32::MAX)].into_iter().cycle().take(WHOLE) {
            held.push(room.turn(&log(count)).await.unwrap());
        }
        assert!(matches!(room.turn(&log(None)).await, Err(AskError::Busy)));
        for request in [log(Some(PART)), Request::Nodes, Request::Level { module: None }] {
            held.push(room.turn(&request).await.unwrap());
        }
        assert_eq!(room.short.available_permits(), SHORT - 3);
        drop(held.remove(0));
        drop(room.turn(&log(None)).await.unwrap());
    }
}

//! One watch of each thing that somebody looks at, shared by all who do.

use crate::control::async_client::Piece;
use crate::control::{LogLine, NodeRow, Overview, Reply, Request, StateReport};
use crate::ids::ModuleName;
use crate::log::Lang;
use crate::web::Web;
use crate::web::ask::{Asker, Place};
use crate::web::here::Here;
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{broadcast, watch};

/// Pause before a lost node is asked again; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
/// The tunnel gives a sign of life each second: a node that gives none for so long is lost.
const SILENCE: Duration = Duration::from_secs(4);
/// The local socket gives one every 5 s.
const SILENCE_HERE: Duration = Duration::from_secs(12);
/// How often the list of nodes is looked at without a reason.
const LOOK: Duration = Duration::from_secs(10);
/// Batches of log lines that a slow console may be behind.
const BEHIND: usize = 256;

/// The latest of something that is watched.
#[derive(Debug)]
pub struct Feed<T> {
    /// What was said last.
    pub value: Option<Arc<T>>,
    /// Why nothing is heard since.
    pub error: Option<Arc<str>>,
}

impl<T> Clone for Feed<T> {
    fn clone(&self) -> Self {
        Feed { value: self.value.clone(), error: self.error.clone() }
    }
}

impl<T> Default for Feed<T> {
    fn default() -> Self {
        Feed { value: None, error: None }
    }
}

impl<T> Feed<T> {
    /// Both are of the same moment.
    pub fn same(&self, other: &Feed<T>) -> bool {
        let value = match (&self.value, &other.value) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            (a, b) => a.is_none() && b.is_none(),
        };
        value && self.error == other.error
    }
}

/// The log of a module, in a form.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LogTopic {
    /// The module.
    pub module: ModuleName,
    /// Verbose messages too.
    pub all: bool,
    /// Language of the texts.
    pub lang: Lang,
}

/// News of a log.
#[derive(Clone, Debug)]
pub enum Lines {
    /// New messages.
    New(Arc<Vec<LogLine>>),
    /// The node does not answer any more.
    Lost(Arc<str>),
}

/// The nodes of the cluster by name; one without a cluster has an empty name.
pub type Nodes = Arc<BTreeMap<String, Feed<Overview>>>;

type Shared<K, V> = Mutex<HashMap<K, V>>;

/// All watches of a server. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct Hub(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    cluster: Mutex<Option<watch::Sender<Nodes>>>,
    nodes: Shared<Place, watch::Sender<Feed<Overview>>>,
    modules: Shared<(Place, ModuleName), watch::Sender<Feed<StateReport>>>,
    logs: Shared<(Place, LogTopic), broadcast::Sender<Lines>>,
}

impl Hub {
    /// The nodes of the cluster, each as it is.
    pub fn cluster(&self, web: &Web) -> watch::Receiver<Nodes> {
        let mut cluster = lock(&self.0.cluster);
        if let Some(sender) = &*cluster {
            return sender.subscribe();
        }
        let (sender, receiver) = watch::channel(Nodes::default());
        *cluster = Some(sender.clone());
        let (hub, web) = (self.clone(), web.clone());
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = sender.closed() => {}
                    () = hub.gather(&web, &sender) => {}
                }
                let mut cluster = lock(&hub.0.cluster);
                // Somebody may have come meanwhile.
                if sender.receiver_count() == 0 {
                    *cluster = None;
                    return;
                }
            }
        });
        receiver
    }

    /// A node as it is.
    pub fn node(&self, web: &Web, place: &Place) -> watch::Receiver<Feed<Overview>> {
        let request = Request::Watch { module: None };
        self.watched(
            |inner| &inner.nodes,
            place.clone(),
            web,
            place,
            request,
            |reply| match reply {
                Reply::Overview(overview) => Some(overview),
                _ => None,
            },
        )
    }

    /// A module of a node as it is.
    pub fn module(&self, web: &Web, place: &Place, module: ModuleName) -> watch::Receiver<Feed<StateReport>> {
        let request = Request::Watch { module: Some(module.clone()) };
        self.watched(
            |inner| &inner.modules,
            (place.clone(), module),
            web,
            place,
            request,
            |reply| match reply {
                Reply::State(states) => states.into_iter().next(),
                _ => None,
            },
        )
    }

    fn watched<K, T>(
        &self,
        map: fn(&Inner) -> &Shared<K, watch::Sender<Feed<T>>>,
        key: K,
        web: &Web,
        place: &Place,
        request: Request,
        pick: fn(Reply) -> Option<T>,
    ) -> watch::Receiver<Feed<T>>
    where
        K: Clone + Eq + Hash + Send + 'static,
        T: Send + Sync + 'static,
    {
        let mut watches = lock(map(&self.0));
        if let Some(sender) = watches.get(&key) {
            return sender.subscribe();
        }
        let (sender, receiver) = watch::channel(Feed::default());
        watches.insert(key.clone(), sender.clone());
        let (hub, asker, place) = (self.clone(), web.asker.clone(), place.clone());
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = sender.closed() => {}
                    () = follow(&asker, &place, &request, &sender, pick) => {}
                }
                let mut watches = lock(map(&hub.0));
                if sender.receiver_count() == 0 {
                    watches.remove(&key);
                    return;
                }
            }
        });
        receiver
    }

    /// New messages of a log.
    pub fn log(&self, web: &Web, place: &Place, topic: LogTopic) -> broadcast::Receiver<Lines> {
        let key = (place.clone(), topic.clone());
        let mut logs = lock(&self.0.logs);
        if let Some(sender) = logs.get(&key) {
            return sender.subscribe();
        }
        let (sender, receiver) = broadcast::channel(BEHIND);
        logs.insert(key.clone(), sender.clone());
        let (hub, asker, place) = (self.clone(), web.asker.clone(), place.clone());
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = sender.closed() => {}
                    why = follow_log(&asker, &place, &topic, &sender) => {
                        // Those who listen read the past again when they come back.
                        let mut logs = lock(&hub.0.logs);
                        logs.remove(&key);
                        let _nobody = sender.send(Lines::Lost(why));
                        return;
                    }
                }
                let mut logs = lock(&hub.0.logs);
                if sender.receiver_count() == 0 {
                    logs.remove(&key);
                    return;
                }
            }
        });
        receiver
    }

    /// Keeps the map of all nodes, for as long as it is looked at.
    async fn gather(&self, web: &Web, sender: &watch::Sender<Nodes>) {
        let mut here = self.node(web, &Place::Here);
        let mut others: BTreeMap<String, watch::Receiver<Feed<Overview>>> = BTreeMap::new();
        loop {
            let local = here.borrow_and_update().clone();
            let rows = rows(&web.asker, &local).await;
            if let Some(rows) = rows {
                others.retain(|name, _| rows.iter().any(|row| !row.me && row.node.as_str() == name));
                for row in rows.iter().filter(|row| !row.me) {
                    let watch = || self.node(web, &Place::Node(row.node.clone()));
                    others.entry(row.node.to_string()).or_insert_with(watch);
                }
            }
            let until = tokio::time::Instant::now() + LOOK;
            loop {
                let local = here.borrow_and_update().clone();
                let signature = cluster_signature(&local);
                publish(sender, &local, &mut others);
                let changed = tokio::time::timeout_at(until, changed(&mut here, &mut others)).await;
                if changed.is_err() || cluster_signature(&here.borrow()) != signature {
                    break;
                }
            }
        }
    }
}

fn cluster_signature(local: &Feed<Overview>) -> Option<String> {
    Some(local.value.as_ref()?.cluster.as_ref()?.signature.clone())
}

/// Tells everything that is known now.
fn publish(
    sender: &watch::Sender<Nodes>,
    local: &Feed<Overview>,
    others: &mut BTreeMap<String, watch::Receiver<Feed<Overview>>>,
) {
    let mut nodes: BTreeMap<String, Feed<Overview>> =
        others.iter_mut().map(|(name, feed)| (name.clone(), feed.borrow_and_update().clone())).collect();
    let name = local.value.as_ref().and_then(|o| o.node.as_ref()).map(ToString::to_string);
    nodes.insert(name.unwrap_or_default(), local.clone());
    sender.send_replace(Arc::new(nodes));
}

/// Waits until one of them has something new.
async fn changed(
    here: &mut watch::Receiver<Feed<Overview>>,
    others: &mut BTreeMap<String, watch::Receiver<Feed<Overview>>>,
) {
    // Their senders live as long as these receivers.
    let all = std::iter::once(here).chain(others.values_mut()).map(|feed| Box::pin(feed.changed()));
    let _first = futures_util::future::select_all(all).await;
}

/// The nodes of the cluster; none when this node cannot say.
async fn rows(asker: &Asker, local: &Feed<Overview>) -> Option<Vec<NodeRow>> {
    if local.value.is_none() || local.error.is_some() {
        return None;
    }
    let answer = asker.ask(&Place::Here, Here::behalf(), Request::Nodes, Vec::new()).await.ok()?;
    let finished = answer.finish().await.ok()?;
    finished.replies.into_iter().find_map(|reply| match reply {
        Reply::Nodes(rows) => Some(rows),
        _ => None,
    })
}

/// Follows something for as long as somebody looks; a lost node is asked again and again.
async fn follow<T>(
    asker: &Asker,
    place: &Place,
    request: &Request,
    sender: &watch::Sender<Feed<T>>,
    pick: fn(Reply) -> Option<T>,
) {
    let mut pause = FIRST_PAUSE;
    loop {
        let mut heard = false;
        let why = stream(asker, place, request, |reply| {
            if let Some(value) = pick(reply) {
                heard = true;
                sender.send_replace(Feed { value: Some(Arc::new(value)), error: None });
            }
        });
        let why = why.await;
        sender.send_if_modified(|feed| feed.error.replace(why.clone()).as_deref() != Some(&*why));
        pause = if heard { FIRST_PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
        tokio::time::sleep(pause).await;
    }
}

/// Follows a log until its node is lost; returns why.
async fn follow_log(
    asker: &Asker,
    place: &Place,
    topic: &LogTopic,
    sender: &broadcast::Sender<Lines>,
) -> Arc<str> {
    let LogTopic { module, all, lang } = topic.clone();
    let request = Request::Log { module, count: Some(0), all, lang, follow: true, before: None };
    stream(asker, place, &request, |reply| {
        if let Reply::Log(lines) = reply {
            // Nobody listens: the watch ends.
            let _nobody = sender.send(Lines::New(Arc::new(lines)));
        }
    })
    .await
}

/// Hands on what is said until it ends; returns why it did.
async fn stream(asker: &Asker, place: &Place, request: &Request, mut each: impl FnMut(Reply)) -> Arc<str> {
    let silence = match place {
        Place::Here => SILENCE_HERE,
        Place::Node(_) => SILENCE,
    };
    let mut answer = match asker.ask(place, Here::behalf(), request.clone(), Vec::new()).await {
        Ok(answer) => answer.within(silence),
        Err(error) => return error.to_string().into(),
    };
    let mut said = None;
    loop {
        match answer.next().await {
            Ok(Some(Piece::Reply(Reply::Error(failure)))) => said = Some(failure.text),
            Ok(Some(Piece::Reply(reply))) => each(reply),
            Ok(Some(Piece::Chunk(_))) => {}
            Ok(None) => return said.unwrap_or_else(|| "the node has ended the watch".to_owned()).into(),
            Err(error) => return error.to_string().into(),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it holds one of these, and a map is whole after every step.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! One watch of each thing that somebody looks at, shared by all who do.

use super::follow::{follow, follow_log};
use crate::control::{Failure, LogLine, NodeRow, Overview, Reply, Request, StateReport};
use crate::ids::ModuleName;
use crate::lock::lock;
use crate::log::Lang;
use crate::node::level;
use crate::web::ask::{Asker, Place};
use futures_util::StreamExt;
use futures_util::stream::{BoxStream, unfold};
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{broadcast, watch};

/// How often the list of nodes is looked at without a reason.
const LOOK: Duration = Duration::from_secs(10);
/// Batches of log lines that a slow console may be behind.
const BEHIND: usize = 256;
/// Lines of the past with which a watch of a log begins: what was written while it began is among them.
pub(super) const CAUGHT_UP: u32 = 200;

/// The latest of something that is watched.
#[derive(Debug)]
pub struct Feed<T> {
    /// What was said last.
    pub value: Option<Arc<T>>,
    /// Why nothing is heard since.
    pub error: Option<Arc<Failure>>,
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
    /// What it is now, as far as somebody knows.
    pub fn living(&self) -> Option<Arc<T>> {
        self.value.clone().filter(|_| self.error.is_none())
    }

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

/// What is watched: where, in which language, and what.
pub(super) struct Order {
    /// The node.
    pub place: Place,
    /// Of the texts.
    pub lang: Lang,
    /// What is asked.
    pub request: Request,
}

/// News of a log.
#[derive(Clone, Debug)]
pub enum Lines {
    /// New messages.
    New(Arc<Vec<LogLine>>),
    /// The node does not answer any more.
    Lost(Arc<str>),
}

/// A module as it is; none while it is installed only.
pub type ModuleState = Option<StateReport>;

/// The nodes of the cluster by name; one without a cluster has an empty name, and this one its host name as long
/// as it has not said what it is.
pub type Nodes = Arc<BTreeMap<String, Feed<Overview>>>;

type Shared<K, V> = Mutex<HashMap<K, V>>;

/// All watches of a server. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Hub(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    asker: Asker,
    cluster: Shared<Lang, watch::Sender<Nodes>>,
    nodes: Shared<(Place, Lang), watch::Sender<Feed<Overview>>>,
    modules: Shared<(Place, ModuleName, Lang), watch::Sender<Feed<ModuleState>>>,
    logs: Shared<(Place, LogTopic), broadcast::Sender<Lines>>,
}

impl Hub {
    /// One that watches nothing yet.
    pub fn new(asker: &Asker) -> Hub {
        Hub(Arc::new(Inner {
            asker: asker.clone(),
            cluster: Mutex::default(),
            nodes: Mutex::default(),
            modules: Mutex::default(),
            logs: Mutex::default(),
        }))
    }

    /// The nodes of the cluster, each as it is.
    pub fn cluster(&self, lang: Lang) -> watch::Receiver<Nodes> {
        let mut clusters = lock(&self.0.cluster);
        if let Some(sender) = clusters.get(&lang) {
            return sender.subscribe();
        }
        let (sender, receiver) = watch::channel(Nodes::default());
        clusters.insert(lang, sender.clone());
        let hub = self.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = sender.closed() => {}
                    () = hub.gather(lang, &sender) => {}
                }
                let mut clusters = lock(&hub.0.cluster);
                // Somebody may have come meanwhile.
                if sender.receiver_count() == 0 {
                    clusters.remove(&lang);
                    return;
                }
            }
        });
        receiver
    }

    /// A node as it is.
    pub fn node(&self, place: &Place, lang: Lang) -> watch::Receiver<Feed<Overview>> {
        let (place, request) = (self.place(place), Request::Watch { module: None });
        self.watched(
            |inner| &inner.nodes,
            (place.clone(), lang),
            Order { place, lang, request },
            |reply| match reply {
                Reply::Overview(overview) => Some(overview),
                _ => None,
            },
        )
    }

    /// A module of a node as it is.
    pub fn module(
        &self,
        place: &Place,
        module: ModuleName,
        lang: Lang,
    ) -> watch::Receiver<Feed<ModuleState>> {
        let (place, request) = (self.place(place), Request::Watch { module: Some(module.clone()) });
        self.watched(
            |inner| &inner.modules,
            (place.clone(), module, lang),
            Order { place, lang, request },
            |reply| match reply {
                Reply::State(states) => Some(states.into_iter().next()),
                _ => None,
            },
        )
    }

    /// What another node watches of this one, if the request is such: it shares the watch of all who do.
    pub fn answer(&self, request: &Request, lang: Lang) -> Option<Told> {
        match request {
            Request::Watch { module: None } => Some(told(self.node(&Place::Here, lang), Reply::Overview)),
            Request::Watch { module: Some(module) } => {
                let state = |state: ModuleState| Reply::State(state.into_iter().collect());
                Some(told(self.module(&Place::Here, module.clone(), lang), state))
            }
            _ => None,
        }
    }

    /// How much is watched: nodes, modules and logs.
    #[cfg(test)]
    pub fn watches(&self) -> usize {
        lock(&self.0.nodes).len() + lock(&self.0.modules).len() + lock(&self.0.logs).len()
    }

    /// The place by which a node is watched: this one has a name too.
    fn place(&self, place: &Place) -> Place {
        let own = |name| {
            let nodes = lock(&self.0.nodes);
            let here = nodes.get(&(Place::Here, Lang::En)).and_then(|here| here.borrow().living());
            here.is_some_and(|here| here.node.as_ref() == Some(name))
        };
        match place {
            Place::Node(name) if !own(name) => place.clone(),
            Place::Node(_) | Place::Here => Place::Here,
        }
    }

    fn watched<K, T>(
        &self,
        map: fn(&Inner) -> &Shared<K, watch::Sender<Feed<T>>>,
        key: K,
        order: Order,
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
        let hub = self.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = sender.closed() => {}
                    () = follow(&hub.0.asker, &order, &sender, pick) => {}
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
    pub fn log(&self, place: &Place, topic: LogTopic) -> broadcast::Receiver<Lines> {
        let place = self.place(place);
        let key = (place.clone(), topic.clone());
        let mut logs = lock(&self.0.logs);
        if let Some(sender) = logs.get(&key) {
            return sender.subscribe();
        }
        let (sender, receiver) = broadcast::channel(BEHIND);
        logs.insert(key.clone(), sender.clone());
        let hub = self.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = sender.closed() => {}
                    why = follow_log(&hub.0.asker, &place, &topic, &sender) => {
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
    async fn gather(&self, lang: Lang, sender: &watch::Sender<Nodes>) {
        let mut here = self.node(&Place::Here, lang);
        let mut others: BTreeMap<String, watch::Receiver<Feed<Overview>>> = BTreeMap::new();
        loop {
            let local = here.borrow_and_update().clone();
            let rows = rows(&self.0.asker, &local).await;
            if let Some(rows) = rows {
                others.retain(|name, _| rows.iter().any(|row| !row.me && row.node.as_str() == name));
                for row in rows.iter().filter(|row| !row.me) {
                    let watch = || self.node(&Place::Node(row.node.clone()), lang);
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

/// Tells everything that is known now. Of this node nothing is as long as it is asked for the first time.
fn publish(
    sender: &watch::Sender<Nodes>,
    local: &Feed<Overview>,
    others: &mut BTreeMap<String, watch::Receiver<Feed<Overview>>>,
) {
    let mut nodes: BTreeMap<String, Feed<Overview>> =
        others.iter_mut().map(|(name, feed)| (name.clone(), feed.borrow_and_update().clone())).collect();
    let name = match (&local.value, &local.error) {
        (Some(said), _) => Some(said.node.as_ref().map(ToString::to_string).unwrap_or_default()),
        (None, Some(_)) => Some(level::hostname()),
        (None, None) => None,
    };
    nodes.extend(name.map(|name| (name, local.clone())));
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
async fn rows(asker: &Asker, local: &Feed<Overview>) -> Option<Arc<[NodeRow]>> {
    local.living()?;
    asker.nodes().await.ok()
}

/// What a watch tells another node, until it is lost; then why.
pub type Told = BoxStream<'static, Result<Reply, Arc<Failure>>>;

fn told<T: Clone + Send + Sync + 'static>(mut feed: watch::Receiver<Feed<T>>, reply: fn(T) -> Reply) -> Told {
    // What it shows already is told too.
    feed.mark_changed();
    let next = move |mut feed: watch::Receiver<Feed<T>>| async move {
        loop {
            // The watch lives as long as somebody looks.
            feed.changed().await.ok()?;
            let Feed { value, error } = feed.borrow_and_update().clone();
            match (error, value) {
                (Some(why), _) => return Some((Err(why), feed)),
                (None, Some(value)) => return Some((Ok(reply(T::clone(&value))), feed)),
                (None, None) => {}
            }
        }
    };
    unfold(feed, next).boxed()
}

//! The hub: one watch for many, changes told, nothing kept for nobody.

use super::hub::{Feed, Lines, LogTopic, ModuleState};
use crate::config::paths::Paths;
use crate::control::server::{self, Backend, Call};
use crate::control::{
    Access, Behalf, ClusterOverview, FailureKind, LogLine, NodeRow, Overview, Reply, Request, StateReport,
};
use crate::fsm::state::{Readiness, Role};
use crate::ids::ModuleName;
use crate::log::{Lang, Level};
use crate::web::Web;
use crate::web::ask::Place;
use crate::web::settings::Settings;
use futures_util::StreamExt;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::watch;

/// A safeadmin that shows a number as its host name, for as long as it is watched; 0 ends the watches. The
/// number is the signature of its cluster too. Modules are configured while it is even, and not installed while
/// it is [`NOT_INSTALLED`].
struct Double {
    shown: watch::Sender<u32>,
    watches: Cell<u32>,
    asked: Cell<u32>,
    /// How often it was asked for the nodes.
    nodes: Cell<u32>,
}

impl Backend for Double {
    async fn handle(&self, call: Call) -> i32 {
        if call.request == Request::Nodes {
            self.nodes.set(self.nodes.get() + 1);
            return i32::from(call.sink.send(Reply::Nodes(vec![row()])).await.is_err());
        }
        self.asked.set(self.asked.get() + 1);
        self.watches.set(self.watches.get() + 1);
        let mut shown = self.shown.subscribe();
        loop {
            let number = *shown.borrow_and_update();
            if number == 0 {
                break;
            }
            let reply = match &call.request {
                Request::Watch { module: None } => Reply::Overview(overview(number)),
                Request::Watch { module: Some(_) } if number == NOT_INSTALLED => {
                    let _gone = call.sink.send(Reply::error(FailureKind::NotFound, "not installed")).await;
                    break;
                }
                Request::Watch { module: Some(module) } => {
                    Reply::State(number.is_multiple_of(2).then(|| report(module)).into_iter().collect())
                }
                Request::Log { .. } => Reply::Log(vec![line(number)]),
                _ => break,
            };
            if call.sink.send(reply).await.is_err() {
                break;
            }
            tokio::select! {
                _ = shown.changed() => {}
                () = call.sink.closed() => break,
            }
        }
        self.watches.set(self.watches.get() - 1);
        0
    }
}

const NOT_INSTALLED: u32 = 404;

fn report(module: &ModuleName) -> StateReport {
    StateReport {
        module: module.clone(),
        mode: "light".to_owned(),
        role: Role::Up,
        readiness: Readiness::Ready,
        remote: None,
        since: String::new(),
        reason: None,
        resources: Vec::new(),
        script: None,
    }
}

/// This node, as the cluster knows it.
fn row() -> NodeRow {
    NodeRow {
        node: "n1".parse().unwrap(),
        me: true,
        online: true,
        addresses: Vec::new(),
        command: "127.0.0.1".to_owned(),
        version: String::new(),
        signature: String::new(),
        date: String::new(),
        lock: false,
    }
}

fn overview(number: u32) -> Overview {
    let cluster =
        ClusterOverview { signature: number.to_string(), date: String::new(), lock: false, trouble: None };
    Overview {
        node: Some(row().node),
        host: number.to_string(),
        safekit: String::new(),
        time: 0,
        cluster: Some(cluster),
        modules: Vec::new(),
    }
}

fn line(number: u32) -> LogLine {
    LogLine {
        id: number.into(),
        date: String::new(),
        origin: "heart".to_owned(),
        level: Level::I,
        text: number.to_string(),
    }
}

fn scene() -> (tempfile::TempDir, Web, Rc<Double>) {
    let dir = tempfile::tempdir().unwrap();
    let paths = Paths::new(dir.path().join("safe"), dir.path().join("var"));
    std::fs::create_dir_all(paths.run()).unwrap();
    std::fs::create_dir_all(paths.safe.join("web/conf")).unwrap();
    let double = Rc::new(Double {
        shown: watch::channel(1).0,
        watches: Cell::new(0),
        asked: Cell::new(0),
        nodes: Cell::new(0),
    });
    let listener = server::bind(&paths.admin_socket()).unwrap();
    actix_web::rt::spawn(server::serve(listener, double.clone()));
    let settings = Settings::parse(&paths.safe.join("web/conf/httpd.conf"), "").unwrap();
    (dir, Web::new(paths, settings, false).unwrap(), double)
}

/// Waits for a feed to show a number.
async fn shows(feed: &mut watch::Receiver<Feed<Overview>>, number: u32) {
    let wanted = number.to_string();
    let seen =
        |feed: &Feed<Overview>| feed.value.as_ref().is_some_and(|o| o.host == wanted) && feed.error.is_none();
    tokio::time::timeout(Duration::from_secs(30), feed.wait_for(seen)).await.unwrap().unwrap();
}

#[actix_web::test]
async fn many_consoles_share_one_watch_that_ends_with_the_last() {
    let (_dir, web, double) = scene();
    let mut first = web.hub.node(&Place::Here, Lang::En);
    let mut others: Vec<_> = (0..50).map(|_| web.hub.node(&Place::Here, Lang::En)).collect();
    shows(&mut first, 1).await;
    double.shown.send_replace(2);
    for feed in &mut others {
        shows(feed, 2).await;
    }
    assert_eq!((double.asked.get(), double.watches.get()), (1, 1));
    drop((first, others));
    while double.watches.get() > 0 {
        tokio::task::yield_now().await;
    }
    let mut again = web.hub.node(&Place::Here, Lang::En);
    shows(&mut again, 2).await;
    assert_eq!(double.asked.get(), 2);
}

#[actix_web::test]
async fn a_node_that_is_lost_is_told_with_what_it_said_last_and_comes_back() {
    let (dir, web, double) = scene();
    let mut feed = web.hub.node(&Place::Here, Lang::En);
    shows(&mut feed, 1).await;
    let socket = web.paths.admin_socket();
    let gone = dir.path().join("gone");
    std::fs::rename(&socket, &gone).unwrap();
    double.shown.send_replace(0);
    let lost = |feed: &Feed<Overview>| feed.error.is_some();
    let last =
        tokio::time::timeout(Duration::from_secs(30), feed.wait_for(lost)).await.unwrap().unwrap().clone();
    assert_eq!(last.value.unwrap().host, "1");
    double.shown.send_replace(8);
    std::fs::rename(&gone, &socket).unwrap();
    shows(&mut feed, 8).await;
}

#[actix_web::test]
async fn a_cluster_of_one_node_has_that() {
    let (_dir, web, _double) = scene();
    let mut nodes = web.hub.cluster(Lang::En);
    let seen = |nodes: &super::hub::Nodes| nodes.get("n1").is_some_and(|feed| feed.value.is_some());
    let found =
        tokio::time::timeout(Duration::from_secs(30), nodes.wait_for(seen)).await.unwrap().unwrap().clone();
    assert_eq!(found.len(), 1);
}

/// What was said of a module does not outlive its configuration, here and at other nodes.
#[actix_web::test]
async fn a_module_that_is_not_configured_any_more_has_no_state() {
    let (_dir, web, double) = scene();
    let module: ModuleName = "m".parse().unwrap();
    let mut feed = web.hub.module(&Place::Here, module.clone(), Lang::En);
    let mut shows = async |wanted: fn(&Feed<ModuleState>) -> bool| {
        tokio::time::timeout(Duration::from_secs(30), feed.wait_for(wanted)).await.unwrap().unwrap().clone()
    };
    let unconfigured = |feed: &Feed<ModuleState>| matches!(feed.value.as_deref(), Some(None));
    let mut told = web.hub.answer(&Request::Watch { module: Some(module.clone()) }, Lang::En).unwrap();
    shows(unconfigured).await;
    assert!(matches!(told.next().await, Some(Ok(Reply::State(states))) if states.is_empty()));
    double.shown.send_replace(2);
    shows(|feed| matches!(feed.value.as_deref(), Some(Some(_)))).await;
    assert!(matches!(told.next().await, Some(Ok(Reply::State(states))) if states == [report(&module)]));
    double.shown.send_replace(3);
    shows(unconfigured).await;
    assert!(matches!(told.next().await, Some(Ok(Reply::State(states))) if states.is_empty()));
    double.shown.send_replace(NOT_INSTALLED);
    let gone = shows(|feed| feed.error.is_some()).await;
    assert_eq!((gone.error.unwrap().text.as_str(), gone.value.is_none()), ("not installed", true));
}

/// The cluster begins with what is known: with nothing, or with the host name of a node that does not answer.
#[actix_web::test]
async fn a_node_that_has_said_nothing_goes_by_its_host_name() {
    let (dir, web, _double) = scene();
    let (socket, gone) = (web.paths.admin_socket(), dir.path().join("gone"));
    std::fs::rename(&socket, &gone).unwrap();
    let mut nodes = web.hub.cluster(Lang::En);
    let mut seen = Vec::new();
    let begun = std::time::Instant::now();
    while !seen.contains(&vec!["n1".to_owned()]) {
        assert!(begun.elapsed() < Duration::from_secs(30), "{seen:?}");
        nodes.changed().await.unwrap();
        let now = nodes.borrow_and_update().clone();
        seen.push(now.keys().cloned().collect::<Vec<_>>());
        if now.values().any(|feed| feed.error.is_some()) && gone.exists() {
            std::fs::rename(&gone, &socket).unwrap();
        }
    }
    let host = crate::node::level::hostname();
    let known = [vec![], vec![host.clone()], vec!["n1".to_owned()]];
    assert!(seen.iter().all(|names| known.contains(names)) && seen.contains(&vec![host]), "{seen:?}");
}

#[actix_web::test]
async fn log_lines_reach_all_who_listen() {
    let (_dir, web, double) = scene();
    let topic = LogTopic { module: "m".parse().unwrap(), all: false, lang: Lang::En };
    let mut a = web.hub.log(&Place::Here, topic.clone());
    let mut b = web.hub.log(&Place::Here, topic);
    for listener in [&mut a, &mut b] {
        let news = tokio::time::timeout(Duration::from_secs(30), listener.recv()).await.unwrap().unwrap();
        assert!(matches!(news, Lines::New(lines) if lines[0].id == 1));
    }
    double.shown.send_replace(5);
    for listener in [&mut a, &mut b] {
        let news = tokio::time::timeout(Duration::from_secs(30), listener.recv()).await.unwrap().unwrap();
        assert!(matches!(news, Lines::New(lines) if lines[0].id == 5));
    }
    assert_eq!(double.asked.get(), 1);
}

#[actix_web::test]
async fn health_checks_consoles_and_other_nodes_share_one_watch() {
    let (_dir, web, double) = scene();
    web.here.keep(&web.hub, &web.asker);
    let by_name = Place::Node(row().node);
    let mut here = web.hub.node(&Place::Here, Lang::En);
    shows(&mut here, 1).await;
    let mut named = web.hub.node(&by_name, Lang::En);
    shows(&mut named, 1).await;
    let mut told = web.hub.answer(&Request::Watch { module: None }, Lang::En).unwrap();
    assert!(matches!(told.next().await, Some(Ok(Reply::Overview(o))) if o.host == "1"));
    assert_eq!(web.here.now().unwrap().host, "1");
    double.shown.send_replace(2);
    assert!(matches!(told.next().await, Some(Ok(Reply::Overview(o))) if o.host == "2"));
    assert_eq!((double.asked.get(), double.watches.get()), (1, 1));
    // A safeadmin that ends is told to another node, which asks again.
    double.shown.send_replace(0);
    assert!(matches!(told.next().await, Some(Err(_))));
    assert!(web.hub.answer(&Request::Nodes, Lang::En).is_none());
}

#[actix_web::test]
async fn the_nodes_are_asked_for_when_the_cluster_changes() {
    let (_dir, web, double) = scene();
    web.here.keep(&web.hub, &web.asker);
    let mut here = web.hub.node(&Place::Here, Lang::En);
    shows(&mut here, 1).await;
    let nodes = async || {
        let behalf = Behalf { user: "op@::1".to_owned(), access: Access::Monitor, lang: Lang::En };
        let asked = web.asker.ask(&Place::Node(row().node), behalf, Request::Ping, Vec::new()).await;
        asked.unwrap().finish().await.unwrap();
        double.nodes.get()
    };
    // They are forgotten once the watch of this node has begun.
    while nodes().await != nodes().await {}
    let before = nodes().await;
    for _ in 0..10 {
        assert_eq!(nodes().await, before);
    }
    double.shown.send_replace(2);
    tokio::time::timeout(Duration::from_secs(30), async { while nodes().await == before {} }).await.unwrap();
    let stranger = Place::Node("n9".parse().unwrap());
    let error =
        web.asker.ask(&stranger, super::super::here::Here::behalf(), Request::Nodes, Vec::new()).await;
    assert_eq!(error.unwrap_err().to_string(), "n9 is not a node of the cluster");
}

#[actix_web::test]
async fn nothing_is_left_when_the_consoles_have_gone() {
    let (_dir, web, double) = scene();
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    // One is there to begin with, so that what lasts is there too.
    let mut first = web.hub.node(&Place::Here, Lang::En);
    shows(&mut first, 1).await;
    let before = tasks();
    for _ in 0..3 {
        let module = |n: u32| format!("m{n}").parse().unwrap();
        let mut nodes = web.hub.cluster(Lang::En);
        let states: Vec<_> = (0..20).map(|n| web.hub.module(&Place::Here, module(n), Lang::En)).collect();
        let mut logs: Vec<_> = (0..20)
            .map(|n| web.hub.log(&Place::Here, LogTopic { module: module(n), all: false, lang: Lang::En }))
            .collect();
        nodes.changed().await.unwrap();
        for log in &mut logs {
            assert!(matches!(log.recv().await, Ok(Lines::New(_))));
        }
        assert!(tasks() > before && web.hub.watches() > 40);
        drop((nodes, states, logs));
        tokio::time::timeout(Duration::from_secs(30), async {
            while web.hub.watches() > 1 || double.watches.get() > 1 || tasks() > before {
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap();
    }
}

//! The hub: one watch for many, changes told, nothing kept for nobody.

use super::hub::{Feed, Lines, LogTopic};
use crate::config::paths::Paths;
use crate::control::server::{self, Backend, Call};
use crate::control::{LogLine, Overview, Reply, Request};
use crate::log::{Lang, Level};
use crate::web::Web;
use crate::web::ask::Place;
use crate::web::settings::Settings;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::watch;

/// A safeadmin that shows a number as its host name, for as long as it is watched; 0 ends the watches.
struct Double {
    shown: watch::Sender<u32>,
    watches: Cell<u32>,
    asked: Cell<u32>,
}

impl Backend for Double {
    async fn handle(&self, call: Call) -> i32 {
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

fn overview(number: u32) -> Overview {
    Overview {
        node: None,
        host: number.to_string(),
        safekit: String::new(),
        time: 0,
        cluster: None,
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
    let double = Rc::new(Double { shown: watch::channel(1).0, watches: Cell::new(0), asked: Cell::new(0) });
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
    let mut first = web.hub.node(&web, &Place::Here);
    let mut others: Vec<_> = (0..50).map(|_| web.hub.node(&web, &Place::Here)).collect();
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
    let mut again = web.hub.node(&web, &Place::Here);
    shows(&mut again, 2).await;
    assert_eq!(double.asked.get(), 2);
}

#[actix_web::test]
async fn a_node_that_is_lost_is_told_with_what_it_said_last_and_comes_back() {
    let (dir, web, double) = scene();
    let mut feed = web.hub.node(&web, &Place::Here);
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
async fn a_cluster_of_one_has_one_node() {
    let (_dir, web, _double) = scene();
    let mut nodes = web.hub.cluster(&web);
    let seen = |nodes: &super::hub::Nodes| nodes.get("").is_some_and(|feed| feed.value.is_some());
    let found =
        tokio::time::timeout(Duration::from_secs(30), nodes.wait_for(seen)).await.unwrap().unwrap().clone();
    assert_eq!(found.len(), 1);
}

#[actix_web::test]
async fn log_lines_reach_all_who_listen() {
    let (_dir, web, double) = scene();
    let topic = LogTopic { module: "m".parse().unwrap(), all: false, lang: Lang::En };
    let mut a = web.hub.log(&web, &Place::Here, topic.clone());
    let mut b = web.hub.log(&web, &Place::Here, topic);
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

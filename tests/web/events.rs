//! What event streams begin with, and what they say of what is not there.

use crate::double::{Double, overview};
use crate::service::{Browser, Service};
use reqwest::{Method, Response};
use safekit::fsm::state::{Readiness, Role};
use serde_json::Value;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

/// An event stream that is read.
struct Stream {
    response: Response,
    rest: String,
}

impl Stream {
    async fn open(service: &Service, browser: &Browser, path: &str, language: &str) -> Stream {
        let asked = service.request(Method::GET, &format!("/api/v1{path}"));
        let asked = asked.header("Cookie", &browser.cookie).header("Accept-Language", language);
        let response = asked.send().await.unwrap();
        assert_eq!(response.status(), 200);
        Stream { response, rest: String::new() }
    }

    /// The next event and its data.
    async fn next(&mut self) -> (String, Value) {
        loop {
            if let Some((event, rest)) = self.rest.split_once("\n\n") {
                let line =
                    |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
                let told = line("event: ").zip(line("data: "));
                self.rest = rest.to_owned();
                if let Some((event, data)) = told {
                    return (event, serde_json::from_str(&data).unwrap());
                }
                continue;
            }
            let chunk = tokio::time::timeout(PATIENCE, self.response.chunk()).await;
            let chunk = chunk.expect("an event comes").unwrap().expect("the stream goes on");
            self.rest += std::str::from_utf8(&chunk).unwrap();
        }
    }

    /// The next event of this name.
    async fn until(&mut self, wanted: &str) -> Value {
        loop {
            let (event, data) = self.next().await;
            if event == wanted {
                return data;
            }
        }
    }
}

#[tokio::test]
async fn a_module_without_configuration_is_told_first_and_has_no_old_state() {
    let service = Service::with_roles();
    let mut shown = overview(Role::Alone, Readiness::Ready, 1);
    let double = Double::start(&service.socket(), shown.clone());
    let browser = service.browser("operator1").await;
    let open = async |language| Stream::open(&service, &browser, "/modules/mirror/events", language).await;
    let mut first = open("en").await;
    let (event, state) = first.next().await;
    assert_eq!((event.as_str(), &state["role"]), ("state", &"ALONE".into()));

    shown.modules[0].configured = false;
    double.show(shown.clone());
    let told = [
        "module mirror is not configured: run \"safekit config -m mirror\"",
        "le module mirror n'est pas configuré : exécutez \"safekit config -m mirror\"",
    ];
    assert_eq!(first.until("unconfigured").await["error"], told[0]);
    for (language, told) in ["en", "fr"].into_iter().zip(told) {
        let (event, data) = open(language).await.next().await;
        assert_eq!((event.as_str(), data["error"].as_str()), ("unconfigured", Some(told)));
    }

    let module = shown.modules.remove(0);
    double.show(shown.clone());
    assert_eq!(first.until("lost").await["error"], "module mirror is not installed");
    let (event, _) = open("en").await.next().await;
    assert_eq!(event, "lost");

    // Installed again it begins anew.
    shown.modules.push(module);
    double.show(shown);
    first.until("unconfigured").await;
}

#[tokio::test]
async fn the_cluster_begins_with_a_name() {
    let service = Service::with_roles();
    let browser = service.browser("operator1").await;
    let mut events = Stream::open(&service, &browser, "/events", "en").await;
    let host = nix::unistd::gethostname().unwrap().into_string().unwrap();
    let (event, node) = events.next().await;
    assert_eq!((event.as_str(), node["node"].as_str()), ("node", Some(host.as_str())));
    assert_eq!((&node["reachable"], &node["overview"]), (&false.into(), &Value::Null));
    let _double = Double::start(&service.socket(), overview(Role::Stop, Readiness::NotReady, 1));
    let node = loop {
        let node = events.until("node").await;
        if node["reachable"] == true {
            break node;
        }
    };
    assert_eq!(node["node"], "node1");
    // It is one node.
    assert_eq!(events.until("gone").await["node"], host);

    let mut events = Stream::open(&service, &browser, "/events", "en").await;
    let (event, node) = events.next().await;
    assert_eq!((event.as_str(), node["node"].as_str()), ("node", Some("node1")));
}

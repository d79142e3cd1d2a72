//! Health checks, the mosaic and the metrics.

use crate::double::{Double, overview};
use crate::input::raw;
use crate::service::Service;
use crate::until;
use reqwest::StatusCode;
use safekit::fsm::state::{Readiness, Role};
use std::time::{Duration, Instant};

/// A connection without requests is kept longer than this.
const KEPT: Duration = Duration::from_secs(40);
const READY: &str = "/var/modules/mirror/ready.txt";

async fn status(service: &Service) -> u16 {
    service.get(READY).await.status().as_u16()
}

#[tokio::test]
async fn v_13_5a_ready_is_ok_only_where_clients_are_served() {
    let service = Service::with_roles();
    let double = Double::start(&service.socket(), overview(Role::Stop, Readiness::NotReady, 1));
    let states = [
        (Role::Prim, Readiness::Ready, 200),
        (Role::Prim, Readiness::Transient, 404),
        (Role::Alone, Readiness::Ready, 200),
        (Role::Second, Readiness::Ready, 404),
        (Role::Up, Readiness::Ready, 200),
        (Role::Wait, Readiness::NotReady, 404),
        (Role::Up, Readiness::Ready, 200),
        (Role::Stop, Readiness::NotReady, 404),
    ];
    for (role, readiness, expected) in states {
        double.show(overview(role, readiness, 7));
        until(&format!("{role} {readiness}"), async || status(&service).await == expected).await;
    }
    double.show(overview(Role::Alone, Readiness::Ready, 42));
    until("the number of the start", async || {
        let response = service.get(READY).await;
        response.headers().get("safekit-start").is_some_and(|start| start == "42")
    })
    .await;
    let ok = service.get(READY).await;
    assert_eq!(
        (ok.headers()["content-type"].clone(), ok.text().await.unwrap()),
        ("text/plain".parse().unwrap(), "OK".to_owned())
    );
    let other = service.get("/var/modules/other/ready.txt").await;
    assert_eq!(
        (other.status(), other.text().await.unwrap()),
        (StatusCode::NOT_FOUND, "NOT FOUND".to_owned())
    );
}

#[tokio::test]
async fn ready_is_never_that_of_a_safeadmin_that_is_gone() {
    let service = Service::with_roles();
    assert_eq!(status(&service).await, 404);
    let double = Double::start(&service.socket(), overview(Role::Alone, Readiness::Ready, 1));
    until("ready", async || status(&service).await == 200).await;
    drop(double);
    until("not found without safeadmin", async || status(&service).await == 404).await;
    let _back = Double::start(&service.socket(), overview(Role::Alone, Readiness::Ready, 2));
    until("ready again", async || status(&service).await == 200).await;
}

#[tokio::test]
async fn a_thousand_health_checks_are_one_request() {
    let service = Service::with_roles();
    let double = Double::start(&service.socket(), overview(Role::Prim, Readiness::Ready, 1));
    until("ready", async || status(&service).await == 200).await;
    for _ in 0..1000 {
        assert_eq!(status(&service).await, 200);
    }
    assert_eq!(double.watches(), 1);
}

#[tokio::test]
async fn the_mosaic_names_the_node() {
    let service = Service::with_roles();
    let _double = Double::start(&service.socket(), overview(Role::Up, Readiness::Ready, 1));
    let page = service.get("/safekit/mosaic.html").await;
    assert_eq!(page.status(), StatusCode::OK);
    assert!(page.text().await.unwrap().contains("Mosaic Test"));
    until("the node's name", async || {
        let tile = service.get("/safekit/tile?1").await;
        tile.json::<serde_json::Value>().await.unwrap()["node"] == "node1"
    })
    .await;
    // The connection is closed, so that the next one is balanced anew: else this would wait in vain.
    let begun = Instant::now();
    let answer = raw(&service, "GET /safekit/tile HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200") && begun.elapsed() < KEPT, "{answer}");
}

#[tokio::test]
async fn metrics_are_those_of_the_node() {
    let service = Service::start("Define usefile\nDefine openmetrics", &[]);
    let double = Double::start(&service.socket(), overview(Role::Second, Readiness::Ready, 1));
    let lines = async || service.get("/metrics").await.text().await.unwrap();
    let holds = async |line: &str| lines().await.lines().any(|l| l == line);
    until("the role", async || {
        holds("safekit_module_role{module=\"mirror\",safekit_module_role=\"SECOND\"} 1").await
    })
    .await;
    double.show(overview(Role::Alone, Readiness::Transient, 2));
    until("the takeover", async || holds("safekit_module_failovers_total{module=\"mirror\"} 1").await).await;
    double.show(overview(Role::Alone, Readiness::Ready, 4));
    until("its duration", async || holds("safekit_module_takeover_seconds{module=\"mirror\"} 2").await).await;
    assert!(holds("safekit_module_serves{module=\"mirror\"} 1").await);
    assert!(lines().await.ends_with("# EOF\n"));
}

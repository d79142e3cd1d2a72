//! Logs as files (WEB-31).

use crate::double::{Double, LOG_LINES, overview};
use crate::service::Service;
use reqwest::Method;
use safekit::control::Request;
use safekit::fsm::state::{Readiness, Role};
use safekit::log::{Level, LogFilter};

#[tokio::test]
async fn a_log_is_kept_whole() {
    let service = Service::with_roles();
    let _double = Double::start(&service.socket(), overview(Role::Prim, Readiness::Ready, 1));
    let lines = async |query: &str| {
        let path = format!("/api/v1/modules/mirror/log.txt{query}");
        let response = service.request(Method::GET, &path).basic_auth("operator1", Some("secret"));
        let response = response.send().await.unwrap();
        assert_eq!(response.status(), 200);
        let name = response.headers()["content-disposition"].to_str().unwrap().to_owned();
        assert!(name.contains("mirror.log.txt"), "{name}");
        let text = response.text().await.unwrap();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let whole = lines("?all=true&lang=fr").await;
    assert_eq!(whole.len(), usize::try_from(LOG_LINES).unwrap());
    assert_eq!(whole[0], "2024-02-13 09:03:12.000001 heart E message 1");
    assert_eq!(lines("?count=2").await, whole[whole.len() - 2..]);
}

#[tokio::test]
async fn older_messages_are_asked_for_by_level_and_word() {
    let service = Service::with_roles();
    let double = Double::start(&service.socket(), overview(Role::Prim, Readiness::Ready, 1));
    let ask = async |query: &str| {
        let path = format!("/api/v1/modules/mirror/log?{query}");
        let request = service.request(Method::GET, &path).basic_auth("operator1", Some("secret"));
        request.send().await.unwrap().status()
    };
    assert_eq!(ask("count=2&before=7&levels=C,E&text=Disk%20lost").await, 200);
    let filters: Vec<LogFilter> = double
        .asked()
        .into_iter()
        .filter_map(|(_, request)| match request {
            Request::Log { before: Some(7), filter, .. } => Some(filter),
            _ => None,
        })
        .collect();
    let wanted = LogFilter { levels: vec![Level::C, Level::E], text: "Disk lost".to_owned() };
    assert_eq!(filters, [wanted]);
    assert_eq!(ask("levels=Critical").await, 400);
}

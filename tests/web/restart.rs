//! Sessions over a restart of the service.

use crate::service::{Browser, OTHER, SECRET, Service};
use crate::until;
use reqwest::{Method, StatusCode};

const CONF: &str = "Define usefile\n";

async fn who(service: &Service, browser: &Browser) -> Option<String> {
    service.session(browser).await["user"].as_str().map(str::to_owned)
}

/// The file has this number of sessions.
async fn stored(service: &Service, number: usize) {
    let file = service.paths.web_sessions();
    let of = || std::fs::read_to_string(&file).unwrap_or_default().matches("\"key\"").count();
    until("the sessions are stored", async || of() == number).await;
}

async fn log_out(service: &Service, browser: &Browser) {
    let asked = service
        .request(Method::DELETE, "/api/v1/session")
        .header("Cookie", &browser.cookie)
        .header("X-SafeKit-CSRF", &browser.csrf);
    assert_eq!(asked.send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn who_is_logged_in_stays_so_unless_something_has_changed() {
    let service = Service::with_roles();
    let (admin, manager) = (service.browser("admin").await, service.browser("manager").await);
    stored(&service, 2).await;
    let service = service.again(CONF);
    assert_eq!(who(&service, &admin).await.as_deref(), Some("admin"));
    assert_eq!(who(&service, &manager).await.as_deref(), Some("manager"));
    // His page goes on with what it knows.
    log_out(&service, &manager).await;
    let service = service.again(CONF);
    assert_eq!(who(&service, &manager).await, None, "he has logged out");
    assert_eq!(who(&service, &admin).await.as_deref(), Some("admin"));

    let manager = service.browser("manager").await;
    stored(&service, 2).await;
    let users = format!("admin:{OTHER}\nmanager:{SECRET}\n");
    std::fs::write(service.paths.web_conf().join("user.conf"), users).unwrap();
    let service = service.again(CONF);
    assert_eq!(who(&service, &admin).await, None, "his password has changed");
    assert_eq!(who(&service, &manager).await.as_deref(), Some("manager"));
    let service = service.again("Define usefile\nDefine LogLevel debug\n");
    assert_eq!(who(&service, &manager).await, None, "the configuration has changed");
}

//! Sessions and tokens that are stolen, over, forged, or of somebody who is no user any more.

use crate::double::{Double, overview};
use crate::service::{Browser, OTHER, SECRET, Service};
use crate::until;
use reqwest::{Client, Method, StatusCode};
use safekit::control::Request;
use safekit::fsm::state::{Readiness, Role};
use serde_json::{Value, json};

fn users(lines: &[(&str, &str)]) -> String {
    lines.iter().map(|(user, hash)| format!("{user}:{hash}\n")).collect()
}

fn write(service: &Service, name: &str, text: &str) {
    std::fs::write(service.paths.web_conf().join(name), text).unwrap();
}

async fn level(service: &Service, browser: &Browser) -> u16 {
    let asked = service.request(Method::GET, "/api/v1/level").header("Cookie", &browser.cookie);
    asked.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn another_password_ends_the_sessions_of_the_old_one() {
    let service = Service::with_roles();
    let (admin, manager) = (service.browser("admin").await, service.browser("manager").await);
    write(&service, "user.conf", &users(&[("admin", OTHER), ("manager", SECRET)]));
    until("the session of the old password ends", async || level(&service, &admin).await == 401).await;
    // He who has his password still is not disturbed; the old one opens nothing any more.
    assert_ne!(level(&service, &manager).await, 401);
    assert_eq!(service.log_in("admin", "secret").await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(service.log_in("admin", "other").await.status(), StatusCode::OK);
    // The old password again does not bring the session back.
    write(&service, "user.conf", &users(&[("admin", SECRET), ("manager", SECRET)]));
    until("the old password counts", async || service.log_in("admin", "secret").await.status() == 200).await;
    assert_eq!(level(&service, &admin).await, 401);
}

#[tokio::test]
async fn an_event_stream_ends_with_its_session() {
    let service = Service::with_roles();
    let _double = Double::start(&service.socket(), overview(Role::Stop, Readiness::NotReady, 1));
    let browser = service.browser("operator1").await;
    let streams = async |auth: Option<&str>| {
        let asked = service.request(Method::GET, "/api/v1/events");
        let asked = match auth {
            Some(password) => asked.basic_auth("operator1", Some(password)),
            None => asked.header("Cookie", &browser.cookie),
        };
        let answer = asked.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        answer
    };
    let (by_cookie, by_password) = (streams(None).await, streams(Some("secret")).await);
    write(&service, "user.conf", &users(&[("admin", SECRET), ("operator1", OTHER)]));
    for mut stream in [by_cookie, by_password] {
        let ended = async { while let Ok(Some(_)) = stream.chunk().await {} };
        tokio::time::timeout(crate::PATIENCE, ended).await.expect("the stream ends");
    }
}

#[tokio::test]
async fn a_role_that_is_taken_away_counts_at_once() {
    let service = Service::with_roles();
    let _double = Double::start(&service.socket(), overview(Role::Stop, Readiness::NotReady, 1));
    let browser = service.browser("admin").await;
    let tokens = async || {
        let asked = service.request(Method::GET, "/api/v1/tokens").header("Cookie", &browser.cookie);
        asked.send().await.unwrap().status().as_u16()
    };
    assert_eq!(tokens().await, 200);
    write(&service, "group.conf", "Monitor : admin\n");
    until("only Monitor", async || tokens().await == 403).await;
    write(&service, "group.conf", "Monitor : operator1\n");
    until("no role", async || level(&service, &browser).await == 403).await;
    write(&service, "group.conf", "Admin : admin\n");
    until("Admin again", async || tokens().await == 200).await;
}

#[tokio::test]
async fn after_the_logout_a_copied_cookie_is_nobody() {
    let service = Service::with_roles();
    let double = Double::start(&service.socket(), overview(Role::Stop, Readiness::NotReady, 1));
    let browser = service.browser("admin").await;
    // A cookie is not bound to an address: laptops move. Who has it has the session, so HTTPS it is; what
    // he does is noted with the address where he is.
    let elsewhere = std::net::IpAddr::from([127, 0, 0, 9]);
    let elsewhere = Client::builder().no_proxy().local_address(elsewhere).build().unwrap();
    let start = |csrf: &str| {
        let url = format!("http://{}/api/v1/modules/mirror/commands", service.address);
        let asked = elsewhere.post(url).header("Cookie", &browser.cookie).header("X-SafeKit-CSRF", csrf);
        asked.json(&json!({ "command": "start" })).send()
    };
    // The cookie without what only the page knows changes nothing.
    assert_eq!(start("").await.unwrap().status(), StatusCode::FORBIDDEN);
    assert_ne!(start(&browser.csrf).await.unwrap().status(), StatusCode::FORBIDDEN);
    let of = |asked: &(Option<safekit::control::Behalf>, Request)| {
        matches!(asked.1, Request::Control { .. })
            && asked.0.as_ref().is_some_and(|b| b.user == "admin@127.0.0.9")
    };
    assert!(double.asked().iter().any(of), "{:?}", double.asked());
    let out = service
        .request(Method::DELETE, "/api/v1/session")
        .header("Cookie", &browser.cookie)
        .header("X-SafeKit-CSRF", &browser.csrf);
    assert_eq!(out.send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(start(&browser.csrf).await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(level(&service, &browser).await, 401);
}

#[tokio::test]
async fn tokens_that_are_forged_over_or_revoked_open_nothing() {
    let service = Service::with_roles();
    let _double = Double::start(&service.socket(), overview(Role::Stop, Readiness::NotReady, 1));
    let made = service
        .request(Method::POST, "/api/v1/tokens")
        .basic_auth("admin", Some("secret"))
        .json(&json!({ "name": "backup", "role": "Admin", "days": 1 }))
        .send();
    let made: Value = made.await.unwrap().json().await.unwrap();
    let token = made["token"].as_str().unwrap().to_owned();
    let tokens = async |token: &str| {
        let asked = service.request(Method::GET, "/api/v1/tokens").bearer_auth(token);
        asked.send().await.unwrap().status().as_u16()
    };
    // Not known, or asked too often: nobody guesses one.
    let refused = async |token: &str| [401, 429].contains(&tokens(token).await);
    assert_eq!(tokens(&token).await, 200);
    let mut other = token.clone();
    let last = if other.pop() == Some('0') { '1' } else { '0' };
    other.push(last);
    for forged in [other.as_str(), &token[3..], &token.to_uppercase(), "", "sk_", &"sk_0".repeat(2000)] {
        assert!(refused(forged).await, "{forged}");
    }
    // Another role, or another end, is no business of who has the token: the file is the server's.
    let file = service.paths.web_conf().join("tokens.json");
    let text = std::fs::read_to_string(&file).unwrap();
    let mut stored: Value = serde_json::from_str(&text).unwrap();
    stored[0]["expires"] = json!(1000);
    std::fs::write(&file, stored.to_string()).unwrap();
    until("it is over", async || refused(&token).await).await;
    std::fs::write(&file, "{ damaged").unwrap();
    assert!(refused(&token).await);
    std::fs::write(&file, &text).unwrap();
    until("it is back", async || tokens(&token).await == 200).await;
    let revoked =
        service.request(Method::DELETE, "/api/v1/tokens?name=backup").basic_auth("admin", Some("secret"));
    assert_eq!(revoked.send().await.unwrap().status(), StatusCode::NO_CONTENT);
    assert!(refused(&token).await);
}

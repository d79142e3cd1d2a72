//! Tokens of scripts: who made them, where they are noted, when they end.

use crate::double::{Double, overview};
use crate::service::{OTHER, SECRET, Service};
use reqwest::{Method, Response, StatusCode};
use safekit::control::{Access, Behalf, Request, TokenEvent};
use safekit::fsm::state::{Readiness, Role};
use safekit::log::Lang;
use serde_json::{Value, json};

async fn make(service: &Service, name: &str, role: &str) -> String {
    let body = json!({ "name": name, "role": role, "days": 1 });
    let asked =
        service.request(Method::POST, "/api/v1/tokens").basic_auth("admin", Some("secret")).json(&body);
    let made: Value = asked.send().await.unwrap().json().await.unwrap();
    made["token"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
}

async fn ask(service: &Service, token: &str, path: &str) -> Response {
    service.request(Method::GET, path).bearer_auth(token).send().await.unwrap()
}

#[tokio::test]
async fn tokens_leave_lines_and_are_not_taken_for_users() {
    let service = Service::with_roles();
    let double = Double::start(&service.socket(), overview(Role::Stop, Readiness::NotReady, 0));
    let noted = |user: &str, event: TokenEvent| {
        let behalf = Behalf { user: format!("{user}@127.0.0.1"), access: Access::Admin, lang: Lang::En };
        double.asked().contains(&(Some(behalf), Request::Token(event)))
    };
    // A token may even be called as a user is.
    let token = make(&service, "admin", "Admin").await;
    assert!(noted("admin", TokenEvent::Created { name: "admin".into(), role: Access::Admin, days: 1 }));
    let rows: Value = ask(&service, &token, "/api/v1/tokens").await.json().await.unwrap();
    let maker = json!({ "user": "admin", "method": "file" });
    assert_eq!((&rows[0]["maker"], &rows[0]["works"]), (&maker, &json!(true)), "{rows}");
    let session: Value = ask(&service, &token, "/api/v1/session").await.json().await.unwrap();
    assert_eq!(session["user"], "token:admin");
    let body = json!({ "name": "other", "role": "Monitor", "days": 1 });
    let child = service.request(Method::POST, "/api/v1/tokens").bearer_auth(&token).json(&body);
    assert_eq!(child.send().await.unwrap().status(), StatusCode::FORBIDDEN, "a token makes no tokens");
    let revoked = service.request(Method::DELETE, "/api/v1/tokens?name=admin").bearer_auth(&token);
    assert_eq!(revoked.send().await.unwrap().status(), StatusCode::NO_CONTENT);
    assert!(noted("token:admin", TokenEvent::Revoked { name: "admin".into() }));
    assert_eq!(ask(&service, &token, "/api/v1/tokens").await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_token_ends_with_the_role_of_who_made_it() {
    let service = Service::with_roles();
    let (strong, weak) = (make(&service, "strong", "Admin").await, make(&service, "weak", "Monitor").await);
    let status = async |token: &str| ask(&service, token, "/metrics").await.status();
    assert_eq!((status(&strong).await, status(&weak).await), (StatusCode::OK, StatusCode::OK));
    let conf = service.paths.web_conf();
    let groups = |text: &str| std::fs::write(conf.join("group.conf"), text).unwrap();
    groups("Admin : manager\nControl : admin\n");
    crate::until("the role is less", async || status(&strong).await == StatusCode::UNAUTHORIZED).await;
    assert_eq!(status(&weak).await, StatusCode::OK, "he could still make this one");
    let asked = service.request(Method::GET, "/api/v1/tokens").basic_auth("manager", Some("secret")).send();
    let rows: Value = asked.await.unwrap().json().await.unwrap();
    assert_eq!((&rows[0]["works"], &rows[1]["works"]), (&json!(false), &json!(true)), "{rows}");
    let users = |lines: &[(&str, &str)]| {
        let text: String = lines.iter().map(|(user, hash)| format!("{user}:{hash}\n")).collect();
        std::fs::write(conf.join("user.conf"), text).unwrap();
    };
    users(&[("manager", SECRET)]);
    crate::until("the user is gone", async || status(&weak).await == StatusCode::UNAUTHORIZED).await;
    // Another one of his name has another password, and none of his tokens.
    users(&[("manager", SECRET), ("admin", OTHER)]);
    crate::until("the new one is there", async || service.log_in("admin", "other").await.status() == 200)
        .await;
    assert_eq!(status(&weak).await, StatusCode::UNAUTHORIZED);
    users(&[("manager", SECRET), ("admin", SECRET)]);
    crate::until("it is he", async || status(&weak).await == StatusCode::OK).await;
}

#[tokio::test]
async fn a_token_of_a_time_without_login_ends_with_it() {
    let service = Service::start("Define httpadmin\n", &[]);
    let body = json!({ "name": "open", "role": "Admin", "days": 1 });
    let made: Value = service
        .request(Method::POST, "/api/v1/tokens")
        .json(&body)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let token = made["token"].as_str().unwrap().to_owned();
    assert_eq!(ask(&service, &token, "/metrics").await.status(), StatusCode::OK);
    let service = service.again("Define usefile\n");
    assert_eq!(ask(&service, &token, "/metrics").await.status(), StatusCode::UNAUTHORIZED);
}

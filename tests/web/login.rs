//! Logging in and out, roles, and what forged requests find.

use crate::double::{Double, overview};
use crate::service::{Browser, SECRET, Service};
use reqwest::{Method, StatusCode};
use safekit::control::{Behalf, Request, SessionEvent};
use safekit::fsm::state::{Readiness, Role};
use serde_json::{Value, json};

#[tokio::test]
async fn w_11a_users_of_the_file_with_their_roles() {
    let service = Service::with_roles();
    for (user, role) in [
        ("admin", json!("Admin")),
        ("manager", json!("Control")),
        ("operator1", json!("Monitor")),
        ("guest", Value::Null),
    ] {
        let browser = service.browser(user).await;
        let session = service.session(&browser).await;
        assert_eq!((&session["authenticated"], &session["user"]), (&json!(true), &json!(user)));
        assert_eq!(session["role"], role, "{user}");
    }
    let wrong = service.log_in("admin", "Secret").await;
    assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(wrong.headers()["content-type"], "application/problem+json");
    assert!(wrong.headers().get("set-cookie").is_none());
    let problem: Value = wrong.json().await.unwrap();
    assert_eq!(problem["detail"], "unknown user or wrong password");
}

#[tokio::test]
async fn w_11a_without_groups_everybody_is_admin_until_the_file_comes() {
    let service = Service::start("Define usefile", &[("user.conf", &format!("operator1:{SECRET}\n"))]);
    let browser = service.browser("operator1").await;
    assert_eq!(service.session(&browser).await["role"], "Admin");
    let groups = service.paths.web_conf().join("group.conf");
    std::fs::write(&groups, "Monitor : operator1\n").unwrap();
    crate::until("the new role", async || service.session(&browser).await["role"] == "Monitor").await;
    std::fs::write(service.paths.web_conf().join("user.conf"), "").unwrap();
    let ended = async || service.session(&browser).await["authenticated"] == false;
    crate::until("the end of the session of a removed user", ended).await;
}

#[tokio::test]
async fn w_11c_without_login_the_role_is_that_of_httpd_conf() {
    for (text, role) in [("", "Monitor"), ("Define httpcontrol", "Control"), ("Define httpadmin", "Admin")] {
        let service = Service::start(text, &[]);
        let session: Value = service.get("/api/v1/session").await.json().await.unwrap();
        assert_eq!(session["authenticated"], true);
        assert_eq!((&session["role"], &session["methods"]), (&json!(role), &json!(["none"])));
        assert!(session["warnings"][0].as_str().unwrap().contains(role));
    }
}

#[tokio::test]
async fn without_login_a_name_of_another_site_finds_nothing() {
    let service = Service::start("Define httpadmin\nDefine servernames ha.example.com\n", &[]);
    let ask = async |host: &str, path: &str| {
        let asked = service.request(Method::GET, path).header("Host", host).send().await.unwrap();
        (asked.status(), asked.text().await.unwrap())
    };
    for host in
        ["evil.example.com", "evil.example.com:9010", "127.0.0.1.evil.example.com", "localhost.", "x y"]
    {
        for path in ["/api/v1/session", "/api/v1/tokens"] {
            let (status, text) = ask(host, path).await;
            let own = host == "localhost.";
            assert_eq!(status == StatusCode::MISDIRECTED_REQUEST, !own, "{host} {path}: {status}");
            assert!(own || text.contains("Define servernames"), "{text}");
        }
        // What load balancers ask for is the same for everybody.
        assert_eq!(ask(host, "/var/modules/mirror/ready.txt").await.1, "NOT FOUND");
        assert_eq!(ask(host, "/metrics").await.0, StatusCode::OK);
    }
    for host in ["localhost:9010", "10.0.0.9", "[fd00::1]:9010", "HA.example.com"] {
        assert_eq!(ask(host, "/api/v1/tokens").await.0, StatusCode::OK, "{host}");
    }
    // Where there is a login, that is what protects.
    let service = Service::with_roles();
    let asked = service.request(Method::GET, "/api/v1/session").header("Host", "any.example.com");
    assert_eq!(asked.send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_cookie_is_for_this_site_and_no_script() {
    let service = Service::with_roles();
    let response = service.log_in("admin", "secret").await;
    let cookie = response.headers()["set-cookie"].to_str().unwrap().to_owned();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    // 256 bits.
    assert_eq!(cookie.split(';').next().unwrap().split_once('=').unwrap().1.len(), 64);
}

#[tokio::test]
async fn who_logs_out_is_out() {
    let service = Service::with_roles();
    let double = Double::start(&service.socket(), overview(Role::Stop, Readiness::NotReady, 0));
    let browser = service.browser("admin").await;
    let logout = |csrf: &str| {
        service
            .request(Method::DELETE, "/api/v1/session")
            .header("Cookie", &browser.cookie)
            .header("X-SafeKit-CSRF", csrf.to_owned())
            .send()
    };
    assert_eq!(logout("").await.unwrap().status(), StatusCode::FORBIDDEN);
    assert_eq!(logout(&"0".repeat(64)).await.unwrap().status(), StatusCode::FORBIDDEN);
    assert_eq!(service.session(&browser).await["authenticated"], true);
    assert_eq!(logout(&browser.csrf).await.unwrap().status(), StatusCode::OK);
    assert_eq!(service.session(&browser).await["authenticated"], false);
    let noted = |event| {
        let user = Some("admin@127.0.0.1");
        let of = |(behalf, request): &(Option<Behalf>, Request)| {
            *request == Request::Session(event) && behalf.as_ref().map(|b| b.user.as_str()) == user
        };
        double.asked().iter().any(of)
    };
    crate::until("both are noted", async || noted(SessionEvent::Login) && noted(SessionEvent::Logout)).await;
}

#[tokio::test]
async fn pages_of_other_sites_change_nothing() {
    let service = Service::with_roles();
    let browser = service.browser("admin").await;
    let foreign = service
        .request(Method::DELETE, "/api/v1/session")
        .header("Cookie", &browser.cookie)
        .header("X-SafeKit-CSRF", &browser.csrf)
        .header("Origin", "http://evil.example")
        .send();
    assert_eq!(foreign.await.unwrap().status(), StatusCode::FORBIDDEN);
    let body = json!({ "user": "admin", "password": "secret" });
    let foreign =
        service.request(Method::POST, "/api/v1/session").header("Origin", "http://evil.example").json(&body);
    assert_eq!(foreign.send().await.unwrap().status(), StatusCode::FORBIDDEN);
    assert_eq!(service.session(&browser).await["authenticated"], true);
}

#[tokio::test]
async fn scripts_send_their_password() {
    let service = Service::with_roles();
    let asked = |user: &str, password: &str| {
        service.request(Method::GET, "/metrics").basic_auth(user.to_owned(), Some(password.to_owned())).send()
    };
    assert_eq!(asked("operator1", "secret").await.unwrap().status(), StatusCode::OK);
    assert_eq!(asked("operator1", "wrong").await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(asked("guest", "secret").await.unwrap().status(), StatusCode::FORBIDDEN);
    assert_eq!(service.get("/metrics").await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn guessing_is_slowed_down() {
    let service = Service::with_roles();
    let mut slowed = None;
    for _ in 0..40 {
        let response = service.log_in("admin", "guess").await;
        if response.status() == StatusCode::TOO_MANY_REQUESTS {
            slowed = Some(response);
            break;
        }
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    }
    let slowed = slowed.expect("nobody slowed it down");
    assert!(slowed.headers()["retry-after"].to_str().unwrap().parse::<u64>().unwrap() > 0);
}

#[tokio::test]
async fn forged_sessions_are_nobody() {
    let service = Service::with_roles();
    for cookie in
        ["safekit_session=", "safekit_session=../../x", &format!("safekit_session={}", "0".repeat(4000))]
    {
        let forged = Browser { cookie: cookie.to_owned(), csrf: String::new() };
        assert_eq!(service.session(&forged).await["authenticated"], false);
    }
}

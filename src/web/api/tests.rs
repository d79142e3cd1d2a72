//! Every endpoint with every role, against a double of safeadmin.

use super::{ENDPOINTS, Endpoint, NODE, ROOT, document};
use crate::config::paths::Paths;
use crate::control::server::{self, Backend, Call};
use crate::control::{Access, FailureKind, Reply};
use crate::log::Lang;
use crate::told::Told;
use crate::told::proof::assert_translated;
use crate::web::principal::CSRF;
use crate::web::problem::translate;
use crate::web::session::COOKIE;
use crate::web::settings::Settings;
use crate::web::{Web, configure};
use actix_web::cookie::Cookie;
use actix_web::http::header::HeaderMap;
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::from_fn;
use actix_web::test::{TestRequest, call_service, init_service, read_body, try_call_service};
use actix_web::{App, web};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::time::Instant;

/// Refuses everything, and remembers what was asked and in which role.
#[derive(Default)]
struct Double(RefCell<Vec<(Access, Access, String)>>, Cell<Option<FailureKind>>, Cell<Lang>);

impl Backend for Double {
    async fn handle(&self, call: Call) -> i32 {
        let line = (call.request.needs(), call.caller.access, call.request.name());
        self.0.borrow_mut().push(line);
        self.2.set(call.caller.lang);
        let kind = self.1.get().unwrap_or(FailureKind::Refused);
        let _gone = call.sink.send(Reply::error(kind, "refused by the double")).await;
        1
    }
}

const USERS: &str = "admin:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\nmanager:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n\
    operator:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n";

/// A server whose safeadmin is the double.
fn scene() -> (tempfile::TempDir, Web, Rc<Double>) {
    let dir = tempfile::tempdir().unwrap();
    let paths = Paths::new(dir.path().join("safe"), dir.path().join("var"));
    std::fs::create_dir_all(paths.run()).unwrap();
    let double = Rc::new(Double::default());
    let listener = server::bind(&paths.admin_socket()).unwrap();
    actix_web::rt::spawn(server::serve(listener, double.clone()));
    let conf = paths.safe.join("web/conf");
    std::fs::create_dir_all(&conf).unwrap();
    std::fs::write(conf.join("user.conf"), USERS).unwrap();
    std::fs::write(conf.join("group.conf"), "Admin : admin\nControl : manager\nMonitor : operator\n")
        .unwrap();
    let settings = Settings::parse(&conf.join("httpd.conf"), "Define usefile\n").unwrap();
    let web = Web::new(paths, settings, false).unwrap();
    (dir, web, double)
}

/// A body that each endpoint can read.
fn body(endpoint: &Endpoint) -> &'static str {
    match (endpoint.method.as_str(), endpoint.path) {
        ("POST", "/session") => r#"{"user":"u","password":"p"}"#,
        ("PUT", "/cluster") => r#"{"xml":"<cluster/>"}"#,
        ("POST", "/cluster/check") => r#"{"xml":"<cluster/>"}"#,
        ("POST", "/cluster/probe") => r#"{"address":"127.0.0.1"}"#,
        ("POST", "/modules") => r#"{"module":"m","template":"generic/mirror.safe"}"#,
        ("POST", "/tokens") => r#"{"name":"t","role":"Monitor","days":1}"#,
        ("POST", "/modules/{module}/restore") => r#"{"name":"m_2024-02-13_090312"}"#,
        ("PUT", "/modules/{module}/files") => r#"{"signature":null,"files":[]}"#,
        ("POST", "/modules/{module}/commands") => r#"{"command":"start"}"#,
        ("POST", "/modules/{module}/resources/{resource}") => r#"{"value":"up"}"#,
        _ => "{}",
    }
}

/// The path with names in its places, at this node or, below `node`, at another one.
fn filled(endpoint: &Endpoint, node: &str) -> String {
    let path = endpoint.path;
    let path =
        path.replace("{module}", "m").replace("{resource}", "custom.x").replace("{name}", "start_prim");
    let query = match (endpoint.method.as_str(), path.as_str()) {
        (_, path) if path.ends_with("/owner") => "?client=10.0.0.9",
        // That which was made just before.
        ("DELETE", "/tokens") => "?name=t",
        _ => "",
    };
    format!("{ROOT}{node}{path}{query}")
}

/// What the web service answers itself when safeadmin refuses.
const OWN: [&str; 6] =
    ["/access", "/cluster/checks", "/cluster/probe", "/events", "/modules/{module}/events", "/tokens"];

fn seen(status: StatusCode, headers: &HeaderMap) -> (u16, String) {
    let kind = headers.get("content-type").map(|v| v.to_str().unwrap().to_owned());
    (status.as_u16(), kind.unwrap_or_default())
}

/// Status and kind of an answer, also of one that the gate gives.
macro_rules! answer {
    ($app:expr, $request:expr) => {
        match try_call_service(&$app, $request).await {
            Ok(response) => seen(response.status(), response.headers()),
            Err(error) => {
                let response = error.error_response();
                seen(response.status(), response.headers())
            }
        }
    };
}

/// A session of a user with this role: its cookie and its token.
fn logged_in(web: &Web, access: Access) -> (Cookie<'static>, String) {
    let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let user = match access {
        Access::Monitor => "operator",
        Access::Control => "manager",
        Access::Admin => "admin",
    };
    let (cookie, _) =
        web.sessions.begin(user, Some(access), web.auth.proof(user), here, Instant::now()).unwrap();
    let csrf = crate::web::sessions::csrf(cookie.expose()).expose().to_owned();
    (Cookie::new(COOKIE, cookie.expose().to_owned()), csrf)
}

#[actix_web::test]
async fn every_endpoint_asks_for_its_role() {
    let (_dir, web, double) = scene();
    let app = init_service(App::new().app_data(web::Data::new(web.clone())).configure(configure)).await;
    let roles = [None, Some(Access::Monitor), Some(Access::Control), Some(Access::Admin)];
    let here = ENDPOINTS.iter().map(|endpoint| (endpoint, ""));
    let elsewhere = ENDPOINTS.iter().filter(|e| e.elsewhere).map(|endpoint| (endpoint, "/nodes/node2"));
    for (endpoint, node) in here.chain(elsewhere) {
        for role in roles {
            double.0.borrow_mut().clear();
            let mut request = TestRequest::default()
                .method(endpoint.method.clone())
                .uri(&filled(endpoint, node))
                .insert_header(("Content-Type", "application/json"))
                .set_payload(body(endpoint));
            if let Some(access) = role {
                let (cookie, csrf) = logged_in(&web, access);
                request = request.cookie(cookie).insert_header((CSRF, csrf));
            }
            let (status, _) = answer!(app, request.to_request());
            let what = format!("{} {node}{} as {role:?}: {status}", endpoint.method, endpoint.path);
            match (endpoint.needs, role) {
                (None, _) => {}
                (Some(_), None) => assert_eq!(status, 401, "{what}"),
                (Some(needs), Some(has)) if has < needs => {
                    assert_eq!(status, 403, "{what}")
                }
                (Some(_), Some(_)) => {
                    let own = OWN.contains(&endpoint.path) && (node.is_empty() || status != 404);
                    match own {
                        true => assert!((200..300).contains(&status), "{what}"),
                        // Of the nodes that there are, the double says nothing.
                        false => assert_eq!(status, if node.is_empty() { 422 } else { 404 }, "{what}"),
                    }
                    assert!(own || !double.0.borrow().is_empty(), "{what}: safeadmin was not asked");
                }
            }
            for (needs, has, name) in double.0.borrow().iter() {
                assert!(role.is_some_and(|role| *has <= role), "{what}: {name} was asked as {has}");
                assert!(needs <= has, "{what}: {name} needs {needs}");
            }
        }
    }
}

/// A service with HTTPS as a browser without certificate finds it.
#[actix_web::test]
async fn w_11c_without_login_there_are_certificates_only_over_https() {
    let dir = tempfile::tempdir().unwrap();
    let web = |text: &str| {
        let settings = Settings::parse(&dir.path().join("httpd.conf"), text).unwrap();
        Web::new(Paths::new(dir.path().join("safe"), dir.path().join("var")), settings, true)
    };
    for open in ["", "Define httpadmin\n", "Define httpcontrol\n"] {
        let refused = web(open).unwrap_err().to_string();
        assert!(refused.contains("for HTTP only"), "{refused}");
    }
    let only = web("Define clientcertificates\nDefine httpadmin\n").unwrap();
    let app = init_service(App::new().app_data(web::Data::new(only)).configure(configure)).await;
    let session = TestRequest::get().uri(&format!("{ROOT}/session")).to_request();
    let session: serde_json::Value = actix_web::test::call_and_read_body_json(&app, session).await;
    assert_eq!((&session["authenticated"], &session["role"]), (&false.into(), &serde_json::Value::Null));
    assert_eq!(session["methods"], serde_json::json!(["certificate"]));
    for path in ["/level", "/tokens", "/nodes"] {
        let request = TestRequest::get().uri(&format!("{ROOT}{path}")).to_request();
        assert_eq!(answer!(app, request).0, 401, "{path}");
    }
}

#[actix_web::test]
async fn what_changes_something_needs_the_token_of_the_page() {
    let (_dir, web, double) = scene();
    let app = init_service(App::new().app_data(web::Data::new(web.clone())).configure(configure)).await;
    let (cookie, csrf) = logged_in(&web, Access::Admin);
    let start = |token: &str| {
        TestRequest::post()
            .uri(&format!("{ROOT}/modules/m/commands"))
            .cookie(cookie.clone())
            .insert_header(("Content-Type", "application/json"))
            .insert_header((CSRF, token))
            .set_payload(r#"{"command":"start"}"#)
            .to_request()
    };
    assert_eq!(answer!(app, start("another")).0, 403);
    assert!(double.0.borrow().is_empty());
    assert_eq!(answer!(app, start(&csrf)).0, 422);
    assert_eq!(double.0.borrow().len(), 1);
}

#[actix_web::test]
async fn what_is_not_there_is_told_to_who_is_logged_in_only() {
    let (_dir, web, _double) = scene();
    let app = init_service(App::new().app_data(web::Data::new(web.clone())).configure(configure)).await;
    let ask = |method: Method, path: &str, logged: bool| {
        let mut request = TestRequest::default().method(method).uri(&format!("{ROOT}{path}"));
        if logged {
            let (cookie, csrf) = logged_in(&web, Access::Admin);
            request = request.cookie(cookie).insert_header((CSRF, csrf));
        }
        request.to_request()
    };
    for (method, path, logged, status) in [
        (Method::GET, "/nothing", false, 401),
        (Method::GET, "/nothing", true, 404),
        (Method::GET, "/nodes/node2/tokens", true, 404),
        (Method::DELETE, "/level", false, 401),
        (Method::DELETE, "/level", true, 405),
        (Method::GET, "/modules/..%2f..%2fetc/state", true, 400),
        (Method::GET, "/modules/a%20b/state", true, 400),
        (Method::GET, "/nodes/no%20node/level", true, 400),
        (Method::GET, "/modules/m/log?lang=de", true, 400),
        (Method::GET, "/modules/m/log?count=many", true, 400),
        (Method::GET, "/modules/m/log?levels=C,X", true, 400),
        (Method::GET, "/modules/m/log/events?levels=C", true, 400),
    ] {
        let (found, kind) = answer!(app, ask(method.clone(), path, logged));
        assert_eq!(found, status, "{method} {path}");
        assert_eq!(kind, "application/problem+json", "{method} {path}");
    }
}

/// What safeadmin refuses has the status of its kind, and OpenAPI has that status.
#[actix_web::test]
async fn failures_have_the_status_of_their_kind() {
    let (_dir, web, double) = scene();
    let app = init_service(App::new().app_data(web::Data::new(web.clone())).configure(configure)).await;
    let kinds = [
        (FailureKind::NotFound, "404"),
        (FailureKind::Conflict, "409"),
        (FailureKind::Denied, "403"),
        (FailureKind::Refused, "422"),
        (FailureKind::Busy, "503"),
    ];
    for (kind, wanted) in kinds {
        double.1.set(Some(kind));
        let (cookie, csrf) = logged_in(&web, Access::Admin);
        let request = TestRequest::post()
            .uri(&format!("{ROOT}/modules/m/commands"))
            .cookie(cookie)
            .insert_header(("Content-Type", "application/json"))
            .insert_header((CSRF, csrf))
            .set_payload(r#"{"command":"start"}"#)
            .to_request();
        let (status, content) = answer!(app, request);
        assert_eq!((status.to_string().as_str(), content.as_str()), (wanted, "application/problem+json"));
        let path = &document().paths.paths[&format!("{ROOT}/modules/{{module}}/commands")];
        let responses = &path.post.as_ref().unwrap().responses.responses;
        assert!(responses.contains_key(wanted), "{wanted}");
    }
}

#[actix_web::test]
async fn safeadmin_learns_which_language_is_read() {
    let (_dir, web, double) = scene();
    let app = init_service(App::new().app_data(web::Data::new(web.clone())).configure(configure)).await;
    for (header, lang) in [("fr-FR,fr;q=0.9,en;q=0.8", Lang::Fr), ("en", Lang::En)] {
        let (cookie, _) = logged_in(&web, Access::Monitor);
        let request = TestRequest::get()
            .uri(&format!("{ROOT}/modules/m/explain"))
            .cookie(cookie)
            .insert_header(("Accept-Language", header))
            .to_request();
        assert_eq!(answer!(app, request).0, 422);
        assert_eq!(double.2.get(), lang, "{header}");
    }
}

/// Parsers of JSON and of parameters know English only.
fn without_the_words_of_a_parser(english: String, french: String) -> [String; 2] {
    let parsed = ["the body is not what is expected", "the parameters cannot be read"];
    match (english.split_once(": "), french.split_once(" : ")) {
        (Some((en, why)), Some((fr, same))) if parsed.contains(&en) => {
            assert_eq!(why, same);
            [en.to_owned(), fr.to_owned()]
        }
        _ => [english, french],
    }
}

/// Status and problem of an answer to somebody who reads a language.
macro_rules! problem {
    ($app:expr, $request:expr, $lang:expr) => {{
        let request = $request.insert_header(("Accept-Language", $lang.tag())).to_request();
        let response = call_service(&$app, request).await;
        let (status, kind) = seen(response.status(), response.headers());
        // Event streams have no end.
        let problem = kind == "application/problem+json";
        let body = if problem { read_body(response).await } else { web::Bytes::new() };
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        (status, body["detail"].as_str().map(str::to_owned))
    }};
}

/// Whatever this service refuses itself, it refuses in French to who reads French.
#[actix_web::test]
async fn problems_are_told_in_the_language_of_whoever_asks() {
    let (_dir, web, _double) = scene();
    let app = App::new().app_data(web::Data::new(web.clone())).wrap(from_fn(translate)).configure(configure);
    let app = init_service(app).await;
    let admin = logged_in(&web, Access::Admin);
    let asked = |method: &Method, path: &str, body: &'static str, by: Option<&(Cookie<'static>, String)>| {
        let mut request = TestRequest::default().method(method.clone()).uri(path);
        request = request.insert_header(("Content-Type", "application/json")).set_payload(body);
        if let Some((cookie, csrf)) = by {
            request = request.cookie(cookie.clone()).insert_header((CSRF, csrf.as_str()));
        }
        request
    };
    let mut cases = Vec::new();
    let monitor = logged_in(&web, Access::Monitor);
    for endpoint in ENDPOINTS {
        let path = filled(endpoint, "");
        // Who logs in or out ends the session of before.
        let sessions = [Some(&monitor), Some(&admin)].into_iter().filter(|_| endpoint.needs.is_some());
        for by in std::iter::once(None).chain(sessions) {
            // What cannot be read is told by whatever can say it, a body that can be read by the double.
            cases.extend(
                ["", "{", body(endpoint)].map(|body| (endpoint.method.clone(), path.clone(), body, by)),
            );
        }
    }
    let forged = (admin.0.clone(), "another".to_owned());
    for (method, path, body, by) in [
        (Method::GET, "/nothing", "", Some(&admin)),
        (Method::DELETE, "/level", "", Some(&admin)),
        (Method::GET, "/modules/a%20b/state", "", Some(&admin)),
        (Method::GET, "/nodes/no%20node/level", "", Some(&admin)),
        (Method::GET, "/modules/m/log?lang=de", "", Some(&admin)),
        (Method::GET, "/modules/m/log?count=many", "", Some(&admin)),
        (Method::GET, "/modules/m/resources/x/history", "", Some(&admin)),
        (Method::DELETE, "/cluster?nodes=a%20b", "", Some(&admin)),
        (Method::POST, "/cluster/deploy", r#"{"nodes":[]}"#, Some(&admin)),
        (Method::POST, "/modules/m/commands", r#"{"command":"start"}"#, Some(&forged)),
        (Method::POST, "/tokens", r#"{"name":"a b","role":"Admin","days":1}"#, Some(&admin)),
        (Method::POST, "/tokens", r#"{"name":"a","role":"Admin","days":0}"#, Some(&admin)),
        (Method::DELETE, "/tokens?name=nobody", "", Some(&admin)),
        (
            Method::PUT,
            "/modules/m/files",
            r#"{"signature":null,"files":[{"path":"a","executable":false}]}"#,
            Some(&admin),
        ),
    ] {
        cases.push((method, format!("{ROOT}{path}"), body, by));
    }
    cases.push((Method::GET, "/console/assets/none.js".to_owned(), "", None));
    cases.push((Method::GET, "/api/v1/openid/login".to_owned(), "", None));
    let mut told = BTreeSet::new();
    for (method, path, body, by) in cases {
        let english = problem!(app, asked(&method, &path, body, by), Lang::En);
        let Some(told_first) = english.1 else { continue };
        let french = problem!(app, asked(&method, &path, body, by), Lang::Fr);
        assert_eq!(english.0, french.0, "{method} {path}");
        let (english, french) = (told_first, french.1.unwrap());
        // The words of safeadmin are those of the double here.
        if !english.contains("the double") && told.insert(english.clone()) {
            let [english, french] = without_the_words_of_a_parser(english, french);
            assert_translated(&Told::new(english, french));
        }
    }
    for some in
        ["log in first", "needs the role", "no token nobody", "the body", "class.id", "no node is chosen"]
    {
        assert!(told.iter().any(|text| text.contains(some)), "{some}: {told:#?}");
    }
}

#[test]
fn the_document_has_every_endpoint_and_nothing_else() {
    let described: BTreeSet<String> = document()
        .paths
        .paths
        .iter()
        .flat_map(|(path, item)| {
            let methods =
                [("GET", &item.get), ("PUT", &item.put), ("POST", &item.post), ("DELETE", &item.delete)];
            methods
                .into_iter()
                .filter(|(_, o)| o.is_some())
                .map(|(m, _)| format!("{m} {path}"))
                .collect::<Vec<_>>()
        })
        .collect();
    let here = ENDPOINTS.iter().map(|e| format!("{} {ROOT}{}", e.method, e.path));
    let elsewhere =
        ENDPOINTS.iter().filter(|e| e.elsewhere).map(|e| format!("{} {ROOT}{NODE}{}", e.method, e.path));
    assert_eq!(described, here.chain(elsewhere).collect());
}

#[test]
fn operations_have_names_of_their_own() {
    let mut names = BTreeSet::new();
    for (path, item) in &document().paths.paths {
        for operation in [&item.get, &item.put, &item.post, &item.delete].into_iter().flatten() {
            let name = operation.operation_id.clone().unwrap_or_default();
            assert!(!name.is_empty() && names.insert(name.clone()), "{path}: {name}");
        }
    }
}

//! Bodies and names that nobody should send, to every endpoint that takes one: found in the list of the
//! endpoints and in the OpenAPI document, so that new ones are met too.

use crate::double::{Double, overview};
use crate::input::raw;
use crate::service::{Browser, Service};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use reqwest::Method;
use safekit::control::{Access, Request};
use safekit::fsm::state::{Readiness, Role};
use safekit::web::api::{ENDPOINTS, Endpoint, ROOT, document};
use serde_json::{Value, json};

/// An administrator before a service whose safeadmin remembers what it was asked.
struct Scene {
    service: Service,
    double: Double,
    admin: Browser,
}

impl Scene {
    async fn new() -> Scene {
        let service = Service::with_roles();
        let double = Double::start(&service.socket(), overview(Role::Stop, Readiness::NotReady, 1));
        let admin = service.browser("admin").await;
        Scene { service, double, admin }
    }

    /// Sends something that is wrong: a problem that says what, and nothing done.
    async fn refused(&self, method: &Method, path: &str, kind: &str, body: Vec<u8>) -> Value {
        let shown = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
        let sent = self
            .service
            .request(method.clone(), path)
            .header("Cookie", &self.admin.cookie)
            .header("X-SafeKit-CSRF", &self.admin.csrf)
            .header("Content-Type", kind)
            .body(body);
        let answer = sent.send().await.unwrap_or_else(|e| panic!("{method} {path} {shown}: {e}"));
        let (status, kind) = (answer.status().as_u16(), answer.headers().get("content-type").cloned());
        let what = format!("{method} {path} {shown}: {status}");
        let text = answer.text().await.unwrap();
        assert!((400..500).contains(&status), "{what}: {text}");
        assert_eq!(kind.unwrap(), "application/problem+json", "{what}");
        let problem: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(problem["status"], status, "{what}");
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{what}: {text}");
        problem
    }

    /// Fails if safeadmin was asked for something that changes anything, and that it would not refuse itself.
    fn nothing_done(&self, what: &str) {
        for (_, request) in self.double.asked() {
            let harmless = request.needs() == Access::Monitor || matches!(request, Request::Session(_));
            assert!(harmless || request.check().is_err(), "{what}: {request:?}");
        }
    }
}

/// The path of an endpoint with a name in each place.
fn filled(path: &str, name: impl Fn(&str) -> String) -> String {
    let mut filled = ROOT.to_owned();
    for part in path.split('/').skip(1) {
        filled.push('/');
        match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            Some(place) => filled.push_str(&name(place)),
            None => filled.push_str(part),
        }
    }
    filled
}

/// That of the client is another type than that of the server.
fn method_of(endpoint: &Endpoint) -> Method {
    endpoint.method.as_str().parse().unwrap()
}

fn good(place: &str) -> String {
    match place {
        "resource" => "custom.x",
        "name" => "start_prim",
        _ => "mirror",
    }
    .to_owned()
}

/// Method, path, kind and members of every body that this node takes.
fn bodies() -> Vec<(Method, String, String, Vec<String>)> {
    let document = serde_json::to_value(document()).unwrap();
    let mut found = Vec::new();
    for endpoint in ENDPOINTS {
        let method = endpoint.method.as_str().to_lowercase();
        let operation = &document["paths"][format!("{ROOT}{}", endpoint.path)][method];
        let Some(content) = operation["requestBody"]["content"].as_object() else { continue };
        for (kind, media) in content {
            let schema = match media["schema"]["$ref"].as_str() {
                Some(name) => &document["components"]["schemas"][name.rsplit('/').next().unwrap()],
                None => &media["schema"],
            };
            let members =
                schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name.clone());
            found.push((method_of(endpoint), endpoint.path.to_owned(), kind.clone(), members.collect()));
        }
    }
    found
}

fn deep(open: &str, close: &str) -> String {
    open.repeat(10_000) + "1" + &close.repeat(10_000)
}

#[tokio::test]
async fn no_endpoint_takes_what_is_no_json_of_its_own() {
    let scene = Scene::new().await;
    let bodies = bodies();
    assert!(bodies.len() > 12, "{bodies:?}");
    let json = bodies.iter().filter(|(_, _, kind, _)| kind == "application/json");
    for (method, path, kind, members) in json {
        let path = filled(path, good);
        for bad in ["", "{", "[]", "1", "null", "\"x\"", "{\"no such member\":1}", "{}}", "\u{feff}{}"] {
            scene.refused(method, &path, kind, bad.as_bytes().to_vec()).await;
        }
        scene.refused(method, &path, kind, deep("[", "]").into_bytes()).await;
        scene.refused(method, &path, kind, deep("{\"a\":", "}").into_bytes()).await;
        scene.refused(method, &path, kind, b"{\"a\":\"\xff\xfe\"}".to_vec()).await;
        for member in members {
            for bad in ["1e999", &"9".repeat(5000), "\"\\ud800\"", "{\"a\":1}", &deep("[", "]")] {
                let body = format!("{{\"{member}\":{bad}}}");
                scene.refused(method, &path, kind, body.into_bytes()).await;
            }
            let twice = format!("{{\"{member}\":null,\"{member}\":null}}");
            scene.refused(method, &path, kind, twice.into_bytes()).await;
        }
        scene.refused(method, &path, "text/plain", b"{}".to_vec()).await;
    }
    scene.nothing_done("a body that is wrong");
}

#[tokio::test]
async fn no_endpoint_takes_a_body_that_is_too_long() {
    let scene = Scene::new().await;
    let Browser { cookie, csrf } = &scene.admin;
    let refused = |(method, path, kind, _): (Method, String, String, Vec<String>)| {
        let path = filled(&path, good);
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nCookie: {cookie}\r\nX-SafeKit-CSRF: {csrf}\r\n\
             Content-Type: {kind}\r\nConnection: close\r\n"
        );
        for length in ["70000000", "99999999999999999"] {
            let answer = raw(&scene.service, &format!("{head}Content-Length: {length}\r\n\r\n"));
            assert!(answer.starts_with("HTTP/1.1 413"), "{method} {path}: {answer}");
            assert!(answer.contains("application/problem+json") && answer.contains("KiB"), "{answer}");
        }
    };
    // At once: the service waits a while at each for the rest of the body.
    std::thread::scope(|scope| {
        for body in bodies() {
            scope.spawn(move || refused(body));
        }
    });
    // Who does not say how long it is, is stopped when it is too long.
    for (method, path, most) in
        [(Method::POST, "/session", 256 << 10), (Method::POST, "/cluster/check", 4 << 20)]
    {
        let body = reqwest::Body::wrap_stream(futures_util::stream::iter(
            (0..=most / (64 << 10)).map(|_| Ok::<_, std::io::Error>(vec![b' '; 64 << 10])),
        ));
        let sent = scene
            .service
            .request(method, &format!("{ROOT}{path}"))
            .header("Cookie", cookie)
            .header("X-SafeKit-CSRF", csrf)
            .header("Content-Type", "application/json")
            .body(body);
        let answer = sent.send().await.unwrap();
        assert_eq!(answer.status(), 413, "{path}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json", "{path}");
    }
    scene.nothing_done("a body that is too long");
}

/// Names that lead elsewhere, spoil a log, or are an option of a command.
const NAMES: [&str; 16] = [
    "..%2f..%2fconf%2fuserconfig.xml",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "%2fetc%2fpasswd",
    "..%5c..%5cconf",
    "%252e%252e%252f",
    "mirror%2f..%2fother",
    "mirror%00",
    "%00",
    "mirror%0aadmin",
    "%1b%5b2J",
    "%ff%fe",
    "-rf",
    "%20",
    "mirror%20",
    "%e2%80%ae",
    "%24%28reboot%29",
];

#[tokio::test]
async fn no_name_leads_anywhere_else() {
    let scene = Scene::new().await;
    let long = "a".repeat(5000);
    let mut places = 0;
    for endpoint in ENDPOINTS {
        let mut paths = vec![endpoint.path.to_owned()];
        paths.extend(endpoint.elsewhere.then(|| format!("/nodes/{{node}}{}", endpoint.path)));
        for path in paths {
            let names: Vec<&str> =
                path.split('/').filter_map(|p| p.strip_prefix('{')?.strip_suffix('}')).collect();
            for place in names {
                places += 1;
                for bad in NAMES.into_iter().chain([long.as_str()]) {
                    let at = filled(&path, |other| if other == place { bad.to_owned() } else { good(other) });
                    if place == "name" {
                        // safeadmin judges it; the double would take it.
                        let asked = scene.service.request(method_of(endpoint), &at);
                        asked.header("Cookie", &scene.admin.cookie).send().await.unwrap();
                    } else {
                        scene.refused(&method_of(endpoint), &at, "application/json", b"{}".to_vec()).await;
                    }
                }
            }
        }
    }
    assert!(places > 60, "{places}");
    for (_, request) in scene.double.asked() {
        let harmless =
            matches!(request, Request::Session(_) | Request::Watch { module: None } | Request::Nodes);
        // Where there is no slash, a name leads to a file that there is not.
        let plain = !format!("{request:?}").contains('/');
        assert!(harmless || plain || request.check().is_err(), "{request:?}");
    }
}

/// A body of an endpoint, damaged.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let good = [
        json!({ "xml": "<cluster/>", "signature": null, "nodes": ["node1"] }),
        json!({ "signature": null, "files": [{ "path": "bin/a", "text": "é\n", "executable": true }] }),
        json!({ "name": "t", "role": "Monitor", "days": 1 }),
        json!({ "command": "swap", "nosync": true }),
    ];
    let good = prop::sample::select(good.map(|body| body.to_string().into_bytes()).to_vec());
    let cut = (good.clone(), any::<prop::sample::Index>()).prop_map(|(mut body, at)| {
        body.truncate(at.index(body.len()));
        body
    });
    let flipped = (good.clone(), any::<prop::sample::Index>(), 1u8..).prop_map(|(mut body, at, bits)| {
        let at = at.index(body.len());
        body[at] ^= bits;
        body
    });
    let twice = good.prop_map(|body| [body.clone(), body].concat());
    prop_oneof![cut, flipped, twice, prop::collection::vec(any::<u8>(), 0..200)]
}

#[test]
fn damaged_json_never_breaks_the_service() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let scene = runtime.block_on(Scene::new());
    let bodies: Vec<_> = bodies().into_iter().filter(|(_, _, kind, _)| kind == "application/json").collect();
    let mut runner = TestRunner::default();
    let cases = (prop::sample::select(bodies), damaged());
    runner
        .run(&cases, |((method, path, kind, _), body)| {
            let path = filled(&path, good);
            runtime.block_on(async {
                // Damaged as it is, it may be the JSON of an endpoint: then it is what was asked for.
                if serde_json::from_slice::<Value>(&body).is_err() {
                    scene.refused(&method, &path, &kind, body).await;
                }
            });
            Ok(())
        })
        .unwrap();
    scene.nothing_done("a damaged body");
}

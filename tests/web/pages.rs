//! The console's files and the headers of every answer.

use crate::service::Service;
use reqwest::{Method, StatusCode};

#[tokio::test]
async fn i_4_1_4_the_address_of_a_node_leads_to_its_console() {
    let service = Service::with_roles();
    let first = service.get("/").await;
    assert_eq!(
        (first.status(), &first.headers()["location"]),
        (StatusCode::FOUND, &"/console/".parse().unwrap())
    );
    for page in [
        "/console/",
        "/console/en/monitoring",
        "/console/fr/configuration/modules/AM/config/",
        "/console/en/login",
    ] {
        let page = service.get(page).await;
        assert_eq!(page.status(), StatusCode::OK);
        assert_eq!(page.headers()["cache-control"], "no-cache");
        let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(!policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"), "{policy}");
        let text = page.text().await.unwrap();
        assert!(text.contains("SafeKit"), "{text}");
    }
}

#[tokio::test]
async fn what_is_no_page_is_not_found() {
    let service = Service::with_roles();
    for path in [
        "/console/assets/none-12345678.js",
        "/console/guide/none.html",
        "/console/../../etc/passwd",
        "/console/assets/..%2f..%2fCargo.toml",
        "/none",
    ] {
        let answer = service.get(path).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json", "{path}");
    }
}

#[tokio::test]
async fn every_answer_has_the_headers_that_protect() {
    let service = Service::with_roles();
    for path in ["/api/v1/session", "/metrics", "/none", "/safekit/mosaic.html"] {
        let answer = service.request(Method::GET, path).send().await.unwrap();
        for name in
            ["content-security-policy", "x-content-type-options", "referrer-policy", "x-frame-options"]
        {
            assert!(answer.headers().contains_key(name), "{path} has no {name}");
        }
        assert!(!answer.headers().contains_key("strict-transport-security"));
    }
}

#[tokio::test]
async fn the_page_of_the_api_sends_the_token_of_the_session() {
    let service = Service::with_roles();
    let page = service.get("/swagger-ui/index.html").await;
    assert_eq!(page.status(), StatusCode::OK);
    assert!(page.text().await.unwrap().contains("swagger-initializer.js"));
    let script = service.get("/swagger-ui/swagger-initializer.js").await;
    assert!(script.headers()["content-type"].to_str().unwrap().starts_with("text/javascript"));
    let script = script.text().await.unwrap();
    assert!(script.contains("requestInterceptor") && script.contains("X-SafeKit-CSRF"), "{script}");
    // The document is where the script says.
    let document: serde_json::Value = service.get("/api/v1/openapi.json").await.json().await.unwrap();
    assert!(document["info"]["description"].as_str().unwrap().contains("Authorize"));
}

//! Against a provider of our own that can lie; `provider_tests` asks a certified one.

use super::*;
use actix_web::{App, HttpResponse, HttpServer, web};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData, SigningKey};
use serde_json::json;
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex as Shared};

/// How the provider behaves.
struct Provider {
    address: String,
    key: KeyPair,
    /// What signs the tokens; the provider's own key if `None`.
    signs: Option<KeyPair>,
    issuer: String,
    claims: Value,
    algorithm: &'static str,
    user_info: Value,
    /// The token endpoint never answers.
    hangs: bool,
}

type State = Arc<Shared<Provider>>;

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

impl Provider {
    fn token(&self) -> String {
        let head = json!({ "alg": self.algorithm, "kid": "k" });
        let body = format!("{}.{}", part(&head), part(&self.claims));
        if self.algorithm == "none" {
            return format!("{body}.");
        }
        let key = self.signs.as_ref().unwrap_or(&self.key);
        format!("{body}.{}", URL_SAFE_NO_PAD.encode(raw(&key.sign(body.as_bytes()).unwrap())))
    }
}

/// r and s of a signature in DER.
fn raw(der: &[u8]) -> Vec<u8> {
    let (mut rest, mut out) = (&der[2..], Vec::new());
    for _ in 0..2 {
        let length = usize::from(rest[1]);
        let number = &rest[2..2 + length];
        let number = &number[number.len().saturating_sub(32)..];
        out.extend(vec![0; 32 - number.len()]);
        out.extend(number);
        rest = &rest[2 + length..];
    }
    out
}

async fn metadata(state: web::Data<State>) -> HttpResponse {
    let provider = state.lock().unwrap();
    let at = |path: &str| format!("{}/{path}", provider.address);
    HttpResponse::Ok().json(json!({
        "issuer": provider.issuer,
        "authorization_endpoint": at("auth"),
        "token_endpoint": at("token"),
        "jwks_uri": at("jwks"),
        "userinfo_endpoint": at("me"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
    }))
}

async fn keys(state: web::Data<State>) -> HttpResponse {
    let point = state.lock().unwrap().key.der_bytes().to_vec();
    let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
    let key =
        json!({ "kty": "EC", "crv": "P-256", "kid": "k", "use": "sig", "alg": "ES256", "x": x, "y": y });
    HttpResponse::Ok().json(json!({ "keys": [key] }))
}

async fn token(state: web::Data<State>, form: web::Form<Vec<(String, String)>>) -> HttpResponse {
    if state.lock().unwrap().hangs {
        std::future::pending::<()>().await;
    }
    let has = |name: &str| form.iter().any(|(n, v)| n == name && !v.is_empty());
    assert!(has("code_verifier") && has("redirect_uri"), "{form:?}");
    let token = state.lock().unwrap().token();
    HttpResponse::Ok().json(json!({ "access_token": "a", "token_type": "Bearer", "id_token": token }))
}

async fn user_info(state: web::Data<State>) -> HttpResponse {
    HttpResponse::Ok().json(&state.lock().unwrap().user_info)
}

/// A provider on the loopback, and a web service with it.
async fn start(more: &str) -> (State, OpenId, tempfile::TempDir) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let provider = Provider {
        issuer: address.clone(),
        address: address.clone(),
        key,
        signs: None,
        claims: Value::Null,
        algorithm: "ES256",
        user_info: json!({ "sub": "u1" }),
        hangs: false,
    };
    let state: State = Arc::new(Shared::new(provider));
    let data = web::Data::new(state.clone());
    let app = move || {
        App::new()
            .app_data(data.clone())
            .route(METADATA, web::get().to(metadata))
            .route("/jwks", web::get().to(keys))
            .route("/token", web::post().to(token))
            .route("/me", web::get().to(user_info))
    };
    let server = HttpServer::new(app).workers(1).disable_signals().listen(listener).unwrap().run();
    actix_web::rt::spawn(server);
    let dir = tempfile::tempdir().unwrap();
    let text = format!(
        "Define useopenid\nDefine OIDCProviderMetadataURL {address}{METADATA}\nDefine OIDCClientID safekit\n\
        Define OIDCClientSecret \"a secret\"\n{more}"
    );
    let openid = openid(dir.path(), &text).unwrap();
    (state, openid, dir)
}

fn openid(dir: &Path, text: &str) -> Result<OpenId, String> {
    let settings = Settings::parse(Path::new("/conf/httpd.conf"), text).map_err(|e| e.to_string())?;
    OpenId::new(&Paths::new(dir.join("safe"), dir.join("var")), &settings).map_err(|e| e.to_string())
}

/// A login, with claims changed by `change` and the provider by `lie`.
async fn login(
    (state, openid): (&State, &OpenId),
    change: impl Fn(&mut Value),
    lie: impl Fn(&mut Provider),
) -> Result<Login, OpenIdError> {
    let (url, cookie) = openid.begin("http://127.0.0.1:9010/openid", "/console/en/".into(), now()).await?;
    let query: Vec<(String, String)> =
        reqwest::Url::parse(&url).unwrap().query_pairs().into_owned().collect();
    let of = |name: &str| query.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone()).unwrap_or_default();
    assert_eq!((of("response_type"), of("code_challenge_method")), ("code".into(), "S256".into()));
    assert!(of("scope").contains("openid"), "{url}");
    {
        let mut provider = state.lock().unwrap();
        let mut claims = json!({
            "iss": provider.issuer, "sub": "u1", "aud": "safekit", "exp": now() + 60, "iat": now(), "nonce": of("nonce"),
        });
        change(&mut claims);
        provider.claims = claims;
        lie(&mut provider);
    }
    let flight = openid.flight(Some(&cookie), &of("state"), now())?;
    openid.end(flight, "code".into()).await
}

fn set(name: &'static str, value: Value) -> impl Fn(&mut Value) {
    move |claims| claims[name] = value.clone()
}

#[actix_web::test]
async fn w_11d_openid_without_claims_everybody_is_admin() {
    let (state, openid, dir) = start("").await;
    let done = login((&state, &openid), |_| (), |_| ()).await.unwrap();
    assert_eq!(done, Login { user: "u1".into(), access: Some(Access::Admin) });
    // group.conf gives roles instead.
    let conf = dir.path().join("safe/web/conf");
    std::fs::create_dir_all(&conf).unwrap();
    std::fs::write(conf.join("group.conf"), "Admin : admin\nMonitor : u1\n").unwrap();
    let done = login((&state, &openid), |_| (), |_| ()).await.unwrap();
    assert_eq!(done.access, Some(Access::Monitor));
}

#[actix_web::test]
async fn w_11d_openid_claims_give_roles() {
    let more = "Define AdminClaim roles:SKAdmin\nDefine ControlClaim realm.roles:SKControl\n\
        Define OIDCRemoteUserClaim email\n";
    let (state, openid, _dir) = start(more).await;
    let user = |claims: &mut Value| claims["email"] = json!("boss@example.com");
    let done = login((&state, &openid), user, |_| ()).await.unwrap();
    assert_eq!(done, Login { user: "boss@example.com".into(), access: None });
    let admin = |claims: &mut Value| {
        user(claims);
        claims["roles"] = json!(["x", "SKAdmin"]);
    };
    assert_eq!(login((&state, &openid), admin, |_| ()).await.unwrap().access, Some(Access::Admin));
    // From the place for more about the user, unless it is about another.
    let more = |sub: &'static str| {
        move |provider: &mut Provider| {
            provider.user_info = json!({ "sub": sub, "realm": { "roles": ["SKControl"] } });
        }
    };
    assert_eq!(login((&state, &openid), user, more("u1")).await.unwrap().access, Some(Access::Control));
    assert_eq!(login((&state, &openid), user, more("u2")).await.unwrap().access, None);
    let nameless = login((&state, &openid), |_| (), |_| ()).await.unwrap_err();
    assert!(nameless.to_string().contains("email"), "{nameless}");
}

#[actix_web::test]
async fn addresses_give_roles_only_if_they_are_verified() {
    let (state, openid, dir) = start("Define OIDCRemoteUserClaim email\n").await;
    let both = (&state, &openid);
    let boss = |verified: Value| {
        move |claims: &mut Value| {
            claims["email"] = json!("boss@example.com");
            claims["email_verified"] = verified.clone();
        }
    };
    // Without group.conf the address is only a name.
    assert_eq!(login(both, boss(Value::Null), |_| ()).await.unwrap().access, Some(Access::Admin));
    let conf = dir.path().join("safe/web/conf");
    std::fs::create_dir_all(&conf).unwrap();
    std::fs::write(conf.join("group.conf"), "Control : boss@example.com\n").unwrap();
    for verified in [Value::Null, json!(false)] {
        let refused = login(both, boss(verified.clone()), |_| ()).await;
        assert!(matches!(refused, Err(OpenIdError::Unverified(_))), "{verified}: {refused:?}");
    }
    let done = login(both, boss(json!(true)), |_| ()).await.unwrap();
    assert_eq!(done.access, Some(Access::Control));
}

#[actix_web::test]
async fn w_11d_openid_tokens_that_are_not_for_this_login_are_refused() {
    let (state, openid, _dir) = start("").await;
    let both = (&state, &openid);
    let honest = |provider: &mut Provider| (provider.signs, provider.algorithm) = (None, "ES256");
    for (name, value) in [
        ("iss", json!("https://evil.example.com")),
        ("aud", json!("another client")),
        ("aud", json!(["safekit", "another client"])),
        ("exp", json!(now() - 60)),
        ("nonce", json!("of another login")),
        ("nonce", Value::Null),
    ] {
        let refused = login(both, set(name, value.clone()), honest).await;
        assert!(matches!(refused, Err(OpenIdError::Token(_))), "{name} {value}: {refused:?}");
    }
    let foreign = |provider: &mut Provider| {
        provider.signs = Some(KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap());
    };
    let refused = login(both, |_| (), foreign).await;
    assert!(matches!(refused, Err(OpenIdError::Token(_))), "{refused:?}");
    for algorithm in ["none", "HS256"] {
        let unsigned = |provider: &mut Provider| (provider.signs, provider.algorithm) = (None, algorithm);
        let refused = login(both, |_| (), unsigned).await;
        assert!(matches!(refused, Err(OpenIdError::Token(_))), "{algorithm}: {refused:?}");
    }
    login(both, |_| (), honest).await.unwrap();
}

#[actix_web::test]
async fn a_login_ends_only_in_the_browser_that_began_it() {
    let (_state, openid, _dir) = start("").await;
    let begin = async || openid.begin("http://h/openid", "/console/en/".into(), 1000).await.unwrap();
    let ((url, cookie), (_, other)) = (begin().await, begin().await);
    let url = reqwest::Url::parse(&url).unwrap();
    let state = url.query_pairs().find(|(n, _)| n == "state").unwrap().1.into_owned();
    openid.flight(Some(&cookie), &state, 1000).unwrap();
    for (cookie, state, now) in [
        (None, state.as_str(), 1000),
        (Some(other.as_str()), &state, 1000),
        (Some(&cookie), "", 1000),
        (Some(&cookie), &state, 1000 + LIFE_S),
    ] {
        assert!(matches!(openid.flight(cookie, state, now), Err(OpenIdError::Foreign)));
    }
}

#[actix_web::test]
async fn providers_that_lie_or_hang_are_told() {
    let (state, openid, _dir) = start("").await;
    let issuer = state.lock().unwrap().issuer.clone();
    state.lock().unwrap().issuer = "https://other.example.com".into();
    let refused = openid.begin("http://h/openid", String::new(), now()).await.unwrap_err();
    assert!(refused.to_string().contains("issuer"), "{refused}");
    state.lock().unwrap().issuer = issuer;
    let begin = Instant::now();
    let refused = login((&state, &openid), |_| (), |provider| provider.hangs = true).await.unwrap_err();
    assert!(refused.to_string().contains("no answer within"), "{refused}");
    assert!(begin.elapsed() < 2 * WHOLE);
}

#[test]
fn faults_of_httpd_conf_are_told_with_their_line() {
    let dir = tempfile::tempdir().unwrap();
    let url = "Define OIDCProviderMetadataURL https://idp.example.com/.well-known/openid-configuration\n";
    for (text, wanted) in [
        (
            "Define useopenid\n".to_owned(),
            "/conf/httpd.conf:1: useopenid needs a line Define OIDCProviderMetadataURL",
        ),
        (
            format!("Define useopenid\n{url}"),
            "/conf/httpd.conf:1: useopenid needs a line Define OIDCClientID",
        ),
        (
            "Define useopenid\nDefine OIDCProviderMetadataURL https://idp.example.com\n".to_owned(),
            "/conf/httpd.conf:2: OIDCProviderMetadataURL \"https://idp.example.com\" does not end with",
        ),
        (
            format!("Define useopenid\n{url}Define OIDCClientID x\nDefine AdminClaim roles\n"),
            "/conf/httpd.conf:4: \"roles\" is not a claim",
        ),
        (
            format!("Define useopenid\n{url}Define OIDCClientID x\nDefine OIDCScope email\n"),
            "/conf/httpd.conf:4: OIDCScope must contain openid",
        ),
    ] {
        let said = openid(dir.path(), &text).unwrap_err();
        assert!(said.starts_with(wanted), "{said}");
    }
}

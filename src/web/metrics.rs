//! `/metrics`: this node for Prometheus, in the text of OpenMetrics.

use super::Web;
use super::ask::Place;
use super::here::Here;
use super::principal::Principal;
use super::problem::Problem;
use super::ready;
use super::takeover::Takeovers;
use crate::control::{Access, ModuleOverview, Overview, Reply, Request, StateReport};
use crate::fsm::resource::Value;
use crate::fsm::state::{Readiness, Role};
use crate::ids::ModuleName;
use actix_web::dev::Payload;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use tokio::time::timeout;

const KIND: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// What was gathered is given to everybody who asks within this time.
const FRESH: Duration = Duration::from_millis(900);
/// How long a module may take to say its resources.
const PATIENCE: Duration = Duration::from_secs(3);
const ROLES: [Role; 6] = [Role::Stop, Role::Wait, Role::Alone, Role::Prim, Role::Second, Role::Up];
const READINESS: [Readiness; 3] = [Readiness::NotReady, Readiness::Transient, Readiness::Ready];

/// What is counted of the service itself. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Figures(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Requests by the first digit of their status.
    requests: [AtomicU64; 6],
    refused: AtomicU64,
    last: Mutex<Option<(Instant, String)>>,
}

impl Figures {
    /// A request was answered with this status.
    pub fn answered(&self, status: u16) {
        if let Some(count) = self.0.requests.get(usize::from(status / 100)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A login was refused.
    pub fn refused(&self) {
        self.0.refused.fetch_add(1, Ordering::Relaxed);
    }
}

/// Adds the path. It needs the role Monitor, or `Define openmetrics` in httpd.conf.
pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.route("/metrics", web::get().to(show));
}

async fn show(request: HttpRequest, web: Data<Web>) -> Result<HttpResponse, Problem> {
    // Without login everybody may look, whatever name a load balancer or Prometheus has for this node.
    if !web.settings.open_metrics && web.auth.everybody().is_none() {
        Principal::from_request(&request, &mut Payload::None).await?.require(Access::Monitor)?;
    }
    let mut last = web.figures.0.last.lock().await;
    let fresh = last.as_ref().filter(|(at, _)| at.elapsed() < FRESH).map(|(_, text)| text.clone());
    let text = match fresh {
        Some(text) => text,
        None => {
            let text = gather(&web).await;
            *last = Some((Instant::now(), text.clone()));
            text
        }
    };
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, KIND)).body(text))
}

async fn gather(web: &Web) -> String {
    let now = web.here.now();
    let mut states = Vec::new();
    for module in now.iter().flat_map(|now| &now.modules).filter(|m| m.configured) {
        if let Ok(Some(state)) = timeout(PATIENCE, resources(web, module.module.clone())).await {
            states.push(state);
        }
    }
    let mut page = Page::default();
    node(&mut page, now.as_deref());
    if let Some(now) = &now {
        modules(&mut page, &now.modules);
        data(&mut page, &now.modules);
    }
    takeovers(&mut page, &web.here.takeovers());
    resource_rows(&mut page, &states);
    service(&mut page, web);
    page.0 + "# EOF\n"
}

/// The resources of a module, once.
async fn resources(web: &Web, module: ModuleName) -> Option<StateReport> {
    let request = Request::Watch { module: Some(module) };
    let mut answer = web.asker.ask(&Place::Here, Here::behalf(), request, Vec::new()).await.ok()?;
    let state = answer.until(|reply| match reply {
        Reply::State(states) => Some(states.into_iter().next()),
        _ => None,
    });
    state.await.ok()?
}

fn node(page: &mut Page, now: Option<&Overview>) {
    page.family("safekit_up", "gauge", "Whether safeadmin answers.");
    page.row("safekit_up", &[], f64::from(u8::from(now.is_some())));
    if let Some(now) = now {
        let node = now.node.as_ref().map(ToString::to_string).unwrap_or_default();
        page.family("safekit_node", "info", "The node.");
        page.row(
            "safekit_node_info",
            &[("node", &node), ("host", &now.host), ("version", &now.safekit)],
            1.0,
        );
    }
}

fn modules(page: &mut Page, modules: &[ModuleOverview]) {
    page.family("safekit_module_serves", "gauge", "Whether clients are to be sent here, as ready.txt says.");
    for m in modules {
        let serves = ready::serves(m);
        page.row("safekit_module_serves", &[("module", m.module.as_str())], f64::from(u8::from(serves)));
    }
    page.family("safekit_module_role", "stateset", "Role of the module on this node.");
    for m in modules {
        for role in ROLES {
            let labels = [("module", m.module.as_str()), ("safekit_module_role", &role.to_string())];
            page.row("safekit_module_role", &labels, f64::from(u8::from(m.role == role)));
        }
    }
    page.family("safekit_module_readiness", "stateset", "Stability of the module on this node.");
    for m in modules {
        for readiness in READINESS {
            let labels =
                [("module", m.module.as_str()), ("safekit_module_readiness", &readiness.to_string())];
            page.row("safekit_module_readiness", &labels, f64::from(u8::from(m.readiness == readiness)));
        }
    }
}

/// What a module does for its clients and with its data.
fn data(page: &mut Page, modules: &[ModuleOverview]) {
    page.family(
        "safekit_module_uptodate",
        "gauge",
        "Whether the replicated directories of this node are up to date.",
    );
    for m in modules {
        if let Some(uptodate) = m.uptodate {
            page.row(
                "safekit_module_uptodate",
                &[("module", m.module.as_str())],
                f64::from(u8::from(uptodate)),
            );
        }
    }
    page.family(
        "safekit_module_farm_share_ratio",
        "gauge",
        "Part of the clients of a farm that this node serves.",
    );
    for m in modules {
        for share in &m.shares {
            let labels = [("module", m.module.as_str()), ("group", &share.group)];
            page.row("safekit_module_farm_share_ratio", &labels, f64::from(share.percent) / 100.0);
        }
    }
    type Figure = fn(&crate::control::ProgressReport) -> Option<f64>;
    let figures: [(&str, &str, Figure); 3] = [
        ("copied_bytes", "Bytes that the reintegration under way has copied.", |p| Some(p.copied as f64)),
        ("compared_bytes", "Bytes that it has compared.", |p| Some(p.compared as f64)),
        ("left_seconds", "What is left of it, if anybody can say.", |p| p.left.map(|left| left as f64)),
    ];
    for (name, help, figure) in figures {
        let name = format!("safekit_module_reintegration_{name}");
        page.family(&name, "gauge", help);
        for m in modules {
            if let Some(value) = m.progress.as_ref().and_then(figure) {
                page.row(&name, &[("module", m.module.as_str())], value);
            }
        }
    }
}

fn takeovers(page: &mut Page, takeovers: &Takeovers) {
    page.family(
        "safekit_module_failovers",
        "counter",
        "Takeovers of this node since the web service has started.",
    );
    for (module, row) in takeovers.rows() {
        page.row("safekit_module_failovers_total", &[("module", module.as_str())], row.count as f64);
    }
    page.family(
        "safekit_module_takeover_seconds",
        "gauge",
        "How long the last takeover took until it was Ready.",
    );
    for (module, row) in takeovers.rows() {
        if let Some(last) = row.last {
            page.row("safekit_module_takeover_seconds", &[("module", module.as_str())], last);
        }
    }
}

fn resource_rows(page: &mut Page, states: &[StateReport]) {
    let all = || states.iter().flat_map(|s| s.resources.iter().map(move |r| (s.module.as_str(), r)));
    page.family("safekit_module_resource_up", "gauge", "Whether a resource of the module is up.");
    for (module, row) in all().filter(|(_, row)| !matches!(row.value, Value::Text(_))) {
        let labels = [("module", module), ("resource", &row.resource.to_string())];
        page.row("safekit_module_resource_up", &labels, f64::from(u8::from(row.value == Value::Up)));
    }
    page.family("safekit_module_resource", "gauge", "Value of a resource that is a number.");
    for (module, row) in all() {
        if let Value::Text(text) = &row.value
            && let Ok(number) = text.parse::<f64>()
        {
            page.row(
                "safekit_module_resource",
                &[("module", module), ("resource", &row.resource.to_string())],
                number,
            );
        }
    }
}

fn service(page: &mut Page, web: &Web) {
    let load = |count: &AtomicU64| count.load(Ordering::Relaxed) as f64;
    page.family("safekit_web_sessions", "gauge", "Users who are logged in to the web service.");
    page.row("safekit_web_sessions", &[], web.sessions.count(Instant::now()) as f64);
    page.family("safekit_web_requests", "counter", "Requests by the class of their status.");
    for (class, count) in web.figures.0.requests.iter().enumerate().skip(1) {
        page.row("safekit_web_requests_total", &[("status", &format!("{class}xx"))], load(count));
    }
    page.family("safekit_web_logins_refused", "counter", "Logins that were refused.");
    page.row("safekit_web_logins_refused_total", &[], load(&web.figures.0.refused));
}

/// The text so far.
#[derive(Default)]
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a text does not fail.
        let _ = writeln!(self.0, "# TYPE {name} {kind}\n# HELP {name} {help}");
    }

    fn row(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.0.push_str(name);
        for (i, (label, text)) in labels.iter().enumerate() {
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.0, "{}{label}=\"{text}\"", if i == 0 { '{' } else { ',' });
        }
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_escaped() {
        let mut page = Page::default();
        page.family("a", "gauge", "What.");
        page.row("a", &[("x", "q\"\\"), ("y", "l\nm")], 1.5);
        page.row("a", &[], 2.0);
        assert_eq!(page.0, "# TYPE a gauge\n# HELP a What.\na{x=\"q\\\"\\\\\",y=\"l\\nm\"} 1.5\na 2\n");
    }

    #[test]
    fn text_resources_are_numbers_or_states_or_nothing() {
        let row = |name: &str, value: &str| crate::control::ResourceRow {
            resource: name.parse().unwrap(),
            value: value.into(),
            date: None,
            label: String::new(),
        };
        let state = StateReport {
            module: "m".parse().unwrap(),
            mode: "mirror".to_owned(),
            role: Role::Prim,
            readiness: Readiness::Ready,
            remote: None,
            since: String::new(),
            reason: None,
            resources: vec![
                row("tcp.a", "up"),
                row("ip.b", "down"),
                row("rfs.rate", "12.5"),
                row("x.y", "text"),
            ],
            script: None,
        };
        let mut page = Page::default();
        resource_rows(&mut page, &[state]);
        for line in [
            "safekit_module_resource_up{module=\"m\",resource=\"tcp.a\"} 1",
            "safekit_module_resource_up{module=\"m\",resource=\"ip.b\"} 0",
            "safekit_module_resource{module=\"m\",resource=\"rfs.rate\"} 12.5",
        ] {
            assert!(page.0.lines().any(|l| l == line), "{line}\n{}", page.0);
        }
        assert!(!page.0.contains("x.y"));
    }
}

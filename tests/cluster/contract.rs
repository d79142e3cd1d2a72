//! What the OpenAPI document promises, asked of two real nodes by schemathesis with hundreds of requests that
//! follow it and hundreds that do not. `SAFEKIT_CONTRACT` is how many of each kind an operation gets.
//!
//! Needs schemathesis where `scripts/install-packages.sh --tests` puts it.

use crate::support::{Cluster, MODULE, Mirror, Node, SCRIPTS, eventually};
use safekit::sandbox::{Sandbox, State};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Stdio;

const URL: &str = "http://127.0.0.1:9010";
const PASSWORD: &str = "pwd of the test";
/// The requests are the same each time.
const SEED: &str = "20261129";
/// Requests of each kind and operation, unless SAFEKIT_CONTRACT says how many.
const EXAMPLES: &str = "2";
/// Roles that may little or nothing; they take nothing apart.
const LOWER: [&str; 2] = ["Monitor", "Nobody"];

/// `no_fault` and `role_is_enough` are those of hooks.py: no 5xx, but for a 503 with `Retry-After` of a node
/// that does something else now; 401 and 403 for whom the role does not allow it, and for nobody else.
const CHECKS: &str = "no_fault,status_code_conformance,content_type_conformance,\
    response_schema_conformance,role_is_enough";

fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/web/schemathesis")
}

fn curl(node: &Node, request: &str) -> String {
    let options = format!("-s -m 20 -u 'admin:{PASSWORD}' -H 'Content-Type: application/json'");
    node.sh(&format!("curl {options} {request}")).stdout
}

/// The header by which a new bearer token gives a role; `Nobody` says nothing of himself.
fn header(node: &Node, role: &str) -> String {
    if role == "Nobody" {
        return "X-Contract: nobody".to_owned();
    }
    format!("Authorization: Bearer {}", token(node, role))
}

/// A new bearer token for a role.
fn token(node: &Node, role: &str) -> String {
    let wanted = json!({ "name": format!("contract-{role}"), "role": role, "days": 1 });
    let said = curl(node, &format!("-d '{wanted}' {URL}/api/v1/tokens"));
    let made: Value = serde_json::from_str(&said).unwrap_or_else(|e| panic!("{e}: {said}"));
    made["token"].as_str().unwrap_or_else(|| panic!("{said}")).to_owned()
}

/// Runs schemathesis on a node as a role: whether all was as the document says.
///
/// `admin` is the token by which the cluster is brought back, `header` that of the role.
fn contract(node: &Node, state: &State, role: &str, (admin, header): (&str, &str), phases: &str) -> bool {
    let examples = std::env::var("SAFEKIT_CONTRACT").unwrap_or_else(|_| EXAMPLES.to_owned());
    let mut command = node.inside().command(state, "env");
    command.args(["-C".into(), home().into_os_string()]);
    for (name, value) in [
        ("CONTRACT_URL", URL),
        ("CONTRACT_MODULE", MODULE),
        ("CONTRACT_ADMIN", admin),
        ("CONTRACT_ROLE", role),
        ("SCHEMATHESIS_HOOKS", "hooks"),
        ("PYTHONDONTWRITEBYTECODE", "1"),
    ] {
        command.arg(format!("{name}={value}"));
    }
    command.arg(home().join(".venv/bin/st")).args(["--config-file", "schemathesis.toml", "run"]);
    command.args([&format!("{URL}/api/v1/openapi.json"), "--header", header]);
    command.args(["--checks", CHECKS, "--phases", phases, "--seed", SEED, "--max-examples", &examples]);
    command.args(["--generation-database", "none", "--no-shrink", "--continue-on-failure", "--no-color"]);
    command.args([
        "--generation-with-security-parameters",
        "false",
        "--warnings",
        "off",
        "--request-timeout",
        "60",
    ]);
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    eprintln!("as {role}, seed {SEED}, {examples} examples:\n{said}");
    output.status.success() && said.contains("Tested: ")
}

#[test]
fn the_api_is_as_its_document_says() {
    let st = home().join(".venv/bin/st");
    assert!(st.exists(), "{} is missing: scripts/install-packages.sh --tests", st.display());
    let cluster = Cluster::with("contract", |mut options| {
        options.password = Some(PASSWORD.to_owned());
        options
    });
    let node1 = cluster.node(1);
    cluster.install(MODULE, &Mirror { vip: None, ..Mirror::default() }.xml(), &SCRIPTS);
    for node in cluster.nodes() {
        let answers = || curl(node, &format!("{URL}/api/v1/level")).contains("safekit");
        eventually("the web service answers", || answers().then_some(()));
    }
    let (dir, name) = (cluster.dir().parent().expect("a parent"), cluster.dir().file_name());
    let name = name.and_then(|name| name.to_str()).expect("a name");
    let (_, state) = Sandbox::open(dir, name).expect("open the sandbox");
    let admin = token(node1, "Admin");
    let processes = |cluster: &Cluster| -> Vec<String> {
        cluster.nodes().iter().map(|node| node.sh("pidof safeadmin safewebserver").stdout).collect()
    };
    let before = processes(&cluster);
    for role in LOWER {
        let header = header(node1, role);
        assert!(contract(node1, &state, role, (&admin, &header), "fuzzing"), "as {role}");
    }
    let header = format!("Authorization: Bearer {admin}");
    assert!(contract(node1, &state, "Admin", (&admin, &header), "coverage,fuzzing"), "as Admin");
    // The nodes are as they were, and nothing had to be begun again.
    for node in cluster.nodes() {
        assert_eq!(node.ok(&["module", "list"]).lines().next(), Some(MODULE), "{}", node.name());
    }
    assert_eq!(processes(&cluster), before);
}

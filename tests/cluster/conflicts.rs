//! Two administrators, each connected to another node, change the same (WEB-27, WEB-29): what one of them has
//! saved is replaced by nobody who has not seen it.

use crate::support::{Cluster, MODULE, Mirror, Node, SCRIPTS, eventually};
use serde_json::{Value, json};

const PASSWORD: &str = "pwd of the test";

fn cluster(test: &str) -> Cluster {
    let cluster = Cluster::with(test, |mut options| {
        options.password = Some(PASSWORD.to_owned());
        options
    });
    for node in cluster.nodes() {
        eventually("the web service answers", || {
            (api(node, "GET", "/overview", None).0 == 200).then_some(())
        });
    }
    cluster
}

/// Status and answer of a request of the API by an administrator who is connected to this node.
fn api(node: &Node, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
    let file = node.inside().dir().join("body.json");
    let data = match body {
        None => String::new(),
        Some(body) => {
            std::fs::write(&file, body.to_string()).expect("the disk of the node");
            format!("-H 'Content-Type: application/json' -d @{}", file.display())
        }
    };
    let said = node.sh(&format!(
        "curl -s -m 60 -u 'admin:{PASSWORD}' -X {method} {data} -w '\\n%{{http_code}}' \
         'http://127.0.0.1:9010/api/v1{path}'"
    ));
    let (answer, status) = said.stdout.trim_end().rsplit_once('\n').unwrap_or(("", "0"));
    (status.parse().unwrap_or(0), serde_json::from_str(answer).unwrap_or(Value::Null))
}

fn path(rest: &str) -> String {
    format!("/modules/{MODULE}{rest}")
}

/// The answer of a request that succeeds.
fn good(node: &Node, method: &str, rest: &str, body: Option<&Value>) -> Value {
    let (status, answer) = api(node, method, &path(rest), body);
    assert_eq!(status, 200, "{method} {rest}: {answer}");
    answer
}

fn signature(node: &Node) -> String {
    good(node, "GET", "/files", None)["signature"].as_str().expect("a signature").to_owned()
}

/// Saves another userconfig.xml over what has this signature; the new signature.
fn put(node: &Node, over: &str, mirror: &Mirror) -> String {
    let mut files = good(node, "GET", "/files", None);
    files["signature"] = over.into();
    let list = files["files"].as_array_mut().expect("files").iter_mut();
    list.filter(|file| file["path"] == "conf/userconfig.xml")
        .for_each(|file| file["text"] = mirror.xml().into());
    good(node, "PUT", "/files", Some(&files))["signature"].as_str().expect("a signature").to_owned()
}

/// The same, and applies it.
fn save(node: &Node, over: &str, mirror: &Mirror) -> String {
    let saved = put(node, over, mirror);
    good(node, "POST", &format!("/config?signature={saved}"), None);
    saved
}

/// Signature of what is applied on a node.
fn active(node: &Node) -> Value {
    node.json(&["confinfo", "-m", MODULE])["active"]["signature"].clone()
}

/// Gives the module of this node to another one that is to hold this; code and conflict.
fn give(node: &Node, to: &str, meant: &str, holds: &str) -> (Value, Value) {
    let body = json!({ "nodes": [to], "signature": meant, "expected": { to: [holds] } });
    let answer = good(node, "POST", "/deploy", Some(&body));
    let result = answer["results"][0].clone();
    assert_eq!(result["node"], to, "{answer}");
    (result["code"].clone(), result["conflict"].clone())
}

#[test]
fn w_27_two_administrators_on_two_nodes_lose_nothing() {
    let cluster = cluster("w_27_two");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    node1.unpack(MODULE, 1, &Mirror::default().xml(), &SCRIPTS);
    node1.ok(&["module", "genkey", "-m", MODULE]);
    node1.ok(&["config", "-m", MODULE]);
    let both = signature(node1);
    assert_eq!(give(node1, "node2", &both, "00"), (1.into(), "".into()), "it is not expected not to have it");
    assert_eq!(give(node1, "node2", &both, ""), (0.into(), Value::Null));
    assert_eq!(signature(node2), both);

    // Each has loaded the same, saves and applies where he is connected, then gives it to the other node.
    let a = save(node1, &both, &Mirror { service: r#"maxloop="5""#, ..Mirror::default() });
    let b = save(node2, &both, &Mirror { service: r#"maxloop="6""#, ..Mirror::default() });
    assert_eq!(give(node1, "node2", &a, &both), (1.into(), b.as_str().into()));
    assert_eq!(give(node2, "node1", &b, &both), (1.into(), a.as_str().into()));
    assert_eq!((signature(node1), signature(node2)), (a.clone(), b.clone()), "each node has what it had");

    // Who has seen the other one's may replace it; asking again after a lost answer is no conflict.
    assert_eq!(give(node1, "node2", &a, &b), (0.into(), Value::Null));
    assert_eq!(give(node1, "node2", &a, &both), (0.into(), Value::Null));
    assert_eq!(signature(node2), a);
    assert_eq!((active(node1), active(node2)), (a.as_str().into(), a.as_str().into()));

    // What somebody has saved here since is neither applied nor given.
    let body = json!({ "nodes": ["node2"], "signature": b, "expected": { "node2": [a] } });
    for (rest, body) in [(format!("/config?signature={b}"), None), ("/deploy".to_owned(), Some(&body))] {
        let (status, problem) = api(node1, "POST", &path(&rest), body);
        assert_eq!((status, &problem["signature"]), (409, &a.as_str().into()), "{rest}: {problem}");
        assert!(problem["files"].as_array().is_some_and(|files| !files.is_empty()), "{rest}");
    }
    // The commands of the shell ask nobody (CLI-017).
    save(node2, &a, &Mirror { service: r#"maxloop="7""#, ..Mirror::default() });
    node1.ok(&["-H", "node2", "-E", MODULE]);
    assert_eq!(signature(node2), a);
}

/// What is saved and not applied, on the node itself or on another one, is somebody's work: files and keys.
#[test]
fn w_28_keys_and_saved_files_of_another_administrator_are_not_replaced_unseen() {
    let cluster = cluster("w_28_two");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    node1.unpack(MODULE, 1, &Mirror::default().xml(), &SCRIPTS);
    node1.ok(&["config", "-m", MODULE]);
    let both = signature(node1);
    assert_eq!(give(node1, "node2", &both, ""), (0.into(), Value::Null));

    // The second of two who have seen the same makes no other key, and removes none.
    let keyed = good(node1, "POST", &format!("/key?signature={both}"), None)["signature"].clone();
    assert_ne!(keyed, both);
    assert_eq!(signature(node1), keyed);
    let there = format!("/nodes/node1/modules/{MODULE}/key?signature={both}");
    for (node, method, path) in [
        (node1, "POST", path(&format!("/key?signature={both}"))),
        (node1, "DELETE", path(&format!("/key?signature={both}"))),
        (node2, "DELETE", there),
    ] {
        let (status, problem) = api(node, method, &path, None);
        assert_eq!((status, &problem["signature"]), (409, &keyed), "{method} {path}: {problem}");
        assert!(problem["files"].as_array().is_some_and(|files| !files.is_empty()), "{problem}");
        assert_eq!(signature(node1), keyed, "{method} {path}");
    }
    let keyed = keyed.as_str().expect("a signature");
    let removed = good(node1, "DELETE", &format!("/key?signature={keyed}"), None);
    assert_eq!(removed["signature"], both, "nothing but the key has changed");

    // Saved on node2 and not applied: it is told for that node, which keeps all that it has.
    let theirs = put(node2, &both, &Mirror { service: r#"maxloop="8""#, ..Mirror::default() });
    let mine = put(node1, &both, &Mirror { service: r#"maxloop="9""#, ..Mirror::default() });
    let body =
        json!({ "nodes": ["node1", "node2"], "signature": mine, "expected": { "node2": [both, mine] } });
    let answer = good(node1, "POST", "/deploy", Some(&body));
    let of = |n: usize| {
        let result = &answer["results"][n];
        (result["node"].clone(), result["code"].clone(), result["conflict"].clone())
    };
    assert_eq!(of(0), ("node1".into(), 0.into(), Value::Null), "{answer}");
    assert_eq!(of(1), ("node2".into(), 1.into(), theirs.as_str().into()), "{answer}");
    assert_eq!((signature(node2), active(node2)), (theirs.clone(), both.as_str().into()));
    assert_eq!(active(node1), mine.as_str());
    assert_eq!(give(node1, "node2", &mine, &theirs), (0.into(), Value::Null), "it was seen");
    assert_eq!(active(node2), mine.as_str());
}

#[test]
fn w_24_a_cluster_configuration_that_nobody_has_seen_is_not_replaced() {
    let cluster = cluster("w_24_two");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let signature = |node: &Node| {
        let (status, file) = api(node, "GET", "/cluster", None);
        assert_eq!(status, 200, "{file}");
        file["signature"].as_str().expect("a signature").to_owned()
    };
    let both = signature(node1);
    node2.ok(&["cluster", "config"]);
    let theirs = signature(node2);
    assert_ne!(theirs, both);
    let give = |holds: &str| {
        let body = json!({ "nodes": ["node2"], "expected": { "node2": [holds] } });
        let (status, answer) = api(node1, "POST", "/cluster/deploy", Some(&body));
        assert_eq!(status, 200, "{answer}");
        answer["results"][0].clone()
    };
    node1.ok(&["cluster", "config"]);
    let result = give(&both);
    assert_eq!((&result["code"], &result["conflict"]), (&1.into(), &theirs.as_str().into()), "{result}");
    assert_eq!(signature(node2), theirs);
    assert_eq!(give(&theirs)["code"], 0);
    assert_eq!(signature(node2), signature(node1));
    assert_eq!(give("")["code"], 0, "it has it already");
}

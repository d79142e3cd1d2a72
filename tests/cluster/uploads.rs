//! Archives and XML that are damaged or made to harm, uploaded to a real node: refused with a reason, and
//! nothing of them is left.

use crate::support::{Cluster, MODULE, Mirror, Node, SCRIPTS, eventually};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use std::io::{Cursor, Write};
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

const PASSWORD: &str = "pwd of the test";
const ZIP: &str = "application/zip";
const JSON: &str = "application/json";
/// Each is a command on the node: fewer than usual.
const CASES: u32 = 24;

fn cluster(test: &str) -> Cluster {
    let cluster = Cluster::with(test, |options| safekit::sandbox::Options {
        password: Some(PASSWORD.to_owned()),
        ..options
    });
    let node = cluster.node(1);
    cluster.install_on(
        &cluster.nodes()[..1],
        MODULE,
        &Mirror { vip: None, ..Mirror::default() }.xml(),
        &SCRIPTS,
    );
    eventually("the web service answers", || (ask(node, "GET", "/level", JSON, b"").0 == 200).then_some(()));
    cluster
}

/// Status and body of a request of an administrator.
fn ask(node: &Node, method: &str, path: &str, kind: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let (sent, got) = (node.inside().dir().join("sent"), node.inside().dir().join("got"));
    std::fs::write(&sent, body).expect("the disk of the node");
    let status = node.sh(&format!(
        "curl -s -m 30 -o '{}' -w '%{{http_code}}' -u 'admin:{PASSWORD}' -X {method} -H 'Content-Type: {kind}' \
         --data-binary '@{}' 'http://127.0.0.1:9010/api/v1{path}'",
        got.display(),
        sent.display()
    ));
    (status.stdout.parse().unwrap_or(0), std::fs::read(&got).unwrap_or_default())
}

fn value(node: &Node, path: &str) -> Value {
    let (status, body) = ask(node, "GET", path, JSON, b"");
    assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&body));
    serde_json::from_slice(&body).expect("JSON")
}

/// What must not change: files and configuration of the module and of the cluster.
fn state(node: &Node) -> (Value, Value, String) {
    let info = value(node, &format!("/modules/{MODULE}/confinfo"));
    let module = json!([info["active"], info["current"]["signature"]]);
    let files = node.sh("cd $SAFE && find modules web/conf Application_Modules -type f -o -type l | sort");
    (module, value(node, "/cluster")["signature"].clone(), files.stdout)
}

/// A problem document that says what is wrong.
#[track_caller]
fn problem((status, body): &(u16, Vec<u8>), what: &str) {
    let text = String::from_utf8_lossy(body);
    assert!((400..500).contains(status), "{what}: {status} {text}");
    let problem: Value = serde_json::from_slice(body).unwrap_or_else(|e| panic!("{what}: {e}: {text}"));
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.len() > 10), "{what}: {text}");
}

/// The archive with one more file or link.
fn with(archive: &[u8], add: impl Fn(&mut ZipWriter<Cursor<Vec<u8>>>)) -> Vec<u8> {
    let mut from = ZipArchive::new(Cursor::new(archive)).expect("an archive");
    let mut to = ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..from.len() {
        to.raw_copy_file(from.by_index(index).expect("a file")).expect("copy it");
    }
    add(&mut to);
    to.finish().expect("an archive").into_inner()
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = bytes.to_vec();
    for at in 0..bytes.len().saturating_sub(from.len()) {
        if bytes[at..].starts_with(from) {
            bytes[at..at + to.len()].copy_from_slice(to);
        }
    }
    bytes
}

/// Declares sizes of 4 GiB for every file.
fn enormous(archive: &[u8]) -> Vec<u8> {
    let mut bytes = archive.to_vec();
    for at in 0..bytes.len().saturating_sub(30) {
        for (mark, size) in [(b"PK\x03\x04", 22), (b"PK\x01\x02", 24)] {
            if bytes[at..].starts_with(mark) {
                bytes[at + size..at + size + 4].copy_from_slice(&0xffff_fffeu32.to_le_bytes());
            }
        }
    }
    bytes
}

/// Archives by what is wrong with them.
fn harmful(node: &Node, good: &[u8]) -> Vec<(String, Vec<u8>)> {
    let file = SimpleFileOptions::default().unix_permissions(0o755);
    let mut all = Vec::new();
    for name in
        ["../evil", "/evil", "bin/../../../evil", "./../evil", "..", "bin/..", "conf/../../../evil\0x"]
    {
        all.push((
            format!("name {name:?}"),
            with(good, |zip| {
                zip.start_file(name, file).expect("any name");
                zip.write_all(b"evil").expect("write it");
            }),
        ));
    }
    for target in ["/etc/passwd", "../../../web/conf/user.conf"] {
        all.push((
            format!("link to {target}"),
            with(good, |zip| {
                zip.add_symlink("bin/evil", target, SimpleFileOptions::default()).expect("a link")
            }),
        ));
    }
    let two = with(good, |zip| {
        for name in ["bin/evil_a", "bin/evil_b"] {
            zip.start_file(name, file).expect("a name");
            zip.write_all(name.as_bytes()).expect("write it");
        }
    });
    all.push(("the same name twice".to_owned(), replaced(&two, b"bin/evil_b", b"bin/evil_a")));
    let made = node.inside().dir().join("made.zip");
    for (what, files) in [
        ("a bomb", "('bin/evil%d' % i, bytes(64 << 20)) for i in range(4)"),
        ("too many files", "('bin/evil%d' % i, b'') for i in range(20000)"),
        ("a file below a file", "('bin/evil' + '/x' * i, b'') for i in range(3)"),
    ] {
        let code = "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1], 'a', 8)";
        std::fs::write(&made, good).expect("the disk of the node");
        let output = node.sh(&format!(
            "python3 -c \"{code}; [z.writestr(n, b) for n, b in [{files}]]; z.close()\" '{}'",
            made.display()
        ));
        assert_eq!(output.code, 0, "{output:?}");
        all.push((what.to_owned(), std::fs::read(&made).expect("it was made")));
    }
    all.push(("nothing".to_owned(), Vec::new()));
    all.push(("text".to_owned(), b"no archive at all".to_vec()));
    all
}

fn runner() -> TestRunner {
    let more = std::env::var("SAFEKIT_CONTRACT").ok().and_then(|more| more.parse::<u32>().ok());
    TestRunner::new_with_rng(
        Config {
            cases: more.map_or(CASES, |more| more * CASES),
            failure_persistence: None,
            ..Config::default()
        },
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    )
}

#[test]
fn archives_that_are_damaged_or_harmful_leave_nothing() {
    let cluster = cluster("archives");
    let node = cluster.node(1);
    let path = format!("/modules/{MODULE}/archive");
    let put = |archive: &[u8]| ask(node, "PUT", &format!("{path}?reinstall=true"), ZIP, archive);
    let (status, good) = ask(node, "GET", &path, JSON, b"");
    assert_eq!((status, put(&good).0), (200, 200));
    node.ok(&["config", "-m", MODULE]);
    let before = state(node);
    for (what, archive) in harmful(node, &good) {
        problem(&put(&archive), &what);
        assert_eq!(state(node), before, "{what}");
        problem(&ask(node, "PUT", "/modules/evil/archive", ZIP, &archive), &what);
        assert_eq!(state(node), before, "{what}, as a new module");
    }
    let left = node
        .sh(&format!("find '{}' /evil* /tmp/evil* -name 'evil*' 2>/dev/null", node.inside().dir().display()));
    assert_eq!(left.stdout, "", "something was unpacked");
    // What is in an archive counts, not what it says of it.
    assert_eq!((put(&enormous(&good)).0, state(node)), (200, before.clone()));
    let cut = any::<prop::sample::Index>().prop_map(|at| (at, 0));
    let flipped = (any::<prop::sample::Index>(), 1u8..);
    runner()
        .run(&prop_oneof![cut, flipped], |(at, bits)| {
            let mut archive = good.clone();
            let at = at.index(archive.len());
            if bits == 0 {
                archive.truncate(at)
            } else {
                archive[at] ^= bits
            }
            let answer = put(&archive);
            if answer.0 == 200 {
                // A date or the like: an archive still.
                assert_eq!(put(&good).0, 200);
            } else {
                problem(&answer, &format!("{bits} at {at}"));
            }
            assert_eq!(state(node), before, "{bits} at {at}");
            Ok(())
        })
        .expect("every case is refused or taken as a whole");
}

#[test]
fn files_of_a_module_stay_in_it() {
    let cluster = cluster("files");
    let node = cluster.node(1);
    let path = format!("/modules/{MODULE}/files");
    let good = value(node, &path);
    let before = state(node);
    for name in
        ["../evil", "/evil", "bin/../../../evil", "", ".", "bin", "bin/", "conf/./x/../../../evil", "a\0b"]
    {
        let mut files = good["files"].as_array().expect("files").clone();
        files.push(json!({ "path": name, "text": "evil" }));
        let body = json!({ "files": files }).to_string();
        problem(&ask(node, "PUT", &path, JSON, body.as_bytes()), &format!("{name:?}"));
        assert_eq!(state(node), before, "{name:?}");
    }
    for name in ["..%2f..%2fconf%2fuserconfig.xml", "%2fetc%2fpasswd", "..", "%00", "none"] {
        let at = format!("/modules/{MODULE}/userlogs/{name}");
        problem(&ask(node, "GET", &at, JSON, b""), &at);
    }
}

fn hostile_xml(good: &str) -> Vec<(String, String)> {
    let deep = "<lan>".repeat(10_000) + &"</lan>".repeat(10_000);
    let bomb = "<!DOCTYPE cluster [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\"><!ENTITY c \
        \"&b;&b;&b;&b;&b;&b;&b;&b;\">]>";
    let external = "<!DOCTYPE cluster [<!ENTITY a SYSTEM \"file:///etc/passwd\">]>";
    let body = good.trim_start_matches("<?xml version=\"1.0\"?>").trim();
    [
        ("deep", good.replace("<lans>", &format!("<lans>{deep}"))),
        ("entities", format!("{bomb}{}", body.replacen("node1", "&c;", 1))),
        ("an external entity", format!("{external}{}", body.replacen("node1", "&a;", 1))),
        ("a long name", good.replacen("node1", &"n".repeat(1 << 20), 1)),
        ("an attribute twice", good.replacen("name=\"node1\"", "name=\"node1\" name=\"node1\"", 1)),
        ("a node twice", good.replace("node2", "node1")),
        ("an impossible address", good.replacen("10.77.1.1", "999999999999.1.1.1", 1)),
        ("NUL", good.replacen("node1", "no\0de", 1)),
        ("another document", "<safe/>".to_owned()),
        ("nothing", String::new()),
        ("two documents", format!("{good}{body}")),
    ]
    .map(|(what, xml)| (what.to_owned(), xml))
    .to_vec()
}

#[test]
fn xml_that_is_damaged_or_hostile_changes_nothing() {
    let cluster = cluster("xml");
    let node = cluster.node(1);
    let xml = value(node, "/cluster")["xml"].as_str().expect("a text").to_owned();
    let before = state(node);
    let put = |xml: &str| ask(node, "PUT", "/cluster", JSON, json!({ "xml": xml }).to_string().as_bytes());
    for (what, bad) in hostile_xml(&xml) {
        problem(&put(&bad), &what);
        let check = ask(node, "POST", "/cluster/check", JSON, json!({ "xml": bad }).to_string().as_bytes());
        let found: Value = serde_json::from_slice(&check.1).expect("JSON");
        let told = check.0 == 200 && found["faults"].as_array().is_some_and(|faults| !faults.is_empty());
        assert!(told || (400..500).contains(&check.0), "{what}: {found}");
        let config = json!({ "userconfig": bad }).to_string();
        let check = ask(node, "POST", &format!("/modules/{MODULE}/check"), JSON, config.as_bytes());
        assert!(check.0 < 500, "{what}: {}", String::from_utf8_lossy(&check.1));
        assert_eq!(state(node), before, "{what}");
    }
    runner()
        .run(&any::<prop::sample::Index>(), |at| {
            // What comes after the last tag may go.
            let at = at.index(xml.trim_end().len() - 1);
            let cut: String = xml.chars().take(at).collect();
            problem(&put(&cut), &format!("cut at {at}"));
            assert_eq!(state(node), before, "cut at {at}");
            Ok(())
        })
        .expect("every case is refused");
}

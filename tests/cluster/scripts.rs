//! The scripts of a module (spec/acceptance.md D-14).

use crate::support::{Cluster, MODULE, Mirror, Node, eventually};

/// Says its own name and arguments.
const SAY: &str = r#"echo "$(basename "$0") $*" >>"$SAFEUSERVAR/calls""#;
/// All but prestart.
const ALL: [&str; 10] = [
    "transition",
    "poststop",
    "start_prim",
    "stop_prim",
    "start_second",
    "stop_second",
    "start_sec",
    "stop_sec",
    "start_both",
    "stop_both",
];
/// As delivered: calls the stop scripts that there are.
const PRESTART: &str = include_str!("../../conf/modules/mirror/bin/prestart");

fn calls(node: &Node) -> Vec<String> {
    node.written(MODULE, "calls").lines().map(str::to_owned).collect()
}

/// The calls since the last look, once the module is as wanted.
fn since(node: &Node, seen: &mut usize) -> Vec<String> {
    let all = calls(node);
    let new = all[*seen..].to_vec();
    *seen = all.len();
    new
}

// Calls of each edge in their order (spec/automata.md, image404).
const PRESTARTS: [&str; 6] = [
    "transition STOP WAIT start",
    "prestart STOP WAIT start",
    "stop_sec STOP WAIT start",
    "stop_second STOP WAIT start",
    "stop_prim STOP WAIT start",
    "stop_both STOP WAIT start",
];
const ALONE: [&str; 4] =
    ["transition WAIT ALONE", "start_both WAIT ALONE", "start_prim WAIT ALONE", "start_sec WAIT ALONE"];
const PAIRED: [&str; 3] = ["stop_sec ALONE PRIM", "stop_sec force ALONE PRIM", "transition ALONE PRIM"];
const SECOND: [&str; 4] =
    ["transition WAIT SECOND", "start_both WAIT SECOND", "start_second WAIT SECOND", "start_sec WAIT SECOND"];
const LEAVES: [&str; 5] = [
    "stop_prim PRIM SECOND",
    "stop_prim force PRIM SECOND",
    "transition PRIM SECOND",
    "start_second PRIM SECOND",
    "start_sec PRIM SECOND",
];
const ENTERS: [&str; 6] = [
    "stop_sec SECOND PRIM",
    "stop_sec force SECOND PRIM",
    "stop_second SECOND PRIM",
    "stop_second force SECOND PRIM",
    "transition SECOND PRIM",
    "start_prim SECOND PRIM",
];
const LEFT: [&str; 7] = [
    "stop_sec SECOND WAIT stopwait",
    "stop_sec force SECOND WAIT stopwait",
    "stop_second SECOND WAIT stopwait",
    "stop_second force SECOND WAIT stopwait",
    "stop_both SECOND WAIT stopwait",
    "stop_both force SECOND WAIT stopwait",
    "transition SECOND WAIT stopwait",
];
const STOPPED: [&str; 11] = [
    "stop_prim PRIM WAIT stop",
    "stop_prim force PRIM WAIT stop",
    "stop_both PRIM WAIT stop",
    "stop_both force PRIM WAIT stop",
    "transition PRIM WAIT stop",
    "stop_sec force WAIT STOP stop",
    "stop_prim force WAIT STOP stop",
    "stop_second force WAIT STOP stop",
    "stop_both force WAIT STOP stop",
    "poststop WAIT STOP stop",
    "transition WAIT STOP stop",
];
const TAKES_OVER: [&str; 4] = [
    "stop_second SECOND ALONE",
    "stop_second force SECOND ALONE",
    "transition SECOND ALONE",
    "start_prim SECOND ALONE",
];

#[test]
fn d_14a_calls_in_order() {
    let prestart = format!("{SAY}\n{PRESTART}");
    let environment = r#"env >"$SAFEUSERVAR/environment""#;
    let start_prim = format!("{SAY}\n{environment}");
    let mut scripts: Vec<(&str, &str)> = ALL.iter().map(|name| (*name, SAY)).collect();
    scripts.retain(|(name, _)| *name != "start_prim");
    scripts.extend([("start_prim", start_prim.as_str()), ("prestart", prestart.as_str())]);
    let user =
        r#"<user nicestoptimeout="10" forcestoptimeout="10"><var name="GREETING" value="hello"/></user>"#;
    let cluster = Cluster::new("d_14a");
    cluster.install(MODULE, &Mirror { user, vip: None, ..Mirror::default() }.xml(), &scripts);
    cluster.start_pair(MODULE);
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let (mut seen1, mut seen2) = (0, 0);
    assert_eq!(since(node1, &mut seen1), [&PRESTARTS[..], &ALONE, &PAIRED].concat());
    assert_eq!(since(node2, &mut seen2), [&PRESTARTS[..], &SECOND].concat());
    check_environment(node1);

    node1.ok(&["swap", "-m", MODULE]);
    node1.wait_state(MODULE, "SECOND");
    node2.wait_state(MODULE, "PRIM");
    assert_eq!(since(node1, &mut seen1), LEAVES);
    assert_eq!(since(node2, &mut seen2), ENTERS);

    // Node 1 waits by a stopwait, then comes back: neither poststop nor prestart.
    node1.ok(&["stopwait", "-m", MODULE, "-i", "customscript"]);
    eventually("SECOND again", || {
        calls(node1).last().filter(|call| *call == "start_sec WAIT SECOND").cloned()
    });
    node1.wait_state(MODULE, "SECOND");
    node2.wait_state(MODULE, "PRIM");
    let waits = since(node1, &mut seen1);
    assert_eq!(waits, [&LEFT[..], &SECOND].concat());
    since(node2, &mut seen2);

    node2.ok(&["stop", "-m", MODULE]);
    node2.wait_state(MODULE, "STOP");
    node1.wait_state(MODULE, "ALONE");
    assert_eq!(since(node2, &mut seen2), STOPPED);
    assert_eq!(since(node1, &mut seen1), TAKES_OVER);
}

fn check_environment(node: &Node) {
    let text = node.written(MODULE, "environment");
    let (safe, var) = (node.inside().safe(), node.inside().safevar());
    let expected = [
        format!("SAFE={}", safe.display()),
        format!("SAFEMODULE={MODULE}"),
        format!("SAFEBIN={}", safe.join("private/bin").display()),
        format!("SAFEUSERBIN={}", safe.join("private/modules").join(MODULE).join("bin").display()),
        format!("SAFEVAR={}", var.display()),
        format!("SAFEUSERVAR={}", var.join("modules").join(MODULE).display()),
        "GREETING=hello".to_owned(),
    ];
    for line in expected {
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }
}

#[test]
fn d_14b_timeouts_and_logs() {
    let cluster = Cluster::new("d_14b");
    let only = &cluster.nodes()[..1];
    let node1 = cluster.node(1);
    let hang = [("start_prim", "seq 1000"), ("stop_prim", "sleep 1000")];
    let user = r#"<user nicestoptimeout="1" forcestoptimeout="2" userlogsize="1"/>"#;
    let quiet = r#"<user logging="none"/>"#;
    let touch = [("start_prim", r#"echo started | tee "$SAFEUSERVAR/started""#)];
    for (module, user, scripts) in [("hang", user, &hang[..]), ("quiet", quiet, &touch), ("bare", "", &touch)]
    {
        cluster.install_on(only, module, &Mirror { user, vip: None, ..Mirror::default() }.xml(), scripts);
        node1.ok(&["prim", "-m", module]);
    }
    for module in ["hang", "quiet", "bare"] {
        node1.wait_state(module, "ALONE");
    }
    let userlogs = |module: &str| {
        let dir = node1.inside().safevar().join("modules").join(module);
        let files = std::fs::read_dir(dir).expect("its directory").flatten();
        let logs = files.filter(|file| file.file_name().to_string_lossy().ends_with(".ulog"));
        logs.map(|log| log.metadata().expect("a file").len()).collect::<Vec<_>>()
    };
    assert_eq!(userlogs("quiet"), Vec::<u64>::new(), "logging=\"none\"");
    assert_eq!(node1.written("quiet", "started"), "started\n");
    assert_eq!((userlogs("bare"), node1.written("bare", "started")), (vec![], String::new()), "no <user>");
    node1.assert_not_logged("bare", 0, "Script");

    assert!(userlogs("hang")[0] > 1024, "{:?}", userlogs("hang"));
    let from = node1.mark("hang");
    node1.ok(&["stop", "-m", "hang"]);
    node1.wait_state("hang", "STOP");
    let said = [
        "Script stop_prim",
        "Script stop_prim killed: still running after 1 s",
        "Script stop_prim",
        "Script stop_prim killed: still running after 2 s",
        "End of stop",
    ];
    node1.assert_log("hang", from, &said);
    assert!(userlogs("hang").iter().any(|size| *size > 1024), "it stays until the next start");
    node1.ok(&["start", "-m", "hang"]);
    eventually("the userlog is empty", || userlogs("hang").contains(&0).then_some(()));
}

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

const STARTS: [&str; 6] = [
    "transition STOP WAIT start",
    "prestart STOP WAIT start",
    "stop_sec STOP WAIT start",
    "stop_second STOP WAIT start",
    "stop_prim STOP WAIT start",
    "stop_both STOP WAIT start",
];
const BECOMES_SECOND: [&str; 4] =
    ["transition WAIT SECOND", "start_both WAIT SECOND", "start_second WAIT SECOND", "start_sec WAIT SECOND"];

/// What a node has called, look by look.
struct Calls<'a> {
    node: &'a Node,
    seen: usize,
}

impl Calls<'_> {
    fn all(&self) -> Vec<String> {
        self.node.written(MODULE, "calls").lines().map(str::to_owned).collect()
    }

    /// Those since the last look.
    fn made(&mut self) -> Vec<String> {
        let mut all = self.all();
        let new = all.split_off(self.seen);
        self.seen += new.len();
        new
    }
}

#[test]
fn d_14a_calls_in_order() {
    let prestart = format!("{SAY}\n{PRESTART}");
    let start_prim = format!("{SAY}\n{}", r#"env >"$SAFEUSERVAR/environment""#);
    let mut scripts: Vec<(&str, &str)> = ALL.iter().map(|name| (*name, SAY)).collect();
    scripts.retain(|(name, _)| *name != "start_prim");
    scripts.extend([("start_prim", start_prim.as_str()), ("prestart", prestart.as_str())]);
    let user =
        r#"<user nicestoptimeout="10" forcestoptimeout="10"><var name="GREETING" value="hello"/></user>"#;
    let cluster = Cluster::new("d_14a");
    cluster.install(MODULE, &Mirror { user, vip: None, ..Mirror::default() }.xml(), &scripts);
    let (mut calls1, mut calls2) =
        (Calls { node: cluster.node(1), seen: 0 }, Calls { node: cluster.node(2), seen: 0 });
    starts(&cluster, &mut calls1, &mut calls2);
    check_environment(cluster.node(1));
    swaps(&mut calls1, &mut calls2);
    waits_and_comes_back(&mut calls1);
    stops_and_is_taken_over(&mut calls2, &mut calls1);
}

fn starts(cluster: &Cluster, one: &mut Calls, two: &mut Calls) {
    cluster.start_pair(MODULE);
    let alone =
        ["transition WAIT ALONE", "start_both WAIT ALONE", "start_prim WAIT ALONE", "start_sec WAIT ALONE"];
    let paired = ["stop_sec ALONE PRIM", "stop_sec force ALONE PRIM", "transition ALONE PRIM"];
    assert_eq!(one.made(), [&STARTS[..], &alone, &paired].concat());
    assert_eq!(two.made(), [&STARTS[..], &BECOMES_SECOND].concat());
}

fn swaps(prim: &mut Calls, second: &mut Calls) {
    prim.node.ok(&["swap", "-m", MODULE]);
    prim.node.wait_state(MODULE, "SECOND");
    second.node.wait_state(MODULE, "PRIM");
    let leaves = [
        "stop_prim PRIM SECOND",
        "stop_prim force PRIM SECOND",
        "transition PRIM SECOND",
        "start_second PRIM SECOND",
        "start_sec PRIM SECOND",
    ];
    assert_eq!(prim.made(), leaves);
    let enters = [
        "stop_sec SECOND PRIM",
        "stop_sec force SECOND PRIM",
        "stop_second SECOND PRIM",
        "stop_second force SECOND PRIM",
        "transition SECOND PRIM",
        "start_prim SECOND PRIM",
    ];
    assert_eq!(second.made(), enters);
}

/// By a stopwait: neither poststop nor prestart.
fn waits_and_comes_back(second: &mut Calls) {
    second.node.ok(&["stopwait", "-m", MODULE, "-i", "customscript"]);
    let back = || second.all().last().filter(|call| *call == "start_sec WAIT SECOND").cloned();
    eventually("SECOND again", back);
    second.node.wait_state(MODULE, "SECOND");
    let left = [
        "stop_sec SECOND WAIT stopwait",
        "stop_sec force SECOND WAIT stopwait",
        "stop_second SECOND WAIT stopwait",
        "stop_second force SECOND WAIT stopwait",
        "stop_both SECOND WAIT stopwait",
        "stop_both force SECOND WAIT stopwait",
        "transition SECOND WAIT stopwait",
    ];
    assert_eq!(second.made(), [&left[..], &BECOMES_SECOND].concat());
}

fn stops_and_is_taken_over(prim: &mut Calls, second: &mut Calls) {
    prim.node.wait_state(MODULE, "PRIM");
    prim.made();
    prim.node.ok(&["stop", "-m", MODULE]);
    prim.node.wait_state(MODULE, "STOP");
    second.node.wait_state(MODULE, "ALONE");
    let stopped = [
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
    assert_eq!(prim.made(), stopped);
    let takes_over = [
        "stop_second SECOND ALONE",
        "stop_second force SECOND ALONE",
        "transition SECOND ALONE",
        "start_prim SECOND ALONE",
    ];
    assert_eq!(second.made(), takes_over);
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

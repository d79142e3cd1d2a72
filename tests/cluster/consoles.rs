//! Many consoles at once: each has its own streams, and all share what is watched.

use crate::support::{Browser, Cluster, Node, Stream, UP_SCRIPTS, UPS, eventually};
use serde_json::Value;

const MODULES: usize = 40;
const CONSOLES: usize = 50;
const PASSWORD: &str = "pwd of the test";

/// A console with the cluster, and with a module of each node and its log.
struct Console {
    cluster: Stream,
    states: Vec<Stream>,
    logs: Vec<Stream>,
}

impl Console {
    fn open(browser: &Browser<'_>, module: &str) -> Console {
        let of = |kind: &str| {
            ["node1", "node2"]
                .map(|node| browser.stream(&format!("/nodes/{node}/modules/{module}/{kind}")))
                .into()
        };
        Console { cluster: browser.stream("/events"), states: of("events"), logs: of("log/events") }
    }

    /// Everything that is open says this, in a resource and in the log.
    fn says(&self, word: &str) {
        let value = |row: &Value| row["resource"] == "test.word" && row["value"] == word;
        let holds = |rows: &Value, is: &dyn Fn(&Value) -> bool| {
            rows.as_array().is_some_and(|rows| rows.iter().any(is))
        };
        for state in &self.states {
            state.until("state", |state| holds(&state["resources"], &value));
        }
        for log in &self.logs {
            let line = |line: &Value| line["text"].as_str().is_some_and(|text| text.contains(word));
            log.until("log", |lines| holds(lines, &line));
        }
    }
}

/// The same commands for all modules of a node.
fn each(node: &Node, commands: &str) {
    let said = node.sh(&format!("for n in $(seq {MODULES}); do\n{commands}\ndone"));
    assert_eq!(said.code, 0, "{} on {}: {said:?}", commands, node.name());
}

fn on_both(cluster: &Cluster, commands: &str) {
    std::thread::scope(|scope| {
        for node in cluster.nodes() {
            scope.spawn(move || each(node, commands));
        }
    });
}

/// Modules `m1`, `m2`, ... that are stopped, on both nodes.
fn install(cluster: &Cluster) {
    let light = UPS.iter().find(|up| up.mode == "light").expect("there is this mode");
    cluster.install("m1", &light.xml(), &UP_SCRIPTS);
    let archive = |node: &Node| node.inside().dir().join("m1.safe");
    std::thread::scope(|scope| {
        for node in cluster.nodes() {
            scope.spawn(move || {
                let file = archive(node);
                let install = format!("safekit module install -m m$n -M $n -r '{}'", file.display());
                each(node, &format!("[ $n = 1 ] || {{ {install} && safekit config -m m$n; }} || exit 1"));
            });
        }
    });
}

/// Requests that `safeadmin` has at present.
fn requests(node: &Node) -> usize {
    node.sh("grep -c '/safeadmin.sock$' /proc/net/unix").stdout.trim().parse().expect("a number")
}

#[test]
fn fifty_consoles_on_forty_modules_of_both_nodes_live_and_leave_nothing() {
    let cluster = Cluster::with("consoles", |mut options| {
        options.password = Some(PASSWORD.to_owned());
        options
    });
    install(&cluster);
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let browsers = [Browser::log_in(node1, PASSWORD), Browser::log_in(node2, PASSWORD)];
    let before = eventually("one watch", || Some(requests(node1)).filter(|n| *n == requests(node2)));
    let open = |n: usize| Console::open(&browsers[n % 2], &format!("m{}", n % MODULES + 1));
    let consoles: Vec<Console> = (0..CONSOLES).map(open).collect();
    // More streams than requests: those who look at the same share one.
    let seen = |console: &Console| {
        for node in ["node1", "node2"] {
            console.cluster.until("node", |told| told["node"] == node && told["reachable"] == true);
        }
        console.states.iter().for_each(|state| state.until("state", |_| true));
        console.logs.iter().for_each(|log| log.until("log", |_| true));
    };
    consoles.iter().for_each(seen);
    for word in ["early", "late"] {
        on_both(
            &cluster,
            &format!("safekit set -m m$n -r test.word -v {word} && safekit printe -m m$n {word} || exit 1"),
        );
        consoles.iter().for_each(|console| console.says(word));
    }
    node1.ok(&["start", "-m", "m1"]);
    let up = |told: &Value| {
        let modules = told["overview"]["modules"].as_array();
        modules.is_some_and(|all| all.iter().any(|module| module["module"] == "m1" && module["role"] == "UP"))
    };
    consoles.iter().for_each(|console| console.cluster.until("node", up));
    assert!(requests(node1) - before <= 2 * MODULES + CONSOLES, "{}", requests(node1));

    cluster.poweroff(node2);
    let there = || consoles.iter().step_by(2);
    let is_lost = |told: &Value| told["node"] == "node2" && told["reachable"] == false;
    there().for_each(|console| console.cluster.until("node", is_lost));
    there().for_each(|console| console.states[1].until("lost", |_| true));
    there().for_each(|console| console.logs[1].until("lost", |_| true));
    drop(consoles);
    // What node2 has watched of node1 ends too, though it said no goodbye.
    eventually("nothing is asked any more", || (requests(node1) <= before).then_some(()));
}

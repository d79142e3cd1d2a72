//! The scripts of farm and light modules (spec/acceptance.md D-14, ST-89).

use crate::support::{Cluster, MODULE, Node, UPS, Up, eventually};
use crate::up::{is_up, up};

/// Says its own name and arguments.
const SAY: &str = r#"echo "$(basename "$0") $*" >>"$SAFEUSERVAR/calls""#;
const ALL: [&str; 5] = ["transition", "prestart", "poststop", "start_both", "stop_both"];
const STARTS: [&str; 4] =
    ["transition STOP WAIT start", "prestart STOP WAIT start", "transition WAIT UP", "start_both WAIT UP"];

/// What a node has called since the last look.
struct Calls<'a> {
    node: &'a Node,
    seen: usize,
}

impl Calls<'_> {
    fn made(&mut self) -> Vec<String> {
        let text = self.node.written(MODULE, "calls");
        let new: Vec<String> = text.lines().skip(self.seen).map(str::to_owned).collect();
        self.seen += new.len();
        new
    }
}

#[test]
fn d_14a_calls_in_order() {
    for mode in UPS {
        let scripts: Vec<(&str, &str)> = ALL.iter().map(|name| (*name, SAY)).collect();
        let cluster = up("d_14a", &mode, &scripts);
        let node1 = cluster.node(1);
        let mut calls = Calls { node: node1, seen: 0 };
        assert_eq!(calls.made(), STARTS);

        node1.ok(&["restart", "-m", MODULE]);
        node1.wait_log(MODULE, 0, &["Action restart", "Local state UP Ready"]);
        assert_eq!(calls.made(), ["stop_both UP UP", "stop_both force UP UP", "start_both UP UP"]);

        let from = node1.mark(MODULE);
        node1.ok(&["stopwait", "-m", MODULE, "-i", "customscript"]);
        node1.wait_log(MODULE, from, &["Implicit_wakeup", "Local state UP Ready"]);
        let waits = [
            "stop_both UP WAIT stopwait",
            "stop_both force UP WAIT stopwait",
            "transition UP WAIT stopwait",
            "transition WAIT UP",
            "start_both WAIT UP",
        ];
        assert_eq!(calls.made(), waits);

        for (command, action) in [("stopstart", "stopstart"), ("stop", "stop")] {
            let from = node1.mark(MODULE);
            node1.ok(&[command, "-m", MODULE]);
            let state = if command == "stop" { "Local state STOP NotReady" } else { "Local state UP Ready" };
            node1.wait_log(MODULE, from, &["End of stop", state]);
            let stops = [
                format!("stop_both UP WAIT {action}"),
                format!("stop_both force UP WAIT {action}"),
                format!("transition UP WAIT {action}"),
                format!("stop_both force WAIT STOP {action}"),
                format!("poststop WAIT STOP {action}"),
                format!("transition WAIT STOP {action}"),
            ];
            let then = if command == "stop" { &[][..] } else { &STARTS };
            let wanted: Vec<String> = stops.into_iter().chain(then.iter().map(|s| (*s).to_owned())).collect();
            assert_eq!(calls.made(), wanted, "{command}");
        }
    }
}

/// A start script that fails may stop its module (ST-89); if it does not, the module is UP.
#[test]
fn st_89_start_script_that_fails() {
    for mode in UPS {
        let fails = r#"if [ -e "$SAFEUSERVAR/stops" ]; then "$SAFE/safekit" stop -m "$SAFEMODULE" -i start_both; fi
exit 3"#;
        let cluster = up("st_89", &mode, &[("start_both", fails)]);
        let node1 = cluster.node(1);
        node1.assert_log(MODULE, 0, &["Script start_both", "Local state UP Ready"]);
        node1.ok(&["stop", "-m", MODULE]);
        node1.wait_state(MODULE, "STOP");
        assert_eq!(node1.sh(&format!("touch $SAFEVAR/modules/{MODULE}/stops")).code, 0);
        let from = node1.mark(MODULE);
        node1.ok(&["start", "-m", MODULE]);
        let said = [
            "Script start_both",
            "Action stop called by start_both",
            "End of stop",
            "Local state STOP NotReady",
        ];
        node1.wait_log(MODULE, from, &said);
        node1.assert_not_logged(MODULE, from, "Local state UP Ready");
    }
}

#[test]
fn d_14b_scripts_that_hang() {
    for mode in UPS {
        let cluster: Cluster = up(
            "d_14b",
            &Up { ..mode },
            &[("start_both", "if [ -e \"$SAFEUSERVAR/hang\" ]; then exec sleep 1000; fi")],
        );
        let node1 = cluster.node(1);
        assert_eq!(node1.sh(&format!("touch $SAFEVAR/modules/{MODULE}/hang")).code, 0);
        let from = node1.mark(MODULE);
        node1.ok(&["restart", "-m", MODULE]);
        node1.wait_log(MODULE, from, &["Script start_both"]);
        eventually("explain names the script", || {
            node1
                .ok(&["explain", "-m", MODULE])
                .contains("the script start_both has been running")
                .then_some(())
        });
        // A stop waits for it, a forcestop kills it.
        node1.ok(&["stop", "-m", MODULE]);
        assert_eq!(node1.state(MODULE), "ALONE", "code 2 is UP's");
        node1.ok(&["forcestop", "-m", MODULE]);
        node1.wait_state(MODULE, "STOP");
        node1.ok(&["start", "-m", MODULE]);
        node1.wait_log(MODULE, from, &["End of stop", "Script start_both"]);
        node1.ok(&["forcestop", "-m", MODULE]);
        node1.wait_state(MODULE, "STOP");
        assert_eq!(node1.sh(&format!("rm $SAFEVAR/modules/{MODULE}/hang")).code, 0);
        node1.ok(&["start", "-m", MODULE]);
        is_up(node1);
    }
}

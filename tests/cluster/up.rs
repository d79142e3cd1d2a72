//! Farm and light modules on one node (spec/acceptance.md B-6.2): commands, states, boot, the control plane.

use crate::support::{Cluster, MODULE, Node, UP_SCRIPTS, UPS, Up, eventually};

/// One node with a module that is UP.
pub fn up(test: &str, up: &Up, more_scripts: &[(&str, &str)]) -> Cluster {
    let cluster = stopped(test, up, more_scripts);
    let node1 = cluster.node(1);
    node1.ok(&["start", "-m", MODULE]);
    is_up(node1);
    cluster
}

fn stopped(test: &str, up: &Up, more_scripts: &[(&str, &str)]) -> Cluster {
    let cluster = Cluster::new(&format!("{test}_{}", up.mode));
    let mut scripts = more_scripts.to_vec();
    scripts.extend(UP_SCRIPTS.iter().filter(|(name, _)| !more_scripts.iter().any(|(n, _)| n == name)));
    cluster.install_on(&cluster.nodes()[..1], MODULE, &up.xml(), &scripts);
    cluster
}

/// Waits until it is UP Ready.
pub fn is_up(node: &Node) {
    node.wait_state(MODULE, "UP");
}

fn lq(node: &Node, code: i32, role: &str) {
    let output = node.safekit(&["state", "-m", MODULE, "-lq"]);
    assert_eq!((output.code, output.stdout.trim()), (code, role), "{output:?}");
}

#[test]
fn b_6_2_commands_of_a_module() {
    for mode in UPS {
        let cluster = stopped("b_6_2", &mode, &[]);
        let node1 = cluster.node(1);
        lq(node1, 0, "STOP");
        let from = node1.mark(MODULE);
        node1.ok(&["start", "-m", MODULE]);
        is_up(node1);
        node1.assert_log(
            MODULE,
            from,
            &["Action start called by root", "Script start_both", "Local state UP Ready"],
        );
        lq(node1, 2, "UP");
        assert_eq!(node1.resource(MODULE, "state.local").as_deref(), Some("UP Ready"));
        let names = node1.ok(&["state", "-v", "-m", MODULE]);
        assert!(!names.contains("heartbeat.") && !names.contains("state.remote"), "{names}");

        let from = node1.mark(MODULE);
        node1.ok(&["restart", "-m", MODULE]);
        let said = [
            "Action restart called by root",
            "Local state UP Transient",
            "Script stop_both",
            "Script start_both",
            "Local state UP Ready",
        ];
        node1.wait_log(MODULE, from, &said);

        let from = node1.mark(MODULE);
        node1.ok(&["stopstart", "-m", MODULE]);
        let said = [
            "Action stopstart called by root",
            "Script stop_both",
            "End of stop",
            "Action start called automatically",
            "Script start_both",
            "Local state UP Ready",
        ];
        node1.wait_log(MODULE, from, &said);

        // No rule holds it: the wait is over at once (ST-24).
        let from = node1.mark(MODULE);
        node1.ok(&["stopwait", "-m", MODULE, "-i", "customscript"]);
        let said = [
            "Action wait called by customscript",
            "Script stop_both",
            "Action wakeup from failover rule Implicit_wakeup",
            "Script start_both",
            "Local state UP Ready",
        ];
        node1.wait_log(MODULE, from, &said);
        node1.assert_not_logged(MODULE, from, "Script prestart");
        node1.assert_not_logged(MODULE, from, "End of stop");

        let from = node1.mark(MODULE);
        node1.ok(&["stop", "-m", MODULE]);
        node1.wait_state(MODULE, "STOP");
        let said =
            ["Action stop called by root", "Script stop_both", "End of stop", "Local state STOP NotReady"];
        node1.assert_log(MODULE, from, &said);
        lq(node1, 0, "STOP");
        node1.ok(&["stop", "-m", MODULE]);
    }
}

#[test]
fn b_6_2_commands_that_make_no_sense_change_nothing() {
    for mode in UPS {
        let cluster = up("b_6_2_refused", &mode, &[]);
        let node1 = cluster.node(1);
        let from = node1.mark(MODULE);
        let cases: [&[&str]; 6] =
            [&["prim"], &["second"], &["primforce"], &["swap"], &["failover", "off"], &["start"]];
        for command in cases {
            let output = node1.safekit(&[command, &["-m", MODULE]].concat());
            assert_ne!(output.code, 0, "{command:?}");
            let other = format!("this is a {} module", mode.mode);
            let reason = if command == ["start"] { "stop the module first" } else { other.as_str() };
            assert!(output.stderr.contains(reason), "{command:?}: {output:?}");
        }
        node1.evaluate(MODULE);
        for text in ["Action", "Script", "Local state"] {
            node1.assert_not_logged(MODULE, from, text);
        }
        lq(node1, 2, "UP");
    }
}

#[test]
fn d_9_4_states_and_waits_of_a_module() {
    for mode in UPS {
        let more = r#"<check><custom ident="id" when="pre" exec="watch" action="wait"/></check>"#;
        let cluster = stopped("d_9_4", &Up { more, ..mode }, &[("watch", "exec sleep 1000")]);
        let node1 = cluster.node(1);
        let set = |value: &str| {
            node1.ok(&["set", "-m", MODULE, "-r", "custom.id", "-v", value, "-i", "customscript"]);
        };
        node1.ok(&["waitstop", "-m", MODULE]);
        node1.ok(&["start", "-m", MODULE]);
        node1.wait_log(MODULE, 0, &["Local state WAIT"]);
        set("down");
        node1.wait_state(MODULE, "WAIT");
        lq(node1, 1, "WAIT");
        let shown = node1.ok(&["state", "-v", "-m", MODULE]);
        assert!(shown.contains("c_id"), "the state does not name the rule:\n{shown}");
        let explained = node1.ok(&["explain", "-m", MODULE]);
        assert!(
            explained.contains("the failover rule c_id holds it in WAIT: custom.id is down"),
            "{explained}"
        );
        set("up");
        is_up(node1);
        node1.ok(&["waitstart", "-m", MODULE]);
        lq(node1, 2, "UP");
        assert!(node1.ok(&["explain", "-m", MODULE]).contains("the application runs"));

        // Nothing is tested, and nothing follows, while the checkers are off.
        node1.ok(&["checker", "off", "-m", MODULE]);
        assert_eq!(node1.resource(MODULE, "usersetting.checker").as_deref(), Some("off"));
        let from = node1.mark(MODULE);
        set("down");
        node1.evaluate(MODULE);
        node1.assert_not_logged(MODULE, from, "Action");
        node1.ok(&["checker", "on", "-m", MODULE]);
        node1.ok(&["forcestop", "-m", MODULE]);
        node1.wait_state(MODULE, "STOP");
        assert_ne!(node1.safekit(&["checker", "off", "-m", MODULE]).code, 0, "refused in STOP");
    }
}

#[test]
fn b_6_2_the_machine_goes_down_and_comes_back() {
    for mode in UPS {
        let service = r#"boot="on""#;
        let cluster = up("b_6_2_boot", &Up { service, ..mode }, &[]);
        let node1 = cluster.node(1);
        let from = node1.mark(MODULE);
        let pid = node1.safeadmin().expect("it runs");
        assert_eq!(node1.sh(&format!("kill -TERM {pid}")).code, 0);
        let said = ["Action shutdown called by SYSTEM", "Script stop_both", "End of stop"];
        // Whoever starts safeadmin again does so in the same boot: no module is started.
        eventually("another safeadmin", || node1.safeadmin().filter(|now| *now != pid));
        node1.wait_admin();
        node1.wait_log(MODULE, from, &said);
        node1.wait_state(MODULE, "STOP");

        for crash in [false, true] {
            if crash {
                is_up(node1);
            }
            let from = node1.mark(MODULE);
            cluster.poweroff(node1);
            cluster.poweron(node1);
            node1.wait_log(MODULE, from, &["Action start called at boot time", "Script start_both"]);
            is_up(node1);
            if crash {
                let said =
                    ["Action start called at boot time", "Previous halt unexpected", "Script start_both"];
                node1.assert_log(MODULE, from, &said);
            } else {
                node1.assert_not_logged(MODULE, from, "Previous halt unexpected");
            }
        }
    }
}

#[test]
fn b_6_2_a_new_safeadmin_takes_a_module_over() {
    for mode in UPS {
        let start = "sleep 1000 </dev/null >/dev/null 2>&1 &\necho $! >>\"$SAFEUSERVAR/pids\"";
        let cluster = up("b_6_2_adopted", &mode, &[("start_both", start), ("stop_both", "sleep 0.3")]);
        let node1 = cluster.node(1);
        let pids = || -> Vec<String> { node1.written(MODULE, "pids").lines().map(str::to_owned).collect() };
        let runs = |pid: &str| node1.sh(&format!("kill -0 {pid}")).code == 0;
        let kill_safeadmin = || {
            let pid = node1.safeadmin().expect("it runs");
            assert_eq!(node1.sh(&format!("kill -KILL {pid}")).code, 0);
            eventually("another safeadmin", || node1.safeadmin().filter(|now| *now != pid));
            node1.wait_admin();
        };
        let from = node1.mark(MODULE);
        kill_safeadmin();
        is_up(node1);
        node1.evaluate(MODULE);
        for text in ["Script ", "Local state", "Action "] {
            node1.assert_not_logged(MODULE, from, text);
        }
        let first = pids();
        assert!(first.len() == 1 && runs(&first[0]), "{first:?}");

        // In the middle of a restart: what ran is gone before the application is started again.
        let from = node1.mark(MODULE);
        node1.ok(&["restart", "-m", MODULE]);
        node1.wait_log(MODULE, from, &["Script stop_both"]);
        kill_safeadmin();
        is_up(node1);
        node1.assert_log(MODULE, from, &["Action start called automatically", "Script start_both"]);
        let all = pids();
        let running: Vec<_> = all.iter().filter(|pid| runs(pid)).collect();
        assert_eq!(running, [all.last().expect("it was started")], "it runs once");
    }
}

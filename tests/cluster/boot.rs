//! Start at boot (T-7.15).

use crate::support::{Cluster, Mirror, Node};
use jiff::civil::DateTime;

/// A module: its name, its attributes of `<service>`, whether it is started before the reboot, and
/// whether it must be so after.
struct Case {
    name: &'static str,
    service: &'static str,
    before: bool,
    after: bool,
}

const BOOT_DELAY: jiff::SignedDuration = jiff::SignedDuration::from_secs(3);

const CASES: [Case; 8] = [
    Case { name: "on", service: r#"boot="on""#, before: false, after: true },
    Case { name: "delayed", service: r#"boot="on" boot_delay="3""#, before: false, after: true },
    Case { name: "off", service: r#"boot="off""#, before: true, after: false },
    Case { name: "auto-running", service: r#"boot="auto""#, before: true, after: true },
    Case { name: "auto-stopped", service: r#"boot="auto""#, before: false, after: false },
    Case { name: "ignore", service: r#"boot="ignore""#, before: true, after: false },
    Case { name: "ignore-on", service: r#"boot="ignore""#, before: false, after: true },
    // The command counts for nothing where the file says something.
    Case { name: "off-on", service: r#"boot="off""#, before: false, after: false },
];

const STARTED: &str = "Action start called at boot time";

#[test]
fn t_7_15_start_at_boot() {
    let cluster = Cluster::new("t_7_15");
    let node1 = cluster.node(1);
    for case in &CASES {
        let mirror = Mirror { service: case.service, vip: None, ..Mirror::default() };
        cluster.install_on(&cluster.nodes()[..1], case.name, &mirror.xml(), &[]);
        if case.name.ends_with("-on") {
            node1.ok(&["boot", "-m", case.name, "on"]);
        }
        if case.before {
            node1.ok(&["start", "-m", case.name]);
        }
    }
    node1.ok(&["start", "-m", "auto-stopped"]);
    node1.ok(&["stop", "-m", "auto-stopped"]);
    node1.wait_state("auto-stopped", "STOP");
    let marks = CASES.map(|case| node1.mark(case.name));
    cluster.poweroff(node1);
    cluster.poweron(node1);
    // It comes last of all.
    node1.wait_log("delayed", 0, &[STARTED]);
    for (case, from) in CASES.iter().zip(marks) {
        if case.after {
            node1.wait_log(case.name, from, &[STARTED]);
            node1.wait_state(case.name, "ALONE");
        } else {
            node1.assert_not_logged(case.name, from, STARTED);
            assert_eq!(node1.state(case.name), "STOP", "{}", case.name);
        }
        let setting = case.service.split('"').nth(1);
        assert_eq!(node1.resource(case.name, "usersetting.boot").as_deref(), setting, "{}", case.name);
    }
    let delay = start_date(node1, "delayed").duration_since(start_date(node1, "on"));
    assert!(delay >= BOOT_DELAY - jiff::SignedDuration::from_millis(500), "started after {delay:?}");
}

fn start_date(node: &Node, module: &str) -> DateTime {
    let log = node.ok(&["log", "-A", "-m", module]);
    let line = log.lines().find(|line| line.contains(STARTED)).expect("it was started");
    let date = line.split('|').nth(1).expect("it has a date").trim();
    date.parse().unwrap_or_else(|e| panic!("{date}: {e}"))
}

//! The delivered modules: each packs, unpacks, loads and runs as it is.

use super::{archive, module};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::time::{Duration, Instant};

fn template(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/modules").join(name)
}

fn load(userconfig: &str) -> module::ModuleConfig {
    module::load(userconfig, "userconfig.xml", &|_| None, None).unwrap()
}

/// Each with the network that joins its nodes.
#[test]
fn every_template_can_be_configured_as_delivered() {
    for (name, network) in [
        ("mirror", Some("default")),
        ("customchecker", Some("default")),
        ("notification", Some("default")),
        ("farm", Some("default")),
        ("apache_farm", Some("default")),
        ("light", None),
        ("leader", Some("default")),
        ("follower", None),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let (safe, to) = (dir.path().join("x.safe"), dir.path().join("x"));
        archive::pack(&template(name), &safe).unwrap();
        archive::unpack(&fs::read(&safe).unwrap(), &to, &archive::Limits::default()).unwrap();
        let config = load(&fs::read_to_string(to.join("conf/userconfig.xml")).unwrap());
        assert!(config.unsupported().is_empty() && config.warnings().is_empty(), "{name}");
        let heartbeat = config.heart.map(|h| h.heartbeats[0].name.clone());
        let lan = config.farm.map(|f| f.lans[0].name.clone());
        assert_eq!(heartbeat.or(lan).as_deref(), network, "{name}");
        assert!(config.user.is_some());
        for script in fs::read_dir(to.join("bin")).unwrap() {
            let script = script.unwrap().path();
            let checked = Command::new("sh").arg("-n").arg(&script).status().unwrap();
            assert!(checked.success(), "{}", script.display());
        }
    }
}

/// Whoever takes away the marks of a comment gets a good file.
#[test]
fn the_comments_of_mirror_hold_good_xml() {
    let text = fs::read_to_string(template("mirror").join("conf/userconfig.xml")).unwrap();
    for (tag, needed) in [("<vip>", "</vip>"), ("<check>", "</check>"), ("<var ", "/>")] {
        let start = text.find(tag).unwrap();
        let end = start + text[start..].find(needed).unwrap() + needed.len();
        let part = format!("-->{}<!--", &text[start..end]);
        load(&format!("{}{part}{}", &text[..start], &text[end..]));
    }
}

/// ADM-70.
#[test]
fn mirror_replicates_two_directories() {
    let config = load(&fs::read_to_string(template("mirror").join("conf/userconfig.xml")).unwrap());
    let (heart, rfs) = (config.heart.unwrap(), config.rfs.unwrap());
    assert_eq!((heart.pulse.as_millis(), heart.timeout.as_secs()), (700, 30));
    assert_eq!(
        (rfs.async_, rfs.acl, rfs.locktimeout.as_secs(), rfs.nbrei),
        (module::Async::Second, false, 100, 3)
    );
    let dirs: Vec<_> = rfs.replicated.iter().map(|r| (r.dir.to_str().unwrap(), r.read_only)).collect();
    assert_eq!(dirs, [("/test1replicated", true), ("/test2replicated", true)]);
}

#[test]
fn customchecker_makes_the_rule_of_its_action() {
    let config = load(&fs::read_to_string(template("customchecker").join("conf/userconfig.xml")).unwrap());
    let wanted = module::Check::Custom {
        ident: "checkfile".into(),
        when: module::When::Prim,
        exec: "checker".into(),
        args: ["/tmp/checkfile", "2", "5"].map(String::from).to_vec(),
        action: Some(module::RuleAction::Restart),
    };
    assert_eq!(config.checks, [wanted]);
}

/// A SAFE whose command writes its arguments down.
fn recorder(dir: &Path) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let safekit = dir.join("safekit");
    fs::write(&safekit, "#!/bin/sh\necho \"$@\" >> \"$(dirname \"$0\")/calls\"\n").unwrap();
    fs::set_permissions(&safekit, fs::Permissions::from_mode(0o755)).unwrap();
    dir.join("calls")
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn wait_for(calls: &Path, text: &str) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !fs::read_to_string(calls).unwrap_or_default().contains(text) {
        assert!(Instant::now() < deadline, "never called with: {text}");
        std::thread::yield_now();
    }
}

#[test]
fn the_custom_checker_sets_its_resource_when_it_changes() {
    let dir = tempfile::tempdir().unwrap();
    let (calls, file) = (recorder(dir.path()), dir.path().join("file"));
    let mut command = Command::new(template("customchecker").join("bin/checker"));
    command.env("SAFE", dir.path()).args(["AM", "custom.checkfile"]).arg(&file).args(["2", "0.05"]);
    let _running = Killed(command.spawn().unwrap());
    wait_for(&calls, "set -r custom.checkfile -v down -i checker -m AM");
    fs::write(&file, "").unwrap();
    wait_for(&calls, "set -r custom.checkfile -v up -i checker -m AM");
    assert_eq!(fs::read_to_string(&calls).unwrap().lines().count(), 2);
}

fn run(module: &str, script: &str, args: &[&str]) -> Output {
    let bin = template(module).join("bin");
    let mut command = Command::new(bin.join(script));
    command.args(args).env("SAFEUSERBIN", &bin).env("SAFEMODULE", "AM").env("NOTIFY_TO", "");
    command.output().unwrap()
}

/// MSG-O-13.
#[test]
fn notification_says_what_happens() {
    for (script, args, wanted) in [
        ("prestart", &["STOP", "WAIT", "start"] as &[&str], "*** Start of module AM on "),
        ("poststop", &["PRIM", "STOP", "stop"], "*** Stop of module AM on "),
        ("transition", &["WAIT", "ALONE"], "*** Start ALONE of module AM on "),
        ("transition", &["SECOND", "PRIM"], "*** Go PRIM of module AM on "),
    ] {
        let output = run("notification", script, args);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && text.contains(wanted), "{script}: {text}");
        assert!(text.starts_with(&format!("Running {script} {}", args.join(" "))), "{text}");
    }
    let silent =
        String::from_utf8(run("notification", "transition", &["STOP", "WAIT", "start"]).stdout).unwrap();
    assert!(!silent.contains("***"));
}

/// ST-94: the stop scripts are called first, in the order of a stop.
#[test]
fn prestart_stops_what_still_runs() {
    let output = run("mirror", "prestart", &["STOP", "WAIT", "start"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text, "Running prestart STOP WAIT start\nRunning stop_prim STOP WAIT start\n");
}

/// ADM-71.
#[test]
fn farm_shares_the_clients_of_one_port() {
    let config = load(&fs::read_to_string(template("farm").join("conf/userconfig.xml")).unwrap());
    let vip = config.vip.unwrap();
    let interface = &vip.interfaces[0];
    assert_eq!(interface.kind, module::InterfaceKind::VmacDirected);
    assert!(interface.check && interface.arpreroute && vip.keepconnections);
    let group = &vip.groups[0];
    let rule = module::LbRule {
        virtual_addr: None,
        port: Some(9010),
        proto: module::Proto::Tcp,
        filter: module::Filter::OnPort,
    };
    assert_eq!((group.name.as_str(), &group.rules, group.hosts.len()), ("FarmProto", &vec![rule], 0));
    assert_eq!(config.user.unwrap().vars["SERVICES"], "");
    let apache = load(&fs::read_to_string(template("apache_farm").join("conf/userconfig.xml")).unwrap());
    assert_eq!(apache.user.unwrap().vars["SERVICES"], "apache2");
}

/// One set of generic scripts, in each module that has it.
#[test]
fn the_generic_scripts_are_the_same_everywhere() {
    for script in ["prestart", "start_both", "stop_both", "config"] {
        let text = |name: &str| fs::read_to_string(template(name).join("bin").join(script)).unwrap();
        assert_eq!(text("apache_farm"), text("farm"), "{script}");
        assert_eq!(text("light"), text("farm"), "{script}");
        assert_eq!(text("follower"), text("farm"), "{script}");
    }
}

/// C-4.4.6c, 15.13 of the guide: it checks the leader on its own node, which starts and stops it.
#[test]
fn a_follower_checks_its_leader_which_starts_and_stops_it() {
    let config = load(&fs::read_to_string(template("follower").join("conf/userconfig.xml")).unwrap());
    let resources: Vec<_> = config.checks.iter().filter_map(module::Check::resource).collect();
    assert_eq!(resources.iter().map(ToString::to_string).collect::<Vec<_>>(), ["module.leader_127.0.0.1"]);
    assert_eq!(config.service.mode, module::Mode::Light);
    let leader = load(&fs::read_to_string(template("leader").join("conf/userconfig.xml")).unwrap());
    assert_eq!(leader.user.unwrap().vars["FOLLOWERS"], "follower");
    let called = |script: &str, args: &[&str]| {
        let dir = tempfile::tempdir().unwrap();
        let calls = recorder(dir.path());
        let mut command = Command::new(template("leader").join("bin").join(script));
        command.args(args).env("SAFE", dir.path()).env("FOLLOWERS", "a b");
        assert!(command.output().unwrap().status.success());
        fs::read_to_string(&calls).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(called("start_prim", &["WAIT", "ALONE"]), ["start -m a", "start -m b"]);
    let stopped = |command: &str| {
        ["b", "a"].map(|m| [format!("{command} -m {m}"), format!("waitstop -m {m}")]).concat()
    };
    assert_eq!(called("stop_prim", &["PRIM", "STOP", "stop"]), stopped("stop"));
    assert_eq!(called("stop_prim", &["force", "PRIM", "STOP", "stop"]), stopped("forcestop"));
}

/// Runs a generic script with the services a, b and c; `broken` is one that systemctl refuses. Gives whether
/// it succeeded, and what it has called.
fn with_services(script: &str, args: &[&str], broken: &str) -> (bool, Vec<String>) {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let calls = recorder(dir.path());
    let systemctl = dir.path().join("systemctl");
    let body = "#!/bin/sh\necho \"systemctl $@\" >> \"$(dirname \"$0\")/calls\"\nfor last; do :; done\n\
                [ \"$last\" != \"$BROKEN\" ]\n";
    fs::write(&systemctl, body).unwrap();
    fs::set_permissions(&systemctl, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", dir.path().display(), std::env::var("PATH").unwrap());
    let bin = template("farm").join("bin");
    let mut command = Command::new(bin.join(script));
    command.args(args).env("PATH", path).env("SAFE", dir.path()).env("SAFEUSERBIN", &bin);
    let output = command.env("SERVICES", "a b c").env("BROKEN", broken).output().unwrap();
    let calls = fs::read_to_string(&calls).unwrap_or_default();
    (output.status.success(), calls.lines().map(str::to_owned).collect())
}

/// ST-89, slide 16 of the guide.
#[test]
fn services_are_started_in_order_and_stopped_in_reverse() {
    let called = |words: &str, services: &[&str]| -> Vec<String> {
        services.iter().map(|service| format!("systemctl {words} {service}")).collect()
    };
    let (done, calls) = with_services("start_both", &["WAIT", "UP", "start"], "");
    let wanted =
        ["a", "b", "c"].map(|s| [format!("systemctl start {s}"), format!("systemctl is-active --quiet {s}")]);
    assert!(done && calls == wanted.concat(), "{calls:?}");
    let (done, calls) = with_services("stop_both", &["UP", "STOP", "stop"], "");
    assert!(done && calls == called("stop", &["c", "b", "a"]), "{calls:?}");
    let (done, calls) = with_services("stop_both", &["force", "UP", "STOP", "stop"], "a");
    assert!(done && calls == called("kill --signal=SIGKILL", &["c", "b", "a"]), "{calls:?}");
    let (done, calls) = with_services("prestart", &["STOP", "WAIT", "start"], "");
    assert!(done && calls == called("stop", &["c", "b", "a"]), "{calls:?}");
    let (done, calls) = with_services("config", &[], "");
    assert!(done && calls == called("disable", &["a", "b", "c"]), "{calls:?}");
}

/// ST-89.
#[test]
fn a_service_that_fails_stops_the_module() {
    let (done, calls) = with_services("start_both", &["WAIT", "UP", "start"], "b");
    let wanted = [
        "systemctl start a",
        "systemctl is-active --quiet a",
        "systemctl start b",
        "printe start_both failed: the service b does not start",
        "stop -i start_both",
    ];
    assert!(!done && calls == wanted, "{calls:?}");
    let (done, calls) = with_services("stop_both", &["UP", "STOP", "stop"], "b");
    let wanted = ["systemctl stop c", "systemctl stop b", "systemctl stop a", "printe stop_both failed"];
    assert!(!done && calls == wanted, "{calls:?}");
    let (done, calls) = with_services("config", &[], "b");
    assert!(!done && calls == ["systemctl disable a", "systemctl disable b"], "{calls:?}");
}

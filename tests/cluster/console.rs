//! What `safeadmin` shows to the console, and what the console may change (issue of the web service, ST-05,
//! WEB-26 to WEB-32).

use crate::support::{Cluster, Farm, MODULE, Mirror, SCRIPTS, Watch, eventually};
use safekit::control::{InstallSource, ModuleOverview, Overview, Reply, Request, SavedKey};
use safekit::fsm::state::{Readiness, Role};
use safekit::ids::ModuleName;

fn m() -> ModuleName {
    MODULE.parse().expect("a name")
}

fn overview() -> Request {
    Request::Watch { module: None }
}

fn module(overview: &Overview) -> Option<&ModuleOverview> {
    overview.modules.iter().find(|module| module.module == m())
}

/// Waits until the module is shown so.
fn shown(watch: &Watch, what: &str, look: impl Fn(&ModuleOverview) -> bool) -> ModuleOverview {
    let seen = watch.overview(what, |overview| module(overview).is_some_and(&look));
    module(&seen).expect("it was seen").clone()
}

fn is(module: &ModuleOverview, role: Role, readiness: Readiness) -> bool {
    (module.role, module.readiness) == (role, readiness)
}

#[test]
fn the_overview_shows_a_module_from_its_installation_to_its_end() {
    let cluster = Cluster::new("overview");
    let node1 = cluster.node(1);
    let watch = node1.watch(&overview());
    let first = watch.overview("this node", |o| o.node.is_some());
    assert!(first.modules.is_empty() && first.cluster.is_some_and(|c| c.trouble.is_none()));
    node1.unpack(MODULE, 1, &Mirror::default().xml(), &SCRIPTS);
    let installed = shown(&watch, "installed", |m| !m.current.signature.is_empty());
    assert_eq!((installed.configured, installed.mode.as_deref()), (false, Some("mirror")));
    assert_eq!((installed.active, installed.commands), (None, Vec::<String>::new()));
    node1.ok(&["config", "-m", MODULE]);
    let configured = shown(&watch, "configured", |m| m.configured && !m.commands.is_empty());
    assert_eq!(configured.active.map(|a| a.signature), Some(configured.current.signature.clone()));
    assert_eq!((configured.starts, configured.boot.as_str()), (0, "auto"));
    assert!(configured.commands.contains(&"start".to_owned()), "{:?}", configured.commands);

    // Keys that are made or removed take effect with the next configuration, and are told until then.
    node1.ok(&["module", "genkey", "-m", MODULE]);
    shown(&watch, "a key to come", |m| !m.encrypted && m.saved_key == SavedKey::New);
    node1.ok(&["config", "-m", MODULE]);
    shown(&watch, "a key", |m| m.encrypted && m.saved_key == SavedKey::Active);
    node1.ok(&["module", "delkey", "-m", MODULE]);
    shown(&watch, "a key to go", |m| m.encrypted && m.saved_key == SavedKey::None);
    node1.ok(&["config", "-m", MODULE]);
    shown(&watch, "no key", |m| !m.encrypted && m.saved_key == SavedKey::None);

    node1.ok(&["prim", "-m", MODULE]);
    let alone = shown(&watch, "ALONE", |m| is(m, Role::Alone, Readiness::Ready));
    assert!(alone.starts > 0 && alone.commands.contains(&"restart".to_owned()), "{alone:?}");
    assert!(alone.reason.is_some_and(|reason| reason.contains("primary without secondary")));
    node1.ok(&["restart", "-m", MODULE]);
    let again =
        shown(&watch, "restarted", |m| is(m, Role::Alone, Readiness::Ready) && m.starts != alone.starts);

    // A file is edited: within seconds the console sees that it is not applied.
    node1.edit(MODULE, &Mirror { service: r#"boot="off""#, ..Mirror::default() }.xml());
    let edited = shown(&watch, "edited", |m| m.current.signature != installed.current.signature);
    assert_eq!(edited.active.map(|a| a.signature), Some(installed.current.signature));

    // Another safeadmin knows the same start of the application.
    let before = node1.safeadmin().expect("safeadmin runs");
    node1.sh(&format!("kill -KILL {before}"));
    eventually("another safeadmin", || node1.safeadmin().filter(|pid| *pid != before));
    node1.wait_admin();
    let watch = node1.watch(&overview());
    let adopted = shown(&watch, "adopted", |m| is(m, Role::Alone, Readiness::Ready));
    assert_eq!(adopted.starts, again.starts);

    node1.ok(&["stop", "-m", MODULE]);
    node1.ok(&["waitstop", "-m", MODULE]);
    node1.ok(&["module", "uninstall", "-m", MODULE]);
    watch.overview("uninstalled", |o| o.modules.is_empty());
}

#[test]
fn the_overview_shows_the_share_of_a_farm() {
    let cluster = Farm::default().up("overview_farm", 2);
    let node1 = cluster.node(1);
    let watch = node1.watch(&overview());
    let percent = |m: &ModuleOverview| m.shares.iter().map(|share| share.percent).max();
    shown(&watch, "half", |m| is(m, Role::Up, Readiness::Ready) && percent(m) == Some(50));
    cluster.node(2).ok(&["stop", "-m", MODULE]);
    shown(&watch, "all", |m| percent(m) == Some(100));
}

#[test]
fn a_module_is_watched_with_its_resources_and_watchers_have_a_bound() {
    let cluster = Cluster::alone("watched", &Mirror::default(), &[]);
    let node1 = cluster.node(1);
    // The web service watches its node too.
    node1.ok(&["webserver", "stop"]);
    let request = Request::Watch { module: Some(m()) };
    let watch = node1.watch(&request);
    let value = |reply: &Reply| {
        let Reply::State(states) = reply else { panic!("{reply:?}") };
        let resources = states.first().map(|state| state.resources.clone()).unwrap_or_default();
        resources.into_iter().find(|r| r.resource.to_string() == "test.x").map(|r| r.value.to_string())
    };
    node1.ok(&["set", "-m", MODULE, "-r", "test.x", "-v", "one"]);
    watch.until("one", |reply| (value(reply).as_deref() == Some("one")).then_some(()));
    node1.ok(&["set", "-m", MODULE, "-r", "test.x", "-v", "two"]);
    watch.until("two", |reply| (value(reply).as_deref() == Some("two")).then_some(()));
    let history = Request::History { module: m(), resource: "test.x".parse().expect("a name"), count: 10 };
    let answer = node1.ask(&history, None);
    let Reply::History(rows) = &answer.replies[0] else { panic!("{answer:?}") };
    assert_eq!(rows.iter().map(|row| row.value.as_str()).collect::<Vec<_>>(), ["one", "two"]);

    let watches: Vec<Watch> = (1..320).map(|_| node1.watch(&request)).collect();
    watches.iter().for_each(|watch| watch.until("a state", |reply| value(reply).map(drop)));
    let refused = node1.ask(&request, None);
    assert!(refused.code == 1 && refused.error().contains("320 watchers"), "{refused:?}");
    // Those who hang up make room.
    drop((watch, watches));
    node1.ok(&["set", "-m", MODULE, "-r", "test.x", "-v", "three"]);
    let watch = eventually("room", || {
        let watch = node1.watch(&request);
        let said = watch.until("an answer", |reply| match reply {
            Reply::Error(_) => Some(false),
            other => value(other).map(|_| true),
        });
        said.then_some(watch)
    });

    // Another configuration is another instance: the watcher stays.
    node1.ok(&["config", "-m", MODULE]);
    node1.ok(&["set", "-m", MODULE, "-r", "test.x", "-v", "four"]);
    watch.until("four", |reply| (value(reply).as_deref() == Some("four")).then_some(()));
    node1.ok(&["stop", "-m", MODULE]);
    node1.ok(&["waitstop", "-m", MODULE]);
    node1.ok(&["deconfig", "-m", MODULE]);
    watch.until("no configuration", |reply| matches!(reply, Reply::State(s) if s.is_empty()).then_some(()));
}

#[test]
fn two_who_change_at_once_are_told() {
    let cluster = Cluster::new("conflict");
    let node1 = cluster.node(1);
    node1.unpack(MODULE, 1, &Mirror::default().xml(), &SCRIPTS);
    node1.ok(&["module", "genkey", "-m", MODULE]);
    let package = |keys| node1.ask(&Request::ModulePackage { module: m(), keys }, None).attachment;
    let (open, with_key) = (package(false), package(true));
    let has_key = |archive: &[u8]| String::from_utf8_lossy(archive).contains("modulekey.dat");
    assert!(!has_key(&open) && has_key(&with_key));
    let install = |signature: &str| {
        let request = Request::ModuleInstall {
            module: m(),
            id: None,
            reinstall: true,
            source: InstallSource::Attachment,
            if_signature: Some(vec![signature.to_owned()]),
            keep_key: true,
        };
        node1.ask(&request, Some(&open))
    };
    let stale = install("00");
    let Some(Reply::Conflict { signature }) = stale.replies.first() else { panic!("{stale:?}") };
    assert!(stale.code == 1 && stale.error().contains("has changed meanwhile"), "{stale:?}");
    assert_eq!(install(signature).code, 0);
    assert!(has_key(&package(true)), "the key of the module stays");

    let report = node1.ask(&Request::ClusterGet, None);
    let Reply::Cluster(cluster) = &report.replies[0] else { panic!("{report:?}") };
    let xml = report.attachment;
    assert!(cluster.configured && cluster.nodes.len() == 2 && !xml.is_empty());
    let apply = |signature: &str| Request::ClusterConfig {
        source: safekit::control::ClusterSource::Xml,
        lock: None,
        if_signature: Some(vec![signature.to_owned()]),
    };
    let stale = node1.ask(&apply(""), Some(&xml));
    assert_eq!(stale.replies[0], Reply::Conflict { signature: cluster.signature.clone() });
    let nodes = node1.ask(&Request::Nodes, None);
    let Reply::Nodes(rows) = &nodes.replies[0] else { panic!("{nodes:?}") };
    assert_eq!(
        rows.iter().map(|row| (row.me, row.addresses.len())).collect::<Vec<_>>(),
        [(true, 2), (false, 2)]
    );
}

/// What was applied can be had again, but for its key: one that was replaced or taken away stays so (10.5).
#[test]
fn a_configuration_is_restored_with_the_present_key() {
    let cluster = Cluster::new("restored");
    let node1 = cluster.node(1);
    node1.unpack(MODULE, 1, &Mirror::default().xml(), &SCRIPTS);
    let key =
        || std::fs::read(node1.inside().safe().join("modules").join(MODULE).join("conf/modulekey.dat")).ok();
    let files = |request: Request| node1.ask(&request, None).attachment;
    node1.ok(&["module", "genkey", "-m", MODULE]);
    let first = key();
    node1.ok(&["config", "-m", MODULE]);
    let kept = node1.ask(&Request::Configurations { module: Some(m()) }, None);
    let Reply::Configurations(rows) = &kept.replies[0] else { panic!("{kept:?}") };
    let name = rows[0].name.clone();
    let open = files(Request::ModulePackage { module: m(), keys: false });
    assert!(first.is_some() && !open.is_empty());
    let restore = |name: &str, signature: Option<&str>| {
        let if_signature = signature.map(|one| vec![one.to_owned()]);
        node1.ask(&Request::ConfigurationRestore { module: m(), name: name.to_owned(), if_signature }, None)
    };
    assert!(restore("m_2020-01-01_000000", None).error().contains("none of the last"));

    node1.edit(MODULE, "<safe>broken");
    let stale = restore(&name, Some("00"));
    assert!(matches!(stale.replies.first(), Some(Reply::Conflict { .. })), "{stale:?}");
    assert_eq!(restore(&name, None).code, 0);
    assert_eq!((key(), files(Request::ModulePackage { module: m(), keys: false })), (first.clone(), open));
    node1.ok(&["confcheck", "-m", MODULE]);
    // To look at, nobody gets the key of it.
    let shown = files(Request::ConfigurationGet { module: m(), name: name.clone() });
    let shown = String::from_utf8_lossy(&shown).into_owned();
    assert!(shown.contains("userconfig.xml") && !shown.contains("modulekey"), "{}", shown.len());

    node1.ok(&["module", "delkey", "-m", MODULE]);
    let said = restore(&name, None);
    assert!(key().is_none() && format!("{said:?}").contains("it stays without a key"), "{said:?}");
    node1.ok(&["module", "genkey", "-m", MODULE]);
    let second = key();
    let said = restore(&name, None);
    assert!(key() == second && second != first, "the key that somebody knows does not come back");
    assert!(format!("{said:?}").contains("its key stays"), "{said:?}");
}

#[test]
fn a_text_is_checked_as_confcheck_checks_the_file() {
    let cluster = Cluster::new("check_text");
    let node1 = cluster.node(1);
    node1.unpack(MODULE, 1, &Mirror::default().xml(), &SCRIPTS);
    let check = |text: &str| node1.ask(&Request::ConfCheckText { module: Some(m()) }, Some(text.as_bytes()));
    let lines = |text: &str| {
        let answer = check(text);
        let Reply::Faults(faults) = &answer.replies[0] else { panic!("{answer:?}") };
        (answer.code, faults.iter().map(|fault| (fault.line, fault.tag.clone())).collect::<Vec<_>>())
    };
    let good = Mirror::default().xml();
    assert_eq!(lines(&good), (0, Vec::new()));
    let rules = Mirror { rules: "r: if (tcp.x = down) then stop();", ..Mirror::default() }.xml();
    let (code, faults) = lines(&rules);
    assert_eq!((code, faults.len(), faults[0].1.as_str()), (1, 1, "failover"));
    let (code, faults) = lines(&good.replace("name=\"repli\"", "name=\"nowhere\""));
    assert!(code == 1 && !faults.is_empty(), "{faults:?}");
    assert_eq!(lines("<safe>\n<service"), (1, vec![(2, String::new())]));
    assert_eq!(node1.written(MODULE, "record.json"), "", "nothing was applied");

    node1.ok(&["config", "-m", MODULE]);
    node1.ok(&["prim", "-m", MODULE]);
    node1.wait_state(MODULE, "ALONE");
    let logs = node1.ask(&Request::UserLogs { module: m() }, None);
    let Reply::UserLogs(rows) = &logs.replies[0] else { panic!("{logs:?}") };
    let name = &rows.iter().find(|row| row.name.contains("start_prim")).expect("its log").name;
    let log = node1.ask(&Request::UserLog { module: m(), name: name.clone() }, None);
    assert!(String::from_utf8_lossy(&log.attachment).contains("started"));
    let other = node1.ask(&Request::UserLog { module: m(), name: "../module.json".to_owned() }, None);
    assert!(other.code == 1 && other.attachment.is_empty(), "{other:?}");
    assert!(node1.ok(&["cmdlog", "-s", "2"]).lines().count() == 2);
}

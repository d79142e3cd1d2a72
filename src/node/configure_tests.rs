use super::super::testing::{CLUSTER, Node, name, userconfig};
use super::super::{keys, modules};
use super::ModuleSituation::{Alone, Running, Stopped, Wait};
use super::*;
use std::fs;

/// A node with an installed, not yet configured module.
fn node() -> (Node, ModuleName) {
    let (node, am) = (Node::new(), name("mirror"));
    let archive = node.archive(&userconfig("", 30_000));
    modules::install(&node.paths, &am, None, false, &archive, &[]).unwrap();
    (node, am)
}

fn apply(node: &Node, situation: ModuleSituation) -> Result<Configured, ConfigureError> {
    config(&node.paths, &name("mirror"), situation, &|_| Vec::new())
}

fn edit(node: &Node, text: &str) {
    fs::write(node.paths.userconfig(&name("mirror")), text).unwrap();
}

fn active_text(node: &Node) -> String {
    fs::read_to_string(node.paths.active_userconfig(&name("mirror"))).unwrap()
}

fn leftovers(node: &Node) -> Vec<String> {
    let dir = node.paths.active(&name("mirror"));
    let mut names = node.names(dir.parent().unwrap());
    names.retain(|name| name != "mirror");
    names
}

#[test]
fn d_9_6b_signatures_differ_until_applied() {
    let (node, am) = node();
    assert_eq!(confinfo(&node.paths, &am).unwrap().0, None);
    assert!(active(&node.paths, &am).unwrap().is_none());
    apply(&node, Stopped).unwrap();
    let (active, current) = confinfo(&node.paths, &am).unwrap();
    assert_eq!(active.unwrap().signature, current.signature);
    edit(&node, &userconfig("", 20_000));
    let (active, current) = confinfo(&node.paths, &am).unwrap();
    assert_ne!(active.unwrap().signature, current.signature);
    let done = apply(&node, Stopped).unwrap();
    assert_eq!(done.before.unwrap().heart.unwrap().timeout.as_secs(), 30);
    assert_eq!(done.config.heart.unwrap().timeout.as_secs(), 20);
    let (active, current) = confinfo(&node.paths, &am).unwrap();
    assert_eq!(active.unwrap().signature, current.signature);
}

#[test]
fn a_running_module_takes_dynamic_changes_only() {
    let (node, _) = node();
    apply(&node, Stopped).unwrap();
    edit(&node, &userconfig("", 20_000));
    apply(&node, Alone).unwrap();
    edit(&node, &userconfig("boot_delay=\"9\"", 10_000));
    for situation in [Alone, Wait] {
        let error = apply(&node, situation).unwrap_err();
        assert!(matches!(error, ConfigureError::NotDynamic(_)), "{error}");
    }
    assert!(matches!(apply(&node, Running), Err(ConfigureError::Busy(_))));
    assert_eq!(active_text(&node), userconfig("", 20_000));
    assert!(leftovers(&node).is_empty());
    apply(&node, Stopped).unwrap();
}

#[test]
fn a_wrong_file_leaves_the_old_configuration() {
    let (node, am) = node();
    apply(&node, Stopped).unwrap();
    edit(&node, "<safe><service mode=\"miror\"/></safe>");
    assert!(matches!(apply(&node, Stopped), Err(ConfigureError::Config(_))));
    assert!(matches!(confcheck(&node.paths, &am, &|_| Vec::new()), Err(ConfigureError::Config(_))));
    edit(&node, &userconfig("", 20_000));
    let fault = ConfigError {
        file: "userconfig.xml".into(),
        line: 3,
        tag: "failover".into(),
        attribute: None,
        value: None,
        what: crate::told::Told::same("unknown action"),
    };
    let error = config(&node.paths, &am, Stopped, &|_| vec![fault.clone()]).unwrap_err();
    assert_eq!(error.to_string(), "userconfig.xml:3: <failover>: unknown action");
    assert_eq!(active_text(&node), userconfig("", 30_000));
    fs::remove_file(node.paths.userconfig(&am)).unwrap();
    assert!(matches!(apply(&node, Stopped), Err(ConfigureError::NoFile(_))));
    assert!(leftovers(&node).is_empty());
}

#[test]
fn a_cluster_without_the_old_network_does_not_keep_the_new_configuration_out() {
    let (node, am) = node();
    apply(&node, Stopped).unwrap();
    let renamed = CLUSTER.replace("\"default\"", "\"private\"");
    cluster::config(&node.paths, cluster::Source::Xml(&renamed), None).unwrap();
    assert!(matches!(active(&node.paths, &am), Err(ConfigureError::Config(_))));
    assert!(matches!(apply(&node, Stopped), Err(ConfigureError::Config(_))));
    edit(&node, &userconfig("", 30_000).replace("\"default\"", "\"private\""));
    assert!(matches!(apply(&node, Alone), Err(ConfigureError::Config(_))));
    assert!(apply(&node, Stopped).unwrap().before.is_none());
    assert!(deconfig(&node.paths, &am, false).unwrap());
}

#[test]
fn the_config_script_runs_in_the_new_configuration_and_a_failure_brings_back_the_old() {
    let (node, am) = node();
    let script = node.paths.module(&am).join("bin/config");
    node.script(&script, "echo $COLOUR $SAFEMODULE; test -f $SAFEUSERBIN/config || exit 9; exit 1");
    // The first configuration fails: there is none then.
    let error = apply(&node, Stopped).unwrap_err().to_string();
    assert!(error.contains("exit status: 1") && error.contains("blue mirror"), "{error}");
    assert!(!node.paths.active(&am).exists());
    node.script(&script, "echo $COLOUR > $SAFEUSERVAR/seen; echo done");
    assert_eq!(apply(&node, Stopped).unwrap().output.as_deref(), Some("done\n"));
    assert_eq!(fs::read_to_string(node.paths.uservar(&am).join("seen")).unwrap(), "blue\n");
    node.script(&script, "exit 1");
    edit(&node, &userconfig("", 20_000));
    assert!(matches!(apply(&node, Stopped), Err(ConfigureError::Script(_))));
    assert_eq!(active_text(&node), userconfig("", 30_000));
    assert!(active(&node.paths, &am).unwrap().is_some());
    assert!(leftovers(&node).is_empty());
}

#[test]
fn a_crash_at_any_step_leaves_the_old_or_the_new_configuration() {
    let (node, am) = node();
    let (target, fresh) = (node.paths.active(&am), fresh_dir(&node.paths, &am));
    let unproven = |dir: &Path| {
        tree::copy(&node.paths.module(&am), dir).unwrap();
        fs::write(dir.join("conf/userconfig.xml"), "new").unwrap();
    };
    // The first configuration, after the swap: none.
    unproven(&target);
    recover(&node.paths, &am).unwrap();
    assert!(!target.exists());
    apply(&node, Stopped).unwrap();
    let old = active_text(&node);
    // Before the swap.
    unproven(&fresh);
    recover(&node.paths, &am).unwrap();
    assert_eq!(active_text(&node), old);
    // After it, while the script runs.
    unproven(&fresh);
    tree::swap(&fresh, &target).unwrap();
    assert_eq!(active_text(&node), "new");
    assert!(active(&node.paths, &am).unwrap().is_some(), "the old one is in force");
    recover(&node.paths, &am).unwrap();
    assert_eq!(active_text(&node), old);
    // After the proof, before the old one is deleted.
    unproven(&fresh);
    tree::swap(&fresh, &target).unwrap();
    record::store(&target.join(PROOF), &ConfInfo { signature: "s".into(), date: 1 }).unwrap();
    recover(&node.paths, &am).unwrap();
    assert_eq!(active_text(&node), "new");
    assert!(leftovers(&node).is_empty());
}

#[test]
fn confcheck_applies_nothing_and_runs_its_script() {
    let (node, am) = node();
    node.script(&node.paths.module(&am).join("bin/confcheck"), "echo checked");
    let checked = confcheck(&node.paths, &am, &|_| Vec::new()).unwrap();
    assert_eq!(checked.output.as_deref(), Some("checked\n"));
    assert!(!node.paths.active(&am).exists());
    let missing = confcheck(&node.paths, &name("nobody"), &|_| Vec::new());
    assert!(matches!(missing, Err(ConfigureError::NotInstalled(_))));
}

#[test]
fn the_level_script_of_the_active_configuration_answers() {
    let (node, am) = node();
    node.script(&node.paths.module(&am).join("bin/level"), "echo application 7");
    assert_eq!(ask(&node.paths, &am, "level").unwrap(), None);
    apply(&node, Stopped).unwrap();
    assert_eq!(ask(&node.paths, &am, "level").unwrap().as_deref(), Some("application 7\n"));
    assert_eq!(ask(&node.paths, &am, "state").unwrap(), None);
}

#[test]
fn deconfig_runs_its_script_and_removes_the_active_configuration() {
    let (node, am) = node();
    assert!(!deconfig(&node.paths, &am, false).unwrap());
    node.script(&node.paths.module(&am).join("bin/deconfig"), "echo $COLOUR > $SAFEUSERVAR/gone");
    apply(&node, Stopped).unwrap();
    assert!(matches!(deconfig(&node.paths, &am, true), Err(ConfigureError::Running(_))));
    assert!(deconfig(&node.paths, &am, false).unwrap());
    assert_eq!(fs::read_to_string(node.paths.uservar(&am).join("gone")).unwrap(), "blue\n");
    assert!(active(&node.paths, &am).unwrap().is_none());
    assert!(leftovers(&node).is_empty());
    assert!(node.paths.userconfig(&am).exists());
}

#[test]
fn a_key_is_used_from_the_next_configuration_on() {
    let (node, am) = node();
    apply(&node, Stopped).unwrap();
    keys::generate_module_key(&node.paths, &am).unwrap();
    assert!(keys::active_module_key(&node.paths, &am).unwrap().is_none());
    apply(&node, Alone).unwrap();
    assert!(keys::active_module_key(&node.paths, &am).unwrap().is_some());
    keys::delete_module_key(&node.paths, &am).unwrap();
    apply(&node, Alone).unwrap();
    assert!(keys::active_module_key(&node.paths, &am).unwrap().is_none());
}

#[test]
fn the_failover_command_holds_until_the_next_configuration_in_stop() {
    let (node, am) = node();
    let off = boot::UserSettings { failover: Some(false), checker: Some(false), errd: None };
    apply(&node, Stopped).unwrap();
    boot::set_user_settings(&node.paths, &am, &off).unwrap();
    apply(&node, Alone).unwrap();
    assert_eq!(boot::user_settings(&node.paths, &am).unwrap(), off);
    apply(&node, Stopped).unwrap();
    let kept = boot::UserSettings { failover: None, ..off };
    assert_eq!(boot::user_settings(&node.paths, &am).unwrap(), kept);
}

/// A configuration that replicates `dir`.
fn replicating(dir: &Path) -> String {
    let rfs = format!("<rfs><replicated dir=\"{}\"/></rfs>", dir.display());
    userconfig("", 30_000).replace("<user>", &format!("{rfs}<user>"))
}

fn data(node: &Node, name: &str) -> PathBuf {
    let dir = node.root.path().join("data").join(name);
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("file"), name).unwrap();
    dir
}

fn is_link(dir: &Path) -> bool {
    assert!(dir.join("file").is_file(), "{} has lost its data", dir.display());
    fs::read_link(dir).is_ok()
}

/// R-13.6a.
#[test]
fn replicated_directories_follow_the_configuration() {
    let (node, am) = node();
    let (one, two) = (data(&node, "one"), data(&node, "two"));
    edit(&node, &replicating(&one));
    confcheck(&node.paths, &am, &|_| Vec::new()).unwrap();
    assert!(!is_link(&one), "confcheck changes nothing");
    apply(&node, Stopped).unwrap();
    assert_eq!(fs::read_link(&one).unwrap(), Path::new("one_For_SafeKit_Replication"));
    // What is dynamic may change, the directories may not.
    edit(&node, &replicating(&one).replace("30000", "20000"));
    apply(&node, Alone).unwrap();
    edit(&node, &replicating(&two));
    assert!(matches!(apply(&node, Alone), Err(ConfigureError::NotDynamic(_))));
    assert!(is_link(&one) && !is_link(&two));
    // What cannot be given back does not keep the new configuration out.
    fs::remove_file(&one).unwrap();
    fs::create_dir(&one).unwrap();
    fs::write(one.join("file"), "stray").unwrap();
    let output = apply(&node, Stopped).unwrap().output.unwrap();
    assert!(output.contains("are both there"), "{output}");
    fs::remove_dir_all(&one).unwrap();
    apply(&node, Stopped).unwrap();
    assert!(!is_link(&one) && is_link(&two));
    deconfig(&node.paths, &am, false).unwrap();
    assert!(!is_link(&one) && !is_link(&two));
    apply(&node, Stopped).unwrap();
    modules::uninstall(&node.paths, &am, false).unwrap();
    assert!(!is_link(&one) && !is_link(&two));
}

#[test]
fn a_failed_configuration_gives_the_new_directories_back() {
    let (node, am) = node();
    let (one, two) = (data(&node, "one"), data(&node, "two"));
    edit(&node, &replicating(&one));
    apply(&node, Stopped).unwrap();
    node.script(&node.paths.module(&am).join("bin/config"), "exit 1");
    edit(&node, &replicating(&two));
    assert!(matches!(apply(&node, Stopped), Err(ConfigureError::Script(_))));
    assert!(is_link(&one) && !is_link(&two));
    edit(&node, &replicating(&node.root.path().join("data/three")));
    let error = apply(&node, Stopped).unwrap_err().to_string();
    assert!(error.contains("data/three: no such directory"), "{error}");
    assert!(is_link(&one));
}

/// RFS-11: what a crash has left is put right when safeadmin starts.
#[test]
fn a_crash_of_the_machine_costs_no_link() {
    let (node, am) = node();
    let one = data(&node, "one");
    edit(&node, &replicating(&one));
    apply(&node, Stopped).unwrap();
    assert!(restore_directories(&node.paths, &am).unwrap().is_empty());
    let directory = &Directory::of(active(&node.paths, &am).unwrap().unwrap().rfs.as_ref())[0];
    drop(replicated::prepare_mount(directory).unwrap());
    assert_eq!(restore_directories(&node.paths, &am).unwrap(), std::slice::from_ref(&one));
    assert!(is_link(&one));
    // A crash in the middle of a first configuration: nothing was applied.
    fs::remove_file(node.paths.active(&am).join(PROOF)).unwrap();
    recover(&node.paths, &am).unwrap();
    assert!(restore_directories(&node.paths, &am).unwrap().is_empty());
    assert!(!is_link(&one));
}

/// RFS-56.
#[test]
fn a_configuration_in_stop_asks_for_a_full_synchronization() {
    use rfssync::Policy;
    let (node, am) = node();
    apply(&node, Stopped).unwrap();
    for (situation, wanted) in [(Alone, Policy::Default), (Stopped, Policy::Full)] {
        rfssync::set_policy(&node.paths, &am, &Policy::Default).unwrap();
        apply(&node, situation).unwrap();
        assert_eq!(rfssync::policy(&node.paths, &am).unwrap(), wanted);
    }
}

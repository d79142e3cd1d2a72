use super::super::testing::{Node, name, userconfig};
use super::*;
use std::fs;
use std::os::unix::fs::PermissionsExt;

fn ids(node: &Node) -> Vec<String> {
    list(&node.paths).unwrap().iter().map(|(module, id)| format!("{module} {id}")).collect()
}

fn elsewhere(module: &str, id: ModuleId) -> Elsewhere {
    Elsewhere { node: "node2".parse().unwrap(), module: name(module), id, configured: true }
}

#[test]
fn ids_are_the_lowest_free_on_every_reachable_node() {
    let node = Node::new();
    let archive = node.archive(&userconfig("", 30_000));
    let others = [elsewhere("other", 2), elsewhere("shared", 7)];
    for (module, wanted) in [("a", 1), ("b", 3), ("shared", 7), ("c", 4)] {
        let id = install(&node.paths, &name(module), None, false, &archive, &others).unwrap();
        assert_eq!(id, wanted, "{module}");
    }
    assert_eq!(ids(&node), ["a 1", "b 3", "c 4", "shared 7"]);
}

#[test]
fn d_9_6b_package_install_again_with_another_id_uninstall() {
    let node = Node::new();
    let am = name("mirror");
    let archive = node.archive(&userconfig("", 30_000));
    install(&node.paths, &am, None, false, &archive, &[]).unwrap();
    fs::write(node.paths.module(&am).join("conf/extra"), "kept").unwrap();
    let package = package(&node.paths, &am, true).unwrap();
    let again = |reinstall| install(&node.paths, &am, Some(5), reinstall, &package, &[]);
    assert!(matches!(again(false), Err(ModuleError::AlreadyInstalled(_))));
    assert_eq!(again(true).unwrap(), 5);
    assert_eq!(ids(&node), ["mirror 5"]);
    assert_eq!(fs::read_to_string(node.paths.module(&am).join("conf/extra")).unwrap(), "kept");
    assert!(tree::is_executable(&node.paths.module(&am).join("bin/start_prim")));
    // Installed again without -M, it keeps its id.
    assert_eq!(install(&node.paths, &am, None, true, &archive, &[]).unwrap(), 5);
    assert!(!node.paths.module(&am).join("conf/extra").exists(), "an installation replaces everything");
    assert!(matches!(uninstall(&node.paths, &am, true), Err(ModuleError::Running(_))));
    uninstall(&node.paths, &am, false).unwrap();
    let backup = node.paths.application_modules().join("backup").join(format!("{am}.safe"));
    assert!(archive::userconfig(&fs::read(backup).unwrap()).unwrap().contains("<service"), "it is kept");
    assert!(node.names(&node.paths.modules()).is_empty());
    assert!(ids(&node).is_empty());
    assert!(matches!(uninstall(&node.paths, &am, false), Err(ModuleError::NotInstalled(_))));
}

#[test]
fn a_key_travels_in_the_package_and_stays_secret() {
    let node = Node::new();
    let (am, copy) = (name("mirror"), name("copy"));
    install(&node.paths, &am, None, false, &node.archive(&userconfig("", 30_000)), &[]).unwrap();
    keys::generate_module_key(&node.paths, &am).unwrap();
    let package = package(&node.paths, &am, true).unwrap();
    install(&node.paths, &copy, None, false, &package, &[]).unwrap();
    let key = |module| node.paths.module(module).join("conf").join(keys::MODULE_KEY);
    assert_eq!(fs::read(key(&copy)).unwrap(), fs::read(key(&am)).unwrap());
    assert_eq!(fs::metadata(key(&copy)).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_held_id_names_its_holder() {
    let node = Node::new();
    let archive = node.archive(&userconfig("", 30_000));
    install(&node.paths, &name("a"), Some(3), false, &archive, &[]).unwrap();
    let force = |id, others: &[Elsewhere]| {
        install(&node.paths, &name("b"), Some(id), false, &archive, others).unwrap_err().to_string()
    };
    assert!(force(3, &[]).contains("held by module a on this node"));
    assert!(force(4, &[elsewhere("x", 4)]).contains("held by module x on node node2"));
    assert!(force(0, &[]).contains("1 to 255"));
    // The same module has the same id everywhere: a conflict is told, never worked around.
    let here = install(&node.paths, &name("b"), None, false, &archive, &[elsewhere("b", 3)]);
    assert!(matches!(here, Err(ModuleError::IdHeld { id: 3, .. })));
    assert_eq!(ids(&node), ["a 3"]);
}

#[test]
fn the_peer_of_a_mirror_is_the_other_node_that_has_it() {
    let peer = |others: &[Elsewhere]| mirror_peer(&name("a"), 3, others);
    let on = |node: &str, id| Elsewhere { node: node.parse().unwrap(), ..elsewhere("a", id) };
    let idle = Elsewhere { configured: false, ..on("node3", 3) };
    assert_eq!(peer(&[elsewhere("b", 3), idle.clone()]).unwrap(), None);
    assert_eq!(peer(&[idle, on("node2", 3)]).unwrap().unwrap().as_str(), "node2");
    assert!(matches!(peer(&[on("node2", 4)]), Err(ModuleError::IdsDiffer { there: 4, .. })));
    let error = peer(&[on("node2", 3), on("node3", 3)]).unwrap_err().to_string();
    assert!(error.contains("node2, node3"), "{error}");
}

#[test]
fn all_ids_given_is_an_error() {
    let taken: Vec<Elsewhere> = (1..=ModuleId::MAX).map(|id| elsewhere("x", id)).collect();
    assert!(matches!(choose_id(&name("a"), None, None, &[], &taken), Err(ModuleError::NoId)));
}

#[test]
fn what_is_no_module_is_not_installed_over_a_good_one() {
    let node = Node::new();
    let am = name("mirror");
    install(&node.paths, &am, None, false, &node.archive("<safe/>"), &[]).unwrap();
    let no_module = crate::node::cluster_zip::pack("<cluster/>", None).unwrap();
    let again = |bytes: &[u8]| install(&node.paths, &am, None, true, bytes, &[]);
    assert!(matches!(again(&no_module), Err(ModuleError::Archive(_))));
    assert!(matches!(again(b"not a zip"), Err(ModuleError::Archive(_))));
    assert!(node.paths.userconfig(&am).is_file());
    assert_eq!(node.names(&node.paths.modules()), ["mirror"], "nothing is left over");
    let reserved = install(&node.paths, &name("lastconfig"), None, false, &no_module, &[]);
    assert!(matches!(reserved, Err(ModuleError::Reserved(_))));
}

#[test]
fn a_damaged_id_is_an_error_and_a_foreign_directory_no_module() {
    let node = Node::new();
    fs::create_dir_all(node.paths.modules().join("by_hand")).unwrap();
    fs::create_dir_all(node.paths.lastconfig()).unwrap();
    assert!(ids(&node).is_empty());
    let am = name("by_hand");
    record::store_bytes(&file(&node.paths, &am), b"{\"id\"", 0o644).unwrap();
    assert!(matches!(list(&node.paths), Err(ModuleError::Record(RecordError::Damaged { .. }))));
}

#[test]
fn templates_are_found_by_name_in_the_directories() {
    let node = Node::new();
    let dir = node.paths.application_modules();
    for (file, text) in
        [("generic/mirror.safe", "m"), ("demo/deep/web.zip", "w"), ("published/farm.safe", "f")]
    {
        fs::create_dir_all(dir.join(file).parent().unwrap()).unwrap();
        fs::write(dir.join(file), text).unwrap();
    }
    let am = name("mirror");
    let found = |name: Option<&str>| template(&node.paths, &am, name);
    assert_eq!(found(None).unwrap(), b"m");
    assert_eq!(found(Some("web.zip")).unwrap(), b"w");
    assert_eq!(found(Some("farm.safe")).unwrap(), b"f");
    assert_eq!(found(Some(dir.join("demo/deep/web.zip").to_str().unwrap())).unwrap(), b"w");
    assert!(found(Some("none")).unwrap_err().to_string().contains("no none.safe"));
    assert!(matches!(found(Some("/nowhere/none.safe")), Err(ModuleError::NoTemplate { .. })));
}

use super::*;
use crate::control::async_client::answer_from;
use crate::control::frame::{Hello, encode_attachment, encode_json};
use crate::control::{ClusterReport, ConfInfo, Failure, FailureKind, ModuleRow, Stamp};
use crate::log::Lang;
use std::cell::RefCell;
use std::io::Cursor;

/// A node that remembers what it was asked and refuses some of it.
#[derive(Default)]
struct Fake {
    name: &'static str,
    away: bool,
    refuses: &'static str,
    asked: RefCell<Vec<(String, Bytes)>>,
    modules: Vec<ModuleRow>,
    /// Signature of what it holds.
    holds: &'static str,
    /// What it holds is another thing whenever somebody looks.
    restless: bool,
}

impl Fake {
    fn named(name: &'static str) -> Fake {
        Fake { name, ..Fake::default() }
    }

    fn commands(&self) -> Vec<String> {
        self.asked.borrow().iter().map(|(command, _)| command.clone()).collect()
    }
}

impl Reach for Fake {
    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn lang(&self) -> Lang {
        Lang::En
    }

    async fn ask(&self, request: Request, attachment: Bytes) -> Result<Answer, Failure> {
        if self.away {
            let text = format!("{}: connection refused", self.name);
            return Err(Failure { kind: FailureKind::Busy, text });
        }
        let command = request.name();
        self.asked.borrow_mut().push((command.clone(), attachment));
        let unexpected = match &request {
            Request::ModuleInstall { if_signature, .. } | Request::ClusterConfig { if_signature, .. } => {
                if_signature.as_ref().is_some_and(|list| !list.iter().any(|one| one == self.holds))
            }
            _ => false,
        };
        let bad = command == self.refuses || unexpected;
        let said = match bad {
            true => Reply::error(FailureKind::Refused, format!("{command} is refused")),
            false => Reply::Text(format!("{command} is done")),
        };
        let mut wire = encode_json(&Hello::ours()).unwrap();
        wire.extend(encode_json(&said).unwrap());
        let signature = match self.restless {
            true => self.asked.borrow().len().to_string(),
            false => self.holds.to_owned(),
        };
        if unexpected {
            wire.extend(encode_json(&Reply::Conflict { signature: signature.clone() }).unwrap());
        }
        match request {
            Request::ConfInfo { .. } => {
                let info = ConfInfo { active: None, current: Stamp { signature, date: 0 } };
                wire.extend(encode_json(&Reply::ConfInfo(info)).unwrap());
            }
            Request::ClusterGet => wire.extend(encode_json(&Reply::Cluster(report(signature))).unwrap()),
            Request::ModuleList => wire.extend(encode_json(&Reply::Modules(self.modules.clone())).unwrap()),
            Request::ModulePackage { keys: true, .. } | Request::ClusterExport if !bad => {
                wire.extend(encode_attachment(b"archive").flat_map(|frame| frame.unwrap()));
            }
            _ => {}
        }
        wire.extend(encode_json(&Reply::End { code: i32::from(bad) }).unwrap());
        Ok(answer_from(Cursor::new(wire)).await.unwrap())
    }
}

fn report(signature: String) -> ClusterReport {
    ClusterReport {
        configured: true,
        signature,
        date: String::new(),
        lock: false,
        node: None,
        nodes: Vec::new(),
        trouble: None,
    }
}

fn module(configured: bool) -> Fake {
    let row = ModuleRow { module: "m".parse().unwrap(), id: 3, mode: None, configured };
    Fake { modules: vec![row], holds: "new", ..Fake::named("here") }
}

#[tokio::test]
async fn a_module_is_installed_everywhere_and_configured_if_it_is_here() {
    for configured in [true, false] {
        let package = pack_module(&module(configured), &"m".parse().unwrap()).await.unwrap();
        assert_eq!((package.id, package.configured), (3, configured));
        let nodes = [Fake::named("node1"), Fake { away: true, ..Fake::named("node2") }, {
            Fake { refuses: "module install", ..Fake::named("node3") }
        }];
        let outcomes = deploy_module(&package, &nodes, &Expected::Anything).await;
        let codes: Vec<_> = outcomes.iter().map(|o| (o.node.as_str(), o.code)).collect();
        assert_eq!(codes, [("node1", 0), ("node2", 1), ("node3", 1)]);
        let wanted: &[&str] = if configured { &["module install", "config"] } else { &["module install"] };
        assert_eq!(nodes[0].commands(), wanted);
        assert_eq!(nodes[0].asked.borrow()[0].1, "archive");
        let given = |node: &Fake| node.asked.borrow()[0].1.as_ptr();
        assert_eq!(given(&nodes[0]), given(&nodes[2]), "it is in memory once");
        assert_eq!(outcomes[0].output.len(), wanted.len(), "what each step said: {outcomes:?}");
        assert_eq!(outcomes[1].errors, ["node2: connection refused"]);
        assert_eq!(nodes[2].commands(), ["module install"], "what was not installed is not configured");
        assert_eq!(outcomes[2].errors, ["module install is refused"]);
    }
}

#[tokio::test]
async fn a_configuration_that_is_refused_is_a_failure() {
    let package = pack_module(&module(true), &"m".parse().unwrap()).await.unwrap();
    let nodes = [Fake { refuses: "config", ..Fake::named("node1") }];
    let outcomes = deploy_module(&package, &nodes, &Expected::Anything).await;
    assert_eq!((outcomes[0].code, outcomes[0].output.len()), (1, 1), "{outcomes:?}");
    assert_eq!(outcomes[0].errors[0], "config is refused");
    assert!(outcomes[0].errors[1].contains("on node1 now, but they are not applied"), "{outcomes:?}");
}

#[tokio::test]
async fn what_is_not_expected_is_not_replaced() {
    let package = pack_module(&module(true), &"m".parse().unwrap()).await.unwrap();
    let holding = |name, holds| Fake { holds, ..Fake::named(name) };
    let nodes = [
        holding("old", "old"),
        holding("fresh", ""),
        holding("done", "new"),
        holding("theirs", "theirs"),
        holding("unnamed", "old"),
    ];
    let list = |name: &str, one: &str| (name.parse().unwrap(), vec![one.to_owned()]);
    let expected = Expected::ByNode(BTreeMap::from([
        list("old", "old"),
        list("fresh", ""),
        list("done", "old"),
        list("theirs", "old"),
    ]));
    let outcomes = deploy_module(&package, &nodes, &expected).await;
    let ends: Vec<_> = outcomes.iter().map(|o| (o.node.as_str(), o.code, o.conflict.as_deref())).collect();
    let wanted = [
        ("old", 0, None),
        ("fresh", 0, None),
        ("done", 0, None),
        ("theirs", 1, Some("theirs")),
        ("unnamed", 1, Some("old")),
    ];
    assert_eq!(ends, wanted);
    assert_eq!(nodes[3].commands(), ["module install"], "it is not applied either");
    let package = pack_cluster(&holding("here", "new")).await.unwrap();
    let outcomes = deploy_cluster(&package, &nodes, &expected).await;
    let conflicts: Vec<_> = outcomes.into_iter().map(|o| o.conflict).collect();
    assert_eq!(conflicts, wanted.map(|(_, _, conflict)| conflict.map(str::to_owned)));
}

#[tokio::test]
async fn a_cluster_goes_to_all_nodes() {
    let package = pack_cluster(&Fake::named("here")).await.unwrap();
    let nodes = [Fake { away: true, ..Fake::named("node1") }, Fake::named("node2")];
    let outcomes = deploy_cluster(&package, &nodes, &Expected::Anything).await;
    assert_eq!(outcomes.iter().map(|o| o.code).collect::<Vec<_>>(), [1, 0]);
    assert_eq!(nodes[1].asked.borrow()[0], ("cluster config".to_owned(), Bytes::from("archive")));
}

#[tokio::test]
async fn what_this_node_does_not_have_it_does_not_give() {
    let refused = Fake { refuses: "cluster export", ..Fake::named("here") };
    assert_eq!(pack_cluster(&refused).await.err().unwrap().text, "cluster export is refused");
    let missing = pack_module(&Fake::named("here"), &"m".parse().unwrap()).await.err().unwrap();
    assert!(missing.text.contains("m is not installed"), "{missing:?}");
    assert_eq!(missing.kind, FailureKind::NotFound);
    let refused = Fake { refuses: "module package", ..module(true) };
    assert_eq!(
        pack_module(&refused, &"m".parse().unwrap()).await.err().unwrap().text,
        "module package is refused"
    );
}

#[tokio::test]
async fn what_never_stays_the_same_is_given_up() {
    let giver = Fake { restless: true, ..module(true) };
    let read = |command: &str| giver.commands().iter().filter(|one| *one == command).count();
    let failure = pack_module(&giver, &"m".parse().unwrap()).await.err().unwrap();
    assert!(failure.text.contains("something writes below SAFE/modules/m"), "{failure:?}");
    assert_eq!((failure.kind, read("module package")), (FailureKind::Busy, TRIES));
    let failure = pack_cluster(&giver).await.err().unwrap();
    assert_eq!((failure.kind, read("cluster export")), (FailureKind::Busy, TRIES), "{failure:?}");
}

#[tokio::test]
async fn what_the_giver_refuses_is_given_to_nobody() {
    let name: ModuleName = "m".parse().unwrap();
    for refuses in ["config", ""] {
        let (giver, others) = (Fake { refuses, ..module(true) }, [Fake::named("node2")]);
        let outcomes = give_module(&giver, &name, true, &others, &Terms::default()).await.unwrap();
        let nodes: Vec<_> = outcomes.iter().map(|o| (o.node.as_str(), o.code)).collect();
        if refuses.is_empty() {
            assert_eq!(nodes, [("here", 0), ("node2", 0)]);
        } else {
            assert_eq!(nodes, [("here", 1)]);
            assert!(others[0].commands().is_empty(), "{:?}", others[0].commands());
        }
    }
    let (giver, others) = (Fake { refuses: "module package", ..module(true) }, [Fake::named("node2")]);
    let outcomes = give_module(&giver, &name, true, &others, &Terms::default()).await.unwrap();
    let nodes: Vec<_> = outcomes.iter().map(|o| (o.node.as_str(), o.code)).collect();
    assert_eq!(nodes, [("here", 0), ("node2", 1)], "it is applied here: {outcomes:?}");
    assert_eq!(outcomes[1].errors, ["module package is refused"]);
    let (giver, others) = (module(true), [Fake::named("node2")]);
    let terms = |signature: &str| Terms { signature: Some(signature.to_owned()), ..Terms::default() };
    let refused = give_module(&giver, &name, false, &others, &terms("old")).await.unwrap_err();
    assert_eq!(refused.kind, FailureKind::Conflict, "{refused:?}");
    assert!(others[0].commands().is_empty(), "somebody has saved something else: {:?}", others[0].commands());
    assert_eq!(give_module(&giver, &name, false, &others, &terms("new")).await.unwrap()[0].code, 0);
}

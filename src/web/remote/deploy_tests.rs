use super::*;
use crate::control::async_client::answer_from;
use crate::control::frame::{Hello, encode_attachment, encode_json};
use crate::control::{Failure, FailureKind, ModuleRow};
use std::cell::RefCell;
use std::io::Cursor;

/// A node that remembers what it was asked and refuses some of it.
#[derive(Default)]
struct Fake {
    name: &'static str,
    away: bool,
    refuses: &'static str,
    asked: RefCell<Vec<(String, Vec<u8>)>>,
    modules: Vec<ModuleRow>,
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

    async fn ask(&self, request: Request, attachment: Vec<u8>) -> Result<Answer, Failure> {
        if self.away {
            let text = format!("{}: connection refused", self.name);
            return Err(Failure { kind: FailureKind::Busy, text });
        }
        let command = request.name();
        self.asked.borrow_mut().push((command.clone(), attachment));
        let bad = command == self.refuses;
        let said = match bad {
            true => Reply::error(FailureKind::Refused, format!("{command} is refused")),
            false => Reply::Text(format!("{command} is done")),
        };
        let mut wire = encode_json(&Hello::ours()).unwrap();
        wire.extend(encode_json(&said).unwrap());
        match request {
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

fn module(configured: bool) -> Fake {
    let row = ModuleRow { module: "m".parse().unwrap(), id: 3, mode: None, configured };
    Fake { modules: vec![row], ..Fake::named("here") }
}

#[tokio::test]
async fn a_module_is_installed_everywhere_and_configured_if_it_is_here() {
    for configured in [true, false] {
        let package = pack_module(&module(configured), &"m".parse().unwrap()).await.unwrap();
        assert_eq!((package.id, package.configured), (3, configured));
        let nodes = [Fake::named("node1"), Fake { away: true, ..Fake::named("node2") }, {
            Fake { refuses: "module install", ..Fake::named("node3") }
        }];
        let outcomes = deploy_module(&package, &nodes).await;
        let codes: Vec<_> = outcomes.iter().map(|o| (o.node.as_str(), o.code)).collect();
        assert_eq!(codes, [("node1", 0), ("node2", 1), ("node3", 1)]);
        let wanted: &[&str] = if configured { &["module install", "config"] } else { &["module install"] };
        assert_eq!(nodes[0].commands(), wanted);
        assert_eq!(nodes[0].asked.borrow()[0].1, b"archive");
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
    let outcomes = deploy_module(&package, &nodes).await;
    assert_eq!((outcomes[0].code, outcomes[0].output.len()), (1, 1), "{outcomes:?}");
    assert_eq!(outcomes[0].errors, ["config is refused"]);
}

#[tokio::test]
async fn a_cluster_goes_to_all_nodes() {
    let zip = pack_cluster(&Fake::named("here")).await.unwrap();
    let nodes = [Fake { away: true, ..Fake::named("node1") }, Fake::named("node2")];
    let outcomes = deploy_cluster(&zip, &nodes).await;
    assert_eq!(outcomes.iter().map(|o| o.code).collect::<Vec<_>>(), [1, 0]);
    assert_eq!(nodes[1].asked.borrow()[0], ("cluster config".to_owned(), b"archive".to_vec()));
}

#[tokio::test]
async fn what_this_node_does_not_have_it_does_not_give() {
    let refused = Fake { refuses: "cluster export", ..Fake::named("here") };
    assert_eq!(pack_cluster(&refused).await.unwrap_err().text, "cluster export is refused");
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
async fn what_the_giver_refuses_is_given_to_nobody() {
    let name: ModuleName = "m".parse().unwrap();
    for refuses in ["config", ""] {
        let (giver, others) = (Fake { refuses, ..module(true) }, [Fake::named("node2")]);
        let outcomes = give_module(&giver, &name, true, &others).await.unwrap();
        let nodes: Vec<_> = outcomes.iter().map(|o| (o.node.as_str(), o.code)).collect();
        if refuses.is_empty() {
            assert_eq!(nodes, [("here", 0), ("node2", 0)]);
        } else {
            assert_eq!(nodes, [("here", 1)]);
            assert!(others[0].commands().is_empty(), "{:?}", others[0].commands());
        }
    }
}

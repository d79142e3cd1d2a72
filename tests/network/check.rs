//! `cluster check` on virtual addresses: who answers on the link.

use crate::support::{DEADLINE, Space, pair, plan};
use actix::{Actor, Context, Handler};
use safekit::actors::cluster::{Cluster, ClusterEvent, ClusterSetup, Heard, LanSetup};
use safekit::control::{CheckRow, CheckStatus};
use safekit::node::check::{CheckInputs, check};
use std::time::{Duration, Instant};

struct Nobody;

impl Actor for Nobody {
    type Context = Context<Self>;
}

impl Handler<ClusterEvent> for Nobody {
    type Result = ();

    fn handle(&mut self, _: ClusterEvent, _: &mut Context<Self>) {}
}

/// The cluster of the two namespaces; node2 does not run.
fn setup() -> ClusterSetup {
    let addrs = ["10.9.0.1", "10.9.0.2"].map(crate::support::at);
    let lan = LanSetup { name: "default".into(), local: Some(addrs[0]), addrs: addrs.map(Some).to_vec() };
    ClusterSetup {
        me: 0,
        nodes: ["node1", "node2"].map(|name| name.parse().unwrap()).to_vec(),
        port: 4800,
        pulse: Duration::from_millis(100),
        mlost_count: 6,
        slost_count: 12,
        lans: vec![lan],
        key: None,
        signature: "0123".into(),
    }
}

/// The rows of the virtual addresses of a module that runs nowhere.
fn checked(space: &Space, addresses: &'static [&'static str]) -> Vec<CheckRow> {
    let began = Instant::now();
    let rows = space.run_async(move || async move {
        let cluster = Cluster::new(Some(setup()), Nobody.start().recipient(), Heard::default()).start();
        let inputs = CheckInputs { vips: vec![("mirror".parse().unwrap(), plan(addresses))] };
        tokio::time::timeout(DEADLINE, check(cluster, inputs, safekit::log::Lang::En)).await.unwrap()
    });
    assert!(began.elapsed() < DEADLINE / 2, "{:?}", began.elapsed());
    let silent = rows.iter().find(|row| row.check == "lan default to node2").unwrap();
    assert_eq!(
        (silent.status, silent.found.as_str()),
        (CheckStatus::Error, "node2 (10.9.0.2) does not answer")
    );
    rows.into_iter().filter(|row| row.check.starts_with("virtual address")).collect()
}

#[test]
fn a_virtual_address_that_somebody_else_has_is_found() {
    let (a, b) = pair();
    b.address("skt-b", "10.9.0.77/24");
    b.address("skt-b", "fd09::77/64");
    a.address("skt-a", "10.9.0.79/24");
    let rows = checked(&a, &["10.9.0.77", "fd09::77", "10.9.0.78", "10.9.0.79", "192.0.2.1"]);
    let mac = b.interface("skt-b").mac.unwrap().to_string();
    let [v4, v6, free, here, nowhere] = &rows[..] else { panic!("{rows:?}") };
    for row in [v4, v6] {
        assert_eq!(row.status, CheckStatus::Error, "{row:?}");
        assert!(row.found.starts_with(&mac), "{row:?}");
    }
    assert_eq!((free.status, free.found.as_str()), (CheckStatus::Ok, "free"));
    assert_eq!(here.status, CheckStatus::Error, "set by hand where the module does not run: {here:?}");
    assert_eq!(nowhere.status, CheckStatus::Error, "in no network of this node: {nowhere:?}");
}

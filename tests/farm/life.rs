//! Loading, leaving and finding again: what is in the kernel outlives the process, and goes when it should.

use crate::requests::{From, datagrams, open, settle};
use crate::serve::source;
use crate::support::{Space, at, pair, wait_for};
use crate::world::{VIPS, World, rules, share};
use safekit::config::module::Filter;
use safekit::farm::nft::{self, Nft};
use safekit::farm::{Backend, FarmError, Layout, LayoutVip};
use safekit::fsm::bucket::{Bitmap, Owners, Reach, Share};
use safekit::ids::ModuleName;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

/// A layout of a module on `skt-a` of a pair.
fn layout(module: &str, reach: Reach) -> Layout {
    let vip = LayoutVip { addr: at("10.9.0.100"), device: "skt-a".to_owned(), reach, vmac: None };
    Layout {
        module: module.parse().unwrap(),
        me: 0,
        vips: vec![vip],
        rules: rules(Filter::OnPort),
        peers: Vec::new(),
        keep: true,
    }
}

fn all() -> Vec<Share> {
    vec![Share::settled(Owners::new(|_| Some(0)))]
}

fn load(space: &Space, layout: Layout) -> Nft {
    space.run(move || {
        let mut nft = Nft::new(&layout.module);
        nft.load(&layout, &all()).unwrap();
        nft
    })
}

fn promiscuous(space: &Space) -> bool {
    space.interface("skt-a").promiscuous
}

fn clean(space: &Space, running: &[&str]) -> Vec<String> {
    let running: Vec<ModuleName> = running.iter().map(|m| m.parse().unwrap()).collect();
    let cleaned = space.run(move || nft::clean(&running).unwrap());
    cleaned.iter().map(ToString::to_string).collect()
}

#[test]
fn promiscuous_mode_lasts_as_long_as_someone_needs_it() {
    let (a, _b) = pair();
    let (mut one, mut two) = (load(&a, layout("one", Reach::Every)), load(&a, layout("two", Reach::Every)));
    assert!(promiscuous(&a));
    let mut one = a.run(move || {
        one.remove().unwrap();
        one
    });
    assert!(promiscuous(&a), "the other module needs it");
    a.run(move || two.remove().unwrap());
    assert!(!promiscuous(&a));
    a.run(move || one.remove().expect("nothing is there, and that is no error"));
    assert_eq!(clean(&a, &[]), [""; 0], "nothing is left behind");

    // What the administrator has switched on stays, and vmac_directed needs none.
    drop(load(&a, layout("three", Reach::One)));
    assert!(!promiscuous(&a));
    a.ip("link set skt-a promisc on");
    let mut four = load(&a, layout("four", Reach::Every));
    a.run(move || four.remove().unwrap());
    assert!(promiscuous(&a));
    assert_eq!(clean(&a, &[]), ["three"]);
}

/// Not a test: a process that loads a filter and waits to be killed.
#[test]
#[ignore = "started by another test"]
fn loads_and_waits() {
    if std::env::var_os("SAFEKIT_TEST_LOADS").is_none() {
        return;
    }
    let layout = layout("killed", Reach::Every);
    Nft::new(&layout.module).load(&layout, &all()).unwrap();
    println!("loaded");
    std::thread::park();
}

#[test]
fn what_a_killed_process_left_is_adopted_or_cleaned() {
    let (a, _b) = pair();
    let mut child = a.run(|| {
        Command::new(std::env::current_exe().unwrap())
            .args(["life::loads_and_waits", "--exact", "--ignored", "--nocapture"])
            .env("SAFEKIT_TEST_LOADS", "1")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    });
    let output = std::io::BufReader::new(child.stdout.take().unwrap());
    assert!(std::io::BufRead::lines(output).any(|line| line.unwrap().ends_with("loaded")));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(promiscuous(&a), "the death of its process changes nothing");
    assert_eq!(clean(&a, &["killed"]), [""; 0], "of a module that runs");
    let found = a.run(|| nft::Nft::new(&"killed".parse().unwrap()).shown(1).unwrap());
    assert_eq!(found, [Bitmap::ALL], "another life sees what the first one left");
    let mut again = load(&a, layout("killed", Reach::Every));
    let (again, shown) = a.run(move || {
        let shown = again.shown(1).unwrap();
        (again, shown)
    });
    assert_eq!(shown, [Bitmap::ALL]);
    drop(again);
    assert_eq!(clean(&a, &["other"]), ["killed"]);
    assert!(!promiscuous(&a));
}

#[test]
fn what_the_guard_withdraws_stays_withdrawn_until_the_module_is_loaded_again() {
    for reach in [Reach::Every, Reach::One] {
        let world = World::with(reach, rules(Filter::OnPort), true, &[share([1, 0, 0])]);
        for vip in VIPS.map(at) {
            assert_eq!(datagrams(&world.client, vip, From::OnePlace, 5, 20), [0; 5]);
        }
        for _ in 0..2 {
            world.nodes[0].space.run(|| nft::withdraw(&"farm".parse().unwrap()).unwrap());
            assert_eq!(world.shown(0, 1).unwrap(), [Bitmap::EMPTY]);
        }
        settle(&world);
        world.served();
        for vip in VIPS.map(at) {
            let from = SocketAddr::new(source(vip, 1), 0);
            world.client.run(move || open(vip, from).send(b"?").unwrap());
        }
        settle(&world);
        assert_eq!(world.served(), [0; 3], "{reach:?}: what was its own is nobody's now");
        let error = world.filter(0, |nft| nft.switch(&[share([1, 0, 0])])).unwrap_err();
        assert!(matches!(error, FarmError::Withdrawn { .. }), "{error}");
        let error = world.filter(0, |nft| nft.peers(&[])).unwrap_err();
        assert!(matches!(error, FarmError::Withdrawn { .. }), "{error}");
        assert_eq!(world.shown(0, 1).unwrap(), [Bitmap::EMPTY]);
        // The others take over, while packets may still come to the withdrawn node.
        for node in [1, 2] {
            world.filter(node, |nft| nft.switch(&[share([0, 1, 0])])).unwrap();
        }
        if reach == Reach::Every {
            for vip in VIPS.map(at) {
                assert_eq!(datagrams(&world.client, vip, From::OnePlace, 5, 20), [1; 5]);
            }
        }
        let layout = world.layout(0, reach, rules(Filter::OnPort), true);
        world.filter(0, move |nft| nft.load(&layout, &[share([1, 0, 0])])).unwrap();
        assert_eq!(world.shown(0, 1).unwrap(), [Bitmap::ALL]);
    }
    let (a, _b) = pair();
    a.run(|| nft::withdraw(&"none".parse().unwrap()).expect("nothing to withdraw is no error"));
}

#[test]
fn a_filter_that_somebody_removed_is_loaded_again() {
    let (a, _b) = pair();
    let mut nft = load(&a, layout("farm", Reach::Every));
    assert_eq!(clean(&a, &[]), ["farm"]);
    let shown = a.run(move || {
        assert!(matches!(nft.shown(1), Err(FarmError::Gone { .. })));
        nft.switch(&all()).unwrap();
        nft.shown(1).unwrap()
    });
    assert_eq!(shown, [Bitmap::ALL]);
    wait_for("the interface", || promiscuous(&a));
}

#[test]
fn what_cannot_be_is_refused_and_the_old_filter_stays() {
    let (a, _b) = pair();
    let mut nft = load(&a, layout("farm", Reach::Every));
    a.run(move || {
        let good = layout("farm", Reach::Every);
        let mut missing = good.clone();
        missing.vips[0].device = "skt-x".to_owned();
        let error = nft.load(&missing, &all()).unwrap_err().to_string();
        assert_eq!(
            error,
            "the packet filter needs interface skt-x, which is not there; interfaces here: lo, skt-a"
        );
        let twice = Layout { vips: [good.vips.clone(), good.vips.clone()].concat(), ..good.clone() };
        let error = nft.load(&twice, &all()).unwrap_err().to_string();
        assert_eq!(
            error,
            "the packet filter of module farm cannot be made: virtual address 10.9.0.100 is given twice"
        );
        assert!(nft.load(&good, &[]).is_err(), "rules of a group without a share");
        assert_eq!(nft.shown(1).unwrap(), [Bitmap::ALL]);
        nft::probe(&good.module).expect("this kernel has all that is needed");
        assert_eq!(nft.shown(1).unwrap(), [Bitmap::ALL], "a probe changes nothing");
    });
}

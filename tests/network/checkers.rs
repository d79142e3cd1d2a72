//! Checkers of interfaces and addresses see what happens to them at once, not at their interval.

use crate::support::{DEADLINE, pair};
use actix::{Actor, Context, Handler, Recipient};
use safekit::actors::checkers::interface::Intf;
use safekit::actors::checkers::ip::Ip;
use safekit::actors::checkers::ping::Ping;
use safekit::actors::checkers::{Checker, CheckerReport, Finding, Reporter};
use safekit::fsm::resource::ResourceName;
use std::process::Command;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

/// Far above the deadline: only a change can lead to another look.
const NEVER: Duration = Duration::from_secs(24 * 3600);

struct Module(UnboundedSender<Finding>);

impl Actor for Module {
    type Context = Context<Self>;
}

impl Handler<CheckerReport> for Module {
    type Result = ();

    fn handle(&mut self, report: CheckerReport, _: &mut Self::Context) {
        self.0.send(report.finding).unwrap();
    }
}

fn reporter() -> (Reporter, UnboundedReceiver<Finding>) {
    let (sender, findings) = unbounded_channel();
    let to: Recipient<CheckerReport> = Module(sender).start().recipient();
    let resource = ResourceName::new("test", "x");
    (Reporter { epoch: 1, resource, origin: "check".to_owned(), to }, findings)
}

async fn until(findings: &mut UnboundedReceiver<Finding>, wanted: Finding) {
    let seen = timeout(DEADLINE, async { while findings.recv().await.unwrap() != wanted {} }).await;
    assert!(seen.is_ok(), "waited in vain for {wanted:?}");
}

fn ip(words: &str) {
    assert!(Command::new("ip").args(words.split_whitespace()).status().unwrap().success(), "ip {words}");
}

#[test]
fn c_4_4_4_an_unplugged_interface_is_down_and_a_disabled_one_has_no_address() {
    let (a, b) = pair();
    a.run_async(move || async move {
        let (reporter, mut findings) = reporter();
        let probe = Intf { name: None, addr: "10.9.0.99".parse().unwrap(), is_virtual: true };
        assert_eq!(probe.network().unwrap().to_string(), "10.9.0.0");
        let _checker = Checker::launch(reporter, probe);
        until(&mut findings, Finding::Init).await;
        until(&mut findings, Finding::Up).await;
        b.ip("link set skt-b down");
        until(&mut findings, Finding::Down).await;
        b.ip("link set skt-b up");
        until(&mut findings, Finding::Up).await;
        ip("link set skt-a down");
        until(&mut findings, Finding::NoLocalAddress).await;
        ip("link set skt-a up");
        until(&mut findings, Finding::Up).await;
        ip("addr del 10.9.0.1/24 dev skt-a");
        until(&mut findings, Finding::NoLocalAddress).await;
    });
}

#[test]
fn c_4_4_10_a_removed_virtual_address_is_down() {
    let (a, _b) = pair();
    a.run_async(|| async {
        let (reporter, mut findings) = reporter();
        ip("addr add 10.9.0.99/24 dev skt-a");
        let _checker = Checker::launch(reporter, Ip { addr: "10.9.0.99".parse().unwrap(), interval: NEVER });
        until(&mut findings, Finding::Up).await;
        ip("addr del 10.9.0.99/24 dev skt-a");
        until(&mut findings, Finding::Down).await;
        ip("addr add 10.9.0.99/24 dev skt-a");
        until(&mut findings, Finding::Up).await;
    });
}

#[test]
fn c_4_4_5_a_host_that_stops_answering_is_down_and_then_up_again() {
    let (a, b) = pair();
    a.run_async(move || async move {
        let (reporter, mut findings) = reporter();
        let (interval, timeout) = (Duration::from_millis(100), Duration::from_millis(500));
        let _checker =
            Checker::launch(reporter, Ping { addr: "10.9.0.2".parse().unwrap(), interval, timeout });
        until(&mut findings, Finding::Up).await;
        b.sysctl("ipv4/icmp_echo_ignore_all", "1");
        until(&mut findings, Finding::Down).await;
        b.sysctl("ipv4/icmp_echo_ignore_all", "0");
        until(&mut findings, Finding::Up).await;
    });
}

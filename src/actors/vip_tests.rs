//! The plan of announcements, and the actor's answers where no address can be set.

use super::*;
use actix::Recipient;
use tokio::sync::mpsc;

fn vip(arpreroute: bool) -> VipAddr {
    VipAddr {
        // Documentation address: no interface of any machine holds its network.
        addr: "192.0.2.77".parse().unwrap(),
        interface: None,
        prefix: None,
        arpreroute,
        arpinterval: Duration::from_secs(60),
        arpelapse: Duration::from_secs(1200),
        connections: true,
    }
}

fn times(vip: &VipAddr) -> Vec<Duration> {
    std::iter::successors(Some(Duration::ZERO), |at| next_announcement(vip, *at)).collect()
}

#[test]
fn the_burst_comes_whatever_arpreroute_says() {
    assert_eq!(times(&vip(false)), [0, 200, 1000].map(Duration::from_millis));
}

#[test]
fn arpreroute_goes_on_each_interval_until_it_elapses() {
    let times = times(&vip(true));
    assert_eq!(times.len(), 3 + 20);
    assert_eq!(times[3], Duration::from_secs(60));
    assert_eq!(times.last(), Some(&Duration::from_secs(1200)));
}

#[test]
fn an_interval_of_nothing_neither_spins_nor_divides_by_zero() {
    let vip = VipAddr { arpinterval: Duration::ZERO, arpelapse: Duration::from_secs(3), ..vip(true) };
    assert_eq!(times(&vip)[2..], [1, 2, 3].map(Duration::from_secs));
}

/// Stands for the module: hands every event to the test.
struct Module(mpsc::UnboundedSender<VipEvent>);

impl Actor for Module {
    type Context = Context<Self>;
}

impl Handler<VipEvent> for Module {
    type Result = ();

    fn handle(&mut self, event: VipEvent, _: &mut Context<Self>) {
        self.0.send(event).unwrap();
    }
}

async fn next(events: &mut mpsc::UnboundedReceiver<VipEvent>) -> VipEvent {
    tokio::time::timeout(Duration::from_secs(20), events.recv()).await.expect("an answer in time").unwrap()
}

#[actix::test]
async fn each_order_is_answered_with_its_epoch() {
    let (sender, mut events) = mpsc::unbounded_channel();
    let module: Recipient<VipEvent> = Module(sender).start().recipient();
    let actor = Vip::new(VipPlan { tcpreset: true, addrs: vec![vip(false)] }, module).start();
    actor.send(SetAll { epoch: 7 }).await.unwrap();
    let refused = next(&mut events).await;
    let VipEvent::Set { epoch: 7, result: Err(error) } = refused else { panic!("{refused:?}") };
    assert!(error.to_string().starts_with("no interface holds the network of 192.0.2.77"), "{error}");
    actor.send(UnsetAll { epoch: 8 }).await.unwrap();
    assert!(matches!(next(&mut events).await, VipEvent::Connections { count: 0, .. }));
    assert!(matches!(next(&mut events).await, VipEvent::Unset { epoch: 8, result: Ok(()) }));
}

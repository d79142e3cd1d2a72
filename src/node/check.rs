//! `safekit cluster check`: whether the nodes reach each other, agree, and could take over.
//!
//! Everything is asked at once and within a bounded time; what does not answer is a result too.

mod rows;

use crate::actors::cluster::{Cluster, DropCount, GetCounters, GetMembers, GetSetup, Probe};
use crate::actors::cluster::{ClusterSetup, Member, ProbeReport};
use crate::control::CheckRow;
use crate::ids::ModuleName;
use crate::log::Lang;
use crate::net::addr::{self, Interface};
use crate::net::vip::{VipAddr, VipPlan};
use crate::net::{MacAddr, NetError, arp};
use crate::told::{Tell, Told, told};
use actix::Addr;
use futures_util::future;
use futures_util::stream::{self, StreamExt};
use rows::{Row, VipFinding, Where};
use std::net::IpAddr;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// The whole check; the slowest part alone is below it.
const TOTAL: Duration = Duration::from_secs(5);
/// How long the nodes may take to answer.
const PROBE_WAIT: Duration = Duration::from_secs(2);
/// How long a holder of a virtual address may take to answer.
const VIP_WAIT: Duration = Duration::from_secs(1);
/// What answers nobody waits for any more: the rows are drawn before the total is over.
const MARGIN: Duration = Duration::from_millis(500);
/// Virtual addresses that are asked for at the same time.
const VIPS_AT_ONCE: usize = 16;

/// What the check has to know besides the cluster.
#[derive(Clone, Debug, Default)]
pub struct CheckInputs {
    /// The virtual addresses of every configured module of this node. Those of farms are left out: they are
    /// on all nodes at once, so that nothing can be told from who answers.
    pub vips: Vec<(ModuleName, VipPlan)>,
}

/// What was found out, before it is judged.
struct Facts {
    setup: ClusterSetup,
    members: Vec<Member>,
    counters: Vec<DropCount>,
    report: Option<ProbeReport>,
    /// Addresses of this machine; none if the kernel does not tell.
    addresses: Option<Vec<IpAddr>>,
}

/// Checks the cluster from this node; takes 5 s at most. To be run within the actor system.
pub async fn check(cluster: Addr<Cluster>, inputs: CheckInputs, lang: Lang) -> Vec<CheckRow> {
    verdicts(cluster, inputs).await.into_iter().map(|row| row.shown(lang)).collect()
}

async fn verdicts(cluster: Addr<Cluster>, inputs: CheckInputs) -> Vec<Row> {
    let deadline = Instant::now() + TOTAL - MARGIN;
    let Ok(asked) = timeout_at(deadline, cluster.send(GetSetup)).await else { return rows::stuck() };
    let Ok(setup) = asked else { return rows::stuck() };
    let Some(setup) = setup else { return rows::no_cluster() };
    let (report, vips) = future::join(probe(&cluster, deadline), find_vips(inputs, deadline)).await;
    // After the probe: its answers are what these tell about.
    let members = timeout_at(deadline, cluster.send(GetMembers)).await;
    let counters = timeout_at(deadline, cluster.send(GetCounters)).await;
    let (Ok(Ok(members)), Ok(Ok(counters))) = (members, counters) else { return rows::stuck() };
    let local = timeout_at(deadline, tokio::task::spawn_blocking(addr::interfaces)).await;
    let addresses = match local {
        Ok(Ok(Ok(interfaces))) => Some(all_addresses(&interfaces)),
        _ => None,
    };
    let facts = Facts { setup, members, counters, report, addresses };
    let mut found = rows::of_cluster(&facts);
    found.extend(vips.into_iter().map(|vip| rows::of_vip(&vip, &facts.members)));
    found
}

async fn probe(cluster: &Addr<Cluster>, deadline: Instant) -> Option<ProbeReport> {
    let report = timeout_at(deadline, cluster.send(Probe { wait: PROBE_WAIT })).await.ok()?.ok()?;
    timeout_at(deadline, report).await.ok()?.ok()
}

fn all_addresses(interfaces: &[Interface]) -> Vec<IpAddr> {
    interfaces.iter().flat_map(|interface| &interface.addresses).map(|address| address.addr).collect()
}

async fn find_vips(inputs: CheckInputs, deadline: Instant) -> Vec<VipFinding> {
    let each = inputs
        .vips
        .into_iter()
        .flat_map(|(module, plan)| plan.addrs.into_iter().map(move |vip| (module.clone(), vip)))
        .filter(|(_, vip)| !vip.shared);
    let asked = each.map(|(module, vip)| async move {
        let addr = vip.addr;
        let asking = tokio::task::spawn_blocking(move || find_vip(&vip));
        let place = match timeout_at(deadline, asking).await {
            Ok(Ok(Ok((here, holder)))) => Ok(Where { here, holder }),
            Ok(Ok(Err(error))) => Err(error.told()),
            Ok(Err(error)) => Err(Told::same(error.to_string())),
            Err(_) => Err(told!(
                "no time was left to ask who holds it",
                "il ne restait plus de temps pour demander qui la tient"
            )),
        };
        VipFinding { module, addr, place }
    });
    stream::iter(asked).buffered(VIPS_AT_ONCE).collect().await
}

/// Is the address set here, and who else answers for it where it belongs? Blocks up to [`VIP_WAIT`].
fn find_vip(vip: &VipAddr) -> Result<(bool, Option<MacAddr>), NetError> {
    let interfaces = addr::interfaces()?;
    let here = !addr::whereabouts(&interfaces, vip.addr).is_empty();
    let place = addr::place(&interfaces, vip.addr, vip.interface.as_deref(), vip.prefix)?;
    let mac = interfaces.iter().find(|interface| interface.index == place.ifindex).and_then(|i| i.mac);
    // Nobody else is on a link without MAC addresses.
    let Some(mac) = mac else { return Ok((here, None)) };
    Ok((here, arp::probe(place.ifindex, mac, vip.addr, VIP_WAIT)?))
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;

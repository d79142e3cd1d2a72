//! Every error of the node that a page can show, in both languages. That none is forgotten is up to the
//! compiler, since no `french` has a wildcard; here it shows that the French text names what the English one does.

use super::*;
use crate::actors::admin::farm::FarmError;
use crate::actors::admin::pair::PairError;
use crate::actors::cluster::SetupError;
use crate::actors::module::LaunchError;
use crate::actors::script::RunError;
use crate::actors::vip::VipError;
use crate::config::archive::ArchiveError;
use crate::config::cluster::Unresolved;
use crate::farm::FarmError as FilterError;
use crate::fsm::instance::Refused;
use crate::guard::client::GuardError;
use crate::guard::frame::Refusal;
use crate::ids::NodeName;
use crate::log::userlog::UserlogError;
use crate::net::NetError;
use crate::net::tls::TlsFault;
use crate::node::cluster::ClusterError;
use crate::node::cluster_zip::ClusterZipError;
use crate::node::configure::ConfigureError;
use crate::node::crontab::CrontabError;
use crate::node::firewall::FirewallError;
use crate::node::identity::IdentityError;
use crate::node::keys::KeyError;
use crate::node::record::RecordError;
use crate::node::replicated::ReplicatedError;
use crate::node::script::ScriptError;
use crate::node::service::ServiceError;
use crate::node::webserver::WebserverError;
use crate::rfs::rescue::RescueError;
use crate::store::StoreError;
use crate::told::attempt::Attempt;
use crate::told::proof::assert_translated;
use crate::told::{Told, told};
use nix::errno::Errno;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

fn m() -> ModuleName {
    "web_am".parse().unwrap()
}

fn n() -> NodeName {
    "node_2".parse().unwrap()
}

fn path() -> PathBuf {
    "/data/dir".into()
}

/// In the words of the system.
fn io() -> io::Error {
    io::Error::from_raw_os_error(libc::ENOENT)
}

fn some() -> String {
    "some_thing".to_owned()
}

fn both() -> Told {
    told!("there are 7", "il y en a 7")
}

#[track_caller]
fn assert_french<E: Tell>(errors: impl IntoIterator<Item = E>) {
    errors.into_iter().for_each(|error| assert_translated(&error.told()));
}

#[test]
fn of_a_command() {
    use AdminError as E;
    assert_french([
        E::NotInstalled(m()),
        E::NotConfigured(m()),
        E::NotLaunched(m(), both()),
        E::NoAnswer(m()),
        E::NoCluster,
        E::Busy(m()),
        E::Turn,
        E::Archives,
        E::Running(m(), both()),
        E::Conflict(both()),
        E::NoUserlog(some(), m()),
        E::NoConfiguration(some(), m()),
        E::Watchers,
        E::Stopping,
        E::NoPlace(both()),
        E::NoRfs(m()),
        E::Rfs(both()),
        E::NoFarm(m()),
        E::NotUp(m()),
        E::Io(path(), io()),
        Refused::PeerIsPrimary(some()).into(),
        Refused::Inconsistent.into(),
        Refused::NoPrimary.into(),
        Refused::State { command: some(), state: some(), advice: both() }.into(),
        Refused::Mode { command: some(), mode: some(), advice: both() }.into(),
        StoreError::Database { path: path(), what: some() }.into(),
        StoreError::Busy(path()).into(),
        StoreError::NoWriter(some()).into(),
        UserlogError { path: some(), error: io() }.into(),
        FirewallError::None.into(),
        FirewallError::Command { command: some(), reason: some() }.into(),
        WebserverError::Silent { port: 9010 }.into(),
        WebserverError::Taken { port: 9010 }.into(),
        WebserverError::Look(some()).into(),
        WebserverError::from(ServiceError::Systemctl { command: some(), reason: some() }).into(),
        WebserverError::from(ServiceError::Supervisor { socket: path(), source: io() }).into(),
        WebserverError::from(ServiceError::Runs { service: some() }).into(),
        LaunchError::Rules(both()).into(),
        LaunchError::Resolve(some(), some()).into(),
        LaunchError::NoHeart.into(),
    ]);
}

#[test]
fn of_the_cluster() {
    use ClusterError as E;
    let of_cluster = [E::NotConfigured, E::Locked];
    assert_french(of_cluster.map(AdminError::from));
    assert_french([Unresolved { lan: some(), node: n(), addr: some(), source: io() }]);
    assert_french([SetupError::TooMany { nodes: 70, lans: 3 }, SetupError::NotInCluster(n())]);
    assert_french([ClusterZipError::NoXml, ClusterZipError::Entry("cluster.xml")]);
    assert_french([
        IdentityError::UnknownName { named: some(), nodes: some() },
        IdentityError::Several(some()),
        IdentityError::None { nodes: some(), addresses: some(), hostname: some() },
    ]);
    assert_french([
        PairError::NoHeart,
        PairError::Nobody(m()),
        PairError::Unknown { module: m(), nodes: some() },
        PairError::Elsewhere(ModuleError::NotInstalled(m())),
        PairError::NotOnLan { ident: some(), lan: some(), node: n() },
        PairError::Unresolved { ident: some(), addr: some(), error: io() },
        PairError::NotOurs(some()),
    ]);
    assert_french([
        FarmError::NoLan(some()),
        FarmError::NotOnLan { lan: some(), node: n() },
        FarmError::NoNode { lan: some(), node: n() },
        FarmError::Unresolved { lan: some(), node: n() },
    ]);
}

#[test]
fn of_a_module() {
    assert_french([
        ModuleError::NotInstalled(m()),
        ModuleError::AlreadyInstalled(m()),
        ModuleError::Reserved(m()),
        ModuleError::BadId,
        ModuleError::IdHeld { id: 3, module: m(), place: both() },
        ModuleError::NoId,
        ModuleError::IdsDiffer { module: m(), here: 3, there: 4, node: n() },
        ModuleError::ThirdNode { module: m(), nodes: some() },
        ModuleError::Running(m()),
        ModuleError::NoTemplate { name: some(), dir: path() },
    ]);
    assert_french([
        ConfigureError::NotInstalled(m()),
        ConfigureError::NoFile(path()),
        ConfigureError::Busy(m()),
        ConfigureError::Running(m()),
        ConfigureError::NotDynamic(vec!["<rfs> acl".to_owned()]),
    ]);
    assert_french([
        ScriptError::NotExecutable(path()),
        ScriptError::Run { path: path(), source: io() },
        ScriptError::Failed {
            name: some(),
            status: ExitStatus::from_raw(256),
            userlog: path(),
            output: some(),
        },
        ScriptError::Timeout { name: some(), after: Duration::from_secs(9), userlog: path() },
    ]);
    assert_french([CrontabError::Missing, CrontabError::Refused(some())]);
    assert_french([
        ArchiveError::Duplicate,
        ArchiveError::TooMany(9),
        ArchiveError::TooLarge(9),
        ArchiveError::Ratio(9),
        ArchiveError::NoUserconfig,
        ArchiveError::Exists(path()),
        ArchiveError::Io { what: Attempt::Pack, path: path(), source: io() },
    ]);
}

#[test]
fn of_files_and_directories() {
    assert_french([
        KeyError::NotAKey(path()),
        KeyError::Random(some()),
        KeyError::NotInstalled(m()),
        KeyError::Record(RecordError::Io { path: path(), action: Attempt::Write, source: io() }),
        KeyError::Record(RecordError::Damaged { path: path(), what: both() }),
    ]);
    assert_french([
        ReplicatedError::Missing(path()),
        ReplicatedError::NotDirectory(path()),
        ReplicatedError::Busy(path(), path()),
        ReplicatedError::Link(path(), path()),
        ReplicatedError::Both(path(), path()),
        ReplicatedError::Mounted(path()),
        ReplicatedError::NotLinked(path()),
        ReplicatedError::Aside(path()),
        ReplicatedError::Shared { dir: path(), module: m(), other: path() },
        ReplicatedError::Own(path(), path()),
        ReplicatedError::ToCheck(path(), path()),
        ReplicatedError::Io(path(), io()),
    ]);
    assert_french([
        RescueError::Io { path: path(), action: Attempt::Examine, source: io() },
        RescueError::Damaged { path: path(), line: 12, why: some() },
        RescueError::Refused(both()),
    ]);
}

#[test]
fn of_what_a_module_waits_for() {
    assert_french([
        GuardError::Absent { path: path(), source: Errno::ENOENT },
        GuardError::Lost(Errno::EPIPE),
        GuardError::Silent,
        GuardError::Version(7),
        GuardError::Refused(Refusal::Malformed),
        GuardError::Refused(Refusal::Timeout),
        GuardError::Refused(Refusal::Full),
        GuardError::Refused(Refusal::Laden),
        GuardError::Refused(Refusal::Nothing),
    ]);
    assert_french([VipError::Broken(some()), VipError::Net(NetError::Permission { what: some() })]);
    assert_french([RunError::QueueFull, RunError::Undelivered]);
}

#[test]
fn of_the_network() {
    let (addr, interface) = ("10.0.0.9".parse().unwrap(), some());
    assert_french([
        NetError::NoInterface { addr, networks: some() },
        NetError::UnknownInterface { name: some(), known: some() },
        NetError::NoPrefix { name: some(), addr },
        NetError::BadPrefix { addr, prefix: 33 },
        NetError::StillThere { addr, interface },
        NetError::Permission { what: some() },
        NetError::Kernel { what: some(), text: some(), source: io() },
        NetError::Malformed { what: some(), detail: some() },
        NetError::NoReset { addr },
    ]);
    assert_french([
        FilterError::Layout { module: m(), what: both() },
        FilterError::NoDevice { device: some(), known: some() },
        FilterError::Missing { what: some() },
        FilterError::Gone { module: m() },
        FilterError::Withdrawn { module: m() },
    ]);
    assert_french([
        TlsFault::Authority(some()),
        TlsFault::Issuer,
        TlsFault::Expired,
        TlsFault::NotYetValid,
        TlsFault::Name,
        TlsFault::Plain,
        TlsFault::Other(some()),
    ]);
}

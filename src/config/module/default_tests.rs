//! Defaults of every attribute, other syntaxes, what is generated.

use super::*;
use crate::config::address::Address;
use crate::told::proof::assert_translated;
use std::path::Path;
use std::time::Duration;

fn env(name: &str) -> Option<String> {
    (name == "SERVICES").then(|| "from the environment".to_owned())
}

pub(super) fn read(text: &str) -> Result<ModuleConfig, ConfigErrors> {
    translated(load(text, "userconfig.xml", &env, None))
}

/// What was read; its faults are told in French too.
#[track_caller]
pub(super) fn translated(read: Result<ModuleConfig, ConfigErrors>) -> Result<ModuleConfig, ConfigErrors> {
    read.inspect_err(|errors| errors.0.iter().for_each(|error| assert_translated(&error.what)))
}

/// A mirror with these parts.
pub(super) fn mirror(parts: &str) -> Result<ModuleConfig, ConfigErrors> {
    let heart = "<heart><heartbeat name='default'/></heart>";
    read(&format!("<safe><service mode='mirror'>{heart}{parts}</service></safe>"))
}

fn secs(s: u64) -> Duration {
    Duration::from_secs(s)
}

fn ip(text: &str) -> Address {
    text.parse().unwrap()
}

#[test]
fn defaults_of_a_mirror() {
    let c = mirror("<user/>").unwrap();
    let service = Service {
        mode: Mode::Mirror,
        boot: Boot::Ignore,
        boot_delay: Duration::ZERO,
        failover: true,
        defaultprim: DefaultPrim::Alone,
        maxloop: 3,
        loop_interval: secs(24 * 3600),
        automatic_reboot: false,
    };
    assert_eq!(c.service, service);
    let beat = Heartbeat {
        name: "default".into(),
        ident: "default".into(),
        port: None,
        pulse: Duration::from_millis(700),
        timeout: secs(30),
        legacy_addrs: vec![],
    };
    let (pulse, timeout) = (beat.pulse, beat.timeout);
    let heart = Heart { port: None, pulse, timeout, permanent_arp: true, heartbeats: vec![beat] };
    assert_eq!(c.heart, Some(heart));
    let user = User {
        nicestoptimeout: secs(300),
        forcestoptimeout: secs(300),
        logging: Logging::Userlog,
        userlogsize: 2048 * 1024,
        vars: Default::default(),
    };
    assert_eq!(c.user, Some(user));
    let failover = FailoverConfig { extends: true, period: secs(5), handle_time: secs(15), rules: vec![] };
    assert_eq!(c.failover, failover);
    assert_eq!((c.farm, c.vip, c.rfs, c.errd, c.checks.len(), c.vhost.len()), (None, None, None, None, 0, 0));
    assert!(c.unsupported.is_empty() && c.warnings.is_empty());
}

#[test]
fn a_heartbeat_inherits_from_heart() {
    let c = read(
        "<!DOCTYPE safe><safe><service mode='mirror'><heart port='9000' pulse='1s' timeout='5000'>
           <heartbeat name='a'/><heartbeat name='b' ident='flow' port='9001' pulse='500' timeout='2s'/>
         </heart></service></safe>",
    )
    .unwrap();
    assert!(c.flow_without_rfs());
    let beats = c.heart.unwrap().heartbeats;
    assert_eq!((beats[0].port, beats[0].pulse, beats[0].timeout), (Some(9000), secs(1), secs(5)));
    let b = &beats[1];
    assert_eq!((b.port, b.pulse, b.timeout), (Some(9001), Duration::from_millis(500), secs(2)));
    assert_eq!((b.name.as_str(), b.ident.as_str()), ("b", FLOW));
}

/// AMB-16: a bare number is in the historical unit of its attribute.
#[test]
fn bare_numbers_have_the_unit_of_their_attribute() {
    let c = read(
        "<safe><service mode='mirror' boot_delay='2' loop_interval='2'>
         <heart pulse='20' timeout='2000'><heartbeat name='a'/></heart>
         <rfs locktimeout='2' sendtimeout='2' reitimeout='2' checktime='2000' checkintv='2' syncdelta='2'>
         <replicated dir='/d'/></rfs>
         <vip><interface_list><interface arpinterval='2' arpelapse='2'><real_interface>
         <virtual_addr addr='10.0.0.9'/></real_interface></interface></interface_list></vip>
         <user nicestoptimeout='2' forcestoptimeout='2' userlogsize='2'/><errd polltimer='2'/>
         <check><tcp ident='t' when='prim'><to addr='h' port='1' interval='2' timeout='2'/></tcp></check>
         <failover period='2000' handle_time='4000'/></service></safe>",
    )
    .unwrap();
    let two = secs(2);
    assert_eq!((c.service.boot_delay, c.service.loop_interval), (two, secs(7200)));
    let heart = c.heart.unwrap();
    assert_eq!((heart.pulse, heart.timeout), (Duration::from_millis(20), two));
    let rfs = c.rfs.unwrap();
    assert_eq!((rfs.locktimeout, rfs.sendtimeout, rfs.reitimeout), (two, two, two));
    assert_eq!((rfs.checktime, rfs.checkintv, rfs.syncdelta), (two, two, secs(120)));
    let interface = &c.vip.unwrap().interfaces[0];
    assert_eq!((interface.arpinterval, interface.arpelapse), (two, two));
    let user = c.user.unwrap();
    assert_eq!((user.nicestoptimeout, user.forcestoptimeout, user.userlogsize), (two, two, 2048));
    assert_eq!((c.errd.unwrap().polltimer, c.failover.period), (two, two));
    assert!(matches!(c.checks[0], Check::Tcp { interval, timeout, .. } if interval == two && timeout == two));
}

#[test]
fn defaults_of_vip_and_what_it_generates() {
    let c = mirror(
        "<vip><interface_list><interface><real_interface>
           <virtual_addr addr='192.168.1.99'/><virtual_addr addr='vip.example' check='off' netmask='255.255.240.0'/>
         </real_interface></interface></interface_list></vip>",
    )
    .unwrap();
    let vip = c.vip.unwrap();
    assert!(vip.tcpreset && vip.groups.is_empty());
    let i = &vip.interfaces[0];
    assert!(i.check && !i.arpreroute && i.name.is_none() && i.kind == InterfaceKind::Real);
    assert_eq!((i.arpinterval, i.arpelapse), (secs(60), secs(1200)));
    let a = &i.addrs[0];
    assert!(a.check && !a.connections && a.netmask.is_none() && a.where_ == Where::OneSideAlias);
    assert_eq!(i.addrs[1].prefix(), Some(20));
    let addr = ip("192.168.1.99");
    let wanted = [
        Check::Intf { ident: None, when: When::Pre, intf: None, local_addr: addr.clone() },
        Check::Ip { ident: "192.168.1.99".into(), when: When::Prim, addr, interval: secs(10) },
    ];
    assert_eq!(c.checks, wanted);
    assert_eq!(c.checks[1].resource().unwrap().to_string(), "ip.192.168.1.99");
}

#[test]
fn defaults_of_tcp_and_ping() {
    let c = mirror(
        "<check><tcp ident='app' when='prim'><to addr='127.0.0.1' port='80'/></tcp>
         <tcp ident='db' when='pre' action='stop'><to addr='db' port='5432' interval='1000ms' timeout='2'/></tcp>
         <tcp ident='db2' when='pre'><to addr='db' port='5432'/></tcp>
         <ping ident='gw'><to addr='10.0.0.254'/></ping></check>",
    )
    .unwrap();
    let app = Check::Tcp {
        ident: "app".into(),
        when: When::Prim,
        addr: ip("127.0.0.1"),
        port: 80,
        interval: secs(10),
        timeout: secs(5),
        action: RuleAction::Restart,
    };
    let db = Check::Tcp {
        ident: "db".into(),
        when: When::Pre,
        addr: ip("db"),
        port: 5432,
        interval: secs(1),
        timeout: secs(2),
        action: RuleAction::Stop,
    };
    let gw = Check::Ping {
        ident: "gw".into(),
        when: When::Pre,
        addr: ip("10.0.0.254"),
        interval: secs(10),
        timeout: secs(5),
        action: RuleAction::Wait,
    };
    assert!(matches!(&c.checks[2], Check::Tcp { action: RuleAction::Wait, .. }));
    assert_eq!([&c.checks[0], &c.checks[1], &c.checks[3]], [&app, &db, &gw]);
}

#[test]
fn defaults_of_intf_ip_and_custom() {
    let c = mirror(
        "<check><intf ident='eth0' intf='eth0'><to local_addr='10.0.0.1'/></intf>
         <ip ident='mine'><to addr='10.0.0.1'/></ip>
         <custom ident='c' when='both' exec='mychecker' arg=\"-f 'a b' c\" action='stop'/>
         <custom ident='d' when='pre' exec='/bin/x'/></check>",
    )
    .unwrap();
    let wanted = [
        Check::Intf {
            ident: Some("eth0".into()),
            when: When::Pre,
            intf: Some("eth0".into()),
            local_addr: ip("10.0.0.1"),
        },
        Check::Ip { ident: "mine".into(), when: When::Prim, addr: ip("10.0.0.1"), interval: secs(10) },
        Check::Custom {
            ident: "c".into(),
            when: When::Both,
            exec: "mychecker".into(),
            args: vec!["-f".into(), "a b".into(), "c".into()],
            action: Some(RuleAction::Stop),
        },
        Check::Custom {
            ident: "d".into(),
            when: When::Pre,
            exec: "/bin/x".into(),
            args: vec![],
            action: None,
        },
    ];
    assert_eq!(c.checks, wanted);
}

#[test]
fn defaults_of_module_and_splitbrain() {
    let c = mirror(
        "<check><module name='leader'/>
         <module name='m' ident='other'><to addr='h' secure='on'/></module>
         <splitbrain ident='witness' exec='ping' arg='10.0.0.2 10.0.0.3'/></check>",
    )
    .unwrap();
    let name = |n: &str| n.parse().unwrap();
    let wanted = [
        Check::Module {
            ident: "leader_127.0.0.1".into(),
            name: name("leader"),
            addr: ip("127.0.0.1"),
            port: 9010,
            secure: false,
            interval: secs(10),
            timeout: secs(5),
        },
        Check::Module {
            ident: "other".into(),
            name: name("m"),
            addr: ip("h"),
            port: 9453,
            secure: true,
            interval: secs(10),
            timeout: secs(5),
        },
        Check::SplitBrain { ident: "witness".into(), witnesses: vec![ip("10.0.0.2"), ip("10.0.0.3")] },
    ];
    assert_eq!(c.checks, wanted);
    let unsupported: Vec<String> = c.unsupported().into_iter().map(|e| e.what.to_string()).collect();
    let not = |tag: &str| format!("not supported yet: <{tag}>");
    assert_eq!(unsupported, [not("splitbrain")]);
}

#[test]
fn defaults_of_rfs() {
    let c = mirror("<rfs iotimeout='5'><replicated dir='/data/'/></rfs>").unwrap();
    let replicated = Replicated {
        dir: Path::new("/data").into(),
        read_only: true,
        tocheck: vec![],
        notreplicated: vec![],
        regexpath: vec![],
    };
    let wanted = Rfs {
        mountoversuffix: "_For_SafeKit_Replication".into(),
        acl: false,
        async_: Async::Second,
        packetsize: None,
        reipacketsize: 8388608,
        ruzone_blocksize: 8388608,
        locktimeout: secs(100),
        sendtimeout: secs(30),
        restarts: 3,
        nbrei: 3,
        namespacepolicy: 4,
        reitimeout: secs(150),
        reicommit: 0,
        reidetail: false,
        nbremconn: 1,
        checktime: secs(220),
        checkintv: secs(120),
        scripts: false,
        reiallowedbw: None,
        rescuelimit: 10_240,
        syncdelta: Duration::ZERO,
        syncat: None,
        flow: None,
        replicated: vec![replicated],
    };
    assert_eq!(c.rfs, Some(wanted));
    assert_eq!(c.unsupported(), []);
    assert_eq!(
        c.warnings()[0].to_string(),
        "userconfig.xml:1: <rfs> iotimeout=\"5\": ignored: for Windows only"
    );
}

#[test]
fn what_of_rfs_is_not_done_is_said() {
    let c = mirror("<rfs scripts='on' nbremconn='4'><replicated dir='/data'/></rfs>").unwrap();
    let told: Vec<String> = c.unsupported().iter().chain(c.warnings()).map(ToString::to_string).collect();
    let warning = "<rfs> nbremconn=\"4\": one ordered stream is used, whatever is written here";
    let wanted = ["<rfs>: not supported yet: scripts=\"on\"", warning];
    assert_eq!(told, wanted.map(|w| format!("userconfig.xml:1: {w}")));
    assert_eq!(mirror("<rfs nbremconn='1'><replicated dir='/data'/></rfs>").unwrap().warnings(), []);
}

#[test]
fn defaults_of_errd_vhost_and_farm() {
    let c = read(
        "<safe><service mode='farm' failover='off'><farm><lan name='default'/></farm>
         <vip><interface_list><interface><virtual_interface addr='5A-FE-c0-a8-38-14'>
         <virtual_addr addr='10.0.0.9'/></virtual_interface></interface></interface_list>
         <loadbalancing_list><group name='g'><cluster><host name='n1' power='0'/><host name='n2' power='2'/></cluster>
         <rule proto='udp' filter='on_ipid'/></group></loadbalancing_list></vip>
         <user/><errd><proc name='vi' class='prim'/></errd>
         <vhost><virtualhostname name='v' envfile='vhostenv'/></vhost></service></safe>",
    )
    .unwrap();
    let farm = c.farm.clone().unwrap();
    assert_eq!((farm.port, farm.pulse), (None, Duration::from_millis(700)));
    assert_eq!((farm.mlost_count, farm.slost_count), (6, 12));
    let vip = c.vip.clone().unwrap();
    assert!(vip.keepconnections);
    assert_eq!(vip.interfaces[0].kind, InterfaceKind::VmacDirected);
    assert_eq!(vip.interfaces[0].addrs[0].where_, Where::Alias);
    assert_eq!(c.checks[1].when(), When::Both);
    let rule = LbRule { virtual_addr: None, port: None, proto: Proto::Udp, filter: Filter::OnIpid };
    assert_eq!((vip.groups[0].rules[0].clone(), vip.groups[0].hosts[0].power), (rule, 0));
    let errd = c.errd.clone().unwrap();
    let proc = &errd.procs[0];
    assert_eq!(errd.polltimer, secs(30));
    assert_eq!((proc.atleast, proc.atmax, proc.start_after, proc.service), (Some(1), None, 0, false));
    assert_eq!(proc.action, ProcAction::StopStart);
    assert_eq!(c.vhost[0].when, VhostWhen::Prim);
    let mut unsupported: Vec<String> = c.unsupported().into_iter().map(|e| e.what.to_string()).collect();
    unsupported.sort();
    let wanted = ["<errd>", "<vhost>"];
    assert_eq!(unsupported, wanted.map(|w| format!("not supported yet: {w}")));
    assert_eq!(c.warnings()[0].attribute.as_deref(), Some("failover"));
}

/// NET-11, NET-16.
#[test]
fn a_virtual_mac_is_made_of_the_first_address() {
    let interface = |attributes: &str| {
        let c = mirror(&format!(
            "<vip><interface_list><interface><virtual_interface type='vmac_invisible' {attributes}>
             <virtual_addr addr='192.168.56.20'/></virtual_interface></interface></interface_list></vip>"
        ));
        c.unwrap().vip.unwrap().interfaces.remove(0)
    };
    let first = |addr: &str| interface("").vmac(addr.parse().unwrap());
    assert_eq!(first("192.168.56.20"), Some([0x5a, 0xfe, 0xc0, 0xa8, 0x38, 0x14]));
    assert_eq!(first("fd77::a:100"), Some([0x5a, 0xfe, 0x00, 0x0a, 0x01, 0x00]));
    let chosen = interface("addr='02:00:00:00:00:07'");
    assert_eq!(chosen.vmac("10.0.0.9".parse().unwrap()), Some([2, 0, 0, 0, 0, 7]));
    assert_eq!(Interface { kind: InterfaceKind::Real, ..chosen }.vmac("10.0.0.9".parse().unwrap()), None);
}

#[test]
fn failover_keeps_texts_and_lines() {
    let c = mirror(
        "<failover period='1s' handle_time='2000'>\n<![CDATA[\n a: if (x) then wait();]]>\n<![CDATA[--Lua Rules\n]]></failover>",
    );
    let c = c.unwrap();
    let texts: Vec<(bool, u32)> = c.failover.rules.iter().map(|r| (r.lua, r.line)).collect();
    assert_eq!(texts, [(false, 2), (true, 4)]);
    assert_eq!(c.unsupported()[0].to_string(), "userconfig.xml:4: <failover>: not supported yet: Lua rules");
}

/// D-13.1: macro, environment, conflict: the macro wins.
#[test]
fn macros_win_over_the_environment() {
    let text = |macros: &str| {
        format!(
            "<safe>{macros}<service mode='mirror'><heart><heartbeat name='a'/></heart>
          <user><var name='S' value='%SERVICES% 5% of %it'/></user></service></safe>"
        )
    };
    let value = |macros: &str| read(&text(macros)).unwrap().user.unwrap().vars["S"].clone();
    assert_eq!(value(""), "from the environment 5% of %it");
    let both = "<macro name='X' value='one'/><macro name='SERVICES' value='%X% two'/>";
    assert_eq!(value(both), "one two 5% of %it");
}

/// D-13.7: the syntax before 7.2, alone.
#[test]
fn the_old_syntax_is_accepted() {
    let servers = "<server addr='10.0.0.1'/><server addr='node2'/>";
    let c = read(&format!(
        "<safe><service mode='mirror'><heart><heartbeat>{servers}</heartbeat>
         <heartbeat ident='flow'>{servers}</heartbeat></heart>
         <rfs><flow>{servers}</flow><replicated dir='/d'/></rfs></service></safe>"
    ))
    .unwrap();
    let beats = c.heart.unwrap().heartbeats;
    assert_eq!((beats[0].name.as_str(), beats[1].ident.as_str()), ("heartbeat1", "flow"));
    assert_eq!(beats[0].legacy_addrs, [ip("10.0.0.1"), ip("node2")]);
    assert_eq!(c.rfs.unwrap().flow.unwrap().legacy_addrs.len(), 2);
    let farm = read(
        "<safe><service mode='farm'><farm><lan><node name='a' addr='10.0.0.1'/>
         <node name='b' addr='10.0.0.2'/></lan></farm></service></safe>",
    );
    assert_eq!(farm.unwrap().farm.unwrap().lans[0].legacy_nodes.len(), 2);
}

//! Faults: all of a file at once, each with its line and what is allowed.

use super::default_tests::{mirror, read, translated};
use super::load;
use crate::config::cluster;
use proptest::prelude::*;

/// The faults without the file name.
fn faults(text: &str) -> Vec<String> {
    let errors = read(text).unwrap_err();
    errors.to_string().lines().map(|l| l.strip_prefix("userconfig.xml:").unwrap().to_owned()).collect()
}

#[test]
fn all_faults_of_a_bad_file_are_told_at_once() {
    let text = r#"<safe>
<macro name="VIP" value="10.0.0"/>
<service mode="mirror" boot="maybe" maxloop="-1" color="red">
 <heart pulse="10x">
  <heartbeat ident="a" name="one" ident="b"/>
  <heartbeat
    name="two"
    timeout="1"/>
  <hart/>
 </heart>
 <vip><interface_list><interface>
  <real_interface><virtual_addr addr="%VIP%" where="alias"/><virtual_addr addr="%NONE%"/></real_interface>
 </interface></interface_list></vip>
 <user logging="syslog"/><user/>
 <check>
  <tcp ident="a" when="prim"><to addr="h" port="99999" interval="10x"/></tcp>
  <custom ident="c" when="pre" exec="x" action="restart"/>
  <ping ident="p"/>
  <ping when="prim"><to addr="h"/></ping>
 </check> stray
 <failover period="4000" handle_time="10s"/>
 <farm><lan name="x"/></farm>
</service></safe>"#;
    let ms = |from: &str, to: &str| {
        format!(
            "write a whole number of milliseconds, or one with its unit (ms, s, m, h, d), from {from} to {to}"
        )
    };
    let wanted = [
        "3: <service> boot=\"maybe\": write on or off or auto or ignore".to_owned(),
        "3: <service> maxloop=\"-1\": write a whole number from 0 to 1000".into(),
        "3: <service> color=\"red\": unknown attribute: attributes are mode, boot, boot_delay, failover, \
         defaultprim, maxloop, loop_interval, automatic_reboot"
            .into(),
        format!("4: <heart> pulse=\"10x\": {}", ms("10ms", "1m")),
        "5: <heartbeat> ident=\"b\": attribute given twice".into(),
        format!("8: <heartbeat> timeout=\"1\": {}", ms("100ms", "1h")),
        "9: <hart>: unknown tag in <heart>: tags are heartbeat".into(),
        "12: <virtual_addr> addr=\"%NONE%\": %NONE% is not defined: write <macro name=\"NONE\" value=\"...\"/> before \
         <service>, or set the environment variable NONE"
            .into(),
        "12: <virtual_addr> addr=\"10.0.0\": write an IPv4 address, an IPv6 address or a host name".into(),
        "12: <virtual_addr> where=\"alias\": write one_side_alias".into(),
        "14: <user>: only one <user> is allowed in <service>".into(),
        "14: <user> logging=\"syslog\": write userlog or none".into(),
        "16: <to> port=\"99999\": write a whole number from 1 to 65535".into(),
        "16: <to> interval=\"10x\": write a whole number of seconds, or one with its unit (ms, s, m, h, d), \
         from 10ms to 1d"
            .into(),
        "17: <custom> action=\"restart\": write wait or noaction".into(),
        "18: <ping>: <to> is missing".into(),
        "19: <ping> when=\"prim\": write pre".into(),
        "19: <ping>: attribute ident is missing".into(),
        "20: <service>: text is not allowed here".into(),
        "21: <failover> handle_time=\"10s\": handle_time (10000 ms) must be a multiple of period (4000 ms)".into(),
        "22: <farm>: <farm> is for mode farm only".into(),
    ];
    let mut found = faults(text);
    let mut wanted = wanted.to_vec();
    // Faults of one line have no order of their own.
    found.sort();
    wanted.sort();
    assert_eq!(found, wanted);
}

#[test]
fn faults_come_in_the_order_of_lines() {
    let errors = mirror("\n<user a='1'/>\n<check><x/></check>\n<user/>").unwrap_err().0;
    let lines: Vec<u32> = errors.iter().map(|e| e.line).collect();
    assert_eq!(lines, [2, 3, 4]);
}

#[test]
fn parts_must_fit_together() {
    let tcp = "<tcp ident='t' when='prim'><to addr='h' port='1'/></tcp>";
    let vip = "<vip><interface_list><interface><real_interface><virtual_addr addr='10.0.0.9'/>
               </real_interface></interface></interface_list></vip>";
    for (parts, needle) in [
        ("<errd/>", "<errd> needs <user>"),
        (&format!("<check>{tcp}{tcp}</check>"), "another checker already has the resource tcp.t"),
        (
            &format!("{vip}<check><ip ident='10.0.0.9'><to addr='h'/></ip></check>"),
            "ip.10.0.0.9, which <vip> makes",
        ),
        (&vip.replace("<virtual_addr", "<virtual_addr addr='10.0.0.9'/><virtual_addr"), "already used"),
        (&vip.replace("'10.0.0.9'", "'10.0.0.9' netmask='255.0.255.0'"), "IPv4 netmask"),
        (&vip.replace("'10.0.0.9'", "'fe80::1' netmask='255.0.0.0'"), "for IPv4 only"),
        (&vip.replace("'10.0.0.9'", "'127.0.0.1'"), "unicast address"),
        (
            "<rfs packetsize='8192' reipacketsize='16384'><replicated dir='/d'/></rfs>",
            "not be larger than packetsize",
        ),
        (
            "<rfs reipacketsize='8192' ruzone_blocksize='12288'><replicated dir='/d'/></rfs>",
            "multiple of reipacketsize",
        ),
        ("<rfs><replicated dir='/d'/><replicated dir='/d/e'/></rfs>", "already replicated"),
        ("<rfs><replicated dir='/'/></rfs>", "other than /"),
        (
            "<rfs><replicated dir='/d'><notreplicated regexpath='('/></replicated></rfs>",
            "not a regular expression",
        ),
        ("<rfs/>", "at least one <replicated>"),
        ("<rfs syncat='* *'><replicated dir='/d'/></rfs>", "five fields"),
        ("<user/><errd><proc name='a' class='prim' action='bin/x'/></errd>", "a class of its own"),
        ("<user/><errd><proc name='sixteencharacter' class='prim'/></errd>", "at most 15 characters"),
        ("<check><custom ident='c' when='prim' exec='x' arg='\"'/></check>", "a quote is not closed"),
        ("<check><custom ident='c' when='prim' exec='x' action='wait'/></check>", "write stop or stopstart"),
    ] {
        let errors = mirror(parts).unwrap_err().to_string();
        assert!(errors.contains(needle) && errors.lines().count() == 1, "{parts}: {errors}");
    }
    assert!(
        read("<safe><service mode='mirror'/></safe>").unwrap_err().to_string().contains("<heart> is missing")
    );
    assert!(read("<safe><service mode='light'><heart/></service></safe>").is_err());
    assert!(read("<safe/>").unwrap_err().to_string().contains("<service> is missing"));
}

/// A farm with one virtual address and these attributes of `<virtual_interface>`, hosts and rules.
fn farm(interface: &str, hosts: &str, rules: &str) -> String {
    format!(
        "<safe><service mode='farm'><farm><lan name='default'/></farm><vip><interface_list><interface>
         <virtual_interface {interface}><virtual_addr addr='10.0.0.9'/><virtual_addr addr='fd00::9'/>
         </virtual_interface></interface></interface_list><loadbalancing_list><group name='g'>{hosts}{rules}</group>
         </loadbalancing_list></vip></service></safe>"
    )
}

/// A cluster of so many nodes, n1, n2, ...
fn nodes(number: usize) -> cluster::ClusterConfig {
    let node = |n| format!("<node name='n{n}' addr='10.{}.{}.1'/>", n / 200, n % 200);
    let nodes: String = (1..=number).map(node).collect();
    let text = format!("<cluster><lans><lan name='default'>{nodes}</lan></lans></cluster>");
    cluster::load(&text, "cluster.xml").unwrap()
}

#[test]
fn a_farm_that_nobody_could_serve_is_refused() {
    let hosts = |hosts: &str| format!("<cluster>{hosts}</cluster>");
    let rule = "<rule port='80' proto='tcp' filter='on_port'/>";
    let load = |text: &str, cluster: usize| translated(load(text, "u", &|_| None, Some(&nodes(cluster))));
    for (interface, hosts, rules, wanted) in [
        ("", hosts("<host name='n3' power='1'/>"), rule, "3: <host> name=\"n3\": not a node of cluster.xml"),
        (
            "",
            hosts("<host name='n1' power='0'/><host name='n2' power='0'/>"),
            rule,
            "3: <cluster>: no <host> has a power above 0: nobody would serve the clients of this group",
        ),
        (
            "",
            hosts("<host name='n1' power='-1'/>"),
            rule,
            "3: <host> power=\"-1\": write a whole number from 0 to 256",
        ),
        (
            "",
            String::new(),
            "<rule virtual_addr='10.0.0.8' proto='tcp' filter='on_addr'/>",
            "3: <rule> virtual_addr=\"10.0.0.8\": not a <virtual_addr> of this module: write one of them or *",
        ),
        (
            "",
            String::new(),
            "<rule port='80' proto='tcp' filter='on_ipid'/>",
            "3: <rule> filter=\"on_ipid\": on_ipid is for udp only: write on_addr or on_port",
        ),
        (
            "",
            String::new(),
            "<rule virtual_addr='fd00::9' proto='udp' filter='on_ipid'/>",
            "3: <rule> filter=\"on_ipid\": IPv6 packets have no identification: write on_addr or on_port",
        ),
        (
            "",
            String::new(),
            "<rule port='80' proto='arp' filter='on_addr'/>",
            "3: <rule> port=\"80\": arp requests have no port: write * or nothing",
        ),
        (
            "",
            String::new(),
            "<rule port='80' proto='tcp' filter='on_port'/>\n<rule port='80' proto='tcp' filter='on_addr'/>",
            "4: <rule>: the rule in line 3 is for the same address, port and protocol: remove one",
        ),
        (
            "type='vmac_invisible' addr='01:00:00:00:00:01'",
            String::new(),
            rule,
            "2: <virtual_interface> addr=\"01:00:00:00:00:01\": write a unicast MAC address, such as 5a:fe:c0:a8:01:63",
        ),
    ] {
        let found = load(&farm(interface, &hosts, rules), 2).unwrap_err().to_string();
        assert_eq!(found, format!("u:{wanted}"));
    }
    assert!(load(&farm("", "", rule), 2).is_ok());
    let groups = |number| {
        let groups: String = (0..number).map(|n| format!("<group name='g{n}'>{rule}</group>")).collect();
        let found = farm("", "", rule).replace(&format!("<group name='g'>{rule}</group>"), &groups);
        load(&found, 2).map_err(|errors| errors.to_string())
    };
    assert!(groups(15).unwrap_err().contains("<loadbalancing_list>: a farm has at most 14 groups"));
    let own = farm("", "", rule).replace("10.0.0.9", "10.0.2.1");
    let wanted = "u:2: <virtual_addr> addr=\"10.0.2.1\": the address of n2 in cluster.xml: a virtual address is no \
                  node's own";
    assert_eq!(load(&own, 2).unwrap_err().to_string(), wanted);
}

#[test]
fn a_mirror_answers_with_its_own_or_a_virtual_mac_address() {
    let vip = |kind: &str, attributes: &str| {
        format!("<vip {attributes}><interface_list><interface><{kind}><virtual_addr addr='10.0.0.9'/></{}></interface>
                 </interface_list></vip>", kind.split(' ').next().unwrap())
    };
    assert!(mirror(&vip("virtual_interface type='vmac_invisible'", "")).is_ok());
    for (kind, attributes, needle) in [
        (
            "virtual_interface",
            "",
            "in mode mirror one node answers: write <virtual_interface type=\"vmac_invisible\">",
        ),
        ("real_interface", "keepconnections='off'", "for mode farm only"),
    ] {
        let errors = mirror(&vip(kind, attributes)).unwrap_err().to_string();
        assert!(errors.contains(needle) && errors.lines().count() == 1, "{errors}");
    }
}

/// D-13.7: both syntaxes in one file are refused.
#[test]
fn mixed_syntaxes_are_refused() {
    let servers = "<server addr='10.0.0.1'/><server addr='10.0.0.2'/>";
    for heart in [
        format!("<heartbeat name='a'/>\n<heartbeat>{servers}</heartbeat>"),
        format!("<heartbeat>{servers}</heartbeat>\n<heartbeat name='a'/>"),
        format!("\n<heartbeat name='a'>{servers}</heartbeat>"),
    ] {
        let errors = faults(&format!("<safe><service mode='mirror'><heart>{heart}</heart></service></safe>"));
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(
            errors[0].starts_with("2: <heartbeat>: the syntaxes before and since 7.2 are mixed"),
            "{errors:?}"
        );
    }
}

#[test]
fn names_are_compared_with_the_cluster() {
    let cluster = cluster::load(
        "<cluster><lans><lan name='default'><node name='n1' addr='10.0.0.1'/><node name='n2' addr='10.0.0.2'/></lan></lans></cluster>",
        "cluster.xml",
    )
    .unwrap();
    let text = |lan: &str| {
        format!(
            "<safe><service mode='mirror' defaultprim='n3'><heart><heartbeat name='{lan}'/></heart></service></safe>"
        )
    };
    let read = |lan| translated(load(&text(lan), "u", &|_| None, Some(&cluster)));
    assert_eq!(read("default").unwrap().warnings().len(), 1);
    let why = read("repli").unwrap_err().to_string();
    assert_eq!(why, "u:1: <heartbeat> name=\"repli\": not a <lan> of cluster.xml, which has default");
}

#[test]
fn xml_that_is_too_much_is_refused() {
    let deep = format!("<safe>{}", "<a>".repeat(40));
    let many = format!("<safe>{}</safe>", "<a/>".repeat(10_001));
    let wide: String = (0..70).map(|i| format!(" a{i}=''")).collect();
    let billion = format!("<!DOCTYPE safe [<!ENTITY a 'b'>]>{}", "<safe/>");
    let mut macros = "<safe><macro name='m0' value='0123456789'/>".to_owned();
    for i in 0..9 {
        macros += &format!("<macro name='m{}' value='{}'/>", i + 1, format!("%m{i}%").repeat(10));
    }
    let large = format!("<safe>{}</safe>", " ".repeat(1 << 20));
    for (text, needle) in [
        (deep, "nested deeper than 32"),
        (many, "more than 10000 elements"),
        (format!("<safe{wide}/>"), "more than 64 attributes"),
        (billion, "no entities"),
        ("<!DOCTYPE safe SYSTEM 'file:///etc/passwd'><safe/>".into(), "no external files"),
        ("<safe a='&x;'/>".into(), "unknown entity"),
        ("<safe>&x;</safe>".into(), "unknown entity"),
        (macros + "</safe>", "expand to more than"),
        (large, "larger than"),
        ("<safe></safe><safe/>".into(), "second element"),
        ("<safe>".into(), "not closed"),
        ("<safe></saf>".into(), ""),
        ("".into(), "no element"),
        ("x<safe/>".into(), "outside of all elements"),
    ] {
        let errors = read(&text).unwrap_err().to_string();
        let start: String = text.chars().take(60).collect();
        assert!(errors.contains(needle), "{start}: {errors}");
    }
}

/// Each way in which the reader of XML itself gives up.
#[test]
fn xml_that_is_no_xml_is_refused() {
    for (text, needle) in [
        ("<safe><!x></safe>", "unknown or missed symbol"),
        ("<safe><?php", "processing instruction not closed"),
        ("<?xml version='1.0'", "XML declaration not closed"),
        ("<safe><!-- a", "comment not closed"),
        ("<!DOCTYPE safe", "DOCTYPE not closed"),
        ("<safe><![CDATA[ a", "CDATA not closed"),
        ("<safe", "tag not closed"),
        ("<safe a='b", "attribute value not closed: `'`"),
        ("<safe a=\"b", "attribute value not closed: `\"`"),
        ("<!DOCTYPE ><safe/>", "name of a document type"),
        ("</safe>", "close tag `</safe>`"),
        ("<safe></saf>", "expected `</safe>`"),
        ("<safe>&amp</safe>", "reference not closed"),
        ("<safe a/>", "position 6"),
        ("<safe a=/>", "attribute value"),
        ("<safe a=b/>", "enclosed in"),
    ] {
        let errors = read(text).unwrap_err().to_string();
        assert!(errors.contains(needle), "{text}: {errors}");
    }
}

const GOOD: &str = r#"<?xml version="1.0"?><!DOCTYPE safe><safe><macro name="A" value="10.0.0.9"/>
<service mode="mirror"><heart pulse="1s"><heartbeat name="default"/></heart><rfs><replicated dir="/d"/></rfs>
<vip><interface_list><interface><real_interface><virtual_addr addr="%A%" where="one_side_alias"/></real_interface>
</interface></interface_list></vip><user><var name="a" value="&lt;b"/></user><check><custom ident="c" when="prim"
exec="x" arg="'a b'" action="stop"/></check><failover><![CDATA[ a: if (b.c == down) then wait(); ]]></failover></service></safe>"#;

proptest! {
    #[test]
    fn arbitrary_text_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = load(&String::from_utf8_lossy(&bytes), "u", &|_| None, None);
    }

    #[test]
    fn mutated_good_files_never_panic(cut in 0..GOOD.len(), len in 0..40usize, new in "[<>&;%'\"/!\\[\\]=a-c\n]{0,12}") {
        let mut bytes = GOOD.as_bytes().to_vec();
        bytes.splice(cut..(cut + len).min(GOOD.len()), new.bytes());
        if let Err(errors) = load(&String::from_utf8_lossy(&bytes), "u", &|_| None, None) {
            prop_assert!(!errors.0.is_empty());
        }
    }
}

#[test]
fn the_file_of_the_mutations_is_good() {
    assert_eq!(read(GOOD).map(|c| c.checks.len()), Ok(3));
}

//! The module that the scenarios run: a mirror with short timeouts and scripts that say what they do.

use std::time::Duration;

/// Its name.
pub const MODULE: &str = "m";
/// Its virtual address.
pub const VIP: &str = "10.77.1.100";
/// Timeout of its heartbeats.
pub const TIMEOUT: Duration = Duration::from_secs(2);

/// A configuration: what is not named here is the same in all scenarios.
pub struct Mirror<'a> {
    /// Attributes of `<service>`.
    pub service: &'a str,
    /// The virtual address; none: no `<vip>`.
    pub vip: Option<&'a str>,
    /// Attributes of `<vip>`.
    pub tcpreset: &'a str,
    /// Attributes of `<interface>`.
    pub interface: &'a str,
    /// Attributes of `<virtual_addr>` besides the address.
    pub address: &'a str,
    /// `<user>`; empty: none.
    pub user: &'a str,
    /// What stands beside `<user>`, e.g. `<check>`.
    pub more: &'a str,
    /// Attributes of `<failover>`.
    pub failover: &'a str,
    /// Its rules.
    pub rules: &'a str,
}

impl Default for Mirror<'_> {
    fn default() -> Self {
        Mirror {
            service: r#"boot="auto""#,
            vip: Some(VIP),
            tcpreset: "",
            interface: r#"check="off" arpreroute="on""#,
            address: r#"check="off""#,
            user: r#"<user nicestoptimeout="10" forcestoptimeout="10"/>"#,
            more: "",
            failover: r#"period="200" handle_time="400""#,
            rules: "",
        }
    }
}

impl Mirror<'_> {
    /// As userconfig.xml.
    pub fn xml(&self) -> String {
        let Mirror { service, user, more, failover, rules, .. } = self;
        let (timeout, vip) = (TIMEOUT.as_millis(), self.vip());
        format!(
            r#"<?xml version="1.0"?>
<safe>
  <service mode="mirror" {service}>
    <heart pulse="200" timeout="{timeout}">
      <heartbeat name="default"/>
      <heartbeat name="repli"/>
    </heart>
    {vip}
    {user}
    {more}
    <failover {failover}><![CDATA[{rules}]]></failover>
  </service>
</safe>
"#
        )
    }

    fn vip(&self) -> String {
        let Mirror { tcpreset, interface, address, .. } = self;
        let Some(vip) = self.vip else { return String::new() };
        format!(
            r#"<vip {tcpreset}>
      <interface_list>
        <interface {interface}>
          <real_interface>
            <virtual_addr addr="{vip}" where="one_side_alias" {address}/>
          </real_interface>
        </interface>
      </interface_list>
    </vip>"#
        )
    }
}

/// A farm or light module: what is not named here is the same in all scenarios.
#[derive(Clone, Copy)]
pub struct Up<'a> {
    /// farm or light.
    pub mode: &'a str,
    /// Attributes of `<service>` besides the mode.
    pub service: &'a str,
    /// `<farm>` and `<vip>`.
    pub farm: &'a str,
    /// What stands beside `<user>`, e.g. `<check>`.
    pub more: &'a str,
    /// Its rules.
    pub rules: &'a str,
}

/// A light module without anything else.
pub const LIGHT: Up<'static> = Up { mode: "light", service: r#"boot="auto""#, farm: "", more: "", rules: "" };

/// A farm whose nodes share the clients of a port.
pub const FARM: Up<'static> = Up {
    mode: "farm",
    farm: r#"<farm pulse="200" mlost_count="3" slost_count="6"><lan name="default"/></farm>
    <vip>
      <interface_list>
        <interface check="off">
          <virtual_interface type="vmac_directed">
            <virtual_addr addr="10.77.1.100" check="off"/>
          </virtual_interface>
        </interface>
      </interface_list>
      <loadbalancing_list>
        <group name="FarmProto"><rule port="9010" proto="tcp" filter="on_port"/></group>
      </loadbalancing_list>
    </vip>"#,
    ..LIGHT
};

/// Both kinds of modules without roles.
pub const UPS: [Up<'static>; 2] = [LIGHT, FARM];

impl Up<'_> {
    /// As userconfig.xml.
    pub fn xml(&self) -> String {
        let Up { mode, service, farm, more, rules } = self;
        format!(
            r#"<?xml version="1.0"?>
<safe>
  <service mode="{mode}" {service}>
    {farm}
    <user nicestoptimeout="10" forcestoptimeout="10"/>
    {more}
    <failover period="200" handle_time="400"><![CDATA[{rules}]]></failover>
  </service>
</safe>
"#
        )
    }
}

/// Those of a farm or light module.
pub const UP_SCRIPTS: [(&str, &str); 2] = [("start_both", "echo started"), ("stop_both", "echo stopped")];

/// Scripts that only say that they ran.
pub const SCRIPTS: [(&str, &str); 2] = [("start_prim", "echo started"), ("stop_prim", "echo stopped")];

#[test]
fn the_module_is_valid() {
    let rules = Mirror { rules: "r: if (tcp.x == down) then restart();", ..Mirror::default() };
    for mirror in [Mirror::default(), Mirror { vip: None, user: "", ..Mirror::default() }, rules] {
        safekit::config::module::load(&mirror.xml(), "userconfig.xml", &|_| None, None)
            .unwrap_or_else(|e| panic!("{e}"));
    }
    for up in UPS {
        safekit::config::module::load(&up.xml(), "userconfig.xml", &|_| None, None)
            .unwrap_or_else(|e| panic!("{e}"));
    }
}

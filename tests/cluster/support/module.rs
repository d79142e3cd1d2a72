//! The module that the scenarios run: a mirror with short timeouts and scripts that say what they do.

/// Its name.
pub const MODULE: &str = "m";
/// Its virtual address.
pub const VIP: &str = "10.77.1.100";

/// A configuration with its own attributes of `<service>`, attributes of `<interface>` and of
/// `<virtual_addr>`, and what stands beside `<user>`.
pub struct Mirror<'a> {
    /// Attributes of `<service>`.
    pub service: &'a str,
    /// `check` of the interface.
    pub check_interface: &'a str,
    /// `check` of the virtual address.
    pub check_address: &'a str,
    /// `<check>`, more rules.
    pub more: &'a str,
}

impl Default for Mirror<'_> {
    fn default() -> Self {
        Mirror { service: r#"boot="auto""#, check_interface: "off", check_address: "off", more: "" }
    }
}

impl Mirror<'_> {
    /// As userconfig.xml.
    pub fn xml(&self) -> String {
        let Mirror { service, check_interface, check_address, more } = self;
        format!(
            r#"<?xml version="1.0"?>
<safe>
  <service mode="mirror" {service}>
    <heart pulse="200" timeout="2000">
      <heartbeat name="default"/>
      <heartbeat name="repli"/>
    </heart>
    <vip>
      <interface check="{check_interface}" arpreroute="on">
        <real_interface>
          <virtual_addr addr="{VIP}" where="one_side_alias" check="{check_address}"/>
        </real_interface>
      </interface>
    </vip>
    <user nicestoptimeout="10" forcestoptimeout="10"/>
    {more}
    <failover period="200" handle_time="400"/>
  </service>
</safe>
"#
        )
    }
}

/// Scripts that only say that they ran.
pub const SCRIPTS: [(&str, &str); 2] = [("start_prim", "echo started"), ("stop_prim", "echo stopped")];

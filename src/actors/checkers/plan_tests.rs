use super::*;
use crate::config::module::When;
use std::time::Duration;

fn tcp(ident: &str, when: When, action: RuleAction) -> Check {
    Check::Tcp {
        ident: ident.to_owned(),
        when,
        addr: "127.0.0.1".parse().unwrap(),
        port: 80,
        interval: Duration::from_secs(10),
        timeout: Duration::from_secs(5),
        action,
    }
}

fn custom(action: Option<RuleAction>) -> Check {
    let (ident, exec) = ("x".to_owned(), "check.sh".to_owned());
    Check::Custom { ident, when: When::Pre, exec, args: Vec::new(), action }
}

#[test]
fn rules_of_checkers() {
    let rule = |check| generated(&check).map(|rule| (rule.label, rule.resource.to_string(), rule.action));
    let expected = ("t_id".to_owned(), "tcp.id".to_owned(), Action::Restart);
    assert_eq!(rule(tcp("id", When::Prim, RuleAction::Restart)), Some(expected));
    let expected = ("c_x".to_owned(), "custom.x".to_owned(), Action::Wait);
    assert_eq!(rule(custom(Some(RuleAction::Wait))), Some(expected));
    assert_eq!(rule(custom(None)), None, "noaction");
}

#[test]
fn an_interface_checker_of_a_virtual_address_is_named_after_the_network() {
    let intf = |addr: &str| Check::Intf {
        ident: None,
        when: When::Pre,
        intf: None,
        local_addr: addr.parse().unwrap(),
    };
    assert_eq!(identify(&intf("127.1.2.3")).to_string(), "intf.127.0.0.0");
    assert_eq!(identify(&intf("203.0.113.9")).to_string(), "intf.203.0.113.9");
    assert_eq!(identify(&tcp("id", When::Both, RuleAction::Stop)).to_string(), "tcp.id");
}

fn load(failover: &str) -> ModuleConfig {
    let text = format!(
        "<safe><service mode=\"light\">\n<user/>\n<check>\n\
        <tcp ident=\"web\" when=\"both\"><to addr=\"127.0.0.1\" port=\"80\"/></tcp>\n\
        <ping ident=\"gw\"><to addr=\"127.0.0.1\"/></ping>\n\
        <custom ident=\"x\" when=\"pre\" exec=\"x.sh\" action=\"wait\"/>\n\
        </check>\n{failover}\n</service></safe>"
    );
    crate::config::module::load(&text, "userconfig.xml", &|_| None, None).unwrap()
}

#[test]
fn the_rules_of_a_userconfig() {
    let config = load("<failover><![CDATA[\nt_web: if (tcp.web == down) then stop();\n]]></failover>");
    let rules = ruleset(&config).unwrap();
    let printed: Vec<_> = rules.entries().iter().map(|entry| entry.rule.to_string()).collect();
    assert_eq!(
        printed,
        [
            "t_web: if (tcp.web == down) then stop();",
            "p_gw: if (ping.gw == down) then wait();",
            "c_x: if (custom.x == down) then wait();",
            "module_failure: if (module.? == down) then wait();",
            "interface_failure: if (intf.? == down) then wait();",
            "ip_failure: if (ip.? == down) then stopstart();",
            "splitbrain_failure: if (splitbrain.uptodate == down) then wait();",
        ]
    );
    assert_eq!(rules.late().iter().map(ToString::to_string).collect::<Vec<_>>(), ["tcp.web"]);
    let alone = ruleset(&load("<failover extends=\"no\"/>")).unwrap();
    assert_eq!(alone.entries().len(), 3, "the rules of checkers stay");
}

#[test]
fn errors_in_rules_name_the_line_of_the_file() {
    let config = load("<failover><![CDATA[\nok: if (tcp.web == up) then wait();\n bad\n]]></failover>");
    let errors = ruleset(&config).unwrap_err();
    assert_eq!(errors.len(), 1);
    assert!(errors[0].to_string().starts_with("line 11, column 1: found "), "{}", errors[0]);
}

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

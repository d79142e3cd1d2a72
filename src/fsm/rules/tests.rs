use super::ast::{Action, Expr, Pick, Rule, Subject, Target};
use super::eval::{Sight, holds};
use super::parse::{Author, MOST_DEPTH, MOST_RULES, parse};
use super::{Generated, Origin, Ruleset, Sources, UserText};
use crate::fsm::resource::{ResourceName, Resources, Value};
use crate::told::Tell;
use crate::told::proof::assert_translated;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn resources(list: &[(&str, &str)]) -> Resources {
    list.iter().map(|(name, value)| (name.parse().unwrap(), Value::from(*value))).collect()
}

fn condition(text: &str) -> Expr {
    parse(&format!("r: if ({text}) then wait();"), 1, Author::Product).unwrap().remove(0).rule.when
}

fn errors(text: &str) -> Vec<String> {
    let errors = parse(text, 10, Author::User).unwrap_err();
    errors.iter().for_each(|error| assert_translated(&error.told()));
    errors.iter().map(ToString::to_string).collect()
}

#[test]
fn reads_the_rules_of_the_guide() {
    let text = "/* rule for checkers */ tcpid_failure:if(tcp.id==down)then stopstart();\n\
        a: if (! local.custom.x == up && (remote.ip.2001:db8::1 != down || tcp.* == init)) then swap();";
    let rules = parse(text, 1, Author::User).unwrap();
    let printed: Vec<_> = rules.iter().map(|parsed| parsed.rule.to_string()).collect();
    assert_eq!(
        printed,
        [
            "tcpid_failure: if (tcp.id == down) then stopstart();",
            "a: if (!custom.x == up && (remote.ip.2001:db8::1 != down || tcp.* == init)) then swap();",
        ]
    );
    assert_eq!((rules[1].at.line, rules[1].at.column), (2, 1));
}

#[test]
fn precedence_is_not_then_and_then_or() {
    let Expr::Or(parts) = condition("a.b == up || !c.d == up && e.f == down") else { panic!("not an or") };
    assert!(matches!(&parts[1], Expr::And(inner) if matches!(inner[0], Expr::Not(_))));
    assert_eq!(condition("down == a.b"), condition("a.b == down"));
}

#[test]
fn every_error_is_told_with_its_place() {
    let text = "one: if (tcp.a == donw) then wait();\n two: if tcp.a == down then wait();\n\
        ok: if (tcp.a == down) then wait();\nthree: if (tcp.a == down) then explode();\n;\n\
        four: if (tcp.a = down) then wait();\nfive if";
    assert_eq!(
        errors(text),
        [
            "line 10, column 19: found \"donw\" where a state (init, down, up, unknown) is expected",
            "line 11, column 10: found \"tcp.a\" where \"(\" after \"if\" is expected",
            "line 13, column 32: found \"explode\" where an action: stop(), stopstart(), wait(), restart() \
             or swap() is expected",
            "line 14, column 1: found \";\" where the label of a rule is expected",
            "line 15, column 17: found \"=\" where \"==\" or \"!=\" is expected",
            "line 16, column 6: found \"if\" where \":\" after the label is expected",
        ]
    );
    assert_eq!(
        errors("a: if (tcp.a == up) then wait(); /* open"),
        ["line 10, column 34: found a \"/*\" without its \"*/\" where the label of a rule is expected"]
    );
    assert_eq!(errors("a: if (remote.tcp == up) then wait();").len(), 1, "no id");
    assert_eq!(errors("a: if (local.remote.x == up) then wait();").len(), 1, "two scopes");
    assert_eq!(errors("a: if (tcp.a* == up) then wait();").len(), 1, "a name or a wildcard, no pattern");
    assert!(errors("a: if (tcp.a == up) then wait() ")[0].contains("the end of the rules"));
}

#[test]
fn what_belongs_to_the_product_is_refused_to_users() {
    let text = "rfs_forceuptodate: if (heartbeat.* == down && cluster() == down) then rfs.uptodate=up;";
    assert!(errors(text)[0].ends_with("cluster() is reserved to the product's own rules"));
    let rule = &parse(text, 1, Author::Product).unwrap()[0].rule;
    assert_eq!(rule.to_string(), text);
    let assignment = errors("a: if (x.y == up) then rfs.uptodate=up;");
    assert!(assignment[0].ends_with("an assignment as action is reserved to the product's own rules"));
}

#[test]
fn depth_and_number_of_rules_are_limited() {
    let nested = |n: usize| format!("r: if ({}a.b == up{}) then wait();", "(".repeat(n), ")".repeat(n));
    assert!(parse(&nested(MOST_DEPTH), 1, Author::User).is_ok());
    assert!(errors(&nested(MOST_DEPTH + 1))[0].contains("nest deeper than 64"));
    assert_eq!(errors(&nested(100_000)).len(), 1);
    assert_eq!(errors(&format!("r: if ({}a.b == up) then wait();", "!".repeat(100_000))).len(), 1);
    let many = |n| (0..n).map(|i| format!("r{i}: if (a.b == up) then wait();")).collect::<String>();
    assert!(parse(&many(MOST_RULES), 1, Author::User).is_ok());
    assert!(errors(&many(MOST_RULES + 1))[0].ends_with("more than 500 rules"));
    let long_chain = format!("r: if (a.b == up{}) then wait();", " || a.b == up".repeat(20_000));
    assert!(parse(&long_chain, 1, Author::User).is_ok());
}

#[test]
fn conditions() {
    let local = resources(&[
        ("tcp.a", "up"),
        ("tcp.b", "down"),
        ("ip.1", "down"),
        ("ip.2", "down"),
        ("new.x", "init"),
        ("half.x", "init"),
        ("half.y", "down"),
        ("late.x", "init"),
        ("late.y", "down"),
    ]);
    let remote = resources(&[("rfs.degraded", "up")]);
    let late = BTreeSet::from([ResourceName::new("late", "x")]);
    let sight = Sight { local: &local, remote: Some(&remote), cluster: &Value::Down, late: &late };
    let (yes, no) = (Some(true), Some(false));
    for (text, expected) in [
        ("tcp.? == down", yes),
        ("tcp.* == down", no),
        ("ip.* == down", yes),
        ("tcp.? != up", yes),
        ("tcp.* != unknown", yes),
        ("none.? == down", no),
        ("none.* == down", no),
        ("local.tcp.a == up && !(tcp.b == up)", yes),
        ("remote.rfs.degraded == up", yes),
        ("remote.rfs.other != up", None),
        ("cluster() == down", yes),
        ("cluster() != down", no),
        // Init: nothing follows from it, wherever it stands in the rule.
        ("new.x == down", None),
        ("new.x != down", None),
        ("!(new.x == down)", None),
        ("new.x == down || tcp.b == down", None),
        ("tcp.b == down || new.x == down", None),
        ("new.x == init", yes),
        ("tcp.a != init", yes),
        ("never.set == down", None),
        ("half.? == down", yes),
        ("half.? == up", None),
        ("half.* == up", no),
        ("half.* == down", None),
        ("late.* == down", yes),
        ("late.? == up", no),
        ("late.x == down", None),
    ] {
        assert_eq!(holds(&condition(text), &sight), expected, "{text}");
    }
    let silent = Sight { remote: None, ..sight };
    for text in ["remote.rfs.degraded == unknown", "remote.x.? == unknown", "remote.x.* != up"] {
        assert_eq!(holds(&condition(text), &silent), yes, "{text}");
    }
}

fn labels(rules: &Ruleset) -> Vec<(Origin, String)> {
    rules.entries().iter().map(|entry| (entry.origin, entry.rule.to_string())).collect()
}

#[test]
fn rules_come_together_by_origin_and_the_users_labels_replace() {
    let user = |text| vec![UserText { text, base_line: 1 }];
    let generated = |label: &str| Generated {
        label: label.to_owned(),
        resource: ResourceName::new("tcp", "id"),
        action: Action::Restart,
    };
    let sources = Sources {
        extends: true,
        user: user("ip_failure: if (ip.* == down) then stop(); t_b: if (tcp.b == down) then wait();"),
        generated: vec![generated("t_id"), generated("t_b")],
        plug_ins: vec!["notuptodate_server: if (rfs.uptodate == down) then wait();"],
        ..Sources::default()
    };
    let expected = [
        (Origin::User, "ip_failure: if (ip.* == down) then stop();"),
        (Origin::User, "t_b: if (tcp.b == down) then wait();"),
        (Origin::Generated, "t_id: if (tcp.id == down) then restart();"),
        (Origin::Default, "module_failure: if (module.? == down) then wait();"),
        (Origin::Default, "interface_failure: if (intf.? == down) then wait();"),
        (Origin::Default, "splitbrain_failure: if (splitbrain.uptodate == down) then wait();"),
        (Origin::PlugIn, "notuptodate_server: if (rfs.uptodate == down) then wait();"),
    ]
    .map(|(origin, text)| (origin, text.to_owned()));
    assert_eq!(labels(&Ruleset::build(sources.clone()).unwrap()), expected);

    let alone = Ruleset::build(Sources { extends: false, ..sources.clone() }).unwrap();
    assert!(alone.entries().iter().all(|entry| entry.origin != Origin::Default));

    let text = "a: if (x.y == up) then wait();\na: if (x.y == up) then wait();\n\
        notuptodate_server: if (x.y == up) then wait();";
    let errors = Ruleset::build(Sources { user: user(text), ..sources }).unwrap_err();
    errors.iter().for_each(|error| assert_translated(&error.told()));
    let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        errors,
        [
            "line 2, column 1: the label \"a\" is used twice: rename one of the rules",
            "line 3, column 1: the rule \"notuptodate_server\" belongs to the product and cannot be \
             replaced: use another label",
        ]
    );
}

fn any_expr() -> impl Strategy<Value = Expr> {
    let value = prop_oneof![Just(Value::Init), Just(Value::Down), Just(Value::Up), Just(Value::Unknown)];
    let pick =
        prop_oneof![Just(Pick::Any), Just(Pick::All), "[a-zA-Z0-9._:\\[\\]/-]{1,20}".prop_map(Pick::Id)];
    let target = (any::<bool>(), "[a-z][a-z0-9_-]{0,8}", pick)
        .prop_filter("scopes are no classes", |(_, class, _)| class != "local" && class != "remote")
        .prop_map(|(remote, class, pick)| Subject::Resource(Target { remote, class, pick }));
    let subject = prop_oneof![9 => target, 1 => Just(Subject::Cluster)];
    let test = (subject, any::<bool>(), value).prop_map(|(subject, equal, value)| Expr::Test {
        subject,
        equal,
        value,
    });
    test.prop_recursive(6, 40, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|expr| Expr::Not(Box::new(expr))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expr::And),
            prop::collection::vec(inner, 2..4).prop_map(Expr::Or),
        ]
    })
}

proptest! {
    #[test]
    fn never_panics(text in "\\PC{0,200}") {
        let _ = parse(&text, 1, Author::User);
    }

    #[test]
    fn never_panics_on_likely_words(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "a", ":", "if", "(", ")", "!", "tcp.x", "tcp.?", "==", "!=", "up", "&&", "||", "then",
                "wait", ";", "/*", "*/", "\n", "=", "cluster", "remote.", "ip.1:",
            ]),
            0..40,
        ),
    ) {
        let _ = parse(&words.join(" "), 1, Author::Product);
    }

    #[test]
    fn printing_and_parsing_gives_the_same_rule(when in any_expr(), set in any::<bool>()) {
        let action =
            if set { Action::Set(ResourceName::new("rfs", "uptodate"), Value::Up) } else { Action::Wait };
        let rule = Rule { label: "some_label".to_owned(), when, action };
        let parsed = parse(&rule.to_string(), 1, Author::Product).unwrap();
        prop_assert_eq!(&parsed[0].rule, &rule);
    }
}

//! Requests as anybody could send them: nothing panics, what is accepted is harmless.

use super::*;
use crate::control::{ClusterSource, InstallSource};
use proptest::prelude::*;

fn module() -> impl Strategy<Value = ModuleName> {
    "[a-zA-Z0-9][a-zA-Z0-9._-]{0,31}".prop_map(|name| name.parse().unwrap())
}

/// Requests with texts of the user.
fn request() -> impl Strategy<Value = Request> {
    let signature = || proptest::option::of(proptest::collection::vec(".{0,80}", 0..3));
    prop_oneof![
        (module(), ".{0,300}").prop_map(|(module, name)| Request::UserLog { module, name }),
        (module(), ".{0,300}").prop_map(|(module, name)| Request::ConfigurationGet { module, name }),
        (module(), ".{0,300}", signature()).prop_map(|(module, name, if_signature)| {
            Request::ConfigurationRestore { module, name, if_signature }
        }),
        (module(), signature()).prop_map(|(module, if_signature)| Request::Config { module, if_signature }),
        (module(), ".{0,300}", signature()).prop_map(|(module, name, if_signature)| {
            let source = InstallSource::Template(name);
            Request::ModuleInstall { module, id: None, reinstall: true, source, if_signature, keep_key: true }
        }),
        signature().prop_map(|if_signature| {
            Request::ClusterConfig { source: ClusterSource::Xml, lock: None, if_signature }
        }),
        (module(), any::<Option<i64>>(), any::<bool>(), ".{0,700}").prop_map(
            |(module, before, follow, text)| {
                let filter = LogFilter { levels: Vec::new(), text };
                Request::Log { module, count: None, all: true, lang: Lang::En, follow, before, filter }
            }
        ),
        proptest::option::of(module()).prop_map(|module| Request::Watch { module }),
        proptest::option::of(module()).prop_map(|module| Request::ConfCheckText { module }),
        ".{0,300}".prop_map(|name| Request::Token(TokenEvent::Revoked { name })),
        any::<(Option<u32>, bool)>().prop_map(|(count, follow)| Request::CmdLog { count, follow }),
    ]
}

proptest! {
    #[test]
    fn what_is_accepted_stays_in_its_directory_and_on_its_line(request in request()) {
        let text = serde_json::to_string(&request).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Request>(&text).unwrap(), &request);
        let accepted = request.check().is_ok();
        let line = request.logged(None).unwrap_or_default();
        match &request {
            Request::UserLog { name, .. }
            | Request::ConfigurationGet { name, .. }
            | Request::ConfigurationRestore { name, .. }
                if accepted =>
            {
                prop_assert!(!name.contains('/') && name != ".." && !line.chars().any(char::is_control));
            }
            Request::ModuleInstall { source: InstallSource::Template(name), .. } if accepted => {
                prop_assert!(!name.starts_with('/') && !name.split('/').any(|part| part == ".."));
                prop_assert!(!line.chars().any(char::is_control));
            }
            Request::Token(_) if accepted => prop_assert!(!line.chars().any(char::is_control)),
            Request::Log { before, follow, filter, .. } => {
                let page = before.is_some() || !filter.is_empty();
                prop_assert_eq!(accepted, !(*follow && page) && filter.text.len() <= 1024);
            }
            _ => {}
        }
    }

    #[test]
    fn any_json_is_a_request_or_refused(name in "[a-z_]{1,24}", value in "[{}\\[\\]\":,a-z0-9 ]{0,60}") {
        if let Ok(request) = serde_json::from_str::<Request>(&format!("{{\"{name}\":{value}}}")) {
            drop((request.check(), request.logged(Some("u@10.0.0.1")), request.needs(), request.name()));
        }
    }
}

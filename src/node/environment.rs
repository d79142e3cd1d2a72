//! The environment of module scripts, handlers and custom checkers (ST-93).

use crate::config::paths::Paths;
use crate::ids::ModuleName;
use std::collections::BTreeMap;

/// Variables added to the environment of every program of a module: the six of ST-93 and `vars`,
/// the `<user><var>` values and macros handed on. The six win over a variable of the same name.
pub fn of_module(
    paths: &Paths,
    module: &ModuleName,
    vars: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut all = vars.clone();
    all.insert("SAFEMODULE".into(), module.to_string());
    all.insert("SAFEUSERBIN".into(), paths.userbin(module).to_string_lossy().into_owned());
    all.insert("SAFEUSERVAR".into(), paths.uservar(module).to_string_lossy().into_owned());
    all.extend(of_node(paths));
    all
}

/// Variables of commands that belong to no module: `safekit -p`, `safekit -r` (CLI-108, CLI-109).
pub fn of_node(paths: &Paths) -> BTreeMap<String, String> {
    let text = |path: &std::path::Path| path.to_string_lossy().into_owned();
    BTreeMap::from([
        ("SAFE".to_owned(), text(&paths.safe)),
        ("SAFEVAR".to_owned(), text(&paths.safevar)),
        ("SAFEBIN".to_owned(), text(&paths.safebin())),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_get_the_six_variables_and_those_of_the_module() {
        let am = "mirror".parse().unwrap();
        let vars =
            BTreeMap::from([("SERVICES", "a b"), ("SAFE", "/wrong")].map(|(n, v)| (n.into(), v.into())));
        let all = of_module(&Paths::default(), &am, &vars);
        let text: Vec<String> = all.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(
            text,
            [
                "SAFE=/opt/safekit",
                "SAFEBIN=/opt/safekit/private/bin",
                "SAFEMODULE=mirror",
                "SAFEUSERBIN=/opt/safekit/private/modules/mirror/bin",
                "SAFEUSERVAR=/var/safekit/modules/mirror",
                "SAFEVAR=/var/safekit",
                "SERVICES=a b",
            ]
        );
    }
}

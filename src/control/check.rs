//! What a request says about itself: its module, its line in the command log, its limits.

use super::options::{
    BootOp, ClusterSource, FirewallOp, InstallSource, RescueRequest, RfsRequest, TokenEvent, WebserverOp,
};
use super::request::Request;
use crate::fsm::command::Command;
use crate::ids::ModuleName;
use crate::node::rfssync::{Policy, Side, check_uid};
use crate::rfs::rescue::Purge;
use crate::told::{Told, told};
use std::path::{Component, Path};

/// Longest identity or user, bytes.
const MOST_NAME: usize = 64;
/// Longest name of a token, bytes: 100 characters.
const MOST_TOKEN: usize = 400;
/// Signatures of a condition.
const MOST_SIGNATURES: usize = 64;
/// Longest value of a resource, bytes.
const MOST_VALUE: usize = 1024;
/// Longest text that is looked for in a log, bytes.
const MOST_WORDS: usize = 1024;
/// Longest message of `printi` and `printe`, bytes.
const MOST_TEXT: usize = 4096;

/// What `-i` gives.
const IDENTITY: [&str; 2] = ["identity", "l'identité"];

impl Request {
    /// Whether an attachment follows the request.
    pub fn has_attachment(&self) -> bool {
        match self {
            Request::ModuleInstall { source, .. } => *source == InstallSource::Attachment,
            Request::ClusterConfig { source, .. } => *source != ClusterSource::Keep,
            Request::ClusterConfCheck | Request::ConfCheckText { .. } => true,
            _ => false,
        }
    }

    /// The module it is about, if it is about one.
    pub fn module(&self) -> Option<&ModuleName> {
        match self {
            Request::Level { module }
            | Request::State { module, .. }
            | Request::Clean { module, .. }
            | Request::Boot { module, .. }
            | Request::FarmBitmaps { module }
            | Request::Watch { module }
            | Request::ConfCheckText { module }
            | Request::Configurations { module }
            | Request::Firewall { module, .. } => module.as_ref(),
            Request::Wait { module, .. }
            | Request::Log { module, .. }
            | Request::Explain { module }
            | Request::Control { module, .. }
            | Request::Set { module, .. }
            | Request::Print { module, .. }
            | Request::Loop { module, .. }
            | Request::Rfs { module, .. }
            | Request::Rescue { module, .. }
            | Request::FarmOwner { module, .. }
            | Request::ModuleInstall { module, .. }
            | Request::ModulePackage { module, .. }
            | Request::History { module, .. }
            | Request::UserLogs { module }
            | Request::UserLog { module, .. }
            | Request::ConfigurationGet { module, .. }
            | Request::ConfigurationRestore { module, .. }
            | Request::ModuleUninstall { module }
            | Request::ModuleGenKey { module, .. }
            | Request::ModuleDelKey { module, .. }
            | Request::Config { module, .. }
            | Request::Deconfig { module }
            | Request::ConfInfo { module }
            | Request::ConfCheck { module } => Some(module),
            _ => None,
        }
    }

    /// The arguments as the command log has them (MSG-CMD-03), for a command that changes the
    /// system (MSG-CMD-04); none for the others. `remote` is the user of the web service for whom
    /// it is asked; it counts more than what the request says (CLI-006).
    pub fn logged(&self, remote: Option<&str>) -> Option<String> {
        let mut words = match self {
            Request::Control { module, command, identity, user } => {
                return Some(control_line(module, *command, identity.as_deref(), remote.or(user.as_deref())));
            }
            Request::Token(event) => token_line(event),
            Request::Clean { what, .. } => format!("clean {}", format!("{what:?}").to_lowercase()),
            Request::ModuleInstall { id, reinstall, source, .. } => install_line(*id, *reinstall, source),
            Request::Rfs { request, .. } => rfs_line(request)?,
            Request::Rescue { request, .. } => rescue_line(request)?,
            Request::ConfigurationRestore { name, .. } => format!("module install {name}"),
            Request::ModuleUninstall { .. } => "module uninstall".to_owned(),
            Request::ModuleGenKey { .. } => "module genkey".to_owned(),
            Request::ModuleDelKey { .. } => "module delkey".to_owned(),
            Request::Config { .. } => "config".to_owned(),
            Request::Deconfig { .. } => "deconfig".to_owned(),
            Request::ClusterConfig { source, lock, .. } => cluster_line(*source, *lock),
            Request::ClusterDeconfig => "cluster deconfig".to_owned(),
            Request::ClusterGenKey => "cluster genkey".to_owned(),
            Request::ClusterDelKey => "cluster delkey".to_owned(),
            Request::Boot { op: BootOp::On, .. } => "boot on".to_owned(),
            Request::Boot { op: BootOp::Off, .. } => "boot off".to_owned(),
            Request::Shutdown => "shutdown".to_owned(),
            Request::Webserver { op } => webserver_line(*op)?.to_owned(),
            Request::Firewall { op: FirewallOp::Add, .. } => "firewallcfg add".to_owned(),
            Request::Firewall { op: FirewallOp::Del, .. } => "firewallcfg del".to_owned(),
            _ => return None,
        };
        if let Some(module) = self.module() {
            words += &format!(" -m {module}");
        }
        if let Some(user) = remote {
            words += &format!(" -u {user}");
        }
        Some(words)
    }

    /// Refuses texts that are too long or not printable: they go into logs and on terminals.
    pub fn check(&self) -> Result<(), Told> {
        match self {
            Request::Control { identity, user, .. } => {
                optional(&IDENTITY, identity)?;
                optional(&["user", "l'utilisateur"], user)
            }
            Request::Set { value, identity, .. } => {
                optional(&IDENTITY, identity)?;
                printable(
                    &["value of the resource", "la valeur de la ressource"],
                    &value.to_string(),
                    MOST_VALUE,
                )
            }
            Request::Rfs { request: RfsRequest::SetPolicy(Policy::External { uid, .. }), .. } => {
                check_uid(uid)
            }
            Request::Rescue { request, .. } => rescue(request),
            Request::Token(TokenEvent::Created { name, .. } | TokenEvent::Revoked { name }) => {
                printable(&["name of the token", "le nom du jeton"], name, MOST_TOKEN)
            }
            Request::Loop { identity, .. } => optional(&IDENTITY, identity),
            Request::Print { text, .. } => printable(&["message", "le message"], text, MOST_TEXT),
            Request::ModuleInstall { source, if_signature, .. } => {
                signatures(if_signature)?;
                if let InstallSource::Template(name) = source { template(name) } else { Ok(()) }
            }
            Request::ClusterConfig { if_signature, .. }
            | Request::Config { if_signature, .. }
            | Request::ModuleGenKey { if_signature, .. }
            | Request::ModuleDelKey { if_signature, .. } => signatures(if_signature),
            Request::Log { follow: true, before: Some(_), .. } => Err(told!(
                "the log before a message has no new messages: ask for one of them",
                "le journal d'avant un message n'a pas de nouveaux messages : demandez l'un ou l'autre"
            )),
            Request::Log { follow: true, filter, .. } if !filter.is_empty() => Err(told!(
                "new messages are not filtered: ask for those that are there",
                "les nouveaux messages ne sont pas filtrés : demandez ceux qui sont là"
            )),
            Request::Log { filter, .. } => match filter.text.len() > MOST_WORDS {
                true => Err(told!(
                    "the text to look for has more than {MOST_WORDS} bytes",
                    "le texte à chercher a plus de {MOST_WORDS} octets"
                )),
                false => Ok(()),
            },
            Request::UserLog { name, .. } => file(&["script log", "journal de script"], name),
            Request::ConfigurationGet { name, .. } => file(&["configuration", "configuration"], name),
            Request::ConfigurationRestore { name, if_signature, .. } => {
                signatures(if_signature)?;
                file(&["configuration", "configuration"], name)
            }
            _ => Ok(()),
        }
    }
}

fn token_line(event: &TokenEvent) -> String {
    match event {
        TokenEvent::Created { name, role, days } => format!("token create {name} {role} {days} days"),
        TokenEvent::Revoked { name } => format!("token revoke {name}"),
    }
}

fn webserver_line(op: WebserverOp) -> Option<&'static str> {
    Some(match op {
        WebserverOp::Start => "webserver start",
        WebserverOp::Stop => "webserver stop",
        WebserverOp::Restart => "webserver restart",
        WebserverOp::BootOn => "boot webon",
        WebserverOp::BootOff => "boot weboff",
        WebserverOp::Status | WebserverOp::BootStatus => return None,
    })
}

fn control_line(module: &ModuleName, command: Command, identity: Option<&str>, user: Option<&str>) -> String {
    let mut line = command.known().typed.to_owned();
    if let Command::SecondForce { after } = command {
        let date = jiff::Timestamp::from_second(after).map(|t| t.to_string()).unwrap_or_default();
        line += &format!(" -d {date}");
    }
    line += &format!(" -m {module}");
    for (option, value) in [("-i", identity), ("-u", user)] {
        if let Some(value) = value {
            line += &format!(" {option} {value}");
        }
    }
    line
}

fn rfs_line(request: &RfsRequest) -> Option<String> {
    match request {
        RfsRequest::Policy | RfsRequest::Verify | RfsRequest::Diff => None,
        RfsRequest::SetPolicy(Policy::Default) => Some("rfssync default".to_owned()),
        RfsRequest::SetPolicy(Policy::Full) => Some("rfssync full".to_owned()),
        RfsRequest::SetPolicy(Policy::External { side, uid, detect }) => {
            let side = if *side == Side::Prim { "prim" } else { "second" };
            let how = if *detect { "external" } else { "-d" };
            Some(format!("rfssync {how} {side} {uid}"))
        }
    }
}

fn rescue_line(request: &RescueRequest) -> Option<String> {
    match request {
        RescueRequest::List | RescueRequest::Diff { .. } => None,
        RescueRequest::Restore { archive, to, paths } => {
            let mut line = "rescue restore".to_owned();
            line += &archive.as_ref().map(|a| format!(" {a}")).unwrap_or_default();
            line += &to.as_ref().map_or(" --in-place".to_owned(), |to| format!(" --to {}", to.display()));
            let paths = paths.iter().map(|p| format!(" --path {}", p.display()));
            Some(line + &paths.collect::<String>())
        }
        RescueRequest::Purge(Purge::All) => Some("rescue purge --all".to_owned()),
        RescueRequest::Purge(Purge::One(name)) => Some(format!("rescue purge {name}")),
        RescueRequest::Purge(Purge::Before(second)) => {
            let date = jiff::Timestamp::from_second(*second).map(|t| t.to_string()).unwrap_or_default();
            Some(format!("rescue purge --before {date}"))
        }
    }
}

/// Names of archives are dates; paths are absolute and without `..`.
fn rescue(request: &RescueRequest) -> Result<(), Told> {
    let (archive, to, paths) = match request {
        RescueRequest::List | RescueRequest::Purge(Purge::All | Purge::Before(_)) => return Ok(()),
        RescueRequest::Purge(Purge::One(name)) => (Some(name), None, [].as_slice()),
        RescueRequest::Diff { archive } => (archive.as_ref(), None, [].as_slice()),
        RescueRequest::Restore { archive, to, paths } => (archive.as_ref(), to.as_ref(), paths.as_slice()),
    };
    if let Some(name) = archive {
        printable(&["name of the archive", "le nom de l'archive"], name, MOST_NAME)?;
    }
    let normal = |p: &Path| p.components().all(|c| matches!(c, Component::RootDir | Component::Normal(_)));
    match to.into_iter().chain(paths).find(|p| !p.is_absolute() || !normal(p)) {
        Some(path) => {
            let path = path.display();
            Err(told!("{path}: give an absolute path without ..", "{path} : donnez un chemin absolu sans .."))
        }
        None => Ok(()),
    }
}

fn install_line(id: Option<u8>, reinstall: bool, source: &InstallSource) -> String {
    let mut line = "module install".to_owned();
    if let Some(id) = id {
        line += &format!(" -M {id}");
    }
    if reinstall {
        line += " -r";
    }
    if let InstallSource::Template(name) = source {
        line += &format!(" {name}");
    }
    line
}

fn cluster_line(source: ClusterSource, lock: Option<bool>) -> String {
    let source = match source {
        ClusterSource::Keep => "",
        ClusterSource::Xml => " (xml)",
        ClusterSource::Zip => " (zip)",
    };
    let lock = match lock {
        None => "",
        Some(true) => " lock",
        Some(false) => " unlock",
    };
    format!("cluster config{source}{lock}")
}

fn optional(what: &[&str; 2], text: &Option<String>) -> Result<(), Told> {
    text.as_deref().map_or(Ok(()), |text| printable(what, text, MOST_NAME))
}

/// Signatures are hexadecimal, or empty for what is not there.
fn signatures(list: &Option<Vec<String>>) -> Result<(), Told> {
    let list = list.as_deref().unwrap_or_default();
    if list.len() > MOST_SIGNATURES {
        return Err(told!(
            "more than {MOST_SIGNATURES} signatures are given",
            "plus de {MOST_SIGNATURES} signatures sont données"
        ));
    }
    list.iter()
        .filter(|one| !one.is_empty())
        .try_for_each(|one| printable(&["signature", "la signature"], one, MOST_NAME))
}

/// `what` it is, in English, and in French with its article.
fn printable([what, quoi]: &[&str; 2], text: &str, most: usize) -> Result<(), Told> {
    if text.is_empty() || text.len() > most || text.chars().any(char::is_control) {
        return Err(told!(
            "the {what} must have 1 to {most} bytes and no control characters",
            "{quoi} doit avoir 1 à {most} octets et aucun caractère de contrôle"
        ));
    }
    Ok(())
}

/// A name in a directory of the product: it must never lead elsewhere.
fn file([what, quoi]: &[&str; 2], name: &str) -> Result<(), Told> {
    printable(&[&format!("name of the {what}"), &format!("le nom de {quoi}")], name, 255)?;
    match name.contains('/') || name == "." || name == ".." {
        true => Err(told!(
            "\"{name}\" is no name of a {what}: give one of the list, without a directory",
            "\"{name}\" n'est pas un nom de {quoi} : donnez-en un de la liste, sans répertoire"
        )),
        false => Ok(()),
    }
}

/// A name below SAFE/Application_Modules: the daemon must never be led out of it.
fn template(name: &str) -> Result<(), Told> {
    printable(&["name of the .safe file", "le nom du fichier .safe"], name, 255)?;
    if name.split('/').any(|part| part.is_empty() || part == "." || part == "..") {
        return Err(told!(
            "\"{name}\" is not a file of Application_Modules: give a name without .. or an absolute path",
            "\"{name}\" n'est pas un fichier de Application_Modules : donnez un nom sans .. ou un chemin absolu"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::CleanWhat;

    fn am() -> ModuleName {
        "mirror".parse().unwrap()
    }

    fn control(command: Command, identity: Option<&str>, user: Option<&str>) -> Request {
        let own = |s: Option<&str>| s.map(str::to_owned);
        Request::Control { module: am(), command, identity: own(identity), user: own(user) }
    }

    fn rfs(request: RfsRequest) -> Request {
        Request::Rfs { module: am(), request }
    }

    fn external(uid: &str) -> RfsRequest {
        RfsRequest::SetPolicy(Policy::External { side: Side::Prim, uid: uid.to_owned(), detect: false })
    }

    #[test]
    fn command_log_has_the_arguments() {
        for (request, line) in [
            (Request::Config { module: am(), if_signature: None }, "config -m mirror"),
            (
                control(Command::Prim { fullsync: false }, None, Some("web@10.0.0.103")),
                "prim -m mirror -u web@10.0.0.103",
            ),
            (control(Command::Swap { nosync: true }, None, None), "swap nosync -m mirror"),
            (control(Command::StopWait, Some("c"), None), "stopwait -m mirror -i c"),
            (Request::Boot { module: Some(am()), op: BootOp::On }, "boot on -m mirror"),
            (rfs(external("monday")), "rfssync -d prim monday -m mirror"),
            (rfs(RfsRequest::SetPolicy(Policy::Full)), "rfssync full -m mirror"),
            (
                control(Command::SecondForce { after: 1_456_833_600 }, None, None),
                "secondforce -d 2016-03-01T12:00:00Z -m mirror",
            ),
            (Request::Clean { module: None, what: CleanWhat::Log }, "clean log"),
            (
                Request::Rescue {
                    module: am(),
                    request: RescueRequest::Restore {
                        archive: None,
                        to: None,
                        paths: vec!["/data/a".into()],
                    },
                },
                "rescue restore --in-place --path /data/a -m mirror",
            ),
            (
                Request::ClusterConfig { source: ClusterSource::Keep, lock: Some(false), if_signature: None },
                "cluster config unlock",
            ),
        ] {
            assert_eq!(request.logged(None).as_deref(), Some(line));
        }
        for looks in
            [Request::Ping, rfs(RfsRequest::Verify), Request::Boot { module: None, op: BootOp::Status }]
        {
            assert_eq!(looks.logged(Some("admin@10.0.0.3")), None);
        }
    }

    #[test]
    fn the_command_log_names_the_remote_user() {
        let remote = Some("admin@10.0.0.3");
        for (request, line) in [
            (Request::Config { module: am(), if_signature: None }, "config -m mirror -u admin@10.0.0.3"),
            (Request::Shutdown, "shutdown -u admin@10.0.0.3"),
            (control(Command::Stop, None, None), "stop -m mirror -u admin@10.0.0.3"),
            (control(Command::Stop, None, Some("other@10.0.0.9")), "stop -m mirror -u admin@10.0.0.3"),
        ] {
            assert_eq!(request.logged(remote).as_deref(), Some(line));
        }
    }

    #[test]
    fn bad_texts_are_refused() {
        assert!(control(Command::Stop, Some("a\nb"), None).check().is_err());
        assert!(control(Command::Stop, Some(""), None).check().is_err());
        assert!(control(Command::Stop, None, Some(&"u".repeat(65))).check().is_err());
        assert!(control(Command::Stop, Some("custom script"), None).check().is_ok());
        assert!(rfs(external(&"\u{e9}".repeat(24))).check().is_ok());
        for uid in ["", "two words", &"u".repeat(25)] {
            assert!(rfs(external(uid)).check().is_err(), "{uid}");
        }
    }

    #[test]
    fn names_of_files_stay_in_their_directory() {
        for (name, good) in [
            ("userlog_2024-02-13T090312_start_prim.ulog", true),
            ("..", false),
            ("a/b", false),
            ("/etc/shadow", false),
            ("", false),
            ("a\nb", false),
        ] {
            let log = Request::UserLog { module: am(), name: name.to_owned() };
            let kept = Request::ConfigurationGet { module: am(), name: name.to_owned() };
            let back =
                Request::ConfigurationRestore { module: am(), name: name.to_owned(), if_signature: None };
            for request in [log, kept, back] {
                assert_eq!(request.check().is_ok(), good, "{name}");
            }
        }
    }

    #[test]
    fn conditions_are_signatures() {
        for (list, good) in [
            (vec![], true),
            (vec!["", "00ff"], true),
            (vec!["a\nb"], false),
            (vec![&*"f".repeat(65)], false),
            (vec!["00"; 65], false),
        ] {
            let list: Vec<String> = list.into_iter().map(str::to_owned).collect();
            let request = Request::Config { module: am(), if_signature: Some(list.clone()) };
            assert_eq!(request.check().is_ok(), good, "{list:?}");
        }
    }

    #[test]
    fn templates_stay_in_their_directory() {
        for (name, good) in
            [("mirror.safe", true), ("generic/mirror.safe", true), ("../x", false), ("/etc/x", false)]
        {
            assert_eq!(template(name).is_ok(), good, "{name}");
        }
    }
}

//! `SAFE/web/conf/httpd.conf`: lines `Define <name> [<value>]` (WEB-40). Read once, at the start.

use super::auth::tokens::MOST_DAYS;
use super::pki::CA_PORT;
use crate::control::Access;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// Longest file that is read, bytes.
const LONGEST: u64 = 1 << 20;
/// `tokendays` without a line.
const TOKEN_DAYS: u32 = 30;

/// Names that may be defined.
const NAMES: [&str; 27] = [
    "httpport",
    "httpsport",
    "usefile",
    "useldap",
    "useopenid",
    "httpadmin",
    "httpcontrol",
    "clientcertificates",
    "LogLevel",
    "accesslog",
    "openmetrics",
    "servernames",
    "tokendays",
    "binddn",
    "bindpwd",
    "searchurl",
    "admingroup",
    "controlgroup",
    "monitorgroup",
    "OIDCProviderMetadataURL",
    "OIDCClientID",
    "OIDCClientSecret",
    "OIDCRemoteUserClaim",
    "OIDCScope",
    "AdminClaim",
    "ControlClaim",
    "MonitorClaim",
];

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It lets everybody in, and HTTPS is on.
    #[error(
        "{}: without usefile, useldap or useopenid everybody is let in, which is for HTTP only: define one of them or clientcertificates, or remove ssl/httpd.webconsolessl.conf",
        .0.display()
    )]
    OpenHttps(PathBuf),
    /// A line of it is wrong.
    #[error("{}:{line}: {what}", file.display())]
    Line {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong, and what to write.
        what: String,
    },
}

/// A `Define` of the file.
#[derive(Clone, PartialEq, Eq)]
pub struct Define {
    /// Its value; empty without one.
    pub value: String,
    /// Its line, from 1.
    pub line: usize,
}

/// Who may log in, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Everybody, with this role and without login (WEB-45); with HTTPS nobody but who shows a certificate.
    Nobody(Access),
    /// The users of user.conf.
    File,
    /// Those of a directory.
    Ldap,
    /// Those of an identity provider.
    OpenId,
}

/// What the file says.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// The file, for messages.
    pub file: PathBuf,
    /// Port of HTTP; with HTTPS it only redirects.
    pub http_port: u16,
    /// Port of HTTPS.
    pub https_port: u16,
    /// Who may log in.
    pub method: Method,
    /// Whether users may show certificates instead of logging in, with HTTPS.
    pub client_certificates: bool,
    /// Level of its own log, as `tracing` wants it.
    pub log_level: String,
    /// Whether each request leaves a line in SAFEVAR/access.log.
    pub access_log: bool,
    /// Whether `/metrics` needs no login.
    pub open_metrics: bool,
    /// Names by which this service is asked besides those of the node and its cluster.
    pub server_names: Vec<String>,
    /// Most days that a token lives whose maker is not asked for again.
    pub token_days: u32,
    defines: BTreeMap<String, Define>,
}

/// Without the values: some are passwords.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("method", &self.method)
            .field("defined", &self.defines.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

impl Settings {
    /// Reads the file; a file that is not there gives the settings of the delivered one.
    pub fn read(file: &Path) -> Result<Settings, SettingsError> {
        Settings::parse(file, text(file)?.as_deref().unwrap_or("Define usefile"))
    }

    /// Checks the text of the file.
    pub fn parse(file: &Path, text: &str) -> Result<Settings, SettingsError> {
        let wrong = |(line, what)| SettingsError::Line { file: file.to_owned(), line, what };
        let defines = defines(text, &NAMES).map_err(wrong)?;
        Settings::of(file, defines).map_err(wrong)
    }

    /// Refuses a service with HTTPS that nobody needs to log in to (WEB-45).
    pub fn check_https(&self, https: bool) -> Result<(), SettingsError> {
        match self.method {
            Method::Nobody(_) if https && !self.client_certificates => {
                Err(SettingsError::OpenHttps(self.file.clone()))
            }
            _ => Ok(()),
        }
    }

    /// What is defined under a name, if it is.
    pub fn define(&self, name: &str) -> Option<&Define> {
        self.defines.get(name)
    }

    /// All that is defined, as one text: the same for the same settings, wherever they stand in the file.
    pub fn text(&self) -> String {
        self.defines.iter().map(|(name, define)| format!("{name} {}\n", define.value)).collect()
    }

    /// The error for a define whose value is wrong.
    pub fn wrong(&self, define: &Define, what: impl Into<String>) -> SettingsError {
        SettingsError::Line { file: self.file.clone(), line: define.line, what: what.into() }
    }

    fn of(file: &Path, defines: BTreeMap<String, Define>) -> Result<Settings, (usize, String)> {
        let (http_port, https_port) = (port(&defines, "httpport", 9010)?, port(&defines, "httpsport", 9453)?);
        if http_port == https_port {
            let line = defines.get("httpsport").or(defines.get("httpport")).map_or(1, |d| d.line);
            return Err((line, format!("httpport and httpsport are both {http_port}: give them two ports")));
        }
        Ok(Settings {
            file: file.to_owned(),
            http_port,
            https_port,
            method: method(&defines)?,
            client_certificates: defines.contains_key("clientcertificates"),
            log_level: log_level(&defines)?,
            access_log: defines.contains_key("accesslog"),
            open_metrics: defines.contains_key("openmetrics"),
            server_names: defines.get("servernames").map(words).unwrap_or_default(),
            token_days: token_days(&defines)?,
            defines,
        })
    }
}

/// The port of the CA service: `Define caport` of httpd.caserv.conf, 9001 without it.
pub fn ca_port(file: &Path) -> Result<u16, SettingsError> {
    parse_ca_port(file, &text(file)?.unwrap_or_default())
}

/// The same of the text of the file.
pub fn parse_ca_port(file: &Path, text: &str) -> Result<u16, SettingsError> {
    let wrong = |(line, what)| SettingsError::Line { file: file.to_owned(), line, what };
    let defines = defines(text, &["caport"]).map_err(wrong)?;
    port(&defines, "caport", CA_PORT).map_err(wrong)
}

/// The text of a file, if there is one.
fn text(file: &Path) -> Result<Option<String>, SettingsError> {
    let failed = |source| SettingsError::Read { file: file.to_owned(), source };
    match std::fs::metadata(file) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(failed(e)),
        Ok(of) if of.len() > LONGEST => {
            Err(failed(std::io::Error::other(format!("it is longer than {LONGEST} bytes"))))
        }
        Ok(_) => std::fs::read_to_string(file).map(Some).map_err(failed),
    }
}

fn defines(text: &str, names: &[&str]) -> Result<BTreeMap<String, Define>, (usize, String)> {
    let mut defines = BTreeMap::new();
    for (line, text) in text.lines().enumerate().map(|(i, text)| (i + 1, text.trim())) {
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let rest = match text.split_once(char::is_whitespace) {
            Some(("Define", rest)) => rest.trim(),
            // As the guide writes the lines of OpenID Connect.
            _ if text.starts_with("OIDC") => text,
            _ => return Err((line, format!("\"{text}\" is not a line Define <name> [<value>]"))),
        };
        let (name, value) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        if !names.contains(&name) {
            return Err((line, format!("\"{name}\" is no setting: write one of {}", names.join(", "))));
        }
        let define = Define { value: unquoted(value.trim()).map_err(|what| (line, what))?, line };
        if let Some(before) = defines.insert(name.to_owned(), define) {
            return Err((line, format!("{name} is defined in line {} already", before.line)));
        }
    }
    Ok(defines)
}

/// The words of a value, with blanks or commas between.
fn words(define: &Define) -> Vec<String> {
    let words = define.value.split([' ', '\t', ',']).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

fn unquoted(value: &str) -> Result<String, String> {
    let Some(quoted) = value.strip_prefix('"') else { return Ok(value.to_owned()) };
    match quoted.split_once('"') {
        Some((value, rest)) if rest.trim().is_empty() => Ok(value.to_owned()),
        Some(_) => Err("nothing may follow the closing quote of the value".to_owned()),
        None => Err("the value has no closing quote".to_owned()),
    }
}

fn port(defines: &BTreeMap<String, Define>, name: &str, default: u16) -> Result<u16, (usize, String)> {
    let Some(define) = defines.get(name) else { return Ok(default) };
    match define.value.parse() {
        Ok(port) if port != 0 => Ok(port),
        _ => Err((define.line, format!("{name} \"{}\" is not a port: write 1 to 65535", define.value))),
    }
}

fn token_days(defines: &BTreeMap<String, Define>) -> Result<u32, (usize, String)> {
    let Some(define) = defines.get("tokendays") else { return Ok(TOKEN_DAYS) };
    match define.value.parse() {
        Ok(days) if (1..=MOST_DAYS).contains(&days) => Ok(days),
        _ => {
            let what = format!("tokendays \"{}\" is no number of days: write 1 to {MOST_DAYS}", define.value);
            Err((define.line, what))
        }
    }
}

/// At most one of the four ways.
fn method(defines: &BTreeMap<String, Define>) -> Result<Method, (usize, String)> {
    let one = |names: &[&str]| {
        let mut set: Vec<_> = names.iter().filter_map(|n| defines.get(*n).map(|d| (d.line, *n))).collect();
        set.sort_unstable();
        match set[..] {
            [] => Ok(None),
            [(_, name)] => Ok(Some(name.to_owned())),
            [(_, first), (line, second), ..] => {
                Err((line, format!("{second} cannot be defined together with {first}: put a # before one")))
            }
        }
    };
    let everybody = one(&["httpadmin", "httpcontrol"])?;
    Ok(match one(&["usefile", "useldap", "useopenid"])?.as_deref() {
        Some("usefile") => Method::File,
        Some("useldap") => Method::Ldap,
        Some(_) => Method::OpenId,
        None => Method::Nobody(match everybody.as_deref() {
            Some("httpadmin") => Access::Admin,
            Some(_) => Access::Control,
            None => Access::Monitor,
        }),
    })
}

/// The levels of Apache that people know, too.
fn log_level(defines: &BTreeMap<String, Define>) -> Result<String, (usize, String)> {
    let Some(define) = defines.get("LogLevel") else { return Ok("info".to_owned()) };
    let level = match define.value.as_str() {
        "emerg" | "alert" | "crit" | "error" => "error",
        "warn" => "warn",
        "notice" | "info" => "info",
        "debug" => "debug",
        level if level.starts_with("trace") => "trace",
        other => {
            let what = format!("LogLevel \"{other}\" is no level: write error, warn, info, debug or trace");
            return Err((define.line, what));
        }
    };
    Ok(level.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Settings, String> {
        Settings::parse(Path::new("/conf/httpd.conf"), text).map_err(|e| e.to_string())
    }

    #[test]
    fn defaults_are_those_of_the_guide() {
        let read = parse("# none\n\nDefine usefile\n").unwrap();
        assert_eq!((read.http_port, read.https_port, read.method), (9010, 9453, Method::File));
        assert!(!read.access_log && !read.open_metrics);
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Settings::read(&dir.path().join("none")).unwrap().method, Method::File);
    }

    #[test]
    fn without_a_method_a_role_is_chosen() {
        for (text, access) in [
            ("#Define usefile", Access::Monitor),
            ("Define httpcontrol", Access::Control),
            ("Define httpadmin", Access::Admin),
        ] {
            let read = parse(text).unwrap();
            assert_eq!(read.method, Method::Nobody(access), "{text}");
            assert!(read.check_https(false).is_ok() && read.check_https(true).is_err(), "{text}");
        }
    }

    #[test]
    fn values_may_be_quoted_and_openid_lines_bare() {
        let read = parse("Define useldap\nDefine bindpwd \"two words\"\nOIDCScope \"openid email\"").unwrap();
        assert_eq!(read.define("bindpwd").unwrap().value, "two words");
        assert_eq!(read.define("OIDCScope").unwrap().value, "openid email");
        assert!(!format!("{read:?}").contains("two words"), "a password in a debug text");
        let names = parse("Define servernames \"ha.example.com, ha\"").unwrap().server_names;
        assert_eq!(names, ["ha.example.com", "ha"]);
        assert!(parse("Define clientcertificates").unwrap().check_https(true).is_ok());
    }

    #[test]
    fn errors_name_file_and_line() {
        for (text, error) in [
            ("Define httpport 70000", "/conf/httpd.conf:1: httpport \"70000\" is not a port"),
            ("\nListen 80", "/conf/httpd.conf:2: \"Listen 80\" is not a line Define"),
            ("Define uselldap", "/conf/httpd.conf:1: \"uselldap\" is no setting"),
            (
                "Define usefile\nDefine useldap",
                "/conf/httpd.conf:2: useldap cannot be defined together with usefile",
            ),
            ("Define httpport 1\nDefine httpport 2", "/conf/httpd.conf:2: httpport is defined in line 1"),
            ("Define httpport 443\nDefine httpsport 443", "/conf/httpd.conf:2: httpport and httpsport"),
            ("Define LogLevel loud", "/conf/httpd.conf:1: LogLevel \"loud\""),
            ("Define tokendays 0", "/conf/httpd.conf:1: tokendays \"0\" is no number of days"),
            ("Define bindpwd \"x", "/conf/httpd.conf:1: the value has no closing quote"),
        ] {
            let said = parse(text).unwrap_err();
            assert!(said.starts_with(error), "{said}");
        }
        let ca = |text: &str| parse_ca_port(Path::new("/conf/c"), text).map_err(|e| e.to_string());
        assert_eq!((ca(""), ca("Define caport 9002")), (Ok(CA_PORT), Ok(9002)));
        assert!(ca("Define httpport 1").unwrap_err().starts_with("/conf/c:1: \"httpport\" is no setting"));
    }
}

//! Where everything lives (spec/admin.md 1). Every path of the product is made here.

use crate::ids::ModuleName;
use std::path::{Path, PathBuf};

/// Default of the environment variable `SAFE` (ADM-01).
pub const DEFAULT_SAFE: &str = "/opt/safekit";
/// Default of the environment variable `SAFEVAR` (ADM-02).
pub const DEFAULT_SAFEVAR: &str = "/var/safekit";

/// The two roots: installation and working files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// Installation, read-mostly (ADM-01).
    pub safe: PathBuf,
    /// Working files (ADM-02).
    pub safevar: PathBuf,
}

/// Why the roots are refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable}=\"{}\" is not an absolute path: set {variable} to an absolute path or unset it", value.display())]
pub struct BadRoot {
    /// `SAFE` or `SAFEVAR`.
    pub variable: &'static str,
    /// Its value.
    pub value: PathBuf,
}

impl Paths {
    /// Both roots from the environment, with the defaults of the product; absolute paths only.
    pub fn from_env() -> Result<Paths, BadRoot> {
        let root = |variable: &'static str, default: &str| {
            let value = match std::env::var_os(variable) {
                Some(v) if !v.is_empty() => PathBuf::from(v),
                _ => PathBuf::from(default),
            };
            if value.is_absolute() { Ok(value) } else { Err(BadRoot { variable, value }) }
        };
        Ok(Paths { safe: root("SAFE", DEFAULT_SAFE)?, safevar: root("SAFEVAR", DEFAULT_SAFEVAR)? })
    }

    /// Roots chosen by the caller, who gives absolute paths.
    pub fn new(safe: impl Into<PathBuf>, safevar: impl Into<PathBuf>) -> Paths {
        Paths { safe: safe.into(), safevar: safevar.into() }
    }

    /// Special commands: `SAFEBIN` (ADM-03).
    pub fn safebin(&self) -> PathBuf {
        self.safe.join("private/bin")
    }

    /// License keys and other files of the node: `SAFE/conf` (ADM-04).
    pub fn conf(&self) -> PathBuf {
        self.safe.join("conf")
    }

    /// Default rules: `SAFE/private/conf/include` (ADM-12).
    pub fn include(&self) -> PathBuf {
        self.safe.join("private/conf/include")
    }

    /// Delivered and uploaded `.safe` files (ADM-05).
    pub fn application_modules(&self) -> PathBuf {
        self.safe.join("Application_Modules")
    }

    /// All installed modules: `SAFE/modules`.
    pub fn modules(&self) -> PathBuf {
        self.safe.join("modules")
    }

    /// Editable module: `SAFE/modules/AM` (ADM-06).
    pub fn module(&self, am: &ModuleName) -> PathBuf {
        self.modules().join(am.as_str())
    }

    /// Editable configuration file of a module (CFG-GEN-01).
    pub fn userconfig(&self, am: &ModuleName) -> PathBuf {
        self.module(am).join("conf/userconfig.xml")
    }

    /// Last successful configurations of all modules (ADM-07).
    pub fn lastconfig(&self) -> PathBuf {
        self.modules().join("lastconfig")
    }

    /// Active configuration: `SAFE/private/modules/AM` (ADM-08).
    pub fn active(&self, am: &ModuleName) -> PathBuf {
        self.safe.join("private/modules").join(am.as_str())
    }

    /// Active configuration file of a module.
    pub fn active_userconfig(&self, am: &ModuleName) -> PathBuf {
        self.active(am).join("conf/userconfig.xml")
    }

    /// Active scripts: `SAFEUSERBIN` (ADM-08).
    pub fn userbin(&self, am: &ModuleName) -> PathBuf {
        self.active(am).join("bin")
    }

    /// Working files of a module: `SAFEUSERVAR` (ADM-09).
    pub fn uservar(&self, am: &ModuleName) -> PathBuf {
        self.safevar.join("modules").join(am.as_str())
    }

    /// cluster.xml, cluster_ip.xml and keys (ADM-10).
    pub fn cluster(&self) -> PathBuf {
        self.safevar.join("cluster")
    }

    /// The cluster configuration of this node.
    pub fn cluster_xml(&self) -> PathBuf {
        self.cluster().join("cluster.xml")
    }

    /// The resolved addresses of the cluster (CFG-CL-13).
    pub fn cluster_ip_xml(&self) -> PathBuf {
        self.cluster().join("cluster_ip.xml")
    }

    /// Configuration of the web service: `SAFE/web/conf` (ADM-13).
    pub fn web_conf(&self) -> PathBuf {
        self.safe.join("web/conf")
    }

    /// What the web service keeps for itself: it may write here.
    pub fn web_var(&self) -> PathBuf {
        self.safevar.join("web")
    }

    /// Who is logged in to the web service.
    pub fn web_sessions(&self) -> PathBuf {
        self.web_var().join("sessions.json")
    }

    /// Settings of the web service (WEB-40).
    pub fn httpd_conf(&self) -> PathBuf {
        self.web_conf().join("httpd.conf")
    }

    /// Settings of the CA service (WEB-41).
    pub fn caserv_conf(&self) -> PathBuf {
        self.web_conf().join("httpd.caserv.conf")
    }

    /// File whose presence turns HTTPS on (WEB-46).
    pub fn https_switch(&self) -> PathBuf {
        self.web_conf().join("ssl/httpd.webconsolessl.conf")
    }

    /// Sockets and files that last as long as the services.
    pub fn run(&self) -> PathBuf {
        self.safevar.join("run")
    }

    /// Local socket of `safeadmin`.
    pub fn admin_socket(&self) -> PathBuf {
        self.run().join("safeadmin.sock")
    }

    /// Local socket of `safeguard`.
    pub fn guard_socket(&self) -> PathBuf {
        self.run().join("safeguard.sock")
    }

    /// Dumps and configurations kept for the support: `SAFEVAR/snapshot` (ADM-11).
    pub fn snapshot(&self) -> PathBuf {
        self.safevar.join("snapshot")
    }

    /// Commands log of the node (ADM-25).
    pub fn node_log_db(&self) -> PathBuf {
        self.safevar.join("log.db")
    }

    /// Installed modules of the node and their history (ADM-25).
    pub fn node_resource_db(&self) -> PathBuf {
        self.safevar.join("resource.db")
    }

    /// Log of a module (ADM-25).
    pub fn log_db(&self, am: &ModuleName) -> PathBuf {
        self.uservar(am).join("log.db")
    }

    /// Resources of a module and their history (ADM-25).
    pub fn resource_db(&self, am: &ModuleName) -> PathBuf {
        self.uservar(am).join("resource.db")
    }
}

/// The default installation.
impl Default for Paths {
    fn default() -> Self {
        Paths::new(Path::new(DEFAULT_SAFE), Path::new(DEFAULT_SAFEVAR))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_guide() {
        let p = Paths::default();
        let am: ModuleName = "AM".parse().unwrap();
        for (made, wanted) in [
            (p.safebin(), "/opt/safekit/private/bin"),
            (p.application_modules(), "/opt/safekit/Application_Modules"),
            (p.userconfig(&am), "/opt/safekit/modules/AM/conf/userconfig.xml"),
            (p.lastconfig(), "/opt/safekit/modules/lastconfig"),
            (p.userbin(&am), "/opt/safekit/private/modules/AM/bin"),
            (p.cluster_xml(), "/var/safekit/cluster/cluster.xml"),
            (p.resource_db(&am), "/var/safekit/modules/AM/resource.db"),
            (p.guard_socket(), "/var/safekit/run/safeguard.sock"),
        ] {
            assert_eq!(made, Path::new(wanted));
        }
    }
}

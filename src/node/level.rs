//! `safekit level`: host, system, version and license of this node (CLI-080).

use std::fmt;
use std::fs;

/// The four lines of `safekit level`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Level {
    /// Name of the machine.
    pub host: String,
    /// Name and version of the system, then the kernel.
    pub os: String,
    /// Version of this product.
    pub safekit: String,
}

impl Level {
    /// Reads what the system says; what it does not say is printed as `unknown`.
    pub fn of_this_node() -> Level {
        let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Level { host: hostname(), os: os(&release, kernel.trim()), safekit: env!("CARGO_PKG_VERSION").into() }
    }
}

/// Name of this machine, `unknown` if the system has none that is text.
pub fn hostname() -> String {
    nix::unistd::gethostname()
        .ok()
        .and_then(|name| name.into_string().ok())
        .unwrap_or_else(|| "unknown".into())
}

fn os(release: &str, kernel: &str) -> String {
    let name = release
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="))
        .map_or("unknown", |value| value.trim_matches(['"', '\'']));
    format!("{name} {kernel}").trim_end().to_owned()
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Host : {}", self.host)?;
        writeln!(f, "OS : {}", self.os)?;
        writeln!(f, "SafeKit : {}", self.safekit)?;
        // Nothing is licensed and nothing ever stops for want of a key (AMB-27).
        write!(f, "License : none required")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_lines() {
        let release = "ID=debian\nPRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\n";
        let level = Level { host: "node1".into(), os: os(release, "6.12.0-amd64"), safekit: "0.1.0".into() };
        assert_eq!(
            level.to_string(),
            "Host : node1\nOS : Debian GNU/Linux 13 (trixie) 6.12.0-amd64\nSafeKit : 0.1.0\nLicense : none required"
        );
        assert_eq!(os("", ""), "unknown");
    }

    #[test]
    fn this_machine_has_a_host_and_a_kernel() {
        let level = Level::of_this_node();
        assert_ne!(level.host, "unknown");
        assert!(level.os.contains(' '), "{}", level.os);
    }
}

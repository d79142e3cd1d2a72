//! The systemd units and the installation script do what the design demands.

use super::modules;
use crate::config::paths::Paths;
use crate::ids::ModuleName;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const TREE: &str = env!("CARGO_MANIFEST_DIR");

fn unit_file(name: &str) -> PathBuf {
    Path::new(TREE).join("conf/systemd").join(name)
}

/// `Section.Key` -> all words of all its lines.
fn unit(name: &str) -> BTreeMap<String, Vec<String>> {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut section = String::new();
    for line in fs::read_to_string(unit_file(name)).unwrap().lines().filter(|line| !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = name.to_owned();
        } else if let Some((key, value)) = line.split_once('=') {
            let words = value.split_whitespace().map(str::to_owned);
            all.entry(format!("{section}.{key}")).or_default().extend(words);
        }
    }
    all
}

#[test]
fn units_keep_the_control_plane_alive_and_the_application_untouched() {
    for name in ["safeadmin.service", "safeguard.service"] {
        let unit = unit(name);
        for (key, value) in [
            ("Service.KillMode", "process"),
            ("Service.Delegate", "yes"),
            ("Service.Restart", "always"),
            ("Service.OOMScoreAdjust", "-900"),
            ("Unit.StartLimitIntervalSec", "0"),
            ("Install.WantedBy", "multi-user.target"),
        ] {
            assert_eq!(unit.get(key), Some(&vec![value.to_owned()]), "{name} {key}");
        }
    }
}

#[test]
fn a_shutdown_stops_modules_first_and_the_guard_last() {
    let (admin, guard) = (unit("safeadmin.service"), unit("safeguard.service"));
    let after = &admin["Unit.After"];
    for other in ["safeguard.service", "network.target", "network-online.target", "remote-fs.target"] {
        assert!(after.iter().any(|unit| unit == other), "{other}");
    }
    assert_eq!(guard["Unit.Before"], ["safeadmin.service"]);
    // A guard that is required would stop the modules when it is restarted.
    assert!(!admin.contains_key("Unit.Requires") && !admin.contains_key("Unit.BindsTo"));
    let stop: u64 = admin["Service.TimeoutStopSec"][0].strip_suffix("min").unwrap().parse().unwrap();
    // Three stop scripts, each run normally and by force, each for its default of 300 s.
    assert!(stop * 60 > 3 * (300 + 300), "{stop} min");
    assert!(!admin.contains_key("Service.ExecStop"), "SIGTERM stops the modules");
}

#[test]
fn systemd_accepts_the_units() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        eprintln!("skipped: systemd-analyze is not installed");
        return;
    }
    // The programs are not installed on the machine that builds: verify with one that is there.
    let dir = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for name in ["safeadmin.service", "safeguard.service"] {
        let text = fs::read_to_string(unit_file(name)).unwrap();
        let there = text
            .lines()
            .map(|line| if line.starts_with("ExecStart=") { "ExecStart=/bin/true" } else { line });
        let file = dir.path().join(name);
        fs::write(&file, there.collect::<Vec<_>>().join("\n")).unwrap();
        files.push(file);
    }
    let output = Command::new("systemd-analyze").arg("verify").args(&files).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let ours: Vec<&str> =
        said.lines().filter(|line| line.contains("safeadmin") || line.contains("safeguard")).collect();
    assert!(ours.is_empty(), "{ours:?}");
}

#[test]
fn the_script_installs_programs_directories_and_units() {
    let dir = tempfile::tempdir().unwrap();
    let (build, root) = (dir.path().join("build"), dir.path().join("root"));
    fs::create_dir(&build).unwrap();
    let install = || {
        let script = Path::new(TREE).join("scripts/install.sh");
        Command::new(script).arg("--build").arg(&build).arg("--root").arg(&root).output().unwrap()
    };
    let missing = install();
    assert!(!missing.status.success());
    assert!(String::from_utf8_lossy(&missing.stderr).contains("cargo build"));
    for program in ["safekit", "safeadmin", "safeguard", "safewebserver", "rfsbox"] {
        fs::write(build.join(program), "#!/bin/sh\n").unwrap();
        fs::set_permissions(build.join(program), fs::Permissions::from_mode(0o755)).unwrap();
    }
    // Twice: an upgrade is a second installation.
    for _ in 0..2 {
        let output = install();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let safe = root.join("opt/safekit");
    for program in ["safekit", "private/bin/safeadmin", "private/bin/safeguard", "private/bin/rfsbox"] {
        assert_eq!(
            fs::metadata(safe.join(program)).unwrap().permissions().mode() & 0o777,
            0o755,
            "{program}"
        );
    }
    assert_eq!(fs::canonicalize(safe.join("private/bin/vip_if_ctrl")).unwrap(), safe.join("safekit"));
    for there in ["Application_Modules/generic", "modules/lastconfig", "private/modules", "conf"] {
        assert!(safe.join(there).is_dir(), "{there}");
    }
    assert!(root.join("var/safekit/modules").is_dir());
    assert!(root.join("etc/systemd/system/safeadmin.service").is_file());
    // Every delivered module is found by its name and can be installed and checked.
    let paths = Paths::new(&safe, root.join("var/safekit"));
    let mut delivered = 0;
    for module in fs::read_dir(Path::new(TREE).join("conf/modules")).unwrap() {
        let am: ModuleName = module.unwrap().file_name().to_str().unwrap().parse().unwrap();
        let archive = modules::template(&paths, &am, None).unwrap();
        modules::install(&paths, &am, None, false, &archive, &[]).unwrap();
        assert!(paths.userconfig(&am).is_file() && paths.module(&am).join("bin").is_dir(), "{am}");
        delivered += 1;
    }
    assert!(delivered > 0);
}

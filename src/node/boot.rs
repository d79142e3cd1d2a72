//! What is remembered of a module across restarts: its start at boot, the settings that commands
//! make, its loop counter (CLI-033, CFG-SVC-02, RES-56).

use super::record::{self, RecordError};
use crate::config::module::Boot;
use crate::config::paths::Paths;
use crate::ids::ModuleName;
use crate::told::attempt::Attempt;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Variable that replaces the kernel's boot id: a sandbox node "boots" without its machine.
pub const BOOT_ID_VARIABLE: &str = "SAFEKIT_BOOT_ID";
const KERNEL_BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Why `safeadmin` begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beginning {
    /// The machine has booted: modules start by [`starts`].
    Boot,
    /// Only the service is back: what runs is adopted again.
    Restart,
}

/// Identity of this life of the machine: `from_env` (the value of [`BOOT_ID_VARIABLE`]) if set, else the kernel's.
pub fn boot_id(from_env: Option<String>) -> Result<String, RecordError> {
    if let Some(id) = from_env.filter(|id| !id.is_empty()) {
        return Ok(id);
    }
    let path = PathBuf::from(KERNEL_BOOT_ID);
    std::fs::read_to_string(&path)
        .map(|id| id.trim().to_owned())
        .map_err(record::io_error(Attempt::Read, &path))
}

/// Compares `boot_id` with the one that [`set_begun`] remembered.
pub fn beginning(paths: &Paths, boot_id: &str) -> Result<Beginning, RecordError> {
    let last: Option<String> = record::load(&paths.safevar.join("boot.json"))?;
    Ok(if last.as_deref() == Some(boot_id) { Beginning::Restart } else { Beginning::Boot })
}

/// Remembers this life of the machine. Call it once every module that starts at boot has recorded
/// its start: a crash of `safeadmin` before that must not cost the start.
pub fn set_begun(paths: &Paths, boot_id: &str) -> Result<(), RecordError> {
    record::store(&paths.safevar.join("boot.json"), &boot_id)
}

/// Whether a module starts at boot (T-7.15): `configured` is `<service boot=...>`, `command` the
/// setting of `safekit boot`, `was_started` whether it ran before the reboot.
pub fn starts(configured: Boot, command: bool, was_started: bool) -> bool {
    match configured {
        Boot::On => true,
        Boot::Off => false,
        Boot::Auto => was_started,
        Boot::Ignore => command,
    }
}

/// Setting of `safekit boot -m AM on|off`; off by default.
pub fn setting(paths: &Paths, module: &ModuleName) -> Result<bool, RecordError> {
    Ok(load(paths, module, "boot.json")?.unwrap_or(false))
}

/// `safekit boot -m AM on|off`.
pub fn set_setting(paths: &Paths, module: &ModuleName, on: bool) -> Result<(), RecordError> {
    record::store(&file(paths, module, "boot.json"), &on)
}

/// Whether the module was last started, not stopped, by somebody.
pub fn was_started(paths: &Paths, module: &ModuleName) -> Result<bool, RecordError> {
    Ok(load(paths, module, "started.json")?.unwrap_or(false))
}

/// Remembers a start (true) or a stop (false) for `boot="auto"`. The stop that the shutdown of the
/// machine or of the service makes is not remembered: the module was running before the reboot.
pub fn set_started(paths: &Paths, module: &ModuleName, started: bool) -> Result<(), RecordError> {
    record::store(&file(paths, module, "started.json"), &started)
}

/// What commands have set on a module, kept across restarts (RES-04, RES-07, RES-56).
/// `None`: no command has spoken, the configuration or the default holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserSettings {
    /// `failover on|off`; forgotten by `config`, whose file holds again.
    pub failover: Option<bool>,
    /// `checker on|off`.
    pub checker: Option<bool>,
    /// `errd suspend|resume`.
    pub errd: Option<bool>,
}

/// Loads the settings of a module; the default when none was ever stored.
pub fn user_settings(paths: &Paths, module: &ModuleName) -> Result<UserSettings, RecordError> {
    Ok(load(paths, module, "usersetting.json")?.unwrap_or_default())
}

/// Stores the settings of a module.
pub fn set_user_settings(
    paths: &Paths,
    module: &ModuleName,
    settings: &UserSettings,
) -> Result<(), RecordError> {
    record::store(&file(paths, module, "usersetting.json"), settings)
}

/// Loads the loop counter of a module (ST-60); `None` when it never moved.
pub fn loop_counter<T: DeserializeOwned>(
    paths: &Paths,
    module: &ModuleName,
) -> Result<Option<T>, RecordError> {
    load(paths, module, "maxloop.json")
}

/// Stores the loop counter of a module.
pub fn set_loop_counter<T: Serialize>(
    paths: &Paths,
    module: &ModuleName,
    counter: &T,
) -> Result<(), RecordError> {
    record::store(&file(paths, module, "maxloop.json"), counter)
}

fn file(paths: &Paths, module: &ModuleName, name: &str) -> PathBuf {
    paths.uservar(module).join(name)
}

fn load<T: DeserializeOwned>(
    paths: &Paths,
    module: &ModuleName,
    name: &str,
) -> Result<Option<T>, RecordError> {
    record::load(&file(paths, module, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t_7_15_who_starts_at_boot() {
        // Columns: command off/not started, off/started, on/not started, on/started.
        for (configured, wanted) in [
            (Boot::On, [true, true, true, true]),
            (Boot::Off, [false, false, false, false]),
            (Boot::Auto, [false, true, false, true]),
            (Boot::Ignore, [false, false, true, true]),
        ] {
            let cases = [(false, false), (false, true), (true, false), (true, true)];
            let made = cases.map(|(command, was)| starts(configured, command, was));
            assert_eq!(made, wanted, "{configured}");
        }
    }

    #[test]
    fn settings_are_off_until_set_and_survive() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path().join("safe"), root.path().join("var"));
        let am: ModuleName = "mirror".parse().unwrap();
        assert!(!setting(&paths, &am).unwrap());
        assert!(!was_started(&paths, &am).unwrap());
        assert_eq!(user_settings(&paths, &am).unwrap(), UserSettings::default());
        assert_eq!(loop_counter::<u32>(&paths, &am).unwrap(), None);
        let settings = UserSettings { failover: Some(false), ..UserSettings::default() };
        set_setting(&paths, &am, true).unwrap();
        set_started(&paths, &am, true).unwrap();
        set_user_settings(&paths, &am, &settings).unwrap();
        set_loop_counter(&paths, &am, &2u32).unwrap();
        assert!(setting(&paths, &am).unwrap());
        assert!(was_started(&paths, &am).unwrap());
        assert_eq!(user_settings(&paths, &am).unwrap(), settings);
        assert_eq!(loop_counter(&paths, &am).unwrap(), Some(2u32));
        std::fs::write(paths.uservar(&am).join("boot.json"), "tru").unwrap();
        assert!(matches!(setting(&paths, &am), Err(RecordError::Damaged { .. })));
    }

    #[test]
    fn a_new_boot_id_is_a_boot_and_the_same_one_a_restart() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path().join("safe"), root.path().join("var"));
        let first = boot_id(Some("life-1".into())).unwrap();
        for _ in 0..2 {
            assert_eq!(beginning(&paths, &first).unwrap(), Beginning::Boot);
        }
        set_begun(&paths, &first).unwrap();
        assert_eq!(beginning(&paths, &first).unwrap(), Beginning::Restart);
        assert_eq!(beginning(&paths, "life-2").unwrap(), Beginning::Boot);
        assert_eq!(boot_id(None).unwrap().len(), 36);
    }
}

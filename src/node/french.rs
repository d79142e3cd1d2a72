//! Why a module cannot be configured, or its archive used, in French; the errors print in English.

use super::configure::ConfigureError;
use crate::config::archive::ArchiveError;
use crate::told::Tell;

impl Tell for ConfigureError {
    fn french(&self) -> String {
        use ConfigureError as E;
        match self {
            E::NotInstalled(m) => {
                format!(
                    "le module {m} n'est pas installé : installez-le par \"safekit module install -m {m}\""
                )
            }
            E::NoFile(path) => {
                format!("{} : ce fichier manque : un module y est configuré", path.display())
            }
            E::Busy(m) => format!(
                "le module {m} ne peut être configuré que dans les états stables STOP, ALONE et WAIT : arrêtez-le \
                 d'abord"
            ),
            E::Running(m) => format!("le module {m} s'exécute : arrêtez-le d'abord"),
            E::Config(e) => e.french(),
            E::NotDynamic(what) => format!(
                "seuls des changements dynamiques sont possibles pendant que le module s'exécute ; arrêtez-le pour \
                 changer : {}",
                what.join(", ")
            ),
            E::Cluster(e) => e.french(),
            E::Script(e) => e.french(),
            E::Archive(e) => e.french(),
            E::Crontab(e) => e.french(),
            E::Record(e) => e.french(),
            E::Replicated(e) => e.french(),
        }
    }
}

impl Tell for ArchiveError {
    fn french(&self) -> String {
        use ArchiveError as E;
        match self {
            E::Zip(e) => {
                format!("ce n'est pas une archive .safe lisible : {e} ; refaites l'archive du module")
            }
            E::Duplicate => "archive refusée : un nom y est deux fois".to_owned(),
            E::TooMany(most) => format!("archive refusée : plus de {most} entrées"),
            E::TooLarge(most) => format!("archive refusée : plus de {most} octets une fois extraite"),
            E::Ratio(most) => format!("archive refusée : plus de {most} fois sa taille une fois extraite"),
            E::NoUserconfig => {
                "archive refusée : elle ne contient pas conf/userconfig.xml, ce n'est donc pas un module"
                    .to_owned()
            }
            E::Exists(path) => format!("{} existe déjà : supprimez-le d'abord", path.display()),
            E::Entry { name, what } => {
                format!("archive refusée : l'entrée \"{name}\" {}", what.french())
            }
            E::Io { what, path, source } => {
                format!("impossible de {} {} : {source}", what.french(), path.display())
            }
        }
    }
}

//! Why a command of a user fails, in French; [`AdminError`] prints in English.

use super::error::{ANSWER_S, AdminError, TURN_S};
use super::watchers::WATCHERS;
use crate::ids::ModuleName;
use crate::log::Lang;
use crate::node::modules::ModuleError;
use crate::told::Tell;

fn of(module: &ModuleName, what: &str) -> String {
    format!("le module {module} {what}")
}

impl Tell for AdminError {
    fn french(&self) -> String {
        use AdminError as E;
        match self {
            E::NotInstalled(m) => ModuleError::NotInstalled(m.clone()).french(),
            E::NotConfigured(m) => {
                format!("le module {m} n'est pas configuré : exécutez \"safekit config -m {m}\"")
            }
            E::NotLaunched(m, why) => format!("le module {m} ne peut pas s'exécuter : {}", why.of(Lang::Fr)),
            E::NoAnswer(m) => format!(
                "le module {m} ne répond pas en {ANSWER_S} s : voir le journal de safeadmin (journalctl -u safeadmin)"
            ),
            E::NoCluster => {
                format!("le cluster ne répond pas en {ANSWER_S} s : voir le journal de safeadmin")
            }
            E::Busy(m) => of(m, "est en cours de configuration ou de relance : réessayez ensuite"),
            E::Turn => {
                format!("un autre changement est en cours depuis {TURN_S} s : réessayez plus tard")
            }
            E::Archives => {
                "d'autres archives sont en cours d'envoi : réessayez quand l'une est terminée".to_owned()
            }
            E::Running(m, why) => of(m, &format!("s'exécute : arrêtez-le d'abord ({})", why.of(Lang::Fr))),
            E::Conflict(what) => format!(
                "{} a changé entre-temps : regardez ce qu'il en est maintenant, puis changez cela ; rien n'a été changé",
                what.of(Lang::Fr)
            ),
            E::NoUserlog(name, m) => format!(
                "\"{name}\" n'est pas un journal de script du module {m} : le module a redémarré, ou ses journaux \
                 ont été effacés"
            ),
            E::NoConfiguration(name, m) => format!(
                "\"{name}\" n'est pas l'une des dernières configurations réussies du module {m} : donnez-en une de \
                 la liste"
            ),
            E::Watchers => {
                format!("{WATCHERS} observateurs regardent déjà ce nœud : fermez une fenêtre de la console")
            }
            E::Stopping => {
                "les modules de ce nœud s'arrêtent : rien ne peut être démarré maintenant".to_owned()
            }
            E::NoRfs(m) => of(m, "n'a pas de répertoires répliqués : il est configuré sans <rfs>"),
            E::Broken(error) => {
                format!("le travail a été interrompu : {error} ; voir le journal de safeadmin")
            }
            E::NoFarm(m) => of(
                m,
                "n'est pas une ferme : seuls les modules avec mode=\"farm\" partagent les clients entre les nœuds",
            ),
            E::NotUp(m) => of(m, "n'est pas UP sur ce nœud : demandez à un nœud où il l'est, ou démarrez-le"),
            E::NoPlace(why) | E::Rfs(why) => why.of(Lang::Fr).to_owned(),
            E::Rescue(e) => e.french(),
            E::Refused(e) => e.french(),
            E::Module(e) => e.french(),
            E::Configure(e) => e.french(),
            E::Cluster(e) => e.french(),
            E::Setup(e) => e.french(),
            E::Zip(e) => e.french(),
            E::Faults(e) => e.french(),
            E::Key(e) => e.french(),
            E::Record(e) => e.french(),
            E::Store(e) => e.french(),
            E::Userlog(e) => e.french(),
            E::Webserver(e) => e.french(),
            E::Firewall(e) => e.french(),
            E::Identity(e) => e.french(),
            E::Pair(e) => e.french(),
            E::Farm(e) => e.french(),
            E::Filter(e) => e.french(),
            E::Launch(e) => e.french(),
            E::Io(path, error) => format!("{} : {error}", path.display()),
        }
    }
}

#[cfg(test)]
#[path = "french_tests.rs"]
mod tests;

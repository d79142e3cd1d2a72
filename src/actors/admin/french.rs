//! Why a command of a user fails, in French; [`AdminError`] prints in English.

use super::error::{ANSWER_S, AdminError, TURN_S};
use super::farm::FarmError;
use super::pair::PairError;
use super::watchers::WATCHERS;
use crate::actors::cluster::SetupError;
use crate::log::Lang;
use crate::told::Tell;

impl Tell for AdminError {
    fn french(&self) -> String {
        use AdminError as E;
        match self {
            E::NotInstalled(m) => {
                format!(
                    "le module {m} n'est pas installé : installez-le par \"safekit module install -m {m}\""
                )
            }
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
            E::Busy(m) => {
                format!("le module {m} est en cours de configuration : réessayez quand elle est terminée")
            }
            E::Turn => {
                format!(
                    "un autre changement de configuration est en cours depuis {TURN_S} s : réessayez plus tard"
                )
            }
            E::Running(m, why) => format!("le module {m} s'exécute : arrêtez-le d'abord ({why})"),
            E::Conflict(_) => {
                "il y a eu un changement entre-temps : regardez ce qu'il en est maintenant, puis \
                changez cela ; rien n'a été changé"
                    .to_owned()
            }
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
            E::NoPlace(why) => why.of(Lang::Fr).to_owned(),
            E::NoRfs(m) => {
                format!("le module {m} n'a pas de répertoires répliqués : il est configuré sans <rfs>")
            }
            E::Broken(error) => {
                format!("le travail a été interrompu : {error} ; voir le journal de safeadmin")
            }
            E::NoFarm(m) => format!(
                "le module {m} n'est pas une ferme : seuls les modules avec mode=\"farm\" partagent les clients entre \
                 les nœuds"
            ),
            E::NotUp(m) => format!(
                "le module {m} n'est pas UP sur ce nœud : demandez à un nœud où il l'est, ou démarrez-le"
            ),
            other => wrapped(other),
        }
    }
}

/// What another part of the node has said.
fn wrapped(error: &AdminError) -> String {
    use AdminError as E;
    match error {
        E::Refused(e) => e.french(),
        E::Module(e) => e.french(),
        E::Configure(e) => e.french(),
        E::Cluster(e) => e.french(),
        E::Setup(e) => e.french(),
        E::Zip(e) => e.french(),
        E::Faults(e) => e.french(),
        E::Key(e) => e.french(),
        E::Record(e) => e.french(),
        E::Identity(e) => e.french(),
        E::Pair(e) => e.french(),
        E::Farm(e) => e.french(),
        // What the system, its disk, the replication or a program said: it is English everywhere.
        other => other.to_string(),
    }
}

impl Tell for PairError {
    fn french(&self) -> String {
        match self {
            PairError::NoHeart => "<heart> manque : un module miroir a des heartbeats".to_owned(),
            PairError::Nobody(m) => format!(
                "aucun autre nœud de cluster.xml n'est sur tous les réseaux de heartbeat du module {m} : corrigez les \
                 noms de ses <heartbeat> ou cluster.xml"
            ),
            PairError::Unknown { module, nodes } => format!(
                "l'autre nœud du module {module} n'est pas connu : installez-le et configurez-le sur l'un de {nodes}, \
                 qui doit être en ligne"
            ),
            PairError::Elsewhere(e) => e.french(),
            PairError::NotOnLan { ident, lan, node } => format!(
                "heartbeat {ident} : le nœud {node} n'est pas sur le lan \"{lan}\" de cluster.xml : ajoutez-le ou \
                 prenez un autre lan"
            ),
            PairError::Unresolved { ident, addr, error } => format!(
                "heartbeat {ident} : l'adresse \"{addr}\" ne peut pas être résolue ({error}) : corrigez le serveur de \
                 noms ou écrivez l'adresse"
            ),
            PairError::NotOurs(ident) => format!(
                "heartbeat {ident} : exactement une de ses deux adresses <server> doit être une adresse de cette \
                 machine ; utilisez <heartbeat name=\"...\"> avec un lan de cluster.xml"
            ),
        }
    }
}

impl Tell for FarmError {
    fn french(&self) -> String {
        match self {
            FarmError::NoLan(lan) => {
                format!(
                    "<farm> : le lan \"{lan}\" n'est pas dans cluster.xml : corrigez son nom ou cluster.xml"
                )
            }
            FarmError::NotOnLan { lan, node } => format!(
                "<farm> : ce nœud, {node}, n'est pas sur le lan \"{lan}\" : ajoutez-le ou prenez un autre lan"
            ),
            FarmError::NoNode { lan, node } => format!(
                "<farm> : le nœud {node} du lan \"{lan}\" n'est pas dans cluster.xml : corrigez son nom ou cluster.xml"
            ),
            FarmError::Unresolved { lan, node } => format!(
                "<farm> : l'adresse de {node} sur le lan \"{lan}\" ne peut pas être résolue : corrigez le serveur de \
                 noms ou écrivez l'adresse"
            ),
        }
    }
}

impl Tell for SetupError {
    fn french(&self) -> String {
        match self {
            // Limits that no real cluster reaches.
            SetupError::TooMany { .. } => self.to_string(),
            SetupError::NotInCluster(node) => {
                format!("le nœud {node} n'est pas dans cluster.xml : ajoutez-le, ou corrigez SAFEKIT_NODE")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fsm::instance::Refused;
    use crate::node::cluster::ClusterError;
    use crate::node::configure::ConfigureError;
    use crate::node::modules::ModuleError;

    /// What pages show often is French in French, and names what the English text names.
    #[test]
    fn common_failures_are_french() {
        let m = || "web_am".parse().unwrap();
        let errors: [AdminError; 13] = [
            AdminError::NotInstalled(m()),
            AdminError::NotConfigured(m()),
            AdminError::NotLaunched(m(), crate::told::told!("web_am is here", "web_am est ici")),
            AdminError::NoAnswer(m()),
            AdminError::Busy(m()),
            AdminError::Running(m(), "web_am".to_owned()),
            AdminError::NotUp(m()),
            Refused::PeerIsPrimary("web_am".to_owned()).into(),
            ModuleError::NotInstalled(m()).into(),
            ModuleError::AlreadyInstalled(m()).into(),
            ModuleError::Running(m()).into(),
            ConfigureError::Busy(m()).into(),
            PairError::Nobody(m()).into(),
        ];
        for error in errors {
            let told = error.told();
            assert_ne!(told.of(Lang::En), told.of(Lang::Fr));
            assert!(told.of(Lang::En).contains("web_am") && told.of(Lang::Fr).contains("web_am"), "{told:?}");
        }
        let locked = AdminError::from(ClusterError::Locked).told();
        assert!(
            locked.of(Lang::Fr).contains("verrouillée")
                && locked.of(Lang::Fr).contains("cluster config unlock")
        );
    }
}

//! Why what is installed here cannot be used or changed, in French; the errors print in English.

use super::cluster::ClusterError;
use super::cluster_zip::ClusterZipError;
use super::configure::ConfigureError;
use super::crontab::CrontabError;
use super::identity::IdentityError;
use super::keys::KeyError;
use super::modules::ModuleError;
use super::record::RecordError;
use super::script::ScriptError;
use crate::config::archive::ArchiveError;
use crate::config::cluster::Unresolved;
use crate::told::Tell;

impl Tell for ModuleError {
    fn french(&self) -> String {
        use ModuleError as E;
        match self {
            E::NotInstalled(m) => {
                format!(
                    "le module {m} n'est pas installé : installez-le par \"safekit module install -m {m}\""
                )
            }
            E::AlreadyInstalled(m) => {
                format!("le module {m} est déjà installé : utilisez -r pour l'installer de nouveau")
            }
            E::Reserved(name) => {
                format!("\"{name}\" ne peut pas être le nom d'un module : choisissez-en un autre")
            }
            E::BadId => "0 n'est pas un identifiant de module : utilisez 1 à 255".to_owned(),
            E::IdHeld { id, module, place } => format!(
                "l'identifiant {id} est celui du module {module} ({place}) : utilisez -M avec un autre identifiant"
            ),
            E::NoId => "aucun identifiant de module n'est libre : désinstallez un module".to_owned(),
            E::IdsDiffer { module, here, there, node } => format!(
                "le module {module} a l'identifiant {here} ici et {there} sur le nœud {node} : installez-le de \
                 nouveau avec -r -M {there}"
            ),
            E::ThirdNode { module, nodes } => format!(
                "le module miroir {module} est configuré sur plus de deux nœuds ({nodes} en plus de celui-ci) : \
                 déconfigurez-le où il n'a pas sa place"
            ),
            E::Running(m) => format!("le module {m} s'exécute : arrêtez-le d'abord"),
            E::NoTemplate { name, dir } => format!(
                "pas de {name}.safe ni de {name}.zip sous {} : donnez le chemin absolu d'un fichier .safe",
                dir.display()
            ),
            E::Archive(e) => e.french(),
            E::Record(e) => e.french(),
            E::Configure(e) => e.french(),
        }
    }
}

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
            // What is wrong with a directory or its disk: said in English everywhere.
            E::Replicated(_) => self.to_string(),
        }
    }
}

impl Tell for ClusterError {
    fn french(&self) -> String {
        use ClusterError as E;
        match self {
            E::NotConfigured => {
                "le cluster n'est pas configuré : exécutez \"safekit cluster config <cluster.xml>\""
                    .to_owned()
            }
            E::Locked => {
                "la configuration du cluster est verrouillée : exécutez d'abord \"safekit cluster config \
                unlock\""
                    .to_owned()
            }
            E::Unresolved(e) => e.french(),
            E::Config(e) => e.french(),
            E::Key(e) => e.french(),
            E::Zip(e) => e.french(),
            E::Record(e) => e.french(),
        }
    }
}

impl Tell for Unresolved {
    fn french(&self) -> String {
        let Unresolved { lan, node, addr, source } = self;
        format!(
            "impossible de résoudre \"{addr}\", l'adresse de {node} sur le lan \"{lan}\" : {source} ; corrigez le \
             serveur de noms ou écrivez l'adresse dans cluster.xml"
        )
    }
}

impl Tell for ClusterZipError {
    fn french(&self) -> String {
        match self {
            ClusterZipError::Zip(e) => format!("pas un zip lisible d'une configuration de cluster : {e}"),
            ClusterZipError::NoXml => "le zip ne contient pas de cluster.xml".to_owned(),
            ClusterZipError::Entry(name) => {
                format!("{name}, dans le zip, est trop grand ou n'est pas valide")
            }
        }
    }
}

impl Tell for KeyError {
    fn french(&self) -> String {
        match self {
            KeyError::Record(e) => e.french(),
            KeyError::NotAKey(path) => format!(
                "{} : ce n'est pas une clé de cette version : créez-en une nouvelle par genkey",
                path.display()
            ),
            KeyError::Random(why) => format!("le système ne donne pas de nombres aléatoires : {why}"),
            KeyError::NotInstalled(m) => {
                format!("le module {m} n'est pas installé : installez-le par \"safekit module install\"")
            }
        }
    }
}

impl Tell for RecordError {
    fn french(&self) -> String {
        match self {
            // The action and the reason are those of the system.
            RecordError::Io { .. } => self.to_string(),
            RecordError::Damaged { path, what } => format!(
                "{} : enregistrement endommagé ({what}) : restaurez le fichier, ou supprimez-le pour repartir de zéro",
                path.display()
            ),
        }
    }
}

impl Tell for IdentityError {
    fn french(&self) -> String {
        match self {
            IdentityError::UnknownName { named, nodes } => format!(
                "SAFEKIT_NODE=\"{named}\" n'est pas un nœud de cluster.xml ({nodes}) : corrigez l'un des deux"
            ),
            IdentityError::Several(nodes) => format!(
                "cette machine a des adresses de plusieurs nœuds de cluster.xml ({nodes}) : corrigez cluster.xml, ou \
                 définissez SAFEKIT_NODE"
            ),
            IdentityError::None { nodes, addresses, hostname } => format!(
                "cette machine n'est aucun des nœuds de cluster.xml ({nodes}) : aucun addr ni laddr n'est l'une de \
                 ses adresses ({addresses}) et son nom est {hostname}"
            ),
            IdentityError::Addresses(e) => {
                format!("les adresses de cette machine ne peuvent pas être listées : {e}")
            }
        }
    }
}

impl Tell for ScriptError {
    fn french(&self) -> String {
        match self {
            ScriptError::NotExecutable(path) => {
                format!("{} : non exécutable : exécutez \"chmod +x\" dessus ou supprimez-le", path.display())
            }
            ScriptError::Run { path, source } => {
                format!("{} : impossible de l'exécuter : {source}", path.display())
            }
            ScriptError::Failed { name, status, userlog, output } => {
                format!("échec du script {name} ({status}) : voir {}\n{output}", userlog.display())
            }
            ScriptError::Timeout { name, after, userlog } => {
                format!("le script {name} a été tué après {} s : voir {}", after.as_secs(), userlog.display())
            }
            ScriptError::Record(e) => e.french(),
        }
    }
}

impl Tell for CrontabError {
    fn french(&self) -> String {
        match self {
            CrontabError::Missing => {
                "syncat a besoin de la commande crontab, qui n'est pas installée : installez \
                cron (paquet cron ou cronie), ou retirez syncat de userconfig.xml"
                    .to_owned()
            }
            CrontabError::Refused(_) => self.to_string(),
            CrontabError::File(e) => e.french(),
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
            // What is wrong with an entry, or the disk, is said in English everywhere.
            E::Entry { .. } | E::Io { .. } => self.to_string(),
        }
    }
}

//! The French texts. Names of states, commands, rules, scripts and resources stay as they are (AMB-19).

use super::english::{script, transition};
use super::message::{Lang, Message};
use crate::fsm::command::{Caller, Command};
use crate::told::{Tell, Told};

const NOT_UPTODATE: &str = "Les données des répertoires répliqués ne sont peut-être pas à jour (attendez le démarrage du serveur distant)";
const INCONSISTENT: &str =
    "Les données des répertoires répliqués sont peut-être incohérentes (arrêt pendant la réintégration)";
const IF_SURE: &str = "Si vous êtes sûr que les données de ce serveur sont valides, exécutez safekit";
const ONLY_HEARTBEATS: &str = "Plus de heartbeat, mais le serveur distant répond sur un autre canal : attente, vérifiez les réseaux de heartbeat";
const ABNORMAL_DELTA: &str = "La synchronisation automatique ne peut pas être appliquée : écart anormal entre les dates de dernière synchronisation";
const TLS_FAILED: &str = "échec de la négociation TLS. Vérifiez l'heure du serveur et le certificat du module (date d'expiration, empreinte)";

pub(super) fn text(message: &Message) -> String {
    use Message as M;
    match message {
        M::Action(command, caller) => action(*command, caller),
        M::FailoverOffStopstart => "Action stopstart demandée par failover-off".into(),
        M::Maxloop => "Action stop demandée par maxloop".into(),
        M::AloneRemoteStop => "Action alone demandée par heart : arrêt du serveur distant".into(),
        M::AloneNoHeartbeat => "Action alone demandée par heart : plus de heartbeat".into(),
        M::Wakeup => "Action wakeup par la règle de failover Implicit_wakeup".into(),
        M::InternalAction(name, Ok(())) => format!("Action {name} terminée (-> CMD_OK)"),
        M::InternalAction(name, Err(error)) => format!("Action {name} terminée (-> {})", fr(error)),
        M::SwapFromSystem => "Transition SWAP par SYSTEM".into(),
        M::SwapFromDefaultprim => "Transition SWAP par defaultprim".into(),
        M::StopstartFromFailoverOff => "Transition STOPSTART par failover-off".into(),
        M::TransitionFromRule(command, rule) => {
            format!("Transition {} par la règle de failover {rule}", transition(*command))
        }
        M::BeginOfSwap => "Début du swap".into(),
        M::InternalState(name) => format!("État interne local {name}"),
        M::LocalState(role, readiness) => format!("État local {role} {readiness}"),
        M::RemoteState(role, readiness) => format!("État distant {role} {readiness}"),
        M::RemoteUnknown => "État distant UNKNOWN Unknown".into(),
        M::Resource(name, value, setter) => format!("Ressource {name} mise à {value} par {setter}"),
        M::VipSet(addr) => format!("Adresse IP virtuelle {addr} configurée"),
        M::FarmMembership { nodes, group } => {
            format!("membres de la ferme : {} (groupe {group})", nodes.join(" "))
        }
        M::FarmLoad { buckets, group } => format!("charge de la ferme : {buckets}/256 (groupe {group})"),
        M::Script { name, action, userlog } => {
            let log = userlog.as_ref().map(|log| format!(" > {log}")).unwrap_or_default();
            format!("Script {}{log}", script(name, action.as_deref()))
        }
        M::ScriptTimeout(name, seconds) => {
            format!("Script {name} tué : il s'exécutait encore après {seconds} s")
        }
        M::ScriptFailed(name, how) => format!("Échec du script {name} : {}", fr(how)),
        M::ScriptRunning(name, seconds) => format!("Le script {name} s'exécute depuis {seconds} s"),
        M::Print(_, text) => text.clone(),
        M::Error(text) => fr(text).to_owned(),
        M::Fenced(what) => format!("Ce serveur s'est isolé lui-même : {}", fr(what)),
        M::CannotStop(left) => format!("L'application ne peut pas être arrêtée : {}", fr(left)),
        M::OwnPause(ms) => format!("Ce serveur a été suspendu pendant {ms} ms : il se suspecte en premier"),
        M::Lost(count) => format!("{count} messages perdus : ils n'ont pas pu être écrits dans le journal"),
        M::OtherDistrusted(url, fault) => format!("Module non examiné sur {url} : {}", fault.french()),
        M::NotUptodate => NOT_UPTODATE.into(),
        M::RunPrim => format!("{IF_SURE} prim pour forcer le démarrage en primaire"),
        M::Inconsistent => INCONSISTENT.into(),
        M::RunPrimforce => format!("{IF_SURE} primforce pour forcer le démarrage en primaire"),
        M::UpdatingTree(dir) => format!("Mise à jour de l'arborescence depuis {dir}"),
        M::Copied(statistics) => format!("Copié {statistics}"),
        M::ReintegrationEnded(policy) => format!("Réintégration terminée ({policy})"),
        M::ReintegrationProgress(how) => format!("Réintégration : {how}"),
        M::Rescued { archive, files, bytes, left_out } => rescued(archive, *files, *bytes, *left_out),
        M::ReintegrationStalled(seconds) => stalled(*seconds),
        M::ReintegrationGoesOn => "La réintégration reprend".into(),
        M::UptodateData => "Système de fichiers répliqué à jour".into(),
        M::AbnormalDelta => ABNORMAL_DELTA.into(),
        M::TlsHandshake(socket) => format!("XXX clnttcp_create: socket={socket} {TLS_FAILED}"),
        M::LinkRestored(dir) => format!("Lien {dir} rétabli après un arrêt inattendu"),
        M::BoxReplaced(how) => format!("Processus de réplication remplacé : {}", fr(how)),
        M::StreamLost(why) => format!("Réplication vers le secondaire arrêtée : {}", fr(why)),
        M::StreamResumed(what) => format!("Réplication vers le secondaire reprise : {what}"),
        M::PrimAborted => "Démarrage en primaire demandé abandonné".into(),
        M::SecondAborted => "Démarrage en secondaire demandé abandonné".into(),
        M::EndOfStop => "Fin de l'arrêt".into(),
        M::PreviousHaltUnexpected => "Arrêt précédent inattendu".into(),
        M::FailoverOff => "Failover-off configuré".into(),
        M::SplitBrainStaying => "Retour de split brain : ce serveur reste ALONE".into(),
        M::SplitBrainExiting => "Retour de split brain : ce serveur quitte ALONE".into(),
        M::HeartbeatsOnlySilent => ONLY_HEARTBEATS.into(),
    }
}

fn fr(told: &Told) -> &str {
    told.of(Lang::Fr)
}

fn stalled(seconds: u64) -> String {
    format!("La réintégration est arrêtée : rien reçu depuis {seconds} s")
}

fn rescued(archive: &str, files: u64, bytes: u64, left_out: u64) -> String {
    let room = match left_out {
        0 => String::new(),
        n => format!(", dont {n} sans leur contenu faute de place"),
    };
    let size = bytes.div_ceil(1024);
    format!(
        "{files} entrées ({size} Ko) différentes du primaire sauvées dans l'archive {archive}{room} : \
         voir safekit rescue diff et restore"
    )
}

fn action(command: Command, caller: &Caller) -> String {
    match caller {
        Caller::User(who) | Caller::Identity(who) => format!("Action {command} demandée par {who}"),
        Caller::System => format!("Action {command} demandée par SYSTEM"),
        Caller::Boot => format!("Action {command} au démarrage du serveur"),
        Caller::Automatic => format!("Action {command} automatique"),
        Caller::Rule(rule) => format!("Action {command} par la règle de failover {rule}"),
    }
}

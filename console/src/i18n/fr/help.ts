import type { help as en } from '../en/help';

// Ce que dit le point d’interrogation d’une page. Une ligne est un paragraphe.
export const help: Record<keyof typeof en, string> = {
  'help.open': 'Aide sur cette page',
  'help.title': 'Aide',
  'help.cluster':
    'Le cluster est la liste des nœuds, de leurs réseaux (lans) et de leurs adresses ; tous les nœuds ont le même cluster.xml. Le nœud de l’adresse de cette page l’applique d’abord, puis le donne aux autres.\nUn nœud qui a une autre configuration ou une autre clé n’entend pas les autres : appliquez de nouveau la configuration sur tous les nœuds. Les modules en marche continuent pendant ce temps.\nUn réseau suffit pour commencer. Deux réseaux gardent les nœuds ensemble quand un commutateur ou un câble tombe en panne.',
  'help.modules':
    'Un module est une application avec ses scripts, ses adresses virtuelles, ses répertoires répliqués et ses checkers. Un module miroir tourne sur l’un de deux nœuds et l’autre le reprend ; un module ferme tourne sur tous les nœuds, qui se partagent ses clients.\nCe qui est enregistré n’est pas encore ce qui tourne : cela compte une fois appliqué sur chaque nœud, et un nœud ne l’accepte que si le module y est arrêté.\nLa désinstallation garde une archive du module ; la déconfiguration garde ses fichiers.',
  'help.wizard':
    'Modifiez la configuration et les scripts, choisissez si les nœuds communiquent chiffrés, puis enregistrez et appliquez sur les nœuds.\n« Enregistrer et vérifier » n’enregistre que sur le nœud de connexion et dit ce qui est faux ; rien de ce qui tourne n’est touché.\nUn nœud dont le module n’est pas arrêté, ou qui ne répond pas, ne peut pas être choisi : arrêtez-y d’abord le module.\n« Créer de nouvelles clés » dans l’étape « Chiffrement » remplace les clés sur tous les nœuds ; le module doit y être arrêté.',
  'help.access':
    'Les utilisateurs et leurs rôles sont gardés sur chaque nœud, dans SAFE/web/conf. Admin configure et contrôle, Control démarre et arrête les modules, Monitor regarde.\nLes jetons sont pour les scripts et comptent sur le nœud où ils ont été créés. Un certificat qui expire se renouvelle avec initssl sur chaque nœud.',
  'help.commands':
    'Ce qui a été fait dans le cluster, par qui et d’où, avec le résultat : commandes des consoles, des lignes de commande et des scripts. Chaque nœud garde son journal ; ici ils ne font qu’une liste.\nLes messages des modules sont dans le journal de chaque module.',
  'help.guide.cluster': 'cluster.xml dans le guide (en anglais)',
  'help.guide.module': 'userconfig.xml dans le guide (en anglais)',
  'help.guide.commands': 'Les commandes dans le guide (en anglais)',
  'help.guide.security': 'Sécuriser le service web (en anglais)',
  'help.guide.failures': 'Ce qui peut tomber en panne, et que faire (en anglais)',
  'help.guide.wrongKey': 'Quand les nœuds ont des clés ou des configurations différentes (en anglais)',
  'help.guide.login': 'Quand une connexion échoue (en anglais)',
};

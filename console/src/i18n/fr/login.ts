import type { login as en } from '../en/login';

export const login: Record<keyof typeof en, string> = {
  'login.title': 'Connexion',
  'login.where': 'Nœud {node}, à l’adresse {host}',
  'login.host': 'Serveur {host}',
  'login.ended': 'Votre session est terminée. Après la connexion, vous retrouvez la page.',
  'login.user': 'Nom d’utilisateur',
  'login.password': 'Mot de passe',
  'login.submit': 'Se connecter',
  'login.wrong': 'Le nom ou le mot de passe est incorrect.',
  'login.wait_one': 'Trop d’échecs de connexion. Réessayez dans {n} seconde.',
  'login.wait_other': 'Trop d’échecs de connexion. Réessayez dans {n} secondes.',
  'login.or': 'ou',
  'login.openid': 'Se connecter avec le fournisseur d’identité',
  'login.openid.failed': 'Le fournisseur d’identité ne vous a pas authentifié',
  'login.http': 'Cette connexion n’est pas chiffrée (HTTP) : réservez-la à un réseau de confiance, ou mettez HTTPS en place.',
};

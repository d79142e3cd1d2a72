// What the web service says of its certificate, in French; the other texts come in the language of the page.
// What stands in braces is any text: the first one is $1 in French. The first that fits counts.

import { tied } from './tie';

export const sentences: Record<string, string> = tied({
  'the certificate of the web service expires in {} days: {renew}': 'le certificat du service web expire dans $1 jours : créez-en un nouveau avec initssl, ou installez celui de votre autorité de certification',
  'the certificate of the web service expired on {}: {renew}': 'le certificat du service web a expiré le $1 : créez-en un nouveau avec initssl, ou installez celui de votre autorité de certification',
  'the certificate of the web service is valid only from {}: the clock of this node is behind': 'le certificat du service web n’est valable qu’à partir du $1 : l’horloge de ce nœud retarde',
  'the certificate of the web service is not valid for {}, an address of this node in cluster.xml: {renew}': 'le certificat du service web n’est pas valable pour $1, une adresse de ce nœud dans cluster.xml : créez-en un nouveau avec initssl',
});

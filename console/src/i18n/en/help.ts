// What the question mark of a page says. A line is a paragraph.
export const help = {
  'help.open': 'Help about this page',
  'help.title': 'Help',
  'help.cluster':
    'The cluster is the list of nodes, their networks (lans) and their addresses; all nodes have the same cluster.xml. The node in the address of this page applies it first, then gives it to the others.\nA node with another configuration or another key does not hear the rest: apply the configuration again to all nodes. Modules that run go on meanwhile.\nOne network is enough to begin with. Two networks keep the nodes together when a switch or a cable fails.',
  'help.modules':
    'A module is an application with its scripts, virtual addresses, replicated directories and checkers. A mirror module runs on one of two nodes and is taken over by the other one; a farm module runs on all nodes, which share its clients.\nWhat is saved is not yet what runs: it counts once it is applied to each node, and a node accepts it only while the module is stopped there.\nUninstalling keeps an archive of the module; unconfiguring keeps its files.',
  'help.wizard':
    'Edit the configuration and the scripts, choose whether the nodes talk encrypted, then save and apply to the nodes.\n“Save and check” saves on the connection node only and says what is wrong; nothing that runs is touched.\nA node whose module is not stopped, or that does not answer, cannot be chosen: stop the module there first.\n“Make new keys” in the step “Encryption” replaces the keys on all nodes; the module must be stopped on them.',
  'help.access':
    'Users and their roles are kept on each node, in SAFE/web/conf. Admin configures and controls, Control starts and stops modules, Monitor looks.\nTokens are for scripts and count on the node where they were made. A certificate that ends is renewed with initssl on each node.',
  'help.commands':
    'What was done in the cluster, by whom and from where, with its result: commands of consoles, command lines and scripts. Each node keeps its own log; here they are one list.\nMessages of the modules are in the log of each module.',
  'help.guide.cluster': 'cluster.xml in the user’s guide',
  'help.guide.module': 'userconfig.xml in the user’s guide',
  'help.guide.commands': 'Commands in the user’s guide',
  'help.guide.security': 'Securing the web service',
  'help.guide.failures': 'What can fail, and what to do',
  'help.guide.wrongKey': 'When nodes have different keys or configurations',
  'help.guide.login': 'When a login fails',
} as const;

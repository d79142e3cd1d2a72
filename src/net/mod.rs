//! Addresses, ARP and neighbour discovery, ICMP, socket reset: the network of the node.

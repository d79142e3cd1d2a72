//! Clusters of network namespaces on one machine.

//! Leader and followers of the cluster (NET-30, NET-31).

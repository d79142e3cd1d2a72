//! Frames, versions and sealing of the datagrams between nodes.

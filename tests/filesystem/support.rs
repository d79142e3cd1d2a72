//! A namespace of mounts, a directory on the disk, and a volume mounted over it.

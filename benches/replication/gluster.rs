//! GlusterFS beside it: one daemon with two bricks on node 1, so that its replicas are a loopback apart, as
//! ours are a virtual cable apart.

use crate::places::Pair;
use std::path::Path;

/// Where its volume is mounted.
pub const MOUNT: &str = "/gluster/mnt";
const ADDRESS: &str = "10.77.2.1";

/// It runs until the sandbox goes down.
pub struct Gluster(());

impl Gluster {
    /// Starts it and mounts a volume; none if it is not installed.
    pub fn up(pair: &Pair) -> Option<Gluster> {
        if !Path::new("/usr/sbin/glusterd").exists() {
            eprintln!("glusterd is not installed: nothing to compare with");
            return None;
        }
        let command = "gluster --glusterd-sock=/gluster/glusterd.socket --mode=script";
        pair.sh(
            1,
            &format!(
                "mkdir -p /gluster/var /gluster/run /gluster/log /gluster/b1 /gluster/b2 {MOUNT}
                cat >/gluster/glusterd.vol <<END
volume management
    type mgmt/glusterd
    option working-directory /gluster/var
    option run-directory /gluster/run
    option glusterd-sockfile /gluster/glusterd.socket
    option transport-type socket
    option transport.socket.bind-address {ADDRESS}
    option transport.address-family inet
end-volume
END
                glusterd -f /gluster/glusterd.vol -p /gluster/glusterd.pid -l /gluster/log/glusterd.log
                for try in 1 2 3 4 5 6 7 8 9 10; do {command} volume info >/dev/null 2>&1 && break; sleep 1; done
                {command} volume create gv replica 2 {ADDRESS}:/gluster/b1 {ADDRESS}:/gluster/b2 force
                {command} volume start gv
                mount -t glusterfs {ADDRESS}:/gv {MOUNT}"
            ),
        );
        Some(Gluster(()))
    }
}

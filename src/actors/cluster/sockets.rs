//! The sockets of a node on its lans.

use super::open;
use super::setup::LanSetup;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::UdpSocket;

/// By lan, those that there are.
pub(crate) struct Sockets {
    open: Vec<Option<Arc<UdpSocket>>>,
    /// Lans without a socket, of which a warning was given.
    unbound: BTreeSet<usize>,
}

impl Sockets {
    /// None yet, of so many lans.
    pub fn new(lans: usize) -> Sockets {
        Sockets { open: vec![None; lans], unbound: BTreeSet::new() }
    }

    /// Opens those that are missing; the new ones, with their lans. An address that is not there yet is no
    /// error of the node: `whose` sockets these are is said in the warning.
    pub fn bind(&mut self, lans: &[LanSetup], port: u16, whose: &str) -> Vec<(usize, Arc<UdpSocket>)> {
        let mut new = Vec::new();
        for (index, lan) in lans.iter().enumerate() {
            let (None, Some(local)) = (&self.open[index], lan.local) else { continue };
            match open(SocketAddr::new(local, port)) {
                Ok(socket) => {
                    let socket = Arc::new(socket);
                    self.open[index] = Some(socket.clone());
                    self.unbound.remove(&index);
                    new.push((index, socket));
                }
                Err(error) if self.unbound.insert(index) => {
                    let lan = &lan.name;
                    tracing::warn!(
                        "{whose} has no socket on lan {lan} yet ({local}, UDP port {port}: {error}), tried again \
                         each second: set the address on this machine, or correct cluster.xml"
                    );
                }
                Err(_) => {}
            }
        }
        new
    }

    /// It failed: the next [`Sockets::bind`] opens it again.
    pub fn close(&mut self, lan: usize) {
        self.open[lan] = None;
    }

    /// Never waits: a full buffer or a dead network loses the datagram, as the network may too.
    pub fn transmit(&self, lan: usize, to: SocketAddr, datagram: &[u8]) {
        let Some(Some(socket)) = self.open.get(lan) else { return };
        if let Err(error) = socket2::SockRef::from(&**socket).send_to(datagram, &to.into()) {
            tracing::debug!(%to, %error, "a datagram was not sent");
        }
    }
}

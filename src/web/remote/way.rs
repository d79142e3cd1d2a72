//! From this web service to another node, by its name.

use super::client::Client;
use super::secret::Secret;
use super::target::{Service, Target};
use crate::config::address::Address;
use crate::config::paths::Paths;
use crate::control::async_client::Answer;
use crate::control::{Behalf, NodeRow, Request};
use crate::told::{Tell, Told, told};
use bytes::Bytes;

/// Asks nodes by what the cluster knows of them.
#[derive(Clone, Debug)]
pub struct Way {
    paths: Paths,
    service: Service,
    client: Client,
}

/// Why a node cannot be asked; the text names it and says what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NoWay(pub Told);

impl Way {
    /// From the node with these paths, whose own web service is reached like this; all have the same.
    pub fn new(paths: &Paths, service: Service) -> Way {
        Way { paths: paths.clone(), service, client: Client::new(paths) }
    }

    /// Asks the node of this row.
    pub async fn ask(
        &self,
        row: &NodeRow,
        behalf: Behalf,
        request: &Request,
        attachment: Bytes,
    ) -> Result<Answer, NoWay> {
        let node = &row.node;
        if row.command.is_empty() {
            return Err(NoWay(told!(
                "{node}: it has no address on the network of distributed commands (cluster.xml)",
                "{node} : il n'a pas d'adresse sur le réseau des commandes distribuées (cluster.xml)"
            )));
        }
        let target = Target::node(node, row.command.trim_matches(['[', ']']), self.service);
        self.call(&target, behalf, request, attachment).await
    }

    /// Asks whatever node is at an address: it need not be in the cluster.
    pub async fn ask_address(
        &self,
        address: &Address,
        behalf: Behalf,
        request: &Request,
    ) -> Result<Answer, NoWay> {
        let Service { https, port } = self.service;
        let host = address.to_string().trim_matches(['[', ']']).to_owned();
        let target = Target { name: address.to_string(), https, host, port };
        self.call(&target, behalf, request, Bytes::new()).await
    }

    async fn call(
        &self,
        target: &Target,
        behalf: Behalf,
        request: &Request,
        attachment: Bytes,
    ) -> Result<Answer, NoWay> {
        let paths = self.paths.clone();
        // The password may have been set again since the last time.
        let secret = tokio::task::spawn_blocking(move || Secret::load(&paths)).await;
        let secret = secret.map_err(|e| NoWay(told!("{target}: {e}", "{target} : {e}")))?;
        let secret = secret.map_err(|e| NoWay(e.told()))?;
        let asked = self.client.call(target, &secret, Some(behalf), request, attachment).await;
        asked.map_err(|e| NoWay(e.told()))
    }
}

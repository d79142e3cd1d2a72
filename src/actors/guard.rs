//! The thread that talks with safeguard for all modules (S8). It may wait for the guard; the
//! arbiters that own heartbeats and modules never do.

use crate::guard::client::{GuardClient, GuardError};
use crate::guard::frame::{Status, Target};
use crate::ids::ModuleName;
use crate::told::{Tell, Told, told};
use actix::{Message, Recipient};
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

/// Orders that may wait. A renewal that finds no place is lost, and that is right: a guard that
/// cannot be reached cannot be renewed.
const QUEUE: usize = 1024;

/// An order of a module.
pub enum GuardOrder {
    /// Be ready to fence; answered by [`GuardEvent::Armed`].
    Arm {
        /// Effect id, returned in the answer.
        id: u64,
        /// Heartbeat timeout.
        timeout: Duration,
        /// Send time of the newest heartbeat that the peer echoed, ns of CLOCK_BOOTTIME.
        echoed_at: u64,
        /// What a fence removes and kills.
        target: Target,
    },
    /// The heartbeats go on.
    Renew {
        /// As in [`GuardOrder::Arm`].
        echoed_at: u64,
    },
    /// No peer could take over; answered by [`GuardEvent::Disarmed`].
    Disarm(u64),
    /// A control plane came back and goes on: what did the guard do meanwhile? If nothing, be ready.
    Resume {
        /// As in [`GuardOrder::Arm`].
        timeout: Duration,
        /// As in [`GuardOrder::Arm`].
        echoed_at: u64,
        /// As in [`GuardOrder::Arm`].
        target: Target,
    },
    /// The module was cleaned up after a fence.
    Acknowledge,
}

/// What the guard says, to the module.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub enum GuardEvent {
    /// The guard is ready to fence, or cannot be.
    Armed(u64, Result<(), Told>),
    /// The guard will not fence.
    Disarmed(u64, Result<(), Told>),
    /// The guard has fenced this node.
    Fenced(Told),
}

/// Where orders go.
#[derive(Clone)]
pub struct GuardHandle(SyncSender<(ModuleName, GuardOrder, Recipient<GuardEvent>)>);

struct Armed {
    timeout: Duration,
    target: Target,
    told: bool,
}

struct Talk {
    socket: PathBuf,
    client: Option<GuardClient>,
    armed: BTreeMap<ModuleName, Armed>,
}

impl GuardHandle {
    /// Starts the thread; `socket` is SAFEVAR/run/safeguard.sock.
    ///
    /// # Errors
    /// No thread can be made.
    pub fn start(socket: PathBuf) -> io::Result<GuardHandle> {
        let (sender, receiver) = sync_channel(QUEUE);
        let talk = Talk { socket, client: None, armed: BTreeMap::new() };
        thread::Builder::new().name("guard".to_owned()).spawn(move || talk.run(&receiver))?;
        Ok(GuardHandle(sender))
    }

    /// Gives an order; answers go to `module`. False if it was lost: too many wait.
    pub fn order(&self, name: &ModuleName, order: GuardOrder, module: &Recipient<GuardEvent>) -> bool {
        match self.0.try_send((name.clone(), order, module.clone())) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                tracing::warn!(module = %name, "an order to the guard is lost: {QUEUE} wait");
                false
            }
            Err(TrySendError::Disconnected(_)) => false,
        }
    }
}

impl Talk {
    fn run(mut self, orders: &Receiver<(ModuleName, GuardOrder, Recipient<GuardEvent>)>) {
        while let Ok((name, order, module)) = orders.recv() {
            self.carry_out(&name, order, &module);
        }
    }

    fn carry_out(&mut self, name: &ModuleName, order: GuardOrder, module: &Recipient<GuardEvent>) {
        match order {
            GuardOrder::Arm { id, timeout, echoed_at, target } => {
                let result = self.arm(name, timeout, echoed_at, &target);
                if result.is_ok() {
                    self.armed.insert(name.clone(), Armed { timeout, target, told: false });
                }
                tell(module, GuardEvent::Armed(id, result));
            }
            GuardOrder::Renew { echoed_at } => self.renew(name, echoed_at, module),
            GuardOrder::Disarm(id) => {
                self.armed.remove(name);
                let result = self.disarm(name);
                tell(module, GuardEvent::Disarmed(id, result));
            }
            GuardOrder::Resume { timeout, echoed_at, target } => {
                self.armed.insert(name.clone(), Armed { timeout, target, told: false });
                self.renew(name, echoed_at, module);
            }
            GuardOrder::Acknowledge => {
                if let Err(error) = self.call(|c| c.acknowledge(name)) {
                    tracing::debug!(module = %name, %error, "nothing to acknowledge at the guard");
                }
            }
        }
    }

    /// Arms; a fence that an earlier life left is acknowledged, since that life is over.
    fn arm(
        &mut self,
        name: &ModuleName,
        timeout: Duration,
        echoed_at: u64,
        target: &Target,
    ) -> Result<(), Told> {
        let mut status =
            self.call(|c| c.arm(name, timeout, echoed_at, target.clone())).map_err(|e| e.told())?;
        if status.fenced.is_some() {
            self.call(|c| c.acknowledge(name)).map_err(|e| e.told())?;
            status = self.call(|c| c.arm(name, timeout, echoed_at, target.clone())).map_err(|e| e.told())?;
        }
        if status.armed {
            Ok(())
        } else {
            Err(told!(
                "the guard has fenced this module and is not done yet",
                "safeguard a isolé ce module et n'a pas encore terminé"
            ))
        }
    }

    /// Disarms. A fence that has fallen is lifted once the guard has seen it through: until then it goes
    /// on killing.
    fn disarm(&mut self, name: &ModuleName) -> Result<(), Told> {
        let status = self.call(|c| c.disarm(name)).and_then(|status| match status.fenced {
            None => Ok(status),
            Some(_) => self.call(|c| c.acknowledge(name)),
        });
        match status {
            Ok(Status { fenced: Some(_), .. }) => Err(told!(
                "the guard is still removing what it has fenced",
                "safeguard est encore en train de retirer ce qu'il a isolé"
            )),
            Ok(_) => Ok(()),
            Err(error) => {
                // A guard that ended is disarmed as well.
                tracing::warn!(module = %name, %error, "cannot disarm the guard");
                Ok(())
            }
        }
    }

    fn renew(&mut self, name: &ModuleName, echoed_at: u64, module: &Recipient<GuardEvent>) {
        let status = self.call(|c| c.renew(name, echoed_at));
        let Some(armed) = self.armed.get_mut(name) else { return };
        match status {
            Ok(Status { fenced: Some(f), .. }) if !armed.told => {
                armed.told = true;
                let silent = f.at.saturating_sub(f.renewed_at) / 1_000_000;
                let done = match armed.target.vips.is_empty() && armed.target.group.is_none() {
                    true => told!("no clients are sent to this node", "aucun client n'est envoyé à ce nœud"),
                    false => {
                        told!(
                            "virtual ip removed, application killed",
                            "adresse IP virtuelle retirée, application tuée"
                        )
                    }
                };
                let text = told!(
                    "the guard heard nothing of safeadmin for {silent} ms: ",
                    "safeguard n'a rien entendu de safeadmin pendant {silent} ms : "
                );
                tell(module, GuardEvent::Fenced(text + done));
            }
            Ok(Status { armed: true, .. } | Status { fenced: Some(_), .. }) => {}
            // The guard was restarted, or has never heard of this module.
            Ok(_) | Err(_) => {
                let (timeout, target) = (armed.timeout, armed.target.clone());
                if let Err(error) = self.arm(name, timeout, echoed_at, &target) {
                    tracing::warn!(module = %name, %error, "the guard cannot be armed again");
                }
            }
        }
    }

    fn call<T>(
        &mut self,
        ask: impl FnOnce(&mut GuardClient) -> Result<T, GuardError>,
    ) -> Result<T, GuardError> {
        let client = match &mut self.client {
            Some(c) => c,
            None => self.client.insert(GuardClient::connect(&self.socket)?),
        };
        let answer = ask(client);
        if answer.is_err() {
            self.client = None;
        }
        answer
    }
}

/// A module that does not take it finds out at its next order.
fn tell(module: &Recipient<GuardEvent>, event: GuardEvent) {
    if let Err(error) = module.try_send(event) {
        tracing::warn!(%error, "a module did not take the word of the guard");
    }
}

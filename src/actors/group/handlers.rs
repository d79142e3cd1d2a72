//! What comes in.

use super::{
    AGAIN_MS, Actor, Context, DropCount, End, Event, Fenced, Filter, FilterEvent, GetDrops, GetShares, Group,
    GroupEvent, Handler, Incoming, Join, Leave, MAILBOX, RENEWALS, Share, StreamHandler, TICKS, canonical,
    now_ms,
};
use crate::actors::module::Close;
use crate::told::told;
use actix::{ActorContext, AsyncContext};
use std::time::Duration;

impl Actor for Group {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.set_mailbox_capacity(MAILBOX);
        let every = (self.setup.patience() / RENEWALS).max(TICKS.0);
        ctx.run_interval(every, |group, _| group.renew());
        let Some(backend) = self.backend.take() else { return };
        let (layout, groups) = (self.setup.layout.clone(), self.setup.groups.len());
        match Filter::start(backend, layout, groups, self.setup.adopt, ctx.address()) {
            Ok(filter) => {
                filter.load();
                self.filter = Some(filter);
            }
            Err(error) => {
                let why = told!(
                    "no thread for the packet filter: {error}",
                    "pas de thread pour le filtre de paquets : {error}"
                );
                self.fail(why, ctx);
            }
        }
    }
}

impl Handler<FilterEvent> for Group {
    type Result = ();

    fn handle(&mut self, event: FilterEvent, ctx: &mut Context<Self>) {
        match event {
            FilterEvent::Loaded(loaded) => {
                self.failed = false;
                self.loaded = Some(loaded);
                self.tell(GroupEvent::Loaded, ctx);
                self.begin(ctx);
            }
            FilterEvent::NotLoaded(error) => {
                self.fail(error, ctx);
                // An order to remove it comes after.
                ctx.run_later(Duration::from_millis(AGAIN_MS), |group, _| {
                    if let Some(filter) = &group.filter {
                        filter.load();
                    }
                });
            }
            FilterEvent::Installed(order, done) => self.installed(order, done, ctx),
            FilterEvent::Peers(Ok(())) => {}
            // They go with the next shares that are loaded whole.
            FilterEvent::Peers(Err(error)) => {
                self.refused(error, ctx);
            }
            FilterEvent::Removed(done) => {
                self.ending = true;
                self.tell(GroupEvent::Ended(done), ctx);
            }
        }
    }
}

impl StreamHandler<Incoming> for Group {
    fn handle(&mut self, Incoming { socket, datagram }: Incoming, ctx: &mut Context<Self>) {
        let Some(session) = &mut self.session else { return };
        match datagram {
            Ok((source, bytes)) => {
                let from = (socket, canonical(source));
                let effects = session.receive(&self.setup, &mut self.drops, from, &bytes, now_ms());
                self.act(effects, ctx);
            }
            Err(error) => {
                let lan = &self.setup.lans[socket].name;
                tracing::warn!(lan, %error, "the socket of a farm failed: it is opened again");
                session.sockets.close(socket);
            }
        }
    }

    /// A socket that ends does not end the actor.
    fn finished(&mut self, _: &mut Context<Self>) {}
}

impl Handler<Join> for Group {
    type Result = ();

    fn handle(&mut self, _: Join, ctx: &mut Context<Self>) {
        self.wanted = true;
        self.begin(ctx);
    }
}

impl Handler<Leave> for Group {
    type Result = ();

    fn handle(&mut self, _: Leave, ctx: &mut Context<Self>) {
        self.wanted = false;
        match self.session {
            Some(_) => self.step(Event::Leave, ctx),
            None => self.tell(GroupEvent::Left, ctx),
        }
    }
}

impl Handler<Fenced> for Group {
    type Result = ();

    fn handle(&mut self, _: Fenced, ctx: &mut Context<Self>) {
        self.step(Event::Fenced, ctx);
    }
}

impl Handler<End> for Group {
    type Result = ();

    fn handle(&mut self, _: End, ctx: &mut Context<Self>) {
        self.wanted = false;
        self.finish(ctx);
        match &self.filter {
            Some(filter) => filter.remove(),
            None => {
                self.ending = true;
                self.tell(GroupEvent::Ended(Ok(())), ctx);
            }
        }
    }
}

impl Handler<Close> for Group {
    type Result = ();

    fn handle(&mut self, _: Close, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}

impl Handler<GetShares> for Group {
    type Result = Vec<(String, Share)>;

    fn handle(&mut self, _: GetShares, _: &mut Context<Self>) -> Vec<(String, Share)> {
        let names = self.setup.groups.iter().map(|group| group.name.clone());
        names.zip(self.shares.iter().cloned()).collect()
    }
}

impl Handler<GetDrops> for Group {
    type Result = Vec<DropCount>;

    fn handle(&mut self, _: GetDrops, _: &mut Context<Self>) -> Vec<DropCount> {
        self.drops.all(now_ms())
    }
}

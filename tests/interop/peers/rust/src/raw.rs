//! Raw streams under any protocol id. libp2p-stream has them too, but it opens one at a time and
//! drops those that come at once (libp2p-stream 0.4.0-alpha, shared.rs, on_inbound_stream: a
//! channel of one), which "100 streams at once" is about.

mod handler;

use std::{
    collections::{HashMap, HashSet, VecDeque},
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll},
};

use libp2p::{
    Multiaddr, PeerId, Stream, StreamProtocol,
    core::{Endpoint, transport::PortUse},
    swarm::{
        ConnectionClosed, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour,
        NotifyHandler, THandler, ToSwarm, behaviour::ConnectionEstablished,
    },
};
use tokio::sync::{mpsc, oneshot};

use crate::channel::Result;
use handler::{Handler, Instruction};

/// A stream that somebody opened to us.
pub struct Incoming {
    pub peer: PeerId,
    pub protocol: StreamProtocol,
    pub stream: Stream,
}

pub struct Behaviour {
    served: Served,
    accepted: mpsc::UnboundedSender<Incoming>,
    connections: HashMap<ConnectionId, Link>,
    instructions: VecDeque<ToSwarm<Infallible, Instruction>>,
}

struct Link {
    peer: PeerId,
    is_relayed: bool,
}

/// The protocols that we serve now; every connection's handler has it.
#[derive(Clone, Default)]
struct Served(Arc<Mutex<HashSet<StreamProtocol>>>);

impl Served {
    fn lock(&self) -> MutexGuard<'_, HashSet<StreamProtocol>> {
        self.0.lock().expect("nobody panics while holding it")
    }
}

impl Behaviour {
    /// Streams that are opened to us go to `accepted`.
    pub fn new(accepted: mpsc::UnboundedSender<Incoming>) -> Self {
        Self {
            served: Served::default(),
            accepted,
            connections: HashMap::new(),
            instructions: VecDeque::new(),
        }
    }

    /// Open a stream, on a direct connection if there is one. Without any the reply never comes:
    /// its sender is dropped.
    pub fn open(
        &mut self,
        peer: PeerId,
        protocol: StreamProtocol,
    ) -> oneshot::Receiver<Result<Stream>> {
        let (reply, receiver) = oneshot::channel();
        let links = self.connections.iter().filter(|(_, link)| link.peer == peer);
        if let Some((id, _)) = links.min_by_key(|(_, link)| link.is_relayed) {
            self.instruct(peer, *id, Instruction::Open(protocol, reply));
        }
        receiver
    }

    /// Serve a protocol from now on; identify pushes it.
    pub fn serve(&mut self, protocol: StreamProtocol) {
        self.served.lock().insert(protocol);
        self.refresh();
    }

    pub fn stop_serving(&mut self, protocol: &StreamProtocol) {
        self.served.lock().remove(protocol);
        self.refresh();
    }

    /// Connections look at what is served only when something wakes them.
    fn refresh(&mut self) {
        let links: Vec<_> = self.connections.iter().map(|(id, link)| (*id, link.peer)).collect();
        for (id, peer) in links {
            self.instruct(peer, id, Instruction::Refresh);
        }
    }

    fn instruct(&mut self, peer_id: PeerId, connection: ConnectionId, event: Instruction) {
        self.instructions.push_back(ToSwarm::NotifyHandler {
            peer_id,
            handler: NotifyHandler::One(connection),
            event,
        });
    }

    fn handler(&self, peer: PeerId) -> Handler {
        Handler::new(peer, self.served.clone(), self.accepted.clone())
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> std::result::Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(peer))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> std::result::Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(peer))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(ConnectionEstablished {
                peer_id: peer,
                connection_id,
                endpoint,
                ..
            }) => {
                let is_relayed = endpoint.is_relayed();
                self.connections.insert(connection_id, Link { peer, is_relayed });
            }
            FromSwarm::ConnectionClosed(ConnectionClosed { connection_id, .. }) => {
                self.connections.remove(&connection_id);
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: Infallible) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Infallible, Instruction>> {
        match self.instructions.pop_front() {
            Some(instruction) => Poll::Ready(instruction),
            None => Poll::Pending,
        }
    }
}

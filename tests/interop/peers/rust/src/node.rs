//! Node: the swarm in the one task that owns it, and who waits for what happens there.

use std::collections::HashMap;

use futures::StreamExt;
use libp2p::{
    PeerId, Swarm, identify,
    swarm::{ConnectionId, SwarmEvent},
};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::{
    behaviour::{Behaviour, BehaviourEvent},
    events,
    features::{
        gossipsub::{self, Verdict},
        kad,
    },
};

pub type Event = SwarmEvent<BehaviourEvent>;

/// Something to be done where the swarm is.
pub type Action = Box<dyn FnOnce(&mut Node) + Send>;

/// Sees every event until it says that it has what it waited for.
pub type Watcher = Box<dyn FnMut(&Event) -> bool + Send>;

pub struct Node {
    pub swarm: Swarm<Behaviour>,
    pub watchers: Vec<Watcher>,
    verdict: Verdict,
    known: HashMap<PeerId, identify::Info>,
    connections: HashMap<ConnectionId, Value>,
}

impl Node {
    pub fn new(swarm: Swarm<Behaviour>, verdict: Verdict) -> Self {
        Self {
            swarm,
            watchers: vec![],
            verdict,
            known: HashMap::new(),
            connections: HashMap::new(),
        }
    }

    /// Run until nobody can send actions any more.
    pub async fn run(mut self, mut actions: mpsc::UnboundedReceiver<Action>) {
        loop {
            tokio::select! {
                event = self.swarm.select_next_some() => self.on_event(event),
                action = actions.recv() => match action {
                    Some(action) => action(&mut self),
                    None => return,
                },
            }
        }
    }

    /// What a peer said of itself last.
    pub fn identity_of(&self, peer: &PeerId) -> Option<Value> {
        self.known.get(peer).map(events::describe_identity)
    }

    pub fn connections(&self) -> Vec<Value> {
        self.connections.values().cloned().collect()
    }

    /// The addresses that we listen on, each with our peer id.
    pub fn addresses(&self) -> Vec<String> {
        let peer = *self.swarm.local_peer_id();
        let with_peer = |address: &libp2p::Multiaddr| address.clone().with_p2p(peer);
        self.swarm
            .listeners()
            .filter_map(|address| with_peer(address).ok())
            .map(|address| address.to_string())
            .collect()
    }

    fn on_event(&mut self, event: Event) {
        self.keep_in_mind(&event);
        self.pass_on(&event);
        events::tell(&event, self.verdict);
        self.watchers.retain_mut(|watch| !watch(&event));
    }

    fn keep_in_mind(&mut self, event: &Event) {
        match event {
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                let facts = json!({
                    "peer": peer_id.to_string(),
                    "direction": if endpoint.is_dialer() { "outbound" } else { "inbound" },
                    "address": endpoint.get_remote_address(),
                    "encryption": null, "muxer": null,
                });
                self.connections.insert(*connection_id, facts);
            }
            SwarmEvent::ConnectionClosed { connection_id, .. } => {
                self.connections.remove(connection_id);
            }
            SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Received {
                peer_id,
                info,
                ..
            })) => {
                self.known.insert(*peer_id, info.clone());
            }
            _ => {}
        }
    }

    /// What one protocol learns of another.
    fn pass_on(&mut self, event: &Event) {
        let behaviour = self.swarm.behaviour_mut();
        match event {
            SwarmEvent::Behaviour(BehaviourEvent::Gossipsub(event)) => {
                let gossipsub = behaviour.gossipsub.as_mut().expect("it tells of something");
                gossipsub::judge(gossipsub, event, self.verdict);
            }
            SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Received {
                peer_id,
                info,
                ..
            })) => {
                let _ = behaviour.kad.as_mut().map(|kad| kad::learn(kad, peer_id, info));
            }
            _ => {}
        }
    }
}

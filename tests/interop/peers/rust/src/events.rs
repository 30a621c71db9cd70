//! The events of README.md, as they come out of the swarm.

use libp2p::{Multiaddr, identify, swarm::SwarmEvent};
use serde_json::{Value, json};

use crate::{
    behaviour::BehaviourEvent,
    channel::emit,
    features::{autonat, dcutr, gossipsub, mdns, relay},
    node::Event,
};

pub fn tell(event: &Event, verdict: gossipsub::Verdict) {
    match event {
        SwarmEvent::ConnectionEstablished { peer_id, .. } => {
            emit("connected", json!({"peer": peer_id.to_string()}));
        }
        SwarmEvent::ConnectionClosed { peer_id, .. } => {
            emit("disconnected", json!({"peer": peer_id.to_string()}));
        }
        SwarmEvent::Behaviour(event) => match event {
            BehaviourEvent::Identify(event) => tell_of_identity(event),
            BehaviourEvent::Gossipsub(event) => gossipsub::tell(event, verdict),
            BehaviourEvent::Mdns(event) => mdns::tell(event),
            BehaviourEvent::Circuits(event) => relay::tell(event),
            BehaviourEvent::Dcutr(event) => dcutr::tell(event),
            BehaviourEvent::AutonatV1(event) => autonat::tell_v1(event),
            BehaviourEvent::AutonatClient(event) => autonat::tell_v2(event),
            _ => {}
        },
        _ => {}
    }
}

fn tell_of_identity(event: &identify::Event) {
    if let identify::Event::Received { peer_id, info, .. } = event {
        let mut fields = describe_identity(info);
        fields["peer"] = json!(peer_id.to_string());
        emit("identified", fields);
    }
}

pub fn describe_identity(info: &identify::Info) -> Value {
    json!({
        "agent": info.agent_version,
        "protocol_version": info.protocol_version,
        "protocols": info.protocols.iter().map(AsRef::as_ref).collect::<Vec<&str>>(),
        "addresses": info.listen_addrs.iter().map(Multiaddr::to_string).collect::<Vec<_>>(),
    })
}

//! The events of README.md, as they come out of the swarm.

use libp2p::{Multiaddr, identify, swarm::SwarmEvent};
use serde_json::{Value, json};

use crate::{behaviour::BehaviourEvent, channel::emit, node::Event};

pub fn tell(event: &Event) {
    match event {
        SwarmEvent::ConnectionEstablished { peer_id, .. } => {
            emit("connected", json!({"peer": peer_id.to_string()}));
        }
        SwarmEvent::ConnectionClosed { peer_id, .. } => {
            emit("disconnected", json!({"peer": peer_id.to_string()}));
        }
        SwarmEvent::Behaviour(event) => tell_of_protocol(event),
        _ => {}
    }
}

fn tell_of_protocol(event: &BehaviourEvent) {
    if let BehaviourEvent::Identify(identify::Event::Received { peer_id, info, .. }) = event {
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
        "addresses": texts(&info.listen_addrs),
    })
}

fn texts(addresses: &[Multiaddr]) -> Vec<String> {
    addresses.iter().map(Multiaddr::to_string).collect()
}

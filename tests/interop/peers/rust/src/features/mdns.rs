//! mDNS.

use std::{collections::BTreeMap, time::Duration};

use libp2p::{
    Multiaddr, PeerId,
    mdns::{Config, Event, tokio::Behaviour},
};
use serde::Deserialize;
use serde_json::json;

use crate::channel::{Refusal, Result, emit};

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    service: Option<String>,
    interval_seconds: Option<f64>,
}

pub fn create(settings: &Settings, peer: PeerId) -> Result<Behaviour> {
    if settings.service.is_some() {
        let constant = "the service's name is a constant of rust-libp2p (libp2p-mdns, lib.rs)";
        return Err(Refusal::unsupported(constant));
    }
    let mut config = Config::default();
    if let Some(seconds) = settings.interval_seconds {
        config.query_interval = Duration::from_secs_f64(seconds);
    }
    Ok(Behaviour::new(config, peer)?)
}

pub fn tell(event: &Event) {
    match event {
        Event::Discovered(found) => tell_of_each("discovered", found),
        Event::Expired(lost) => tell_of_each("expired", lost),
    }
}

fn tell_of_each(event: &str, addresses: &[(PeerId, Multiaddr)]) {
    let mut of_peers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (peer, address) in addresses {
        of_peers.entry(peer.to_string()).or_default().push(address.to_string());
    }
    for (peer, addresses) in of_peers {
        emit(event, json!({"peer": peer, "addresses": addresses}));
    }
}

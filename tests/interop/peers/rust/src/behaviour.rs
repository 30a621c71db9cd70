//! Behaviour: everything that a node does, as a `start` request describes it.

use std::time::Duration;

use libp2p::{identify, identity::Keypair, ping, swarm::NetworkBehaviour};
use tokio::sync::mpsc;

use crate::raw;

/// rust-libp2p pings by itself; the `ping` request waits for the next result.
const PING_INTERVAL: Duration = Duration::from_millis(250);
const PROTOCOL_VERSION: &str = "peerloom-interop/1";

#[derive(NetworkBehaviour)]
pub struct Behaviour {
    pub raw: raw::Behaviour,
    pub identify: identify::Behaviour,
    ping: ping::Behaviour,
}

pub fn create(keys: &Keypair, accepted: mpsc::UnboundedSender<raw::Incoming>) -> Behaviour {
    // Without a signed peer record, as by default: those of rust-libp2p have a domain of their own
    // (libp2p-core, peer_record.rs), so that js-libp2p refuses the whole message.
    let identify = identify::Config::new(PROTOCOL_VERSION.to_owned(), keys.public());
    Behaviour {
        raw: raw::Behaviour::new(accepted),
        identify: identify::Behaviour::new(identify),
        ping: ping::Behaviour::new(ping::Config::new().with_interval(PING_INTERVAL)),
    }
}

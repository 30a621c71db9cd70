//! Settings: the fields of a `start` request.

use libp2p::Multiaddr;
use serde::Deserialize;

use crate::features::{autonat, dcutr, gossipsub, kad, mdns, relay, rendezvous};

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    pub identity: String,
    pub secret: Option<String>,
    pub security: Vec<String>,
    pub transports: Vec<String>,
    pub muxers: Vec<String>,
    pub listen: Vec<Multiaddr>,
    pub external: Vec<Multiaddr>,
    pub gossipsub: Option<gossipsub::Settings>,
    pub kad: Option<kad::Settings>,
    pub mdns: Option<mdns::Settings>,
    pub rendezvous: Option<rendezvous::Settings>,
    pub relay: Option<relay::Settings>,
    pub dcutr: Option<dcutr::Settings>,
    pub autonat: Option<autonat::Settings>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            identity: "ed25519".to_owned(),
            secret: None,
            security: vec!["tls".to_owned(), "noise".to_owned()],
            transports: vec!["tcp".to_owned()],
            muxers: vec!["yamux".to_owned()],
            listen: vec!["/ip4/127.0.0.1/tcp/0".parse().expect("an address")],
            external: vec![],
            gossipsub: None,
            kad: None,
            mdns: None,
            rendezvous: None,
            relay: None,
            dcutr: None,
            autonat: None,
        }
    }
}

//! Settings: the fields of a `start` request.

use libp2p::Multiaddr;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    pub identity: String,
    pub security: Vec<String>,
    pub transports: Vec<String>,
    pub muxers: Vec<String>,
    pub listen: Vec<Multiaddr>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            identity: "ed25519".to_owned(),
            security: vec!["tls".to_owned(), "noise".to_owned()],
            transports: vec!["tcp".to_owned()],
            muxers: vec!["yamux".to_owned()],
            listen: vec!["/ip4/127.0.0.1/tcp/0".parse().expect("an address")],
        }
    }
}

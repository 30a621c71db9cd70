//! AutoNAT, both versions, as client and as server.

use std::time::Duration;

use libp2p::{
    Multiaddr, PeerId,
    autonat::{v1, v2},
};
use serde::Deserialize;
use serde_json::json;

use crate::channel::emit;

/// By default a first probe comes after 15 s (v1) or 5 s (v2), and others 90 s later.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    pub v1: Part,
    pub v2: Part,
}

#[derive(Clone, Copy, Default, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    #[default]
    Off,
    Client,
    Server,
    Both,
}

impl Part {
    pub fn is_client(self) -> bool {
        matches!(self, Self::Client | Self::Both)
    }

    pub fn is_server(self) -> bool {
        matches!(self, Self::Server | Self::Both)
    }
}

/// The library's first version is always both: one without servers to ask is a server only, one
/// that may answer nobody a client only.
pub fn create_v1(part: Part, peer: PeerId) -> v1::Behaviour {
    let mut config = v1::Config {
        boot_delay: PROBE_INTERVAL,
        retry_interval: PROBE_INTERVAL,
        throttle_server_period: PROBE_INTERVAL,
        use_connected: part.is_client(),
        only_global_ips: false,
        ..Default::default()
    };
    if !part.is_server() {
        config.throttle_clients_global_max = 0;
    }
    v1::Behaviour::new(peer, config)
}

pub fn create_client() -> v2::client::Behaviour {
    let config = v2::client::Config::default().with_probe_interval(PROBE_INTERVAL);
    v2::client::Behaviour::new(rand::rngs::OsRng, config)
}

pub fn create_server() -> v2::server::Behaviour {
    v2::server::Behaviour::new(rand::rngs::OsRng)
}

pub fn tell_v1(event: &v1::Event) {
    if let v1::Event::StatusChanged { new, .. } = event {
        match new {
            v1::NatStatus::Public(address) => tell(Some(address), Some(true), "v1"),
            v1::NatStatus::Private => tell(None, Some(false), "v1"),
            v1::NatStatus::Unknown => tell(None, None, "v1"),
        }
    }
}

pub fn tell_v2(event: &v2::client::Event) {
    tell(Some(&event.tested_addr), Some(event.result.is_ok()), "v2");
}

fn tell(address: Option<&Multiaddr>, reachable: Option<bool>, by: &str) {
    emit("reachability", json!({"address": address, "reachable": reachable, "by": by}));
}

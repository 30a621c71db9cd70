//! Circuit relay v2: the client and the server.

use std::time::Duration;

use libp2p::{
    PeerId,
    relay::{Behaviour, Config, client::Event},
};
use serde::Deserialize;
use serde_json::json;

use crate::channel::emit;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    pub server: bool,
    reservations: Option<usize>,
    reservation_seconds: Option<f64>,
    circuit_seconds: Option<f64>,
    circuit_bytes: Option<u64>,
}

pub fn create_server(settings: &Settings, peer: PeerId) -> Behaviour {
    let library = Config::default();
    let seconds = |given: Option<f64>, default| given.map_or(default, Duration::from_secs_f64);
    let config = Config {
        max_reservations: settings.reservations.unwrap_or(library.max_reservations),
        reservation_duration: seconds(settings.reservation_seconds, library.reservation_duration),
        max_circuit_duration: seconds(settings.circuit_seconds, library.max_circuit_duration),
        max_circuit_bytes: settings.circuit_bytes.unwrap_or(library.max_circuit_bytes),
        ..library
    };
    Behaviour::new(peer, config)
}

pub fn tell(event: &Event) {
    if let Event::ReservationReqAccepted { relay_peer_id, renewal, .. } = event {
        emit("reserved", json!({"relay": relay_peer_id.to_string(), "renewal": renewal}));
    }
}

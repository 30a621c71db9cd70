//! The features to be switched on: for each one its settings, its behaviour, what it can be
//! asked, and what it tells.

pub mod autonat;
pub mod dcutr;
pub mod gossipsub;
pub mod kad;
pub mod mdns;
pub mod relay;
pub mod rendezvous;

use crate::channel::Refusal;

fn is_off(feature: &str) -> Refusal {
    Refusal::bad_request(format!("{feature} was not switched on at the start"))
}

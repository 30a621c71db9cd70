//! Direct connection upgrade through relay.

use libp2p::dcutr::Event;
use serde::Deserialize;
use serde_json::json;

use crate::channel::emit;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {}

pub fn tell(event: &Event) {
    let error = event.result.as_ref().err().map(ToString::to_string);
    emit("hole-punched", json!({"peer": event.remote_peer_id.to_string(), "error": error}));
}

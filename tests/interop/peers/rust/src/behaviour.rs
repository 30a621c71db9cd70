//! Behaviour: everything that a node does, as a `start` request describes it.

use std::time::Duration;

use libp2p::{
    autonat, dcutr, gossipsub, identify,
    identity::Keypair,
    mdns, ping, relay, rendezvous,
    swarm::{NetworkBehaviour, behaviour::toggle::Toggle},
};
use tokio::sync::mpsc;

use crate::{channel::Result, features, features::kad::Kad, raw, settings::Settings};

/// rust-libp2p pings by itself; the `ping` request waits for the next result.
const PING_INTERVAL: Duration = Duration::from_millis(250);
const PROTOCOL_VERSION: &str = "peerloom-interop/1";

#[derive(NetworkBehaviour)]
pub struct Behaviour {
    pub raw: raw::Behaviour,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    pub gossipsub: Toggle<gossipsub::Behaviour>,
    pub kad: Toggle<Kad>,
    mdns: Toggle<mdns::tokio::Behaviour>,
    pub rendezvous: Toggle<rendezvous::client::Behaviour>,
    point: Toggle<rendezvous::server::Behaviour>,
    circuits: Toggle<relay::client::Behaviour>,
    relay: Toggle<relay::Behaviour>,
    dcutr: Toggle<dcutr::Behaviour>,
    autonat_v1: Toggle<autonat::v1::Behaviour>,
    autonat_client: Toggle<autonat::v2::client::Behaviour>,
    autonat_server: Toggle<autonat::v2::server::Behaviour>,
}

pub fn create(
    settings: &Settings,
    keys: &Keypair,
    accepted: mpsc::UnboundedSender<raw::Incoming>,
    circuits: Option<relay::client::Behaviour>,
) -> Result<Behaviour> {
    let peer = keys.public().to_peer_id();
    let Settings { gossipsub, kad, mdns, rendezvous, relay, dcutr, autonat, .. } = settings;
    let point = rendezvous.as_ref().filter(|settings| settings.point);
    let relay = relay.as_ref().filter(|settings| settings.server);
    let (v1, v2) = autonat.as_ref().map(|parts| (parts.v1, parts.v2)).unwrap_or_default();
    // Without a signed peer record, as by default: those of rust-libp2p have a domain of their own
    // (libp2p-core, peer_record.rs), so that js-libp2p refuses the whole message.
    let identify = identify::Config::new(PROTOCOL_VERSION.to_owned(), keys.public());
    Ok(Behaviour {
        raw: raw::Behaviour::new(accepted),
        identify: identify::Behaviour::new(identify),
        ping: ping::Behaviour::new(ping::Config::new().with_interval(PING_INTERVAL)),
        gossipsub: toggle(gossipsub, |settings| features::gossipsub::create(settings, keys))?,
        kad: toggle(kad, |settings| features::kad::create(settings, peer))?,
        mdns: toggle(mdns, |settings| features::mdns::create(settings, peer))?,
        rendezvous: rendezvous.as_ref().map(|_| features::rendezvous::create(keys)).into(),
        point: point.map(|_| features::rendezvous::create_point()).into(),
        circuits: circuits.into(),
        relay: relay.map(|settings| features::relay::create_server(settings, peer)).into(),
        dcutr: dcutr.as_ref().map(|_| dcutr::Behaviour::new(peer)).into(),
        autonat_v1: Some(v1)
            .filter(|part| *part != features::autonat::Part::Off)
            .map(|part| features::autonat::create_v1(part, peer))
            .into(),
        autonat_client: v2.is_client().then(features::autonat::create_client).into(),
        autonat_server: v2.is_server().then(features::autonat::create_server).into(),
    })
}

fn toggle<S, B: NetworkBehaviour>(
    settings: &Option<S>,
    create: impl FnOnce(&S) -> Result<B>,
) -> Result<Toggle<B>> {
    Ok(settings.as_ref().map(create).transpose()?.into())
}

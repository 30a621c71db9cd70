//! Request: what a peer can be asked; see README.md, "Commands".

use libp2p::{Multiaddr, PeerId};
use serde::Deserialize;

use crate::{features::rendezvous::Discover, settings::Settings};

#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    Start(Box<Settings>),
    ListenAddresses {},
    Dial { address: Multiaddr },
    Disconnect { peer: PeerId },
    Connections {},
    Identify { peer: PeerId },
    Handle { protocol: String },
    Unhandle { protocol: String },
    Ping { peer: PeerId },
    Perf(Perf),
    Echo(Echo),
    Sink(Script),
    Source(Source),
    HalfClose(Script),
    Frames(Frames),
    ExpectReset(Script),
    SendReset(Script),
    Release { stream: u64 },
    Streams {},
    Listen { address: Multiaddr },
    Subscribe { topic: String },
    Unsubscribe { topic: String },
    Publish { topic: String, bytes: u64, seed: u64 },
    Mesh { topic: String },
    Subscribers { topic: String },
    Score { peer: PeerId },
    KadAdd { address: Multiaddr },
    KadTable {},
    KadBootstrap {},
    KadClosest(Key),
    KadFind { peer: PeerId },
    KadPut(KeyAndValue),
    KadGet(Key),
    KadProvide(Key),
    KadProviders(Key),
    RendezvousRegister { point: PeerId, namespace: String, seconds: Option<f64> },
    RendezvousUnregister { point: PeerId, namespace: String },
    RendezvousDiscover(Discover),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    #[serde(with = "hex::serde")]
    pub key: Vec<u8>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyAndValue {
    #[serde(with = "hex::serde")]
    pub key: Vec<u8>,
    #[serde(with = "hex::serde")]
    pub value: Vec<u8>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Perf {
    pub peer: PeerId,
    pub upload: u64,
    pub download: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    pub peer: PeerId,
    pub bytes: u64,
    pub seed: u64,
    pub protocol: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Echo {
    pub peer: PeerId,
    pub bytes: u64,
    pub seed: u64,
    #[serde(default = "one")]
    pub streams: usize,
    pub protocol: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    pub peer: PeerId,
    pub bytes: u64,
    pub seed: u64,
    #[serde(default)]
    pub hold: bool,
    pub protocol: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frames {
    pub peer: PeerId,
    pub sizes: Vec<usize>,
    pub seed: u64,
    pub protocol: Option<String>,
}

fn one() -> usize {
    1
}

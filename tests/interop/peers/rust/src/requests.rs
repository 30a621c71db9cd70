//! Request: what a peer can be asked; see README.md, "Commands".

use libp2p::{Multiaddr, PeerId};
use serde::Deserialize;

use crate::settings::Settings;

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

//! `peer bench`: the same node as a contestant of the benchmarks; what it does on streams is that
//! of benchmarks/workers/scripts.py.

mod gmac;
mod streams;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{AsyncWriteExt, future::try_join_all};
use libp2p::{Multiaddr, PeerId};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::{sync::OnceCell, try_join};

use self::streams::{BULK, ECHO, RING_BYTES};
use crate::{
    channel::{Commands, Refusal, Result},
    host::Host,
    pattern::Pattern,
    settings::Settings,
};

#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
enum Request {
    Start {
        transport: String,
        security: String,
        #[serde(default = "loopback")]
        ip: String,
    },
    Dial {
        address: Multiaddr,
    },
    Disconnect {
        peer: PeerId,
    },
    Send {
        peer: PeerId,
        bytes: u64,
        seed: u64,
    },
    Parallel {
        peer: PeerId,
        bytes: u64,
        seed: u64,
        streams: usize,
    },
    OpenStreams {
        peer: PeerId,
        count: usize,
    },
    Echo {
        peer: PeerId,
        count: u32,
        bytes: usize,
    },
    ShakeHands {
        address: Multiaddr,
        peer: PeerId,
        count: usize,
    },
}

#[derive(Default)]
pub struct Worker {
    host: OnceCell<Host>,
}

impl Commands for Worker {
    async fn handle(&self, request: Map<String, Value>) -> Result<Value> {
        let request = Request::deserialize(Value::Object(request)).map_err(Refusal::bad_request)?;
        match (request, self.host.get()) {
            (Request::Start { transport, security, ip }, None) => {
                self.start(transport, security, ip).await
            }
            (Request::Start { .. }, Some(_)) | (_, None) => {
                Err(Refusal::bad_request("start comes first, once"))
            }
            (request, Some(host)) => answer(request, host).await,
        }
    }
}

impl Worker {
    async fn start(&self, transport: String, security: String, ip: String) -> Result<Value> {
        let listen = match transport.as_str() {
            "quic" => format!("/ip4/{ip}/udp/0/quic-v1"),
            _ => format!("/ip4/{ip}/tcp/0"),
        };
        let (host, incoming) = Host::create(&Settings {
            transports: vec![transport],
            security: vec![security],
            ..Settings::default()
        })?;
        for protocol in [BULK, ECHO] {
            host.serve(protocol.to_owned()).await?;
        }
        tokio::spawn(streams::accept(incoming));
        host.listen(listen.parse()?).await?;
        let facts = host.describe().await;
        self.host.set(host).map_err(|_| Refusal::bad_request("start comes once"))?;
        Ok(facts)
    }
}

async fn answer(request: Request, host: &Host) -> Result<Value> {
    match request {
        Request::Start { .. } => unreachable!("handled before"),
        Request::Dial { address } => host.dial(address).await.map(|_| json!({})),
        Request::Disconnect { peer } => host.disconnect(peer).await.map(|()| json!({})),
        Request::Send { peer, bytes, seed } => {
            Ok(send_all(host, peer, bytes, seed, 1).await?.remove(0))
        }
        Request::Parallel { peer, bytes, seed, streams } => {
            Ok(json!({"streams": send_all(host, peer, bytes, seed, streams).await?}))
        }
        Request::OpenStreams { peer, count } => open_streams(host, peer, count).await,
        Request::Echo { peer, count, bytes } => send_echoes(host, peer, count, bytes).await,
        Request::ShakeHands { address, peer, count } => {
            shake_hands(host, address, peer, count).await
        }
    }
}

async fn send_all(
    host: &Host,
    peer: PeerId,
    bytes: u64,
    seed: u64,
    count: usize,
) -> Result<Vec<Value>> {
    let opened = try_join_all((0..count).map(|_| host.open(peer, BULK))).await?;
    let ring: Arc<[u8]> = Pattern::new(seed, RING_BYTES).collect().into();
    let begun = Instant::now();
    let sending = opened.into_iter().enumerate().map(|(first, stream)| {
        tokio::spawn(streams::send_bulk(stream, ring.clone(), bytes, first, begun))
    });
    let outcomes = try_join_all(sending).await?;
    Ok(outcomes.into_iter().collect::<std::io::Result<_>>()?)
}

async fn open_streams(host: &Host, peer: PeerId, count: usize) -> Result<Value> {
    let begun = Instant::now();
    for number in 0..count {
        let mut stream = host.open(peer, ECHO).await?;
        streams::exchange(&mut stream, &[number as u8]).await?;
        stream.close().await?;
    }
    Ok(json!({"seconds": begun.elapsed().as_secs_f64()}))
}

async fn send_echoes(host: &Host, peer: PeerId, count: u32, bytes: usize) -> Result<Value> {
    let mut stream = host.open(peer, ECHO).await?;
    let mut seconds = vec![];
    for number in 0..count {
        let message = number.to_be_bytes().repeat(bytes / 4);
        let begun = Instant::now();
        streams::exchange(&mut stream, &message).await?;
        seconds.push(begun.elapsed().as_secs_f64());
    }
    stream.close().await?;
    Ok(json!({"seconds": seconds}))
}

async fn shake_hands(host: &Host, to: Multiaddr, peer: PeerId, count: usize) -> Result<Value> {
    let mut total = Duration::ZERO;
    for _ in 0..count {
        let begun = Instant::now();
        try_join!(host.identified(peer), host.dial(to.clone()))?;
        total += begun.elapsed();
        host.disconnect(peer).await?;
    }
    Ok(json!({"seconds": total.as_secs_f64()}))
}

fn loopback() -> String {
    "127.0.0.1".to_owned()
}

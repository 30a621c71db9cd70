//! Kademlia.

use std::collections::BTreeSet;

use libp2p::{
    Multiaddr, PeerId, StreamProtocol, identify,
    kad::{
        Behaviour, Config, Event, GetProvidersOk, GetRecordOk, Mode, PeerInfo, QueryId,
        QueryResult, Quorum, Record, RecordKey, store::MemoryStore,
    },
    swarm::SwarmEvent,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::is_off;
use crate::{
    behaviour::BehaviourEvent,
    channel::{Refusal, Result},
    host::{Host, peer_of},
    node::{self, Node},
};

pub type Kad = Behaviour<MemoryStore>;

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    protocol: String,
    mode: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self { protocol: "/ipfs/kad/1.0.0".to_owned(), mode: "server".to_owned() }
    }
}

pub fn create(settings: &Settings, peer: PeerId) -> Result<Kad> {
    let protocol =
        StreamProtocol::try_from_owned(settings.protocol.clone()).map_err(Refusal::bad_request)?;
    let mut kad = Behaviour::with_config(peer, MemoryStore::new(peer), Config::new(protocol));
    kad.set_mode(Some(match settings.mode.as_str() {
        "server" => Mode::Server,
        "client" => Mode::Client,
        mode => return Err(Refusal::bad_request(format!("kad has no mode {mode}"))),
    }));
    Ok(kad)
}

/// The library leaves it to the application to take addresses from identify to the table.
pub fn learn(kad: &mut Kad, peer: &PeerId, info: &identify::Info) {
    if kad.protocol_names().iter().any(|name| info.protocols.contains(name)) {
        for address in &info.listen_addrs {
            kad.add_address(peer, address.clone());
        }
    }
}

pub async fn add(host: &Host, address: Multiaddr) -> Result<()> {
    let peer = peer_of(&address)?;
    host.try_with(move |node| Ok(on(node)?.add_address(&peer, address))).await.map(drop)
}

pub async fn table(host: &Host) -> Result<Value> {
    host.try_with(|node| {
        let buckets = on(node)?.kbuckets();
        let peers = buckets.flat_map(|bucket| {
            let entries = bucket.iter().map(|entry| entry.node.key.preimage().to_string());
            entries.collect::<Vec<_>>()
        });
        Ok(json!({"peers": peers.collect::<Vec<_>>()}))
    })
    .await
}

pub async fn bootstrap(host: &Host) -> Result<()> {
    query(
        host,
        |kad| Ok(kad.bootstrap()?),
        |result, last| match result {
            QueryResult::Bootstrap(Err(error)) => Some(Err(error.into())),
            _ => last.then_some(Ok(())),
        },
    )
    .await
}

pub async fn closest(host: &Host, key: Vec<u8>) -> Result<Value> {
    let found = closest_to(host, |kad| kad.get_closest_peers(key)).await?;
    Ok(json!({"peers": found.iter().map(|each| each.peer_id.to_string()).collect::<Vec<_>>()}))
}

pub async fn find(host: &Host, peer: PeerId) -> Result<Value> {
    let found = closest_to(host, move |kad| kad.get_closest_peers(peer)).await?;
    match found.into_iter().find(|each| each.peer_id == peer) {
        Some(PeerInfo { addrs, .. }) => Ok(json!({"addresses": addrs})),
        None => Err(Refusal::failed(format!("nobody knows {peer}"))),
    }
}

pub async fn put(host: &Host, key: Vec<u8>, value: Vec<u8>) -> Result<()> {
    query(
        host,
        |kad| Ok(kad.put_record(Record::new(key, value), Quorum::One)?),
        |result, _| match result {
            QueryResult::PutRecord(outcome) => {
                Some(outcome.clone().map(drop).map_err(Refusal::from))
            }
            _ => None,
        },
    )
    .await
}

/// Of several values the greatest, as the validator of `/test/` has it.
pub async fn get(host: &Host, key: Vec<u8>) -> Result<Value> {
    let mut best: Option<Vec<u8>> = None;
    let value = query(
        host,
        move |kad| Ok(kad.get_record(RecordKey::new(&key))),
        move |result, last| {
            if let QueryResult::GetRecord(Ok(GetRecordOk::FoundRecord(found))) = result {
                best = best.take().max(Some(found.record.value.clone()));
            }
            let missing = || Refusal::failed("there is no such record");
            last.then(|| best.take().ok_or_else(missing))
        },
    )
    .await?;
    Ok(json!({"value": hex::encode(value)}))
}

pub async fn provide(host: &Host, key: Vec<u8>) -> Result<()> {
    query(
        host,
        |kad| Ok(kad.start_providing(key.into())?),
        |result, _| match result {
            QueryResult::StartProviding(outcome) => {
                Some(outcome.clone().map(drop).map_err(Refusal::from))
            }
            _ => None,
        },
    )
    .await
}

pub async fn providers(host: &Host, key: Vec<u8>) -> Result<Value> {
    let mut found = BTreeSet::new();
    query(
        host,
        |kad| Ok(kad.get_providers(key.into())),
        move |result, last| {
            if let QueryResult::GetProviders(Ok(GetProvidersOk::FoundProviders {
                providers, ..
            })) = result
            {
                found.extend(providers.iter().map(PeerId::to_string));
            }
            last.then(|| Ok(json!({"peers": found})))
        },
    )
    .await
}

async fn closest_to(
    host: &Host,
    begin: impl FnOnce(&mut Kad) -> QueryId + Send + 'static,
) -> Result<Vec<PeerInfo>> {
    query(
        host,
        |kad| Ok(begin(kad)),
        |result, last| match result {
            QueryResult::GetClosestPeers(outcome) if last => {
                Some(outcome.clone().map(|found| found.peers).map_err(Refusal::from))
            }
            _ => None,
        },
    )
    .await
}

/// Begin a query; `take` sees each of its results, and whether it is the last one.
async fn query<T: Send + 'static>(
    host: &Host,
    begin: impl FnOnce(&mut Kad) -> Result<QueryId> + Send + 'static,
    mut take: impl FnMut(&QueryResult, bool) -> Option<Result<T>> + Send + 'static,
) -> Result<T> {
    host.watch(|node| {
        let begun = begin(on(node)?)?;
        Ok(move |event: &node::Event| match event {
            SwarmEvent::Behaviour(BehaviourEvent::Kad(Event::OutboundQueryProgressed {
                id,
                result,
                step,
                ..
            })) if *id == begun => take(result, step.last),
            _ => None,
        })
    })
    .await
}

fn on(node: &mut Node) -> Result<&mut Kad> {
    node.swarm.behaviour_mut().kad.as_mut().ok_or_else(|| is_off("kad"))
}

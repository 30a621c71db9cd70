//! Gossipsub.

use std::time::Duration;

use libp2p::{
    PeerId,
    gossipsub::{
        Behaviour, ConfigBuilder, Event, IdentTopic, Message, MessageAcceptance,
        MessageAuthenticity, MessageId, PeerScoreParams, PeerScoreThresholds, ValidationMode,
    },
    identity::Keypair,
};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::is_off;
use crate::{
    channel::{Refusal, Result, emit},
    host::Host,
    node::Node,
    pattern::Pattern,
};

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    signing: Signing,
    message_id: Ids,
    d: Option<usize>,
    d_low: Option<usize>,
    d_high: Option<usize>,
    d_lazy: Option<usize>,
    d_out: Option<usize>,
    heartbeat_seconds: f64,
    flood_publish: bool,
    max_bytes: usize,
    scores: bool,
    pub verdict: Verdict,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Signing {
    #[default]
    StrictSign,
    StrictNoSign,
    Lax,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Ids {
    #[default]
    Library,
    Sha256,
}

/// What the validator says of each message.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    #[default]
    Accept,
    Ignore,
    Reject,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            signing: Signing::default(),
            message_id: Ids::default(),
            d: None,
            d_low: None,
            d_high: None,
            d_lazy: None,
            d_out: None,
            heartbeat_seconds: 1.0,
            flood_publish: true,
            max_bytes: 1024 * 1024,
            scores: false,
            verdict: Verdict::default(),
        }
    }
}

pub fn create(settings: &Settings, keys: &Keypair) -> Result<Behaviour> {
    let (authenticity, validation) = match settings.signing {
        Signing::StrictSign => (MessageAuthenticity::Signed(keys.clone()), ValidationMode::Strict),
        Signing::StrictNoSign => (MessageAuthenticity::Anonymous, ValidationMode::Anonymous),
        Signing::Lax => (MessageAuthenticity::Signed(keys.clone()), ValidationMode::Permissive),
    };
    let config = configure(settings, validation).build()?;
    let mut gossipsub = Behaviour::new(authenticity, config).map_err(Refusal::failed)?;
    if settings.scores {
        let (params, thresholds) = (PeerScoreParams::default(), PeerScoreThresholds::default());
        gossipsub.with_peer_score(params, thresholds).map_err(Refusal::failed)?;
    }
    Ok(gossipsub)
}

fn configure(settings: &Settings, validation: ValidationMode) -> ConfigBuilder {
    let heartbeat = Duration::from_secs_f64(settings.heartbeat_seconds);
    let mut config = ConfigBuilder::default();
    config
        .validation_mode(validation)
        .validate_messages()
        .heartbeat_initial_delay(heartbeat)
        .heartbeat_interval(heartbeat)
        .flood_publish(settings.flood_publish)
        .max_transmit_size(settings.max_bytes);
    settings.d.map(|count| config.mesh_n(count));
    settings.d_low.map(|count| config.mesh_n_low(count));
    settings.d_high.map(|count| config.mesh_n_high(count));
    settings.d_lazy.map(|count| config.gossip_lazy(count));
    settings.d_out.map(|count| config.mesh_outbound_min(count));
    if let Ids::Sha256 = settings.message_id {
        let id = |message: &Message| MessageId::new(&Sha256::digest(&message.data));
        config.message_id_fn(id);
    }
    config
}

pub async fn subscribe(host: &Host, topic: String) -> Result<()> {
    host.try_with(|node| Ok(on(node)?.subscribe(&IdentTopic::new(topic))?)).await.map(drop)
}

pub async fn unsubscribe(host: &Host, topic: String) -> Result<()> {
    host.try_with(|node| Ok(on(node)?.unsubscribe(&IdentTopic::new(topic)))).await.map(drop)
}

pub async fn publish(host: &Host, topic: String, bytes: u64, seed: u64) -> Result<Value> {
    let data = Pattern::new(seed, bytes).collect();
    let topic = IdentTopic::new(topic);
    let id = host.try_with(|node| Ok(on(node)?.publish(topic, data)?)).await?;
    Ok(json!({"message": hex::encode(id.0)}))
}

pub async fn mesh(host: &Host, topic: String) -> Result<Value> {
    let hash = IdentTopic::new(topic).hash();
    host.try_with(move |node| Ok(peers(on(node)?.mesh_peers(&hash)))).await
}

pub async fn subscribers(host: &Host, topic: String) -> Result<Value> {
    let hash = IdentTopic::new(topic).hash();
    host.try_with(move |node| {
        let all = on(node)?.all_peers();
        Ok(peers(all.filter(|(_, topics)| topics.contains(&&hash)).map(|(peer, _)| peer)))
    })
    .await
}

pub async fn score(host: &Host, peer: PeerId) -> Result<Value> {
    let score = host.try_with(move |node| Ok(on(node)?.peer_score(&peer))).await?;
    let none = || Refusal::failed(format!("there is no score of {peer}"));
    Ok(json!({"score": score.ok_or_else(none)?}))
}

/// Say of a message what the validator says, before anybody hears of it.
pub fn judge(gossipsub: &mut Behaviour, event: &Event, verdict: Verdict) {
    if let Event::Message { propagation_source, message_id, .. } = event {
        let acceptance = match verdict {
            Verdict::Accept => MessageAcceptance::Accept,
            Verdict::Ignore => MessageAcceptance::Ignore,
            Verdict::Reject => MessageAcceptance::Reject,
        };
        gossipsub.report_message_validation_result(message_id, propagation_source, acceptance);
    }
}

pub fn tell(event: &Event, verdict: Verdict) {
    match event {
        Event::Message { propagation_source, message_id, message } => {
            if let Verdict::Accept = verdict {
                tell_of_message(*propagation_source, message_id, message);
            }
        }
        Event::Subscribed { peer_id, topic } => {
            emit("subscribed", json!({"peer": peer_id.to_string(), "topic": topic.as_str()}));
        }
        Event::Unsubscribed { peer_id, topic } => {
            emit("unsubscribed", json!({"peer": peer_id.to_string(), "topic": topic.as_str()}));
        }
        Event::GossipsubNotSupported { .. } | Event::SlowPeer { .. } => {}
    }
}

fn tell_of_message(from: PeerId, id: &MessageId, message: &Message) {
    let fields = json!({
        "topic": message.topic.as_str(),
        "author": message.source.map(|peer| peer.to_string()),
        "from": from.to_string(),
        "message": hex::encode(&id.0),
        "bytes": message.data.len(),
        "sha256": hex::encode(Sha256::digest(&message.data)),
    });
    emit("message", fields);
}

fn peers<'a>(peers: impl Iterator<Item = &'a PeerId>) -> Value {
    json!({"peers": peers.map(PeerId::to_string).collect::<Vec<_>>()})
}

fn on(node: &mut Node) -> Result<&mut Behaviour> {
    node.swarm.behaviour_mut().gossipsub.as_mut().ok_or_else(|| is_off("gossipsub"))
}

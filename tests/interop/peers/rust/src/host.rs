//! Host: what a node can be asked for, from any task.

use std::time::Duration;

use libp2p::{
    Multiaddr, PeerId, Stream, StreamProtocol, Swarm, identify,
    multiaddr::Protocol,
    ping,
    swarm::{
        Config, SwarmEvent,
        dial_opts::{DialOpts, PeerCondition},
    },
};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use crate::{
    behaviour::{self, BehaviourEvent},
    channel::{Refusal, Result},
    identity,
    node::{Action, Event, Node, Watcher},
    raw::Incoming,
    settings::Settings,
    transport,
};

const VERSION: &str = "0.56.0";
const MAX_STREAMS: usize = 1024;
/// A test says when a connection ends.
const IDLE_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Clone)]
pub struct Host {
    pub peer: PeerId,
    actions: mpsc::UnboundedSender<Action>,
}

impl Host {
    /// Make a node, and what gives the streams that others open to it. It listens nowhere yet.
    pub fn create(settings: &Settings) -> Result<(Self, mpsc::UnboundedReceiver<Incoming>)> {
        let keys = identity::create(&settings.identity, settings.secret.as_deref())?;
        let peer = keys.public().to_peer_id();
        let (accepted, incoming) = mpsc::unbounded_channel();
        let config = Config::with_tokio_executor()
            .with_idle_connection_timeout(IDLE_TIMEOUT)
            .with_max_negotiating_inbound_streams(MAX_STREAMS);
        let (transport, circuits) = transport::create(settings, &keys)?;
        let behaviour = behaviour::create(settings, &keys, accepted, circuits)?;
        let mut swarm = Swarm::new(transport, behaviour, peer, config);
        for address in &settings.external {
            swarm.add_external_address(address.clone());
        }
        let verdict = settings.gossipsub.as_ref().map(|settings| settings.verdict);
        let (actions, queue) = mpsc::unbounded_channel();
        tokio::spawn(Node::new(swarm, verdict.unwrap_or_default()).run(queue));
        Ok((Self { peer, actions }, incoming))
    }

    /// Listen on one more address; gives what came of it, with our peer id.
    pub async fn listen(&self, address: Multiaddr) -> Result<Multiaddr> {
        let peer = self.peer;
        self.watch(move |node| {
            let listener = node.swarm.listen_on(address)?;
            Ok(move |event: &Event| match event {
                SwarmEvent::NewListenAddr { listener_id, address } if *listener_id == listener => {
                    let with_peer = address.clone().with_p2p(peer);
                    Some(with_peer.map_err(|_| Refusal::failed("it names another peer")))
                }
                SwarmEvent::ListenerClosed { listener_id, reason, .. }
                    if *listener_id == listener =>
                {
                    Some(Err(Refusal::failed(format!("the listener closed: {reason:?}"))))
                }
                _ => None,
            })
        })
        .await
    }

    pub async fn dial(&self, address: Multiaddr) -> Result<PeerId> {
        let peer = peer_of(&address)?;
        self.watch(move |node| {
            let options = DialOpts::peer_id(peer)
                .addresses(vec![address])
                .condition(PeerCondition::Always)
                .build();
            let dialled = options.connection_id();
            node.swarm.dial(options)?;
            Ok(move |event: &Event| match event {
                SwarmEvent::ConnectionEstablished { connection_id, .. }
                    if *connection_id == dialled =>
                {
                    Some(Ok(peer))
                }
                SwarmEvent::OutgoingConnectionError { connection_id, error, .. }
                    if *connection_id == dialled =>
                {
                    Some(Err(Refusal::from(error)))
                }
                _ => None,
            })
        })
        .await
    }

    /// Close all connections to a peer.
    pub async fn disconnect(&self, peer: PeerId) -> Result<()> {
        self.watch(move |node| {
            let not_connected = |()| Refusal::failed(format!("not connected to {peer}"));
            node.swarm.disconnect_peer_id(peer).map_err(not_connected)?;
            Ok(move |event: &Event| match event {
                SwarmEvent::ConnectionClosed { peer_id, num_established: 0, .. }
                    if *peer_id == peer =>
                {
                    Some(Ok(()))
                }
                _ => None,
            })
        })
        .await
    }

    /// The round trip that the next ping takes.
    pub async fn ping(&self, peer: PeerId) -> Result<Duration> {
        self.watch(move |node| {
            if !node.swarm.is_connected(&peer) {
                return Err(Refusal::failed(format!("not connected to {peer}")));
            }
            Ok(move |event: &Event| match event {
                SwarmEvent::Behaviour(BehaviourEvent::Ping(ping::Event {
                    peer: pinged,
                    result,
                    ..
                })) if *pinged == peer => Some(result.as_ref().copied().map_err(Refusal::from)),
                _ => None,
            })
        })
        .await
    }

    /// Serve a protocol from now on, and push that by identify.
    pub async fn serve(&self, protocol: String) -> Result<()> {
        let protocol = protocol_of(protocol)?;
        self.with(|node| node.swarm.behaviour_mut().raw.serve(protocol)).await;
        Ok(())
    }

    pub async fn stop_serving(&self, protocol: String) -> Result<()> {
        let protocol = protocol_of(protocol)?;
        self.with(move |node| node.swarm.behaviour_mut().raw.stop_serving(&protocol)).await;
        Ok(())
    }

    /// Wait until a peer identifies itself.
    pub async fn identified(&self, peer: PeerId) -> Result<()> {
        self.watch(move |_| {
            Ok(move |event: &Event| match event {
                SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Received {
                    peer_id,
                    ..
                })) if *peer_id == peer => Some(Ok(())),
                _ => None,
            })
        })
        .await
    }

    pub async fn open(&self, peer: PeerId, protocol: &str) -> Result<Stream> {
        let protocol = protocol_of(protocol.to_owned())?;
        let open = move |node: &mut Node| node.swarm.behaviour_mut().raw.open(peer, protocol);
        let lost = |_| Refusal::failed(format!("no connection to {peer}"));
        self.with(open).await.await.map_err(lost)?
    }

    /// What `start` answers.
    pub async fn describe(&self) -> Value {
        json!({
            "peer": self.peer.to_string(),
            "addresses": self.addresses().await,
            "implementation": "rust-libp2p",
            "version": VERSION,
        })
    }

    pub async fn addresses(&self) -> Vec<String> {
        self.with(|node| node.addresses()).await
    }

    pub async fn connections(&self) -> Vec<Value> {
        self.with(|node| node.connections()).await
    }

    pub async fn identity_of(&self, peer: PeerId) -> Result<Value> {
        let known = self.with(move |node| node.identity_of(&peer)).await;
        known.ok_or_else(|| Refusal::failed(format!("nothing is known of {peer}")))
    }

    /// Do something where the swarm is.
    pub async fn with<T: Send + 'static>(
        &self,
        action: impl FnOnce(&mut Node) -> T + Send + 'static,
    ) -> T {
        let (reply, receiver) = oneshot::channel();
        self.send(move |node| {
            let _ = reply.send(action(node));
        });
        receiver.await.expect("a node lives as long as its host")
    }

    /// The same for something that may be refused.
    pub async fn try_with<T: Send + 'static>(
        &self,
        action: impl FnOnce(&mut Node) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.with(action).await
    }

    /// Begin something where the swarm is, and watch the events there until they tell what came
    /// of it.
    pub async fn watch<T, B, W>(&self, begin: B) -> Result<T>
    where
        T: Send + 'static,
        B: FnOnce(&mut Node) -> Result<W> + Send + 'static,
        W: FnMut(&Event) -> Option<Result<T>> + Send + 'static,
    {
        let (reply, receiver) = oneshot::channel();
        self.send(|node| match begin(node) {
            Ok(watch) => node.watchers.push(until_answered(watch, reply)),
            Err(refusal) => {
                let _ = reply.send(Err(refusal));
            }
        });
        receiver.await.expect("a node lives as long as its host")
    }

    fn send(&self, action: impl FnOnce(&mut Node) + Send + 'static) {
        let sent = self.actions.send(Box::new(action));
        assert!(sent.is_ok(), "a node lives as long as its host");
    }
}

fn until_answered<T: Send + 'static>(
    mut watch: impl FnMut(&Event) -> Option<Result<T>> + Send + 'static,
    reply: oneshot::Sender<Result<T>>,
) -> Watcher {
    let mut reply = Some(reply);
    Box::new(move |event| {
        if let Some(outcome) = watch(event) {
            let _ = reply.take().map(|reply| reply.send(outcome));
        }
        reply.is_none()
    })
}

/// The peer that an address ends in.
pub fn peer_of(address: &Multiaddr) -> Result<PeerId> {
    match address.iter().last() {
        Some(Protocol::P2p(peer)) => Ok(peer),
        _ => Err(Refusal::bad_request(format!("{address} names no peer"))),
    }
}

fn protocol_of(text: String) -> Result<StreamProtocol> {
    StreamProtocol::try_from_owned(text).map_err(Refusal::bad_request)
}

//! Handler: the raw streams of one connection.

use std::{
    collections::VecDeque,
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
    vec,
};

use libp2p::{
    PeerId, Stream, StreamProtocol,
    core::upgrade::{InboundUpgrade, OutboundUpgrade, UpgradeInfo},
    swarm::{
        ConnectionHandler, ConnectionHandlerEvent, StreamUpgradeError, SubstreamProtocol,
        handler::{
            ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound,
        },
    },
};
use tokio::sync::{mpsc, oneshot};

use super::{Incoming, Served};
use crate::channel::{Refusal, Result};

#[derive(Debug)]
pub enum Instruction {
    Open(StreamProtocol, Reply),
    /// What is served has changed.
    Refresh,
}

type Reply = oneshot::Sender<Result<Stream>>;
type Request = ConnectionHandlerEvent<AnyOf, Reply, Infallible>;

pub struct Handler {
    peer: PeerId,
    served: Served,
    accepted: mpsc::UnboundedSender<Incoming>,
    requests: VecDeque<Request>,
}

impl Handler {
    pub(super) fn new(
        peer: PeerId,
        served: Served,
        accepted: mpsc::UnboundedSender<Incoming>,
    ) -> Self {
        Self { peer, served, accepted, requests: VecDeque::new() }
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Instruction;
    type ToBehaviour = Infallible;
    type InboundProtocol = AnyOf;
    type OutboundProtocol = AnyOf;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Reply;

    fn listen_protocol(&self) -> SubstreamProtocol<AnyOf> {
        let protocols = self.served.lock().iter().cloned().collect();
        SubstreamProtocol::new(AnyOf(protocols), ())
    }

    fn on_behaviour_event(&mut self, instruction: Instruction) {
        if let Instruction::Open(protocol, reply) = instruction {
            let protocol = SubstreamProtocol::new(AnyOf(vec![protocol]), reply);
            let request = ConnectionHandlerEvent::OutboundSubstreamRequest { protocol };
            self.requests.push_back(request);
        }
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<Request> {
        match self.requests.pop_front() {
            Some(request) => Poll::Ready(request),
            None => Poll::Pending,
        }
    }

    // A receiver that is gone asked for a stream, or the node is stopping: nobody misses it.
    fn on_connection_event(&mut self, event: ConnectionEvent<'_, AnyOf, AnyOf, (), Reply>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: (stream, protocol),
                ..
            }) => {
                let peer = self.peer;
                let _ = self.accepted.send(Incoming { peer, protocol, stream });
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: (stream, _),
                info: reply,
            }) => {
                let _ = reply.send(Ok(stream));
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info: reply, error }) => {
                let _ = reply.send(Err(Refusal::failed(text_of(error))));
            }
            _ => {}
        }
    }
}

fn text_of(error: StreamUpgradeError<Infallible>) -> String {
    match error {
        StreamUpgradeError::NegotiationFailed => "the peer does not speak this protocol".to_owned(),
        error => format!("no stream: {error}"),
    }
}

/// Gives the stream as it is, with the protocol that both sides agreed on.
pub struct AnyOf(Vec<StreamProtocol>);

impl UpgradeInfo for AnyOf {
    type Info = StreamProtocol;
    type InfoIter = vec::IntoIter<StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.0.clone().into_iter()
    }
}

impl InboundUpgrade<Stream> for AnyOf {
    type Output = (Stream, StreamProtocol);
    type Error = Infallible;
    type Future = Ready<std::result::Result<Self::Output, Infallible>>;

    fn upgrade_inbound(self, stream: Stream, protocol: StreamProtocol) -> Self::Future {
        ready(Ok((stream, protocol)))
    }
}

impl OutboundUpgrade<Stream> for AnyOf {
    type Output = (Stream, StreamProtocol);
    type Error = Infallible;
    type Future = Ready<std::result::Result<Self::Output, Infallible>>;

    fn upgrade_outbound(self, stream: Stream, protocol: StreamProtocol) -> Self::Future {
        ready(Ok((stream, protocol)))
    }
}

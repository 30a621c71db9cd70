//! Security: TLS and Noise in any order of preference, where rust-libp2p's types fix one.

use std::{io, vec};

use futures::{AsyncRead, AsyncWrite, FutureExt, TryFutureExt, future::BoxFuture};
use libp2p::{
    PeerId,
    core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade, UpgradeInfo},
    identity::Keypair,
    noise, tls,
};

use crate::channel::{Refusal, Result};

pub trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Socket for T {}

#[derive(Clone)]
pub struct Security(Vec<Choice>);

#[derive(Clone)]
enum Choice {
    Tls(tls::Config),
    Noise(noise::Config),
}

impl Security {
    pub fn new(names: &[String], keys: &Keypair) -> Result<Self> {
        let choice = |name: &String| match name.as_str() {
            "tls" => Ok(Choice::Tls(tls::Config::new(keys)?)),
            "noise" => Ok(Choice::Noise(noise::Config::new(keys)?)),
            _ => Err(Refusal::unsupported(format!("this peer has no {name}"))),
        };
        names.iter().map(choice).collect::<Result<_>>().map(Self)
    }

    fn choose(self, protocol: &str) -> Choice {
        let mut choices = self.0.into_iter();
        let chosen = choices.find(|choice| choice.protocol() == protocol);
        chosen.expect("one that was offered")
    }
}

impl Choice {
    fn protocol(&self) -> &'static str {
        match self {
            Self::Tls(config) => config.protocol_info().next(),
            Self::Noise(config) => config.protocol_info().next(),
        }
        .expect("one protocol each")
    }
}

impl UpgradeInfo for Security {
    type Info = &'static str;
    type InfoIter = vec::IntoIter<&'static str>;

    fn protocol_info(&self) -> Self::InfoIter {
        let protocols: Vec<_> = self.0.iter().map(Choice::protocol).collect();
        protocols.into_iter()
    }
}

type Secured = (PeerId, Box<dyn Socket>);

impl<S: Socket + 'static> InboundConnectionUpgrade<S> for Security {
    type Output = Secured;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Secured>>;

    fn upgrade_inbound(self, socket: S, protocol: &'static str) -> Self::Future {
        match self.choose(protocol) {
            Choice::Tls(config) => config
                .upgrade_inbound(socket, protocol)
                .map_ok(boxed)
                .map_err(io::Error::other)
                .boxed(),
            Choice::Noise(config) => config
                .upgrade_inbound(socket, protocol)
                .map_ok(boxed)
                .map_err(io::Error::other)
                .boxed(),
        }
    }
}

impl<S: Socket + 'static> OutboundConnectionUpgrade<S> for Security {
    type Output = Secured;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Secured>>;

    fn upgrade_outbound(self, socket: S, protocol: &'static str) -> Self::Future {
        match self.choose(protocol) {
            Choice::Tls(config) => config
                .upgrade_outbound(socket, protocol)
                .map_ok(boxed)
                .map_err(io::Error::other)
                .boxed(),
            Choice::Noise(config) => config
                .upgrade_outbound(socket, protocol)
                .map_ok(boxed)
                .map_err(io::Error::other)
                .boxed(),
        }
    }
}

fn boxed<S: Socket + 'static>((peer, socket): (PeerId, S)) -> Secured {
    (peer, Box::new(socket))
}

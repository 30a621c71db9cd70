//! The transports that a `start` request names.

use futures::future::Either;
use libp2p::{
    PeerId, Transport,
    core::{
        muxing::StreamMuxerBox,
        transport::{Boxed, OptionalTransport, upgrade::Version},
    },
    identity::Keypair,
    quic, tcp, yamux,
};

use crate::{
    channel::{Refusal, Result},
    security::Security,
    settings::Settings,
};

pub type BoxedTransport = Boxed<(PeerId, StreamMuxerBox)>;

pub fn create(settings: &Settings, keys: &Keypair) -> Result<BoxedTransport> {
    only(&["tcp", "quic"], &settings.transports)?;
    only(&["yamux"], &settings.muxers)?;
    let security = Security::new(&settings.security, keys)?;
    let wants = |name| settings.transports.iter().any(|wanted| wanted == name);
    let tcp = wants("tcp").then(|| over_tcp(security));
    let quic = wants("quic").then(|| quic::tokio::Transport::new(quic::Config::new(keys)));
    let both = optional(tcp).or_transport(optional(quic));
    Ok(both.map(|either, _| into_muxer(either)).boxed())
}

fn over_tcp(security: Security) -> BoxedTransport {
    tcp::tokio::Transport::new(tcp::Config::default())
        .upgrade(Version::V1Lazy)
        .authenticate(security)
        .multiplex(yamux::Config::default())
        .boxed()
}

fn optional<T: Transport>(transport: Option<T>) -> OptionalTransport<T> {
    transport.map_or_else(OptionalTransport::none, OptionalTransport::some)
}

fn into_muxer(
    either: Either<(PeerId, StreamMuxerBox), (PeerId, quic::Connection)>,
) -> (PeerId, StreamMuxerBox) {
    match either {
        Either::Left(connection) => connection,
        Either::Right((peer, muxer)) => (peer, StreamMuxerBox::new(muxer)),
    }
}

fn only(offered: &[&str], wanted: &[String]) -> Result<()> {
    match wanted.iter().find(|name| !offered.contains(&name.as_str())) {
        Some(name) => Err(Refusal::unsupported(format!("this peer has no {name}"))),
        None => Ok(()),
    }
}

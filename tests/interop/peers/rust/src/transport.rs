//! The transports that a `start` request names.

use futures::{AsyncRead, AsyncWrite};
use libp2p::{
    PeerId, Transport,
    core::{
        muxing::StreamMuxerBox,
        transport::{Boxed, OptionalTransport, upgrade::Version},
    },
    identity::Keypair,
    quic, relay, tcp, yamux,
};

use crate::{
    channel::{Refusal, Result},
    security::Security,
    settings::Settings,
};

pub type BoxedTransport = Boxed<(PeerId, StreamMuxerBox)>;

/// What the settings name, and circuits with the behaviour that they need if there is a relay.
pub fn create(
    settings: &Settings,
    keys: &Keypair,
) -> Result<(BoxedTransport, Option<relay::client::Behaviour>)> {
    only(&["tcp", "quic"], &settings.transports)?;
    only(&["yamux"], &settings.muxers)?;
    let security = Security::new(&settings.security, keys)?;
    let wants = |name| settings.transports.iter().any(|wanted| wanted == name);
    let tcp = wants("tcp").then(|| upgrade(tcp::tokio::Transport::default(), security.clone()));
    let quic = wants("quic").then(|| over_quic(keys));
    let relay = settings.relay.as_ref();
    let (circuits, behaviour) =
        relay.map(|_| relay::client::new(keys.public().to_peer_id())).unzip();
    let circuits = circuits.map(|transport| upgrade(transport, security));
    Ok((any_of([circuits, tcp, quic]), behaviour))
}

fn upgrade<T>(transport: T, security: Security) -> BoxedTransport
where
    T: Transport + Send + Unpin + 'static,
    T::Output: AsyncRead + AsyncWrite + Send + Unpin,
    T::Error: Send + Sync,
    T::Dial: Send,
    T::ListenerUpgrade: Send,
{
    transport
        .upgrade(Version::V1Lazy)
        .authenticate(security)
        .multiplex(yamux::Config::default())
        .boxed()
}

fn over_quic(keys: &Keypair) -> BoxedTransport {
    quic::tokio::Transport::new(quic::Config::new(keys))
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)))
        .boxed()
}

fn any_of(transports: [Option<BoxedTransport>; 3]) -> BoxedTransport {
    let [first, second, third] = transports
        .map(|transport| transport.map_or_else(OptionalTransport::none, OptionalTransport::some));
    let either = first.or_transport(second).map(|either, _| either.into_inner());
    either.or_transport(third).map(|either, _| either.into_inner()).boxed()
}

fn only(offered: &[&str], wanted: &[String]) -> Result<()> {
    match wanted.iter().find(|name| !offered.contains(&name.as_str())) {
        Some(name) => Err(Refusal::unsupported(format!("this peer has no {name}"))),
        None => Ok(()),
    }
}

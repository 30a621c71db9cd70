//! Commands: what is done for each request.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::sync::OnceCell;

use crate::{
    channel::{Commands, Refusal, Result},
    features::{gossipsub, kad, rendezvous},
    host::Host,
    opener::Opener,
    perf::PERF,
    requests::{Key, KeyAndValue, Request},
    served::{self, SERVED},
    settings::Settings,
    streams::Streams,
};

#[derive(Default)]
pub struct Peer {
    host: OnceCell<Host>,
    streams: Streams,
}

impl Commands for Peer {
    async fn handle(&self, request: Map<String, Value>) -> Result<Value> {
        let request = Request::deserialize(Value::Object(request)).map_err(Refusal::bad_request)?;
        match (request, self.host.get()) {
            (Request::Start(settings), None) => self.start(*settings).await,
            (Request::Start(_), Some(_)) | (_, None) => {
                Err(Refusal::bad_request("start comes first, once"))
            }
            (request, Some(host)) => self.answer(request, host).await,
        }
    }
}

impl Peer {
    async fn start(&self, settings: Settings) -> Result<Value> {
        let (host, incoming) = Host::create(&settings)?;
        for protocol in SERVED.into_iter().chain([PERF]) {
            host.serve(protocol.to_owned()).await?;
        }
        tokio::spawn(served::accept(incoming, self.streams.clone()));
        for address in settings.listen {
            host.listen(address).await?;
        }
        let facts = host.describe().await;
        let twice = |_| Refusal::bad_request("start comes once");
        self.host.set(host).map_err(twice)?;
        Ok(facts)
    }

    async fn answer(&self, request: Request, host: &Host) -> Result<Value> {
        let opener = Opener { host, streams: &self.streams };
        match request {
            Request::Start(_) => unreachable!("handled before"),
            Request::ListenAddresses {} => Ok(json!({"addresses": host.addresses().await})),
            Request::Dial { address } => Ok(json!({"peer": host.dial(address).await?.to_string()})),
            Request::Disconnect { peer } => done(host.disconnect(peer).await?),
            Request::Connections {} => Ok(json!({"connections": host.connections().await})),
            Request::Identify { peer } => host.identity_of(peer).await,
            Request::Handle { protocol } => done(host.serve(protocol).await?),
            Request::Unhandle { protocol } => done(host.stop_serving(protocol).await?),
            Request::Ping { peer } => {
                let milliseconds = host.ping(peer).await?.as_secs_f64() * 1000.0;
                Ok(json!({"milliseconds": milliseconds}))
            }
            Request::Perf(fields) => opener.perf(fields).await,
            Request::Echo(fields) => opener.echo(fields).await,
            Request::Sink(fields) => opener.sink(fields).await,
            Request::Source(fields) => opener.source(fields).await,
            Request::HalfClose(fields) => opener.half_close(fields).await,
            Request::Frames(fields) => opener.frames(fields).await,
            Request::ExpectReset(fields) => opener.expect_reset(fields).await,
            Request::SendReset(fields) => opener.send_reset(fields).await,
            Request::Release { stream } => done(self.streams.release(stream)?),
            Request::Streams {} => Ok(json!({"streams": self.streams.list()})),
            Request::Listen { address } => Ok(json!({"addresses": [host.listen(address).await?]})),
            Request::Subscribe { topic } => done(gossipsub::subscribe(host, topic).await?),
            Request::Unsubscribe { topic } => done(gossipsub::unsubscribe(host, topic).await?),
            Request::Publish { topic, bytes, seed } => {
                gossipsub::publish(host, topic, bytes, seed).await
            }
            Request::Mesh { topic } => gossipsub::mesh(host, topic).await,
            Request::Subscribers { topic } => gossipsub::subscribers(host, topic).await,
            Request::Score { peer } => gossipsub::score(host, peer).await,
            Request::KadAdd { address } => done(kad::add(host, address).await?),
            Request::KadTable {} => kad::table(host).await,
            Request::KadBootstrap {} => done(kad::bootstrap(host).await?),
            Request::KadClosest(Key { key }) => kad::closest(host, key).await,
            Request::KadFind { peer } => kad::find(host, peer).await,
            Request::KadPut(KeyAndValue { key, value }) => done(kad::put(host, key, value).await?),
            Request::KadGet(Key { key }) => kad::get(host, key).await,
            Request::KadProvide(Key { key }) => done(kad::provide(host, key).await?),
            Request::KadProviders(Key { key }) => kad::providers(host, key).await,
            Request::RendezvousRegister { point, namespace, seconds } => {
                rendezvous::register(host, point, namespace, seconds).await
            }
            Request::RendezvousUnregister { point, namespace } => {
                done(rendezvous::unregister(host, point, namespace).await?)
            }
            Request::RendezvousDiscover(fields) => rendezvous::discover(host, fields).await,
        }
    }
}

fn done((): ()) -> Result<Value> {
    Ok(json!({}))
}

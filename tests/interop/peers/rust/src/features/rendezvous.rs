//! Rendezvous: the client and the point.

use libp2p::{
    Multiaddr, PeerId,
    identity::Keypair,
    rendezvous::{
        Cookie, Namespace, Registration, Ttl,
        client::{Behaviour, Event},
        server,
    },
    swarm::SwarmEvent,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::is_off;
use crate::{
    behaviour::BehaviourEvent,
    channel::{Refusal, Result},
    host::Host,
    node::{self, Node},
};

/// By default a point grants two hours at least, which no test can see the end of.
const MIN_TTL_SECONDS: Ttl = 1;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    pub point: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Discover {
    point: PeerId,
    namespace: Option<String>,
    limit: Option<u64>,
    cookie: Option<String>,
}

pub fn create(keys: &Keypair) -> Behaviour {
    Behaviour::new(keys.clone())
}

pub fn create_point() -> server::Behaviour {
    server::Behaviour::new(server::Config::default().with_min_ttl(MIN_TTL_SECONDS))
}

pub async fn register(
    host: &Host,
    point: PeerId,
    namespace: String,
    seconds: Option<f64>,
) -> Result<Value> {
    let namespace = Namespace::new(namespace)?;
    let asked = seconds.map(|seconds| seconds as Ttl);
    let granted = answer_of(
        host,
        move |client| Ok(client.register(namespace, point, asked)?),
        move |event| match event {
            Event::Registered { rendezvous_node, ttl, .. } if *rendezvous_node == point => {
                Some(Ok(*ttl))
            }
            Event::RegisterFailed { rendezvous_node, error, .. } if *rendezvous_node == point => {
                Some(Err(Refusal::failed(format!("not registered: {error:?}"))))
            }
            _ => None,
        },
    );
    Ok(json!({"seconds": granted.await?}))
}

pub async fn unregister(host: &Host, point: PeerId, namespace: String) -> Result<()> {
    let namespace = Namespace::new(namespace)?;
    host.try_with(move |node| {
        on(node)?.unregister(namespace, point);
        Ok(())
    })
    .await
}

pub async fn discover(host: &Host, fields: Discover) -> Result<Value> {
    let Discover { point, namespace, limit, cookie } = fields;
    let namespace = namespace.map(Namespace::new).transpose()?;
    let cookie = cookie.map(read_cookie).transpose()?;
    answer_of(
        host,
        move |client| {
            client.discover(namespace, cookie, limit, point);
            Ok(())
        },
        move |event| match event {
            Event::Discovered { rendezvous_node, registrations, cookie }
                if *rendezvous_node == point =>
            {
                let found: Vec<_> = registrations.iter().map(describe).collect();
                let cookie = hex::encode(cookie.clone().into_wire_encoding());
                Some(Ok(json!({"found": found, "cookie": cookie})))
            }
            Event::DiscoverFailed { rendezvous_node, error, .. } if *rendezvous_node == point => {
                Some(Err(Refusal::failed(format!("nothing discovered: {error:?}"))))
            }
            _ => None,
        },
    )
    .await
}

fn describe(registration: &Registration) -> Value {
    let addresses: Vec<_> =
        registration.record.addresses().iter().map(Multiaddr::to_string).collect();
    json!({
        "peer": registration.record.peer_id().to_string(),
        "addresses": addresses,
        "seconds": registration.ttl,
    })
}

fn read_cookie(text: String) -> Result<Cookie> {
    let bytes = hex::decode(text).map_err(Refusal::bad_request)?;
    Cookie::from_wire_encoding(bytes).map_err(Refusal::bad_request)
}

/// Begin something with a point, and watch until `take` sees its answer.
async fn answer_of<T: Send + 'static>(
    host: &Host,
    begin: impl FnOnce(&mut Behaviour) -> Result<()> + Send + 'static,
    mut take: impl FnMut(&Event) -> Option<Result<T>> + Send + 'static,
) -> Result<T> {
    host.watch(|node| {
        begin(on(node)?)?;
        Ok(move |event: &node::Event| match event {
            SwarmEvent::Behaviour(BehaviourEvent::Rendezvous(event)) => take(event),
            _ => None,
        })
    })
    .await
}

fn on(node: &mut Node) -> Result<&mut Behaviour> {
    node.swarm.behaviour_mut().rendezvous.as_mut().ok_or_else(|| is_off("rendezvous"))
}

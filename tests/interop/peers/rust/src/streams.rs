//! Streams: numbers the scripted streams of both sides, tells of them, holds those that wait.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{Arc, Mutex, atomic::Ordering::Relaxed},
};

use libp2p::{PeerId, Stream};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::{
    channel::{Refusal, Result, emit},
    pipe::{Pipe, Tally},
};

/// Wakes the script of a held stream.
pub type Released = Arc<Notify>;

#[derive(Clone, Default)]
pub struct Streams(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    open: BTreeMap<u64, Entry>,
    last: u64,
}

#[derive(Clone)]
struct Entry {
    facts: Facts,
    tally: Arc<Tally>,
    released: Released,
}

#[derive(Clone, Serialize)]
struct Facts {
    stream: u64,
    protocol: String,
    peer: String,
    role: Role,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Opener,
    Accepter,
}

impl Streams {
    /// Run a script over a stream; whatever it fails with has dropped the pipe, which resets it.
    pub async fn run<T, F: Future<Output = Result<T>>>(
        &self,
        stream: Stream,
        (peer, protocol, role): (PeerId, &str, Role),
        held: bool,
        script: impl FnOnce(Pipe, Released) -> F,
    ) -> Result<T> {
        let entry = self.add(peer, protocol, role);
        if !held {
            entry.released.notify_one();
        }
        let pipe = Pipe::new(stream, entry.tally.clone());
        let outcome = script(pipe, entry.released.clone()).await;
        self.remove(entry, outcome.as_ref().err());
        outcome
    }

    pub fn list(&self) -> Value {
        let state = self.0.lock().expect("nobody panics while holding it");
        state.open.values().map(Entry::describe).collect()
    }

    pub fn release(&self, number: u64) -> Result<()> {
        let state = self.0.lock().expect("nobody panics while holding it");
        let entry = state.open.get(&number);
        let missing = || Refusal::bad_request(format!("no open stream {number}"));
        entry.ok_or_else(missing)?.released.notify_one();
        Ok(())
    }

    fn add(&self, peer: PeerId, protocol: &str, role: Role) -> Entry {
        let mut state = self.0.lock().expect("nobody panics while holding it");
        state.last += 1;
        let facts = Facts {
            stream: state.last,
            protocol: protocol.to_owned(),
            peer: peer.to_string(),
            role,
        };
        emit("stream-opened", &facts);
        let entry = Entry { facts, tally: Arc::default(), released: Arc::default() };
        state.open.insert(entry.facts.stream, entry.clone());
        entry
    }

    fn remove(&self, entry: Entry, error: Option<&Refusal>) {
        let mut state = self.0.lock().expect("nobody panics while holding it");
        state.open.remove(&entry.facts.stream);
        let reset = error.is_some() || entry.tally.was_reset.load(Relaxed);
        let mut fields = entry.describe();
        fields["how"] = json!(if reset { "reset" } else { "end" });
        fields["received_sha256"] = json!(entry.tally.received_sha256());
        fields["error"] = json!(error.map(Refusal::to_string));
        emit("stream-ended", fields);
    }
}

impl Entry {
    fn describe(&self) -> Value {
        let mut fields = json!(self.facts);
        fields["sent"] = json!(self.tally.sent);
        fields["received"] = json!(self.tally.received);
        fields
    }
}

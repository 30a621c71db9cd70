//! Opener: opens streams and runs scripts on them.

use std::{future::Future, time::Instant};

use futures::future::try_join_all;
use libp2p::{PeerId, Stream};
use serde_json::{Value, json};

use crate::{
    channel::Result,
    host::Host,
    perf::{self, PERF},
    pipe::Pipe,
    requests::{Echo, Frames, Perf, Script, Source},
    scripts::{self, Load},
    served::{ECHO, FRAMES, HALF_CLOSE, RESET, SINK, SOURCE},
    streams::{Released, Role, Streams},
};

pub struct Opener<'a> {
    pub host: &'a Host,
    pub streams: &'a Streams,
}

/// A stream that is open, and what it was opened under.
struct Opened {
    stream: Stream,
    peer: PeerId,
    protocol: String,
}

impl Opener<'_> {
    pub async fn perf(&self, fields: Perf) -> Result<Value> {
        let begun = Instant::now();
        let stream = self.host.open(fields.peer, PERF).await?;
        let pipe = Pipe::new(stream, Default::default());
        perf::run(pipe, begun, fields.upload, fields.download).await
    }

    pub async fn echo(&self, Echo { peer, bytes, seed, streams, protocol }: Echo) -> Result<Value> {
        let load = Load { bytes, seed };
        let opening = (0..streams).map(|_| self.open(peer, protocol.clone(), ECHO));
        let running = (try_join_all(opening).await?)
            .into_iter()
            .map(|opened| self.run(opened, false, move |pipe, _| scripts::echo(pipe, load)));
        Ok(json!({"streams": try_join_all(running).await?}))
    }

    pub async fn source(&self, fields: Source) -> Result<Value> {
        let Source { peer, bytes, seed, hold, protocol } = fields;
        let load = Load { bytes, seed };
        let opened = self.open(peer, protocol, SOURCE).await?;
        self.run(opened, hold, |pipe, released| scripts::source(pipe, load, released)).await
    }

    pub async fn frames(&self, fields: Frames) -> Result<Value> {
        let Frames { peer, sizes, seed, protocol } = fields;
        let opened = self.open(peer, protocol, FRAMES).await?;
        self.run(opened, false, |pipe, _| scripts::frames(pipe, sizes, seed)).await
    }

    pub async fn sink(&self, fields: Script) -> Result<Value> {
        self.script(fields, SINK, scripts::sink).await
    }

    pub async fn half_close(&self, fields: Script) -> Result<Value> {
        self.script(fields, HALF_CLOSE, scripts::half_close).await
    }

    pub async fn expect_reset(&self, fields: Script) -> Result<Value> {
        self.script(fields, RESET, scripts::expect_reset).await
    }

    pub async fn send_reset(&self, fields: Script) -> Result<Value> {
        self.script(fields, ECHO, scripts::send_reset).await
    }

    async fn script<F: Future<Output = Result<Value>>>(
        &self,
        Script { peer, bytes, seed, protocol }: Script,
        default: &str,
        script: impl FnOnce(Pipe, Load) -> F,
    ) -> Result<Value> {
        let load = Load { bytes, seed };
        let opened = self.open(peer, protocol, default).await?;
        self.run(opened, false, |pipe, _| script(pipe, load)).await
    }

    async fn open(&self, peer: PeerId, protocol: Option<String>, default: &str) -> Result<Opened> {
        let protocol = protocol.unwrap_or_else(|| default.to_owned());
        let stream = self.host.open(peer, &protocol).await?;
        Ok(Opened { stream, peer, protocol })
    }

    async fn run<T, F: Future<Output = Result<T>>>(
        &self,
        Opened { stream, peer, protocol }: Opened,
        held: bool,
        script: impl FnOnce(Pipe, Released) -> F,
    ) -> Result<T> {
        let facts = (peer, protocol.as_str(), Role::Opener);
        self.streams.run(stream, facts, held, script).await
    }
}

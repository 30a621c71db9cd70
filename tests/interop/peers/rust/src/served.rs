//! What this peer does with the streams that others open under the test protocols.

use std::io;

use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use crate::{
    channel::{Refusal, Result},
    pattern::{BLOCK_BYTES, Pattern},
    perf::{self, PERF},
    pipe::Pipe,
    raw::Incoming,
    scripts::{HEADER_BYTES, MAX_FRAME_BYTES, read_frame, write_frame},
    streams::{Released, Role, Streams},
};

pub const ECHO: &str = "/test/echo/1";
pub const SINK: &str = "/test/sink/1";
pub const SOURCE: &str = "/test/source/1";
pub const HALF_CLOSE: &str = "/test/half-close/1";
pub const RESET: &str = "/test/reset/1";
pub const FRAMES: &str = "/test/frames/1";
pub const STALL: &str = "/test/stall/1";
pub const SERVED: [&str; 7] = [ECHO, SINK, SOURCE, HALF_CLOSE, RESET, FRAMES, STALL];

const MAX_HALF_CLOSE_BYTES: usize = 16 * 1024 * 1024;

/// Serve each stream in a task of its own.
pub async fn accept(mut incoming: mpsc::UnboundedReceiver<Incoming>, streams: Streams) {
    while let Some(opened) = incoming.recv().await {
        tokio::spawn(serve_opened(opened, streams.clone()));
    }
}

async fn serve_opened(opened: Incoming, streams: Streams) {
    let Incoming { peer, protocol, stream } = opened;
    let outcome = if protocol == PERF {
        perf::serve(Pipe::new(stream, Default::default())).await.map_err(Refusal::from)
    } else {
        let facts = (peer, protocol.as_ref(), Role::Accepter);
        let script = |pipe, released| serve(protocol.as_ref(), pipe, released);
        streams.run(stream, facts, protocol == STALL, script).await
    };
    if let Err(error) = outcome {
        eprintln!("{protocol}: {error}");
    }
}

/// Serve a stream as its protocol says; protocols that were added later are echoes.
async fn serve(protocol: &str, mut pipe: Pipe, released: Released) -> Result<()> {
    match protocol {
        SINK => sink(&mut pipe).await?,
        SOURCE => source(&mut pipe).await?,
        HALF_CLOSE => half_close(&mut pipe).await?,
        RESET => reset(pipe).await?,
        FRAMES => frames(&mut pipe).await?,
        STALL => {
            released.notified().await;
            sink(&mut pipe).await?;
        }
        _ => echo(&mut pipe).await?,
    }
    Ok(())
}

async fn echo(pipe: &mut Pipe) -> io::Result<()> {
    let mut buffer = vec![0; BLOCK_BYTES];
    loop {
        match pipe.reader.read(&mut buffer).await? {
            [] => return pipe.writer.close().await,
            data => pipe.writer.write(data).await?,
        }
    }
}

async fn sink(pipe: &mut Pipe) -> io::Result<()> {
    let (mut hash, mut count, mut buffer) = (Sha256::new(), 0, vec![0; BLOCK_BYTES]);
    loop {
        match pipe.reader.read(&mut buffer).await? {
            [] => break,
            data => {
                hash.update(data);
                count += data.len() as u64;
            }
        }
    }
    pipe.writer.write(&count.to_be_bytes()).await?;
    pipe.writer.write(&hash.finalize()).await?;
    pipe.writer.close().await
}

async fn source(pipe: &mut Pipe) -> io::Result<()> {
    send_requested(pipe).await?;
    pipe.writer.close().await
}

async fn half_close(pipe: &mut Pipe) -> Result<()> {
    let (mut kept, mut buffer) = (vec![], vec![0; BLOCK_BYTES]);
    loop {
        match pipe.reader.read(&mut buffer).await? {
            [] => break,
            data => kept.extend_from_slice(data),
        }
        if kept.len() > MAX_HALF_CLOSE_BYTES {
            return Err(Refusal::failed("more than 16 MiB"));
        }
    }
    pipe.writer.write(&kept).await?;
    Ok(pipe.writer.close().await?)
}

async fn reset(mut pipe: Pipe) -> Result<()> {
    send_requested(&mut pipe).await?;
    pipe.reset();
    Err(Refusal::failed("reset, as /test/reset/1 does"))
}

async fn frames(pipe: &mut Pipe) -> io::Result<()> {
    let mut frame = Vec::with_capacity(MAX_FRAME_BYTES);
    while read_frame(&mut pipe.reader, &mut frame).await? {
        write_frame(&mut pipe.writer, &frame).await?;
    }
    pipe.writer.close().await
}

async fn send_requested(pipe: &mut Pipe) -> io::Result<()> {
    let mut header = [0; HEADER_BYTES];
    pipe.reader.read_exactly(&mut header).await?;
    let [count, seed] = [&header[..8], &header[8..]]
        .map(|half| u64::from_be_bytes(half.try_into().expect("8 bytes")));
    let mut pattern = Pattern::new(seed, count);
    while let Some(block) = pattern.next() {
        pipe.writer.write(block).await?;
    }
    Ok(())
}

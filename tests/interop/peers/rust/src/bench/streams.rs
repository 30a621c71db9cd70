//! What a contestant does on streams.

use std::{io, sync::Arc, time::Instant};

use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p::Stream;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::gmac::Gmac;
use crate::{pattern::BLOCK_BYTES, raw::Incoming};

pub const BULK: &str = "/bench/bulk/1";
pub const ECHO: &str = "/bench/echo/1";
pub const RING_BYTES: u64 = (RING_BLOCKS * BLOCK_BYTES) as u64;
const RING_BLOCKS: usize = 61;
const REPORT_BYTES: usize = 24;

pub async fn accept(mut incoming: mpsc::UnboundedReceiver<Incoming>) {
    let gmac = Arc::new(Gmac::default());
    while let Some(Incoming { protocol, stream, .. }) = incoming.recv().await {
        let gmac = gmac.clone();
        tokio::spawn(async move {
            let served = match protocol.as_ref() {
                BULK => receive_bulk(stream, &gmac).await,
                _ => echo(stream).await,
            };
            if let Err(error) = served {
                eprintln!("{protocol}: {error}");
            }
        });
    }
}

/// Send a count and that many bytes, from a block of the ring on; the clock runs until the
/// receiver's report is here.
pub async fn send_bulk(
    mut stream: Stream,
    ring: Arc<[u8]>,
    bytes: u64,
    first: usize,
    begun: Instant,
) -> io::Result<Value> {
    stream.write_all(&bytes.to_be_bytes()).await?;
    for index in 0..bytes as usize / BLOCK_BYTES {
        let start = (first + index) % RING_BLOCKS * BLOCK_BYTES;
        stream.write_all(&ring[start..start + BLOCK_BYTES]).await?;
    }
    stream.flush().await?;
    let mut report = [0; REPORT_BYTES];
    stream.read_exact(&mut report).await?;
    let seconds = begun.elapsed().as_secs_f64();
    stream.close().await?;
    let (count, tag) = report.split_at(8);
    let count = u64::from_be_bytes(count.try_into().expect("8 bytes"));
    Ok(json!({"seconds": seconds, "count": count, "tag": hex::encode(tag)}))
}

/// Send a message and wait until it has come back.
pub async fn exchange(stream: &mut Stream, message: &[u8]) -> io::Result<()> {
    stream.write_all(message).await?;
    stream.flush().await?;
    let mut answer = vec![0; message.len()];
    stream.read_exact(&mut answer).await?;
    match answer == message {
        true => Ok(()),
        false => Err(io::Error::other("something else came back")),
    }
}

async fn receive_bulk(mut stream: Stream, gmac: &Gmac) -> io::Result<()> {
    let mut header = [0; 8];
    stream.read_exact(&mut header).await?;
    let bytes = u64::from_be_bytes(header);
    let (mut tag, mut block) = (gmac.begin(), vec![0; BLOCK_BYTES]);
    for _ in 0..bytes / BLOCK_BYTES as u64 {
        stream.read_exact(&mut block).await?;
        tag.update(&block);
    }
    stream.write_all(&bytes.to_be_bytes()).await?;
    stream.write_all(&tag.finish()).await?;
    stream.close().await
}

async fn echo(mut stream: Stream) -> io::Result<()> {
    let mut buffer = vec![0; BLOCK_BYTES];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return stream.close().await,
            size => {
                stream.write_all(&buffer[..size]).await?;
                stream.flush().await?;
            }
        }
    }
}

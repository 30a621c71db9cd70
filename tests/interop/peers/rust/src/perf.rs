//! /perf/1.0.0 (libp2p/specs, perf) on a raw stream: the newest libp2p-perf, 0.3.0, belongs to
//! libp2p 0.53.

use std::{io, time::Instant};

use serde_json::{Value, json};

use crate::{
    channel::{Refusal, Result},
    pattern::BLOCK_BYTES,
    pipe::{Pipe, Reader, Writer},
};

pub const PERF: &str = "/perf/1.0.0";

pub async fn serve(mut pipe: Pipe) -> io::Result<()> {
    let mut download = [0; 8];
    pipe.reader.read_exactly(&mut download).await?;
    read_to_end(&mut pipe.reader).await?;
    send_zeros(&mut pipe.writer, u64::from_be_bytes(download)).await?;
    pipe.writer.close().await
}

pub async fn run(mut pipe: Pipe, begun: Instant, upload: u64, download: u64) -> Result<Value> {
    pipe.writer.write(&download.to_be_bytes()).await?;
    send_zeros(&mut pipe.writer, upload).await?;
    pipe.writer.close().await?;
    match read_to_end(&mut pipe.reader).await? {
        received if received == download => Ok(json!({"seconds": begun.elapsed().as_secs_f64()})),
        received => Err(Refusal::failed(format!("asked for {download}, got {received}"))),
    }
}

async fn read_to_end(reader: &mut Reader) -> io::Result<u64> {
    let (mut received, mut buffer) = (0, vec![0; BLOCK_BYTES]);
    loop {
        match reader.read(&mut buffer).await?.len() as u64 {
            0 => return Ok(received),
            size => received += size,
        }
    }
}

async fn send_zeros(writer: &mut Writer, count: u64) -> io::Result<()> {
    let block = vec![0; BLOCK_BYTES];
    let mut left = count;
    while left > 0 {
        let size = left.min(BLOCK_BYTES as u64);
        writer.write(&block[..size as usize]).await?;
        left -= size;
    }
    Ok(())
}

//! What this peer does on the streams that it opens itself, one function for each script.

use std::io;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::try_join;

use crate::{
    channel::Result,
    pattern::{BLOCK_BYTES, Pattern},
    pipe::{Pipe, Reader, Writer},
    streams::Released,
};

pub const HEADER_BYTES: usize = 16;
pub const MAX_FRAME_BYTES: usize = 1024 * 1024;
const REPORT_BYTES: usize = 40;

/// Which bytes to carry.
#[derive(Clone, Copy)]
pub struct Load {
    pub bytes: u64,
    pub seed: u64,
}

/// Send and receive at once, until both halves have ended.
pub async fn echo(mut pipe: Pipe, load: Load) -> Result<Value> {
    let sending = send_and_end(&mut pipe.writer, load);
    let (sent_sha256, (received, received_sha256)) =
        try_join!(sending, receive_all(&mut pipe.reader))?;
    Ok(json!({
        "sent": load.bytes, "sent_sha256": sent_sha256,
        "received": received, "received_sha256": received_sha256,
    }))
}

pub async fn sink(mut pipe: Pipe, load: Load) -> Result<Value> {
    let sent_sha256 = send_and_end(&mut pipe.writer, load).await?;
    let mut report = [0; REPORT_BYTES];
    pipe.reader.read_exactly(&mut report).await?;
    receive_all(&mut pipe.reader).await?;
    let (count, digest) = report.split_at(8);
    Ok(json!({
        "sent": load.bytes, "sent_sha256": sent_sha256,
        "reported": u64::from_be_bytes(count.try_into()?), "reported_sha256": hex::encode(digest),
    }))
}

pub async fn source(mut pipe: Pipe, load: Load, released: Released) -> Result<Value> {
    pipe.writer.write(&header(load)).await?;
    pipe.writer.close().await?;
    released.notified().await;
    let (received, received_sha256) = receive_all(&mut pipe.reader).await?;
    Ok(json!({"received": received, "received_sha256": received_sha256}))
}

pub async fn half_close(mut pipe: Pipe, load: Load) -> Result<Value> {
    let sent_sha256 = send_and_end(&mut pipe.writer, load).await?;
    let (received, received_sha256) = receive_all(&mut pipe.reader).await?;
    Ok(json!({
        "sent": load.bytes, "sent_sha256": sent_sha256,
        "received": received, "received_sha256": received_sha256,
    }))
}

pub async fn expect_reset(mut pipe: Pipe, load: Load) -> Result<Value> {
    pipe.writer.write(&header(load)).await?;
    let how = match receive_all(&mut pipe.reader).await {
        Ok(_) => "end",
        Err(_) => "reset",
    };
    let received = &pipe.tally().received;
    Ok(json!({"how": how, "received": received}))
}

pub async fn send_reset(mut pipe: Pipe, load: Load) -> Result<Value> {
    let mut first = [0];
    try_join!(send(&mut pipe.writer, load), pipe.reader.read_exactly(&mut first))?;
    pipe.reset();
    Ok(json!({"sent": load.bytes}))
}

pub async fn frames(mut pipe: Pipe, sizes: Vec<usize>, seed: u64) -> Result<Value> {
    let data = Pattern::new(seed, sizes.iter().sum::<usize>() as u64).collect();
    let sending = send_frames(&mut pipe.writer, &data, &sizes);
    let ((), (returned, received_sha256)) = try_join!(sending, receive_frames(&mut pipe.reader))?;
    Ok(json!({
        "sent_sha256": hex::encode(Sha256::digest(&data)),
        "received_sha256": received_sha256, "sizes": returned,
    }))
}

/// Read a frame into `frame`; false at the end.
pub async fn read_frame(reader: &mut Reader, frame: &mut Vec<u8>) -> io::Result<bool> {
    let Some(size) = read_varint(reader).await? else {
        return Ok(false);
    };
    if size > MAX_FRAME_BYTES {
        return Err(io::Error::other(format!("a frame of {size} bytes")));
    }
    frame.resize(size, 0);
    reader.read_exactly(frame).await?;
    Ok(true)
}

pub async fn write_frame(writer: &mut Writer, frame: &[u8]) -> io::Result<()> {
    let mut size = frame.len();
    let mut varint = vec![];
    while size >= 0x80 {
        varint.push(size as u8 | 0x80);
        size >>= 7;
    }
    varint.push(size as u8);
    writer.write(&varint).await?;
    writer.write(frame).await
}

async fn read_varint(reader: &mut Reader) -> io::Result<Option<usize>> {
    let mut value = 0;
    for shift in (0..usize::BITS).step_by(7) {
        let mut byte = [0];
        if reader.read(&mut byte).await?.is_empty() {
            return match shift {
                0 => Ok(None),
                _ => Err(io::ErrorKind::UnexpectedEof.into()),
            };
        }
        value |= usize::from(byte[0] & 0x7f) << shift;
        if byte[0] < 0x80 {
            return Ok(Some(value));
        }
    }
    Err(io::Error::other("a varint without an end"))
}

async fn send_frames(writer: &mut Writer, mut data: &[u8], sizes: &[usize]) -> io::Result<()> {
    for size in sizes {
        let (frame, rest) = data.split_at(*size);
        write_frame(writer, frame).await?;
        data = rest;
    }
    writer.close().await
}

async fn receive_frames(reader: &mut Reader) -> io::Result<(Vec<usize>, String)> {
    let (mut hash, mut sizes, mut frame) = (Sha256::new(), vec![], vec![]);
    while read_frame(reader, &mut frame).await? {
        hash.update(&frame);
        sizes.push(frame.len());
    }
    Ok((sizes, hex::encode(hash.finalize())))
}

async fn send_and_end(writer: &mut Writer, load: Load) -> io::Result<String> {
    let sha256 = send(writer, load).await?;
    writer.close().await?;
    Ok(sha256)
}

async fn send(writer: &mut Writer, load: Load) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut pattern = Pattern::new(load.seed, load.bytes);
    while let Some(block) = pattern.next() {
        hash.update(block);
        writer.write(block).await?;
    }
    Ok(hex::encode(hash.finalize()))
}

async fn receive_all(reader: &mut Reader) -> io::Result<(u64, String)> {
    let (mut hash, mut received, mut buffer) = (Sha256::new(), 0, vec![0; BLOCK_BYTES]);
    loop {
        match reader.read(&mut buffer).await? {
            [] => return Ok((received, hex::encode(hash.finalize()))),
            data => {
                hash.update(data);
                received += data.len() as u64;
            }
        }
    }
}

fn header(load: Load) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..8].copy_from_slice(&load.bytes.to_be_bytes());
    header[8..].copy_from_slice(&load.seed.to_be_bytes());
    header
}

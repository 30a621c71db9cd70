//! Pipe: a libp2p stream whose two halves count and hash, and which tells an end from a reset.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use futures::{AsyncRead, AsyncWrite, future::poll_fn};
use libp2p::Stream;
use sha2::{Digest, Sha256};

/// What has passed a pipe; it outlives the pipe.
#[derive(Default)]
pub struct Tally {
    pub sent: AtomicU64,
    pub received: AtomicU64,
    pub was_reset: AtomicBool,
    hash: Mutex<Sha256>,
}

impl Tally {
    /// SHA-256 of all that was received.
    pub fn received_sha256(&self) -> String {
        hex::encode(lock(&self.hash).clone().finalize())
    }
}

/// Dropping a pipe without closing it resets the stream: rust-libp2p has no other reset.
pub struct Pipe {
    pub reader: Reader,
    pub writer: Writer,
}

pub struct Reader(Arc<Shared>);

pub struct Writer(Arc<Shared>);

struct Shared {
    stream: Mutex<Half>,
    tally: Arc<Tally>,
}

struct Half {
    stream: Stream,
    write_closed: bool,
}

impl Pipe {
    pub fn new(stream: Stream, tally: Arc<Tally>) -> Self {
        let write_closed = false;
        let stream = Mutex::new(Half { stream, write_closed });
        let shared = Arc::new(Shared { stream, tally });
        Self { reader: Reader(shared.clone()), writer: Writer(shared) }
    }

    /// End both halves at once.
    pub fn reset(self) {
        self.reader.0.tally.was_reset.store(true, Relaxed);
    }

    pub fn tally(&self) -> &Tally {
        &self.reader.0.tally
    }
}

impl Reader {
    /// The next bytes, or none at the clean end; an error after any other end.
    pub async fn read<'a>(&mut self, buffer: &'a mut [u8]) -> io::Result<&'a [u8]> {
        let size = poll_fn(|cx| lock(&self.0.stream).poll_read(cx, buffer)).await?;
        let data = &buffer[..size];
        lock(&self.0.tally.hash).update(data);
        self.0.tally.received.fetch_add(size as u64, Relaxed);
        Ok(data)
    }

    /// Fill the buffer.
    pub async fn read_exactly(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.read(&mut buffer[filled..]).await?.len() {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                size => filled += size,
            }
        }
        Ok(())
    }
}

impl Writer {
    /// Send all of it, held back by the reader.
    pub async fn write(&mut self, mut data: &[u8]) -> io::Result<()> {
        while !data.is_empty() {
            let written = poll_fn(|cx| lock(&self.0.stream).poll_write(cx, data)).await?;
            self.0.tally.sent.fetch_add(written as u64, Relaxed);
            data = &data[written..];
        }
        Ok(())
    }

    /// End the writing half.
    pub async fn close(&mut self) -> io::Result<()> {
        poll_fn(|cx| lock(&self.0.stream).poll_close(cx)).await
    }
}

impl Half {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if matches!(read, Poll::Ready(Ok(0))) && self.was_reset(cx) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        read
    }

    /// Yamux tells a reader of a reset as of an end (yamux, connection/stream.rs, poll_read), but
    /// refuses to write from then on.
    fn was_reset(&mut self, cx: &mut Context<'_>) -> bool {
        !self.write_closed && matches!(self.poll_write(cx, &[]), Poll::Ready(Err(_)))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, data)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.write_closed = true;
        Pin::new(&mut self.stream).poll_close(cx)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nobody panics while holding it")
}

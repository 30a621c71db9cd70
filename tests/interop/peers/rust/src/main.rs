//! A rust-libp2p node that a test drives over standard input and output; see ../../../README.md.
//! `peer bench` is a contestant of the benchmarks instead.

mod behaviour;
mod bench;
mod channel;
mod commands;
mod events;
mod features;
mod host;
mod identity;
mod node;
mod opener;
mod pattern;
mod perf;
mod pipe;
mod raw;
mod requests;
mod scripts;
mod security;
mod served;
mod settings;
mod streams;
mod transport;

#[tokio::main]
async fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("bench") => channel::serve(bench::Worker::default()).await,
        _ => channel::serve(commands::Peer::default()).await,
    }
}

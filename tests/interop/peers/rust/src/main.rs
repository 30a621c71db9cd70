//! A rust-libp2p node that a test drives over standard input and output; see ../../../README.md.

mod behaviour;
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
    channel::serve(commands::Commands::default()).await;
}

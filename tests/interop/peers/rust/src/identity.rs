//! The key pairs that a node can have.

use libp2p::identity::{Keypair, ecdsa, secp256k1};
use rsa::{RsaPrivateKey, pkcs8::EncodePrivateKey};

use crate::channel::{Refusal, Result};

const RSA_BITS: usize = 2048;

/// The Ed25519 key of a secret in hexadecimal, or a new one.
pub fn create(kind: &str, secret: Option<&str>) -> Result<Keypair> {
    match secret {
        Some(secret) => Ok(Keypair::ed25519_from_bytes(hex::decode(secret)?)?),
        None => generate(kind),
    }
}

fn generate(kind: &str) -> Result<Keypair> {
    match kind {
        "ed25519" => Ok(Keypair::generate_ed25519()),
        "secp256k1" => Ok(secp256k1::Keypair::generate().into()),
        "ecdsa" => Ok(ecdsa::Keypair::generate().into()),
        "rsa" => generate_rsa(),
        _ => Err(Refusal::unsupported(format!("this peer has no {kind}"))),
    }
}

/// rust-libp2p uses RSA keys, but does not make them.
fn generate_rsa() -> Result<Keypair> {
    let key = RsaPrivateKey::new(&mut rand::thread_rng(), RSA_BITS)?;
    let mut document = key.to_pkcs8_der()?.to_bytes();
    Ok(Keypair::rsa_from_pkcs8(&mut document)?)
}

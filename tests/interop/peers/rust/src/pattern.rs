//! pattern(seed, n): the bytes that scripted streams carry; see README.md, "The bytes".

use sha2::{Digest, Sha256};

pub const BLOCK_BYTES: usize = 65_536;
const DIGESTS: u32 = 2048;

/// The blocks of a pattern, one after the other.
pub struct Pattern {
    block: Vec<u8>,
    index: u64,
    left: u64,
}

impl Pattern {
    pub fn new(seed: u64, count: u64) -> Self {
        let digest = |index: u32| {
            let input = [&seed.to_be_bytes()[..], &index.to_be_bytes()].concat();
            Sha256::digest(input)
        };
        Self { block: (0..DIGESTS).flat_map(digest).collect(), index: 0, left: count }
    }

    /// The next block; the last one may be shorter.
    pub fn next(&mut self) -> Option<&[u8]> {
        let size = self.left.min(BLOCK_BYTES as u64);
        self.block[..8].copy_from_slice(&self.index.to_be_bytes());
        self.index += 1;
        self.left -= size;
        (size > 0).then(|| &self.block[..size as usize])
    }

    /// All of it in one piece.
    pub fn collect(mut self) -> Vec<u8> {
        let mut all = Vec::with_capacity(self.left as usize);
        while let Some(block) = self.next() {
            all.extend_from_slice(block);
        }
        all
    }
}

//! How a value is kept: with a checksum over its key and itself, so that one that rotted is known by itself.

/// A key and what is under it.
pub type Record = (String, Vec<u8>);

/// Bytes before the value.
const CHECKSUM: usize = 4;

fn checksum(key: &str, value: &[u8]) -> [u8; CHECKSUM] {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key.as_bytes());
    hasher.update(value);
    hasher.finalize().to_le_bytes()
}

/// A value as it is kept.
pub(crate) fn seal(key: &str, value: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(CHECKSUM + value.len());
    sealed.extend_from_slice(&checksum(key, value));
    sealed.extend_from_slice(value);
    sealed
}

/// The value, if it is what was once kept under that key.
pub(crate) fn unseal<'a>(key: &str, sealed: &'a [u8]) -> Option<&'a [u8]> {
    let (sum, value) = sealed.split_at_checked(CHECKSUM)?;
    (sum == checksum(key, value)).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_kept_there_is_taken() {
        let sealed = seal("k", b"value");
        assert_eq!(unseal("k", &sealed), Some(&b"value"[..]));
        assert_eq!(unseal("other", &sealed), None);
        for bit in 0..sealed.len() * 8 {
            let mut rotten = sealed.clone();
            rotten[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(unseal("k", &rotten), None);
        }
        assert_eq!(unseal("k", b"abc"), None);
        assert_eq!(unseal("k", &seal("k", b"")), Some(&b""[..]));
    }
}

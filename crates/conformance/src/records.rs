//! RecordIO as a reader sees it: `<decimal length>\n<bytes>`, again and again.

use std::io::{self, BufRead, BufReader, Read};

/// Longest record that is taken.
const LIMIT: usize = 64 << 20;

/// Reads records from a stream.
#[derive(Debug)]
pub struct Records<R> {
    reader: BufReader<R>,
}

impl<R: Read> Records<R> {
    /// Reads from `inner`.
    pub fn new(inner: R) -> Self {
        Self { reader: BufReader::new(inner) }
    }

    /// The next record; `None` at the end of the stream, an error when it ends inside a record.
    pub fn read(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        if (&mut self.reader).take(24).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        let length =
            std::str::from_utf8(&line).ok().and_then(|l| l.strip_suffix('\n')).and_then(|l| l.parse().ok());
        let length = length.filter(|&l: &usize| l <= LIMIT).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("no record length: {:?}", String::from_utf8_lossy(&line)),
            )
        })?;
        let mut record = vec![0; length];
        self.reader.read_exact(&mut record)?;
        Ok(Some(record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_records_and_tells_an_end_from_a_cut() {
        let mut records = Records::new(&b"2\nab0\n3\nc\nd"[..]);
        assert_eq!(records.read().unwrap().unwrap(), b"ab");
        assert_eq!(records.read().unwrap().unwrap(), b"");
        assert_eq!(records.read().unwrap().unwrap(), b"c\nd");
        assert!(records.read().unwrap().is_none());
        assert!(Records::new(&b"5\nab"[..]).read().is_err());
        assert!(Records::new(&b"x\nab"[..]).read().is_err());
    }
}

//! Numbers of bytes as Mesos writes them: `4KB`, `1GB`, `100B`; a KB is 1024 bytes.

const UNITS: [&str; 5] = ["B", "KB", "MB", "GB", "TB"];

/// A number of bytes in the largest unit that needs no fraction.
#[must_use]
pub fn bytes_text(bytes: u64) -> String {
    let (mut number, mut unit) = (bytes, 0);
    while number != 0 && number.is_multiple_of(1024) && unit + 1 < UNITS.len() {
        (number, unit) = (number / 1024, unit + 1);
    }
    format!("{number}{}", UNITS[unit])
}

/// The number of bytes that a text says; `None` if it says none.
#[must_use]
pub fn bytes_from_text(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let power = UNITS.iter().position(|known| unit.eq_ignore_ascii_case(known))?;
    number.parse::<u64>().ok()?.checked_mul(1 << (10 * power))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for (bytes, text) in [(0, "0B"), (1023, "1023B"), (3 << 20, "3MB"), (5 << 40, "5TB")] {
            assert_eq!((bytes_text(bytes).as_str(), bytes_from_text(text)), (text, Some(bytes)));
        }
        assert_eq!(bytes_from_text("10mb"), Some(10 << 20));
        for wrong in ["", "10", "MB", "-1MB", "1.5MB", "10XB", "99999999999TB"] {
            assert_eq!(bytes_from_text(wrong), None, "{wrong}");
        }
    }
}

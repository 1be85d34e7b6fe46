//! Writing a zip archive, uncompressed (APPNOTE 6.3): what anybody can open without a further program.
//! Every file is at hand as a whole, so nothing has to be sought back to.

use std::io::{self, Write};

use chrono::{DateTime, Datelike, Timelike, Utc};
use roadbook_protocol::ids::UnixMs;

/// An archive that is being written.
pub struct Zip<W> {
    out: W,
    offset: u32,
    directory: Vec<u8>,
    files: u16,
    stamp: [u8; 4],
}

const NEEDS: u16 = 20;
/// Names are UTF-8.
const FLAGS: u16 = 1 << 11;

impl<W: Write> Zip<W> {
    /// An archive whose files are of this moment.
    pub fn new(out: W, at: UnixMs) -> Self {
        let at = DateTime::<Utc>::from_timestamp_millis(at).unwrap_or_default();
        let year = u32::try_from(at.year()).unwrap_or(1980).saturating_sub(1980).min(127);
        let date = year << 9 | at.month() << 5 | at.day();
        let time = at.hour() << 11 | at.minute() << 5 | (at.second() / 2);
        let stamp = (date << 16 | time).to_le_bytes();
        Self { out, offset: 0, directory: Vec::new(), files: 0, stamp }
    }

    /// Adds a file.
    ///
    /// # Errors
    /// What the writer says, and where it would be beyond the 4 GB that the form allows.
    pub fn add(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let beyond = || io::Error::other("the archive would be larger than 4 GB");
        let size = u32::try_from(bytes.len()).map_err(|_| beyond())?;
        let name_size = u16::try_from(name.len()).map_err(|_| beyond())?;
        let mut head = Vec::with_capacity(30);
        head.extend(NEEDS.to_le_bytes());
        head.extend(FLAGS.to_le_bytes());
        head.extend(0u16.to_le_bytes());
        head.extend(self.stamp);
        head.extend(crc32(bytes).to_le_bytes());
        head.extend(size.to_le_bytes());
        head.extend(size.to_le_bytes());
        head.extend(name_size.to_le_bytes());
        head.extend(0u16.to_le_bytes());
        self.out.write_all(b"PK\x03\x04")?;
        self.out.write_all(&head)?;
        self.out.write_all(name.as_bytes())?;
        self.out.write_all(bytes)?;
        self.directory.extend(b"PK\x01\x02");
        self.directory.extend(NEEDS.to_le_bytes());
        self.directory.extend(&head);
        // No comment, the first volume, no attributes.
        self.directory.extend([0; 10]);
        self.directory.extend(self.offset.to_le_bytes());
        self.directory.extend(name.as_bytes());
        let written = (4 + head.len() + name.len()) as u32;
        let after = self.offset.checked_add(written).and_then(|at| at.checked_add(size));
        self.offset = after.ok_or_else(beyond)?;
        self.files = self.files.checked_add(1).ok_or_else(beyond)?;
        Ok(())
    }

    /// Ends the archive.
    ///
    /// # Errors
    /// What the writer says.
    pub fn finish(mut self) -> io::Result<()> {
        let size = u32::try_from(self.directory.len()).map_err(io::Error::other)?;
        self.out.write_all(&self.directory)?;
        self.out.write_all(b"PK\x05\x06\0\0\0\0")?;
        self.out.write_all(&self.files.to_le_bytes())?;
        self.out.write_all(&self.files.to_le_bytes())?;
        self.out.write_all(&size.to_le_bytes())?;
        self.out.write_all(&self.offset.to_le_bytes())?;
        self.out.write_all(&0u16.to_le_bytes())?;
        self.out.flush()
    }
}

/// CRC-32 as in ISO 3309. Bit by bit: an archive has a few hundred kilobytes.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = crc >> 1 ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_one_of_the_standard() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn the_directory_at_the_end_finds_every_file() {
        let mut out = Vec::new();
        let mut zip = Zip::new(&mut out, 1_790_000_000_000);
        zip.add("a.txt", b"first").unwrap();
        zip.add("ü/b.txt", b"").unwrap();
        zip.finish().unwrap();
        let end = &out[out.len() - 22..];
        assert_eq!((&end[..4], end[10]), (&b"PK\x05\x06"[..], 2));
        let at = u32::from_le_bytes(end[16..20].try_into().unwrap()) as usize;
        assert_eq!(&out[at..at + 4], b"PK\x01\x02");
        let second = at + 46 + "a.txt".len();
        let offset = u32::from_le_bytes(out[second + 42..second + 46].try_into().unwrap()) as usize;
        assert_eq!(&out[offset..offset + 4], b"PK\x03\x04");
        assert_eq!(&out[offset + 30..offset + 38], "ü/b.txt".as_bytes());
    }
}

//! Marker strings: how a test knows that plain text of a contact is in some bytes, or is not.

use std::path::Path;

/// How often the marker occurs.
pub fn count(bytes: &[u8], marker: &str) -> usize {
    places(bytes, marker).count()
}

/// How often the marker occurs in the files of a directory and below. Documents lie uncompressed in the
/// databases; should that change, the proof that markers are found before fails first. What stands around
/// the first of each file is printed: it is read only where a test fails.
pub fn in_files(dir: &Path, marker: &str) -> usize {
    let paths = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    paths
        .map(|path| match path.is_dir() {
            true => in_files(&path, marker),
            // Sockets can't be read.
            false if !path.is_file() => 0,
            false => in_file(&path, marker),
        })
        .sum()
}

fn in_file(path: &Path, marker: &str) -> usize {
    let bytes = std::fs::read(path).unwrap();
    if let Some(first) = places(&bytes, marker).next() {
        let around = &bytes[first.saturating_sub(60)..bytes.len().min(first + 60)];
        println!("{} has {marker} at {first}: {}", path.display(), around.escape_ascii());
    }
    count(&bytes, marker)
}

fn places<'a>(bytes: &'a [u8], marker: &'a str) -> impl Iterator<Item = usize> + 'a {
    let windows = bytes.windows(marker.len()).enumerate();
    windows.filter(|(_, window)| *window == marker.as_bytes()).map(|(at, _)| at)
}

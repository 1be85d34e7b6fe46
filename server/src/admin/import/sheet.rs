//! A CSV file becomes rows of text: encoding and delimiter are found out, rows that do not fit the
//! header are mended where that is safe and refused where it is not.
//!
//! Nothing here knows what a column means. Nothing is guessed silently: what was found out, and
//! each mended row, is in the report.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

use super::{ImportError, Problem};

/// The largest file that is read. A larger one is split by whoever made it.
pub const FILE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// The most rows of one file.
pub const ROWS_MAX: usize = 1_000_000;
/// The most columns of one file.
pub const COLUMNS_MAX: usize = 512;
/// A cell larger than this means that a quote was never closed.
const CELL_BYTES_MAX: usize = 64 * 1024;
/// So many rows decide about the delimiter.
const SAMPLE_ROWS: usize = 200;
/// What may stand between cells.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// The cells of a file.
#[derive(Debug)]
pub struct Sheet {
    /// The name that problems and the report give it.
    pub file: String,
    /// The header, trimmed; a column without a name is `Column N`.
    pub headers: Vec<String>,
    /// The rows, each with as many cells as the header.
    pub rows: Vec<Row>,
    /// Rows that can't be read, with their line and the reason, and what stood in them.
    pub refused: Vec<(Problem, Vec<String>)>,
    /// Rows that were mended, with their line and how.
    pub mended: Vec<Problem>,
    /// The encoding's name.
    pub encoding: &'static str,
    /// The delimiter.
    pub delimiter: char,
}

/// One row of cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The line it starts on, counted from 1.
    pub line: u64,
    /// As many as there are headers, trimmed; "no value" (empty, `NULL`, `\N`, `N/A`) is empty.
    pub cells: Vec<String>,
}

/// What the caller knows about the file; `None` is found out.
#[derive(Debug, Clone, Copy, Default)]
pub struct Given {
    /// The delimiter.
    pub delimiter: Option<u8>,
    /// The encoding.
    pub encoding: Option<&'static Encoding>,
}

impl Sheet {
    /// Reads a file's bytes.
    pub fn read(file: &str, bytes: &[u8], given: Given) -> Result<Sheet, ImportError> {
        let fail = |reason: String| ImportError::File { file: file.to_owned(), reason };
        if bytes.len() > FILE_BYTES_MAX {
            return Err(fail(format!(
                "it has {} bytes, at most {FILE_BYTES_MAX} are read at once; split it and import the parts one after the other",
                bytes.len()
            )));
        }
        let (text, encoding) = decode(bytes, given.encoding).map_err(fail)?;
        let (text, announced) = announced_delimiter(&text);
        if text.trim().is_empty() {
            return Err(fail("it is empty; the first line should name the columns".to_owned()));
        }
        let skipped = u64::from(announced.is_some());
        let delimiter = given.delimiter.or(announced).unwrap_or_else(|| guess_delimiter(text));
        let mut sheet = Sheet {
            file: file.to_owned(),
            headers: Vec::new(),
            rows: Vec::new(),
            refused: Vec::new(),
            mended: Vec::new(),
            encoding: encoding.name(),
            delimiter: char::from(delimiter),
        };
        sheet.fill(text, delimiter, skipped).map_err(fail)?;
        Ok(sheet)
    }

    fn fill(&mut self, text: &str, delimiter: u8, skipped: u64) -> Result<(), String> {
        let mut reader = reader(text, delimiter);
        let mut record = csv::StringRecord::new();
        let mut spaced = false;
        while reader.read_record(&mut record).map_err(|e| e.to_string())? {
            let line = record.position().map_or(0, csv::Position::line) + skipped;
            if let Some(cell) = record.iter().find(|cell| cell.len() > CELL_BYTES_MAX) {
                return Err(format!(
                    "line {line}: a cell has {} bytes; a quote (\") is probably opened there and never closed",
                    cell.len()
                ));
            }
            if self.headers.is_empty() {
                if record.len() > COLUMNS_MAX {
                    return Err(format!(
                        "it has {} columns, at most {COLUMNS_MAX} are read",
                        record.len()
                    ));
                }
                spaced = record.iter().skip(1).any(|name| name.starts_with(' '));
                self.headers = record
                    .iter()
                    .enumerate()
                    .map(|(i, name)| match name.trim() {
                        "" => format!("Column {}", i + 1),
                        name => name.to_owned(),
                    })
                    .collect();
                continue;
            }
            if record.iter().all(|cell| cell.trim().is_empty()) {
                continue;
            }
            if self.rows.len() + self.refused.len() >= ROWS_MAX {
                return Err(format!(
                    "it has more than {ROWS_MAX} rows; split it and import the parts one after the other"
                ));
            }
            self.take(&record, line, delimiter, spaced);
        }
        Ok(())
    }

    fn take(&mut self, record: &csv::StringRecord, line: u64, delimiter: u8, spaced: bool) {
        let wanted = self.headers.len();
        let mut cells: Vec<String> = record.iter().map(str::to_owned).collect();
        while cells.len() > wanted && cells.last().is_some_and(|cell| cell.trim().is_empty()) {
            cells.pop();
        }
        if cells.len() > wanted {
            match (!spaced).then(|| mend(&cells, wanted, delimiter)).flatten() {
                Some((mended, joined)) => {
                    self.mended.push(Problem {
                        file: self.file.clone(),
                        line,
                        reason: format!(
                            "a `{}` inside a value is not in quotes; taken as part of {}",
                            char::from(delimiter),
                            joined.join(" and ")
                        ),
                    });
                    cells = mended;
                }
                None => {
                    let problem = Problem {
                        file: self.file.clone(),
                        line,
                        reason: format!(
                            "{} cells, but the header has {wanted}; a `{}` inside a value must be in quotes",
                            cells.len(),
                            char::from(delimiter)
                        ),
                    };
                    self.refused.push((problem, cells));
                    return;
                }
            }
        }
        // Spreadsheets leave out empty cells at the end of a line.
        cells.resize(wanted, String::new());
        for cell in &mut cells {
            if is_no_value(cell) {
                cell.clear();
            } else if cell.trim().len() != cell.len() {
                *cell = cell.trim().to_owned();
            }
        }
        self.rows.push(Row { line, cells });
    }

    /// The position of a column: by its exact name, else by its folded name.
    pub fn column(&self, name: &str) -> Option<usize> {
        let folded = super::compact(name);
        self.headers
            .iter()
            .position(|header| header == name.trim())
            .or_else(|| self.headers.iter().position(|header| super::compact(header) == folded))
    }
}

/// Whether a cell says that there is no value.
fn is_no_value(cell: &str) -> bool {
    matches!(cell.trim(), "" | "NULL" | "null" | "\\N" | "N/A" | "n/a" | "#N/A")
}

fn reader(text: &str, delimiter: u8) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .has_headers(false)
        .from_reader(text.as_bytes())
}

/// The text and the encoding it was in.
fn decode(
    bytes: &[u8],
    given: Option<&'static Encoding>,
) -> Result<(String, &'static Encoding), String> {
    let (encoding, rest) = match (Encoding::for_bom(bytes), given) {
        (Some((encoding, length)), _) => (encoding, &bytes[length..]),
        (None, Some(encoding)) => (encoding, bytes),
        (None, None) => (guess_encoding(bytes), bytes),
    };
    let (text, had_errors) = encoding.decode_without_bom_handling(rest);
    if had_errors {
        return Err(format!(
            "it is not valid {}; say how it is encoded with --encoding, such as windows-1252, or save it as UTF-8",
            encoding.name()
        ));
    }
    if text.contains('\0') {
        return Err(
            "it has zero bytes in it and is not a text file; export it as CSV first".to_owned()
        );
    }
    Ok((text.into_owned(), encoding))
}

fn guess_encoding(bytes: &[u8]) -> &'static Encoding {
    let sample = &bytes[..bytes.len().min(4096)];
    let zeros = |odd: usize| sample.iter().skip(odd).step_by(2).filter(|b| **b == 0).count();
    if zeros(1) * 4 > sample.len() {
        return UTF_16LE;
    }
    if zeros(0) * 4 > sample.len() {
        return UTF_16BE;
    }
    if std::str::from_utf8(bytes).is_ok() {
        return UTF_8;
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    detector.feed(bytes, true);
    detector.guess(None, Utf8Detection::Deny)
}

/// Spreadsheets write `sep=;` as the first line.
fn announced_delimiter(text: &str) -> (&str, Option<u8>) {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    match first.trim_end_matches('\r').strip_prefix("sep=").map(str::as_bytes) {
        Some([delimiter]) => (rest, Some(*delimiter)),
        _ => (text, None),
    }
}

/// The delimiter with which most rows have as many cells as the header; of equals, the one with
/// the most columns.
fn guess_delimiter(text: &str) -> u8 {
    let score = |delimiter: u8| {
        let mut reader = reader(text, delimiter);
        let mut records = reader.records().take(SAMPLE_ROWS).map_while(Result::ok);
        let columns = records.next().map_or(0, |header| header.len());
        if columns < 2 {
            return (0, 0);
        }
        let (mut fit, mut all) = (1, 1);
        for record in records {
            all += 1;
            fit += usize::from(record.len() == columns);
        }
        (fit * 100 / all, columns)
    };
    DELIMITERS
        .into_iter()
        .map(|delimiter| (score(delimiter), delimiter))
        // The first of equals: a comma rather than a pipe.
        .rev()
        .max_by_key(|(score, _)| *score)
        .map_or(b',', |(score, delimiter)| if score.1 == 0 { b',' } else { delimiter })
}

/// A row with too many cells because of delimiters inside values (`Rua do Paço, 67`): in a file
/// that puts no space behind its delimiters, a cell that begins with a space is the rest of the one
/// before. Only if exactly as many cells begin so as there are too many.
fn mend(cells: &[String], wanted: usize, delimiter: u8) -> Option<(Vec<String>, Vec<String>)> {
    let is_rest = |cell: &String| cell.starts_with(' ') && !cell.trim().is_empty();
    let rests = cells.iter().skip(1).filter(|cell| is_rest(cell)).count();
    if rests != cells.len() - wanted {
        return None;
    }
    let mut mended: Vec<String> = Vec::with_capacity(wanted);
    let mut joined: Vec<usize> = Vec::new();
    for cell in cells {
        match mended.last_mut() {
            Some(last) if is_rest(cell) => {
                last.push(char::from(delimiter));
                last.push_str(cell);
                joined.push(mended.len() - 1);
            }
            _ => mended.push(cell.clone()),
        }
    }
    joined.dedup();
    let names = joined.iter().map(|i| format!("`{}`", mended[*i].trim())).collect();
    Some((mended, names))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet(bytes: &[u8]) -> Sheet {
        Sheet::read("f.csv", bytes, Given::default()).unwrap()
    }

    fn first(bytes: &[u8]) -> Vec<String> {
        sheet(bytes).rows[0].cells.clone()
    }

    #[test]
    fn each_delimiter_is_found_out() {
        for delimiter in [",", ";", "\t", "|"] {
            let text =
                ["name", "city"].join(delimiter) + "\n" + &["Ada", "Roma"].join(delimiter) + "\n";
            let sheet = sheet(text.as_bytes());
            assert_eq!(sheet.delimiter.to_string(), delimiter);
            assert_eq!(sheet.rows, [Row { line: 2, cells: vec!["Ada".into(), "Roma".into()] }]);
        }
        assert_eq!(sheet(b"name\nAda\n").delimiter, ',');
        // Commas inside the values do not outweigh the semicolons of the header.
        assert_eq!(sheet("name;note\nA;x, y, z\nB;u, v, w\n".as_bytes()).delimiter, ';');
        let announced = sheet(b"sep=|\nname|city\nAda|Roma\n");
        assert_eq!((announced.delimiter, announced.rows[0].line), ('|', 3));
    }

    #[test]
    fn each_encoding_is_found_out() {
        assert_eq!(first("\u{feff}name,city\nJürgen,Køge\n".as_bytes())[0], "Jürgen");
        let cp1252 =
            encoding_rs::WINDOWS_1252.encode("name;city\nJürgen Groß;Köln\nFrançois;Besançon\n").0;
        assert_eq!(first(&cp1252)[0], "Jürgen Groß");
        let cp1251 = encoding_rs::WINDOWS_1251
            .encode(
                "Имя;Город\nИванов Иван Петрович;Нижний Новгород\nСидорова Мария;Екатеринбург\n",
            )
            .0;
        assert_eq!(first(&cp1251)[0], "Иванов Иван Петрович");
        let utf16: Vec<u8> =
            "name;city\nŁukasz;Łódź\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(first(&utf16)[0], "Łukasz");
        let with_bom: Vec<u8> = [0xfe, 0xff]
            .into_iter()
            .chain("a,b\nŁ,ź\n".encode_utf16().flat_map(u16::to_be_bytes))
            .collect();
        assert_eq!(first(&with_bom)[0], "Ł");
        let wrong =
            Sheet::read("f", b"a\n\xff\xfe\xfa", Given { encoding: Some(UTF_8), delimiter: None });
        assert!(wrong.unwrap_err().to_string().contains("--encoding"));
    }

    #[test]
    fn no_value_is_empty() {
        assert_eq!(first(b"a,b,c,d,e\nNULL,\\N,N/A, ,Null\n"), ["", "", "", "", "Null"]);
    }

    #[test]
    fn a_delimiter_inside_an_unquoted_value_is_mended_and_reported() {
        let sheet = sheet(
            "id,address,city\n1,Rua do Paço, 67,Rio\n2,2, rue du Commerce,Lyon\n3,Plain 1,Bonn\n"
                .as_bytes(),
        );
        assert_eq!(sheet.rows[0].cells, ["1", "Rua do Paço, 67", "Rio"]);
        assert_eq!(sheet.rows[1].cells, ["2", "2, rue du Commerce", "Lyon"]);
        assert_eq!(sheet.mended.iter().map(|p| p.line).collect::<Vec<_>>(), [2, 3]);
        assert!(sheet.refused.is_empty());
    }

    #[test]
    fn a_row_that_can_not_be_mended_is_refused_with_its_line() {
        let sheet = sheet(b"id,address,city\n1,Paco,67,Rio\n2,A,B\n");
        assert_eq!(sheet.rows.len(), 1);
        assert_eq!(sheet.refused[0].0.line, 2);
        assert!(sheet.refused[0].0.reason.contains("4 cells"));
        // Where every cell has a space before it, a space says nothing.
        let spaced =
            Sheet::read("f", b"id, address, city\n1, Paco, 67, Rio\n", Given::default()).unwrap();
        assert_eq!(spaced.refused.len(), 1);
    }

    #[test]
    fn a_short_row_has_empty_cells_and_a_blank_line_is_no_row() {
        let sheet = sheet(b"a,b,c\n1\n\n,,\n2,x,y,,\n");
        assert_eq!(sheet.rows.len(), 2);
        assert_eq!(sheet.rows[0].cells, ["1", "", ""]);
        assert_eq!(sheet.rows[1].cells, ["2", "x", "y"]);
    }

    #[test]
    fn a_quote_that_is_never_closed_is_named() {
        let text = format!("a,b\n1,\"open\n{}", "2,x\n".repeat(30_000));
        let error = Sheet::read("f", text.as_bytes(), Given::default()).unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("quote"), "{error}");
    }
}

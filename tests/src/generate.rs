//! Sample contacts: the record of the workloads in the benchmarks and the demo.
//!
//! One contact has a name, company, title, two phones, two emails, an address, status, industry,
//! three tags, a note of about 300 characters, ten interactions of about 120, a deal and a task:
//! 2.5 to 3.4 kB of JSON. Everything follows from the seed. Names are drawn from lists of common
//! given and family names, texts from a vocabulary of several thousand words per language that is
//! made of syllables, so that compression is not flattered by repetition.

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};
use fastrand::Rng;
use roadbook_protocol::document::{Collection, Command, Splice, Value};
use roadbook_protocol::ids::EntryId;

/// The day that generated dates are counted from.
pub const TODAY: NaiveDate = match NaiveDate::from_ymd_opt(2026, 6, 1) {
    Some(day) => day,
    None => unreachable!(),
};

struct Tongue {
    given: &'static [&'static str],
    family: &'static [&'static str],
    towns: &'static [(&'static str, &'static str)],
    country: &'static str,
    dial: &'static str,
    legal: &'static str,
    syllables: &'static [&'static str],
    currency: &'static str,
}

const TONGUES: &[Tongue] = &[
    Tongue {
        given: &[
            "Anna", "Jürgen", "Käthe", "Lukas", "Sabine", "Uwe", "Björn", "Renate", "Jörg", "Heike",
        ],
        family: &[
            "Müller",
            "Schröder",
            "Groß",
            "Jäger",
            "Vogel",
            "Weiß",
            "Krüger",
            "Böhm",
            "Lang",
            "Köhler",
        ],
        towns: &[
            ("Münster", "48143"),
            ("Köln", "50667"),
            ("Bad Homburg", "61348"),
            ("Görlitz", "02826"),
        ],
        country: "Germany",
        dial: "+49",
        legal: "GmbH",
        syllables: &[
            "auf", "trag", "lie", "fer", "ge", "sprä", "che", "ken", "muster", "ver", "han",
            "deln", "rück", "ruf", "an", "ge", "bot", "preis", "er", "war", "tung", "zeit", "wo",
            "chen", "plan", "ung", "ein", "kauf",
        ],
        currency: "EUR",
    },
    Tongue {
        given: &["Søren", "Mette", "Åse", "Jens", "Kirsten", "Bjarne", "Freja", "Østen"],
        family: &["Østergård", "Sørensen", "Nygård", "Kjær", "Lindqvist", "Holm", "Bæk", "Lund"],
        towns: &[("Århus", "8000"), ("Helsingør", "3000"), ("Sønderborg", "6400")],
        country: "Denmark",
        dial: "+45",
        legal: "A/S",
        syllables: &[
            "han", "del", "kø", "be", "af", "ta", "le", "mø", "de", "til", "bud", "le", "ver",
            "ing", "pris", "næ", "ste", "u", "ge", "kon", "takt", "prø", "ve", "or", "dre", "sæ",
            "son",
        ],
        currency: "DKK",
    },
    Tongue {
        given: &["Giulia", "Marco", "Chiara", "Luca", "Niccolò", "Beatrice", "Paolo", "Ilaria"],
        family: &[
            "Rossi", "D'Angelo", "Bianchi", "Ferrari", "Esposito", "Conti", "De Luca", "Gallo",
        ],
        towns: &[("Forlì", "47121"), ("Reggio Emilia", "42121"), ("Torino", "10121")],
        country: "Italy",
        dial: "+39",
        legal: "S.r.l.",
        syllables: &[
            "or", "di", "ne", "con", "se", "gna", "prez", "zo", "in", "con", "tro", "cam", "pio",
            "ne", "fie", "ra", "sco", "to", "pros", "si", "ma", "set", "ti", "cli", "en", "te",
            "ven", "di",
        ],
        currency: "EUR",
    },
    Tongue {
        given: &["Артём", "Ольга", "Сергей", "Наталья", "Фёдор", "Ирина", "Алексей", "Юлия"],
        family: &["Иванов", "Ищенко", "Королёв", "Смирнов", "Щербак", "Волков", "Зайцев", "Орлов"],
        towns: &[("Нижний Новгород", "603000"), ("Тверь", "170100"), ("Орёл", "302000")],
        country: "Russia",
        dial: "+7",
        legal: "ООО",
        syllables: &[
            "за",
            "каз",
            "по",
            "став",
            "ка",
            "це",
            "на",
            "встре",
            "ча",
            "об",
            "ра",
            "зец",
            "скид",
            "ка",
            "до",
            "го",
            "вор",
            "не",
            "де",
            "ля",
            "кли",
            "ент",
            "про",
            "да",
            "жа",
            "склад",
            "счёт",
        ],
        currency: "RUB",
    },
    Tongue {
        given: &["Łukasz", "Agnieszka", "Michał", "Zofia", "Wojciech", "Żaneta"],
        family: &["Wiśniewski", "Dąbrowska", "Zieliński", "Król", "Pawłowski"],
        towns: &[("Łódź", "90-001"), ("Gdańsk", "80-001"), ("Rzeszów", "35-001")],
        country: "Poland",
        dial: "+48",
        legal: "Sp. z o.o.",
        syllables: &[
            "za", "mó", "wie", "nie", "ce", "na", "spot", "ka", "nie", "prób", "ka", "do", "sta",
            "wa", "ra", "bat", "ty", "dzień", "klient", "sprze", "daż", "ofer", "ta", "ma", "ga",
            "zyn",
        ],
        currency: "PLN",
    },
    Tongue {
        given: &["Emily", "James", "Olivia", "Henry", "Grace", "Thomas", "Alice", "Edward"],
        family: &["Walker", "O'Brien", "Thompson", "Hughes", "Price", "Bennett", "Cole", "Marsh"],
        towns: &[("Leeds", "LS1 4AP"), ("Bristol", "BS1 4DJ"), ("Norwich", "NR2 1TF")],
        country: "United Kingdom",
        dial: "+44",
        legal: "Ltd",
        syllables: &[
            "or", "der", "sam", "ple", "de", "liv", "er", "meet", "ing", "price", "quo", "ta",
            "tion", "fol", "low", "up", "sea", "son", "stock", "vis", "it", "cus", "tom", "ship",
            "ment", "re", "new",
        ],
        currency: "GBP",
    },
];

const INDUSTRIES: &[&str] = &[
    "food wholesale",
    "catering",
    "retail",
    "hospitality",
    "machinery",
    "logistics",
    "pharmacy",
    "crafts",
];
const STATUSES: &[&str] =
    &["lead", "prospect", "customer", "customer", "customer", "partner", "lost"];
const TAGS: &[&str] = &[
    "vip",
    "fair-2026",
    "newsletter",
    "wine",
    "cheese",
    "export",
    "organic",
    "seasonal",
    "prepaid",
    "framework",
    "sample-sent",
    "competitor",
    "referral",
    "regional",
    "chain",
    "family-run",
];
const TITLES: &[&str] = &[
    "Owner",
    "Buyer",
    "Head of purchasing",
    "Store manager",
    "Chef",
    "Managing director",
    "Assistant",
];
const STAGES: &[&str] = &["lead", "qualified", "offer", "negotiation"];
const KINDS: &[&str] = &["visit", "call", "email", "meeting", "visit", "call"];

/// A stream of contacts; the same seed gives the same contacts.
pub struct Generator {
    rng: Rng,
    made: u64,
}

/// One generated contact.
pub struct Sample {
    /// The commands that create it, as one group.
    pub commands: Vec<Command>,
    /// Given name, family name, company, city: for CSV and for looking it up.
    pub given_name: String,
    /// Family name.
    pub family_name: String,
    /// Company.
    pub company: String,
    /// City.
    pub city: String,
    row: Vec<String>,
}

/// The header of [`Sample::csv_row`].
pub const CSV_HEADER: &[&str] = &[
    "customer_no",
    "given_name",
    "family_name",
    "company",
    "job_title",
    "industry",
    "status",
    "street",
    "postal_code",
    "city",
    "country",
    "phone",
    "email",
    "tags",
    "note",
];

impl Sample {
    /// The main fields as a row under [`CSV_HEADER`].
    pub fn csv_row(&self) -> &[String] {
        &self.row
    }
}

impl Generator {
    /// A stream for this seed.
    pub fn new(seed: u64) -> Self {
        Self { rng: Rng::with_seed(seed), made: 0 }
    }

    /// An entry id that follows from the seed.
    pub fn entry_id(&mut self) -> EntryId {
        let mut bytes = [0; 16];
        self.rng.fill(&mut bytes);
        EntryId::from_random(bytes)
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.rng.usize(..of.len())]
    }

    fn word(&mut self, tongue: &Tongue) -> String {
        (0..self.rng.usize(1..4)).map(|_| self.pick(tongue.syllables)).collect()
    }

    fn text(&mut self, tongue: &Tongue, chars: usize) -> String {
        let mut text = String::new();
        let mut sentence = 0;
        while text.chars().count() < chars {
            let mut word = self.word(tongue);
            if sentence == 0 {
                let mut letters = word.chars();
                if let Some(first) = letters.next() {
                    word = first.to_uppercase().chain(letters).collect();
                }
            }
            text.push_str(&word);
            sentence += 1;
            if sentence > 7 && self.rng.u8(..4) == 0 {
                text.push_str(". ");
                sentence = 0;
            } else {
                text.push(' ');
            }
            if self.rng.u8(..12) == 0 {
                text.push_str(&self.rng.u16(2..4000).to_string());
                text.push(' ');
            }
        }
        text.trim_end().to_owned()
    }

    /// A sentence or more in one of the languages.
    pub fn sentence(&mut self, chars: usize) -> String {
        let tongue = &TONGUES[self.rng.usize(..TONGUES.len())];
        self.text(tongue, chars)
    }

    /// A line of a log: an interaction's command.
    pub fn interaction(&mut self) -> Command {
        let tongue = &TONGUES[self.rng.usize(..TONGUES.len())];
        self.interaction_in(tongue)
    }

    fn interaction_in(&mut self, tongue: &Tongue) -> Command {
        let id = self.entry_id();
        let at = instant(self.rng.u32(1..700)) + self.rng.i64(0..36_000_000);
        let fields = [
            ("kind", Value::from(self.pick(KINDS))),
            ("at", Value::Int(at)),
            ("summary", Value::from(self.text(tongue, 120))),
            ("outcome", Value::from(self.word(tongue))),
        ];
        put(Collection::Interactions, id, fields)
    }

    /// The next contact.
    pub fn contact(&mut self) -> Sample {
        self.made += 1;
        let tongue = &TONGUES[self.rng.usize(..TONGUES.len())];
        let given_name = self.pick(tongue.given).to_owned();
        let family_name = self.pick(tongue.family).to_owned();
        let company = format!(
            "{} {} {}",
            capital(&self.word(tongue)),
            capital(&self.word(tongue)),
            tongue.legal
        );
        let (city, postal_code) = self.pick(tongue.towns);
        let number = self.made;
        let host = format!("{}{}.example", ascii(&company), number % 97);
        let email = format!("{}.{}{}@{host}", ascii(&given_name), ascii(&family_name), number % 89);
        let phone =
            format!("{} {} {:07}", tongue.dial, self.rng.u16(20..999), self.rng.u32(..9_999_999));
        let street = format!("{} {}", capital(&self.word(tongue)), self.rng.u16(1..240));
        let (industry, status) = (self.pick(INDUSTRIES), self.pick(STATUSES));
        let job_title = self.pick(TITLES);
        let note = self.text(tongue, 300);
        let mut tags: Vec<&str> = (0..3).map(|_| self.pick(TAGS)).collect();
        tags.sort_unstable();
        tags.dedup();

        let mut commands: Vec<Command> = [
            ("given_name", given_name.as_str()),
            ("family_name", &family_name),
            ("company", &company),
            ("job_title", job_title),
            ("industry", industry),
            ("status", status),
            ("language", &tongue.country.to_lowercase()[..2.min(tongue.country.len())]),
        ]
        .into_iter()
        .map(|(field, value)| Command::Set { field: field.into(), value: Some(value.into()) })
        .collect();
        for label in ["work", "mobile"] {
            let number = if label == "work" {
                phone.clone()
            } else {
                format!("{} {} {:06}", tongue.dial, self.rng.u16(150..180), self.rng.u32(..999_999))
            };
            let id = self.entry_id();
            commands.push(put(
                Collection::Phones,
                id,
                [("number", number.into()), ("label", label.into())],
            ));
        }
        for (label, address) in [("work", email.clone()), ("office", format!("info@{host}"))] {
            let id = self.entry_id();
            commands.push(put(
                Collection::Emails,
                id,
                [("address", address.into()), ("label", label.into())],
            ));
        }
        let id = self.entry_id();
        commands.push(put(
            Collection::Addresses,
            id,
            [
                ("street", street.as_str().into()),
                ("postal_code", postal_code.into()),
                ("city", city.into()),
                ("country", tongue.country.into()),
            ],
        ));
        for tag in &tags {
            commands.push(Command::Tag { tag: (*tag).into(), at: instant(30) });
        }
        commands.push(Command::EditNote {
            splices: vec![Splice {
                at: 0,
                delete: 0,
                insert: note.clone(),
                before: String::new(),
                after: String::new(),
                deleted: String::new(),
                cursor: None,
            }],
        });
        for _ in 0..10 {
            let interaction = self.interaction_in(tongue);
            commands.push(interaction);
        }
        let id = self.entry_id();
        let title = self.text(tongue, 20);
        let stage = self.pick(STAGES);
        commands.push(put(
            Collection::Deals,
            id,
            [
                ("title", title.into()),
                ("amount", Value::Int(self.rng.i64(10_000..5_000_000))),
                ("currency", tongue.currency.into()),
                ("stage", stage.into()),
            ],
        ));
        let id = self.entry_id();
        let text = self.text(tongue, 40);
        let due = date(self.rng.u32(..60));
        commands.push(put(Collection::Tasks, id, [("text", text.into()), ("due", due.into())]));

        let row = [
            &format!("C{number:06}"),
            &given_name,
            &family_name,
            &company,
            job_title,
            industry,
            status,
            &street,
            postal_code,
            city,
            tongue.country,
            &phone,
            &email,
            &tags.join(", "),
            &note,
        ]
        .map(str::to_owned)
        .to_vec();
        Sample { commands, given_name, family_name, company, city: city.to_owned(), row }
    }

    /// `count` contacts as a CSV file.
    pub fn csv(&mut self, count: usize) -> String {
        let quote = |cell: &String| format!("\"{}\"", cell.replace('"', "\"\""));
        let mut csv = CSV_HEADER.join(",");
        for _ in 0..count {
            let sample = self.contact();
            csv.push('\n');
            csv.push_str(&sample.row.iter().map(quote).collect::<Vec<_>>().join(","));
        }
        csv.push('\n');
        csv
    }
}

/// A `Put` of these fields.
pub fn put<const N: usize>(
    collection: Collection,
    id: EntryId,
    fields: [(&str, Value); N],
) -> Command {
    let fields: BTreeMap<_, _> =
        fields.into_iter().map(|(name, value)| (name.to_owned(), Some(value))).collect();
    Command::Put { collection, id, fields }
}

fn instant(days_ago: u32) -> i64 {
    let day = TODAY - Days::new(days_ago.into());
    day.and_hms_opt(8, 0, 0).map_or(0, |time| time.and_utc().timestamp_millis())
}

fn date(days_ahead: u32) -> String {
    (TODAY + Days::new(days_ahead.into())).to_string()
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

fn ascii(text: &str) -> String {
    let folded = roadbook_protocol::fold::fold(text);
    folded
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .chain(
            folded
                .chars()
                .filter(|c| !c.is_ascii())
                .map(|c| char::from(b'a' + (c as u32 % 26) as u8)),
        )
        .take(14)
        .collect()
}

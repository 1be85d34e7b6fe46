//! Phones and addresses in the form in which they are compared. What is stored stays as typed.

use std::str::FromStr;

use phonenumber::country::Id;

use super::compact;

/// Country names as files have them, by ISO 3166 code: English, the country's own, and the
/// languages of its neighbours where they differ much. Folded, without spaces.
const COUNTRIES: &[(&str, &str)] = &[
    ("AE", "unitedarabemirates uae"),
    ("AR", "argentina argentinien argentine"),
    ("AT", "austria osterreich oesterreich autriche ostrig австрия"),
    ("AU", "australia australien australie"),
    ("BE", "belgium belgien belgique belgie belgio belgica бельгия"),
    ("BG", "bulgaria bulgarien bulgarie българия болгария"),
    ("BR", "brazil brasil brasilien bresil brasile"),
    ("BY", "belarus беларусь белоруссия"),
    ("CA", "canada kanada"),
    ("CH", "switzerland schweiz suisse svizzera suiza"),
    ("CL", "chile chili"),
    ("CN", "china chine cina 中国"),
    ("CO", "colombia kolumbien colombie"),
    ("CZ", "czechia czechrepublic tschechien ceskarepublika cesko чехия"),
    ("DE", "germany deutschland allemagne germania alemania tyskland niemcy германия"),
    ("DK", "denmark danmark danemark danimarca dinamarca дания"),
    ("EE", "estonia estland eesti эстония"),
    ("ES", "spain espana spanien espagne spagna испания"),
    ("FI", "finland suomi finnland finlande finlandia финляндия"),
    ("FR", "france frankreich francia frankrig франция"),
    (
        "GB",
        "uk unitedkingdom greatbritain england scotland wales grossbritannien \
         vereinigteskonigreich royaumeuni regnounito reinounido storbritannien великобритания",
    ),
    ("GR", "greece griechenland grece grecia ελλαδα"),
    ("HK", "hongkong"),
    ("HR", "croatia kroatien hrvatska"),
    ("HU", "hungary ungarn magyarorszag hongrie"),
    ("IE", "ireland irland eire irlande irlanda"),
    ("IL", "israel"),
    ("IN", "india indien inde"),
    ("IS", "iceland island islande"),
    ("IT", "italy italia italien italie италия"),
    ("JP", "japan japon giappone 日本"),
    ("KR", "southkorea korea republicofkorea sudkorea"),
    ("KZ", "kazakhstan казахстан"),
    ("LT", "lithuania litauen lietuva литва"),
    ("LU", "luxembourg luxemburg"),
    ("LV", "latvia lettland latvija латвия"),
    ("MX", "mexico mexiko mexique messico"),
    (
        "NL",
        "netherlands thenetherlands holland nederland niederlande paysbas paesibassi paisesbajos",
    ),
    ("NO", "norway norge norwegen norvege norvegia норвегия"),
    ("NZ", "newzealand neuseeland"),
    ("PL", "poland polska polen pologne polonia польша"),
    ("PT", "portugal portogallo португалия"),
    ("RO", "romania rumanien roumanie"),
    ("RS", "serbia serbien srbija србија"),
    ("RU", "russia russianfederation russland russie россия рф россиискаяфедерация"),
    ("SE", "sweden sverige schweden suede svezia suecia швеция"),
    ("SG", "singapore singapur"),
    ("SI", "slovenia slowenien slovenija"),
    ("SK", "slovakia slowakei slovensko"),
    ("TR", "turkey turkei turkiye турция"),
    ("UA", "ukraine украина украіна"),
    (
        "US",
        "usa unitedstates unitedstatesofamerica us america vereinigtestaaten etatsunis statiuniti \
         estadosunidos сша",
    ),
    ("VE", "venezuela"),
    ("ZA", "southafrica sudafrika"),
];

/// The region of a country as a file names it: its ISO code, or its name in one of many languages.
pub fn region(country: &str) -> Option<Id> {
    let word = compact(country);
    if word.is_empty() {
        return None;
    }
    let named = COUNTRIES.iter().find(|(_, names)| names.split(' ').any(|name| name == word));
    match named {
        Some((code, _)) => Id::from_str(code).ok(),
        None if word.len() == 2 && word.is_ascii() => Id::from_str(&word.to_ascii_uppercase()).ok(),
        None => None,
    }
}

/// A phone number in E.164, if it is one; numbers without a country code belong to `region`.
pub fn e164(text: &str, region: Option<Id>) -> Option<String> {
    // What follows a comma or an x is an extension; so much text is no phone number.
    if text.len() > 64 {
        return None;
    }
    let number = phonenumber::parse(region, text).ok()?;
    phonenumber::is_valid(&number)
        .then(|| number.format().mode(phonenumber::Mode::E164).to_string())
}

/// A phone number for comparison: in E.164 where that can be said, else its digits (a number of the
/// same spelling is the same number).
pub fn phone_key(text: &str, region: Option<Id>) -> Option<String> {
    e164(text, region).or_else(|| {
        let digits = roadbook_protocol::fold::phone_digits(text);
        (digits.len() >= 5).then_some(digits)
    })
}

/// An email address for comparison.
pub fn email_key(text: &str) -> String {
    text.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_are_known_by_code_and_by_name() {
        for (text, code) in [
            ("Germany", "DE"),
            ("DEUTSCHLAND", "DE"),
            ("de", "DE"),
            ("Österreich", "AT"),
            ("USA", "US"),
            ("U.S.A.", "US"),
            ("UK", "GB"),
            ("Россия", "RU"),
            ("México", "MX"),
        ] {
            assert_eq!(
                region(text).map(|id| id.as_ref().to_owned()).as_deref(),
                Some(code),
                "{text}"
            );
        }
        assert!(region("Atlantis").is_none());
        assert!(region("").is_none());
        for (code, names) in COUNTRIES {
            assert!(Id::from_str(code).is_ok(), "{code}");
            for name in names.split(' ') {
                assert_eq!(compact(name), name);
            }
        }
    }

    #[test]
    fn phones_are_equal_however_they_are_written() {
        let germany = region("DE");
        assert_eq!(e164("030 901820", germany), Some("+4930901820".to_owned()));
        assert_eq!(e164("(030) 90-18-20", germany), e164("0049 30 901820", germany));
        assert_ne!(e164("030 901820", germany), e164("030 901821", germany));
        // A number that no network would connect still equals itself.
        assert_eq!(e164("12345", germany), None);
        assert_eq!(phone_key("(5) 555-4729", None), phone_key("5 555 47 29", None));
        assert!(phone_key("(5) 555-4729", None).is_some());
        assert_eq!(phone_key("123", germany), None);
    }
}

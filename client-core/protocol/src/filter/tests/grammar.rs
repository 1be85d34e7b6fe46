use super::*;
use crate::filter::names::{HAS, names};

/// A contact about whom much can be asked.
fn anna() -> Row {
    let mut row = fold_tests::row("Anna Müller");
    for (name, value) in [
        ("given_name", Value::from("Anna")),
        ("family_name", Value::from("Müller")),
        ("company", Value::from("Bäckerei Łukasz GmbH")),
        ("job_title", Value::from("Einkäuferin")),
        ("status", Value::from("customer")),
        ("category", Value::from("Key account")),
        ("birthday", Value::from("1985-06-20")),
        ("next_visit", Value::from("2026-06-20")),
        ("cadence_days", Value::from(30)),
        ("latitude", Value::Number(50.25)),
        ("fax", Value::from("+49 30 9876")),
        ("do_not_contact", Value::from(true)),
    ] {
        row.fields.insert(name.to_owned(), value);
    }
    row.custom.insert("Schuhgröße".to_owned(), Value::from(38));
    row.custom.insert("since".to_owned(), Value::from("2020-05-01"));
    row.custom.insert("vegan".to_owned(), Value::from(true));
    row.custom.insert("hobby".to_owned(), Value::from("Große Hunde"));
    row.external_ids.insert("sap".to_owned(), "K-4711".to_owned());
    row.tags = vec!["VIP".to_owned(), "⭐".to_owned()];
    row.phones = vec!["0171/2345678".to_owned()];
    row.emails = vec!["anna.mueller@example.com".to_owned()];
    row.street = "Hauptstraße 5".to_owned();
    row.postal_code = "61348".to_owned();
    row.city = "Bad Homburg".to_owned();
    row.note = "likes dogs and 東京".to_owned();
    row.last_contact_at = Some(noon().now_ms - 40 * DAY);
    row.interactions.insert("visit".to_owned(), 3);
    row.interactions.insert("call".to_owned(), 1);
    row.open_tasks = 2;
    row.next_due = Some("2026-06-14".to_owned());
    row.stages = vec!["offer".to_owned(), "won".to_owned()];
    row.open_amount.insert("EUR".to_owned(), 1_000_050);
    row.open_amount.insert("JPY".to_owned(), 20_000);
    row.purchases = 4;
    row.last_purchase = Some("2025-06-15".to_owned());
    row.revenue.insert("KWD".to_owned(), 1_500);
    row.conflicts = 1;
    row.touched_at = noon().now_ms - DAY;
    row
}

/// Somebody of whom next to nothing is known.
fn empty() -> Row {
    fold_tests::row("Unknown")
}

/// Checks text against both rows, in memory and in SQLite.
#[track_caller]
fn check(text: &str, matches_anna: bool, matches_empty: bool) {
    let filter = Filter::parse(text).unwrap_or_else(|error| panic!("{}", error.pointing_at(text)));
    let (anna, empty) = (anna(), empty());
    let office = Office { owner: Some("nancy"), ..Office::default() };
    assert_eq!(filter.eval(&anna, &office, &noon()), matches_anna, "Anna: {text}");
    assert_eq!(filter.eval(&empty, &Office::default(), &noon()), matches_empty, "empty: {text}");
    let store = Store::new();
    store.put(1, &anna, office.owner);
    store.put(2, &empty, None);
    let expected: Vec<i64> =
        [(1, matches_anna), (2, matches_empty)].iter().filter(|x| x.1).map(|x| x.0).collect();
    assert_eq!(store.matching(&filter, &noon()), expected, "SQL: {text}");
}

#[test]
fn classes_and_consents_are_asked_for_at_the_office_only() {
    let (anna, empty) = (anna(), empty());
    let standings = [Standing { recency: 5, frequency: 1, monetary: 3, abc: 'A' }];
    let office = Office { standings: &standings, consents: &["email"], ..Office::default() };
    for (text, holds) in [
        ("recency:5", true),
        ("recency:4..5 frequency:<=2 monetary:!=5", true),
        ("frequency:>1", false),
        ("abc:a,b", true),
        ("-abc:A", false),
        ("consent:Email", true),
        ("consent:phone", false),
        ("consent:none", false),
    ] {
        let filter = Filter::parse(text).unwrap();
        assert_eq!(filter.eval(&anna, &office, &noon()), holds, "{text}");
        assert!(filter.to_sql(&noon(), SqlTarget::Device).is_err(), "{text}");
        assert_eq!(filter.mentions_classes(), !text.starts_with("consent"), "{text}");
    }
    let none = Filter::parse("consent:none -recency:1..5").unwrap();
    assert!(none.eval(&empty, &Office::default(), &noon()));
    for text in ["recency:0", "recency:6", "frequency:often", "abc:D", "monetary:2..7"] {
        assert!(Filter::parse(text).is_err(), "{text}");
    }
}

#[test]
fn what_each_condition_asks() {
    // Those that Anna meets and the empty contact does not.
    for text in [
        "status:customer",
        "STATUS:Customer",
        "status:lead,customer",
        "city:\"Bad Homburg\"",
        "city:\"bad homburg\"",
        "city:bad*",
        "city:*homburg*",
        "street:\"hauptstrasse 5\"",
        "company:\"backerei lukasz gmbh\"",
        "company:Bäck*",
        "job_title:einkauferin",
        "tag:vip",
        "tag:⭐",
        "tags:VIP",
        "tag:x,vip",
        "category:\"KEY ACCOUNT\"",
        "custom.schuhgrosse:38",
        "custom.Schuhgröße:>37.5",
        "custom.schuhgrosse:35..40",
        "custom.since:2020-05-01",
        "custom.since:2020-05",
        "custom.since:<2021-01-01",
        "custom.since:2020-01-01..2020-12-31",
        "custom.vegan:yes",
        "custom.hobby:\"grosse hunde\"",
        "custom.\"hobby\":gro*",
        "external:k-4711",
        "birthday:>1980-01-01",
        "birthday:1985",
        "birthday:1985-06",
        "birthday:1980..1989",
        "birthday_in:7d",
        "birthday_in:1w",
        "next_visit:<=+7d",
        "next_visit:+5d",
        "next_visit:>today",
        "next_visit:2026-06-01..2026-06-30",
        "next_visit:2026-06-16..",
        "contacted:<60d",
        "contacted:>=40d vip",
        "contacted:<=40d",
        "contacted:2026-05-06",
        "contacted:2026",
        "touched:<30d",
        "touched:yesterday",
        "touched:>-3w",
        "visits:>=3",
        "visits:3",
        "calls:1..2",
        "interactions:4",
        "visits:any",
        "due:overdue",
        "due:yesterday",
        "due:<today",
        "due:any",
        "tasks:open",
        "tasks:overdue",
        "tasks:2",
        "stage:offer",
        "stage:WON",
        "deal:>10000 EUR",
        "deal:>10000EUR",
        "deal:10000.50 EUR",
        "deal:\"10.000,50 EUR\"",
        "deal:>10000",
        "deal:>=20000JPY",
        "deal:10000..20000 EUR",
        "revenue:1.5KWD",
        "revenue:>1",
        "purchases:>=4",
        "bought:<=365d",
        "bought:2025",
        "bought:any",
        "bought:>=365d",
        "conflicts:any",
        "conflicts:1",
        "has:phone",
        "has:email",
        "has:note",
        "has:address",
        "has:city",
        "has:birthday",
        "has:tag",
        "has:task",
        "has:deal",
        "has:purchase",
        "has:visit",
        "has:custom.hobby",
        "has:contact",
        "has:conflict",
        "has:external",
        "has:interaction",
        "no:website has:phone",
        "owner:nancy",
        "owner:NANCY",
        "cadence:overdue",
        "cadence_days:30",
        "cadence_days:>=14",
        "latitude:>50",
        "latitude:50..51",
        "latitude:50.25",
        "do_not_contact:yes",
        "phone:0171",
        "phone:+49171234",
        "phone:345678",
        "fax:9876",
        "email:@example.com",
        "email:anna",
        "name:mull",
        "name:\"anna müller\"",
        "note:dogs",
        "muller",
        "mueller",
        "anna dogs",
        "\"likes dogs\"",
        "東京",
        "0171 234 56",
        "-tag:x vip",
        "not tag:x vip",
        "tag:vip or tag:other",
        "(tag:x or tag:vip) status:customer",
        "tag:vip and not (status:lead or status:lost)",
        "status:!=lead vip",
        "& vip",
        "has:fax",
        "(vip)",
        "- vip",
        "latitude:<50.3 vip",
        "\"!\" vip",
        "vip (&)",
        "phone:(0171)2345",
    ] {
        check(text, true, false);
    }
    // Those that both meet.
    for text in [
        "",
        "  ",
        "&",
        "contacted:>30d",
        "contacted:>=40d or unknown",
        "archived:no",
        "archived:any",
        "no:website",
        "-tag:nobody",
        "status:!=lead",
        "emails:0",
        "-city:berlin",
        "visits:>=0",
        "touched:<=today",
        "-archived:yes",
        "contacted:<2026-05-07",
        "not (&) or &",
    ] {
        check(text, true, true);
    }
    // Those that only the empty one meets.
    for text in [
        "no:phone",
        "visits:0",
        "visits:none",
        "purchases:0",
        "contacted:never",
        "bought:never",
        "contacted:>60d",
        "-vip",
        "no:address",
        "no:task",
        "conflicts:none",
        "owner:none",
        "due:none",
        "birthday:none",
        "revenue:0",
        "deal:0",
        "deal:<100 EUR",
        "unknown",
        "do_not_contact:no",
        "not status:customer",
        "tasks:none",
        "no:custom.hobby",
        "revenue:<1",
        "touched:1970",
        "NOT Status:customer",
        "no:cadence_days",
    ] {
        check(text, false, true);
    }
    // Those that nobody meets.
    for text in [
        "status:lost",
        "tag:vi",
        "city:homburg",
        "\"dogs likes\"",
        "archived:yes",
        "urgen",
        "deal:>20001",
        "deal:>10000.50EUR",
        "bought:>365d",
        "due:today",
        "due:>=today",
        "next_visit:overdue",
        "custom.nothing:1",
        "custom.vegan:no",
        "birthday_in:4d",
        "has:website",
        "custom.hobby:38",
        "contacted:>60d vip",
        "latitude:>50.25",
        "latitude:<50.25",
        "deal:10000..10000.49EUR",
        "revenue:>1500USD",
        "note:anna",
        "name:dogs",
    ] {
        check(text, false, false);
    }
}

#[test]
fn archived_contacts_hide_unless_they_are_spoken_of() {
    let mut row = anna();
    row.fields.insert("archived".to_owned(), Value::from(true));
    for (text, mentioned, shown) in [
        ("vip", false, false),
        ("", false, false),
        ("vip or dogs", false, false),
        ("vip archived:yes", true, true),
        ("vip (x or archived:any)", true, true),
        ("-archived:yes", true, false),
    ] {
        let filter = Filter::parse(text).unwrap();
        assert_eq!(filter.mentions_archived(), mentioned, "{text}");
        let filter = filter.hiding_archived();
        assert_eq!(filter.eval(&row, &Office::default(), &noon()), shown, "{text}");
    }
}

#[test]
fn a_device_says_that_it_does_not_know_owners() {
    let filter = Filter::parse("vip -owner:nancy").unwrap();
    assert!(filter.mentions_owner());
    let error = filter.to_sql(&noon(), SqlTarget::Device).unwrap_err();
    assert_eq!(error.position, 12);
    assert!(error.message.contains("owner"));
    assert!(filter.to_sql(&noon(), SqlTarget::Server).is_ok());
    assert!(!Filter::parse("owner").unwrap().mentions_owner());
}

#[test]
fn an_error_says_where_what_and_what_would_be_right() {
    for (text, position, message) in [
        ("statsu:lead", 1, "did you mean `status`?"),
        ("vip citty:x", 5, "did you mean `city`?"),
        ("nonsense:1", 1, "Names are: "),
        ("nonsense:1", 1, "put it in quotes"),
        ("status:custommer", 8, "one of lead, prospect, customer, partner, lost"),
        ("vip status:", 12, "needs a value"),
        ("city:\"\"", 6, "no:city"),
        ("city:\"Bad", 6, "not closed"),
        ("\"Bad", 1, "not closed"),
        ("(vip", 1, "add `)`"),
        ("vip)", 4, "no `(`"),
        ("vip or", 7, "condition is missing"),
        ("or vip", 1, "found `or`"),
        ("vip and and x", 9, "found `and`"),
        ("()", 2, "found `)`"),
        ("not", 4, "condition is missing"),
        ("company:>5", 10, "can't be compared"),
        ("birthday:>soon", 11, "expected a date"),
        ("birthday:<30y", 11, "sign"),
        ("birthday:2026-02-30", 10, "expected a date"),
        ("next_visit:>2026-01-01,2026-01-02", 24, "list of values"),
        ("visits:many", 8, "expected a number"),
        ("deal:>many", 7, "expected an amount"),
        ("deal:>1.2345JPY", 7, "decimals"),
        ("deal:1EUR..2USD", 6, "same currency"),
        ("touched:..", 9, "at least one end"),
        ("has:phoone", 5, "did you mean `phone`?"),
        ("archived:maybe", 10, "yes, no or any"),
        ("phone:ab", 7, "three digits"),
        ("name:!!", 6, "no letters or digits"),
        ("city:**", 6, "letters or digits"),
        ("birthday_in:2m", 13, "days or weeks"),
        ("cadence:30", 9, "cadence_days"),
        ("touched:99999999d", 9, "expected a date"),
        ("custom.x:>abc", 11, "numbers and dates"),
        ("custom.:1", 1, "no field"),
        ("latitude:north", 10, "number"),
    ] {
        let error = Filter::parse(text).expect_err(text);
        assert_eq!(error.position, position, "{text}: {error}");
        assert!(error.message.contains(message), "{text}: {error}");
    }
    let shown = Filter::parse("ä citty:x").unwrap_err().pointing_at("ä citty:x");
    assert!(shown.starts_with("ä citty:x\n  ^\n"), "{shown}");
}

#[test]
fn a_filter_has_bounds() {
    assert!(Filter::parse(&"x".repeat(4_001)).unwrap_err().message.contains("4000 characters"));
    assert!(Filter::parse(&"a ".repeat(129)).unwrap_err().message.contains("128 conditions"));
    let deep = format!("{}x{}", "(".repeat(33), ")".repeat(33));
    assert!(Filter::parse(&deep).unwrap_err().message.contains("32 levels"));
    let negated = format!("{}x", "not ".repeat(40));
    assert!(Filter::parse(&negated).unwrap_err().message.contains("32 levels"));
    let wide = vec!["tag:a,b,c,d"; 32].join(" or ");
    let store = Store::new();
    assert!(store.matching(&Filter::parse(&wide).unwrap(), &noon()).is_empty());
}

#[test]
fn far_dates_do_not_panic() {
    let row = anna();
    for today in [NaiveDate::MIN, NaiveDate::MAX] {
        for now_ms in [i64::MIN, i64::MAX] {
            let ctx = FilterContext { today, now_ms };
            for text in [
                "touched:<36500y",
                "touched:>+36500y",
                "contacted:<36500m",
                "due:<-36500w",
                "birthday_in:36500w",
                "birthday_in:3d",
                "cadence:overdue",
                "touched:<today",
                "contacted:>today",
            ] {
                let filter = Filter::parse(text).unwrap();
                filter.eval(&row, &Office::default(), &ctx);
                filter.to_sql(&ctx, SqlTarget::Server).unwrap();
            }
        }
    }
}

#[test]
fn months_end_where_the_calendar_says() {
    let ctx = FilterContext { today: NaiveDate::from_ymd_opt(2024, 3, 31).unwrap(), now_ms: 0 };
    let mut row = empty();
    row.next_due = Some("2024-02-29".to_owned());
    for text in ["due:-1m", "due:2024-02", "due:<2024-03"] {
        assert!(Filter::parse(text).unwrap().eval(&row, &Office::default(), &ctx), "{text}");
    }
    let new_year =
        FilterContext { today: NaiveDate::from_ymd_opt(2026, 12, 28).unwrap(), now_ms: 0 };
    row.fields.insert("birthday".to_owned(), Value::from("1990-01-02"));
    let soon = Filter::parse("birthday_in:7d").unwrap();
    assert!(soon.eval(&row, &Office::default(), &new_year));
    assert!(!Filter::parse("birthday_in:4d").unwrap().eval(&row, &Office::default(), &new_year));
}

#[test]
fn the_page_names_everything_that_can_be_asked() {
    let page = include_str!("../../../../../docs/filters.md");
    for name in names() {
        assert!(page.contains(&format!("`{name}`")), "docs/filters.md does not name `{name}`");
    }
    for thing in HAS {
        assert!(page.contains(&format!("`{thing}`")), "docs/filters.md: has:{thing}");
    }
    // Each line of an `example` block is a filter.
    let mut examples = 0;
    for block in page.split("```filter\n").skip(1) {
        for line in block.split("```").next().unwrap_or_default().lines() {
            let text = line.split("  # ").next().unwrap_or_default();
            Filter::parse(text).unwrap_or_else(|error| panic!("{}", error.pointing_at(text)));
            examples += 1;
        }
    }
    assert!(examples > 20);
}

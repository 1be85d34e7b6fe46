//! What columns are called in files of other programs and other languages.
//!
//! Words are in the form that [`super::compact`] makes: folded (no accents, lower case), without
//! spaces; between two words stands a space. A word may stand in one row of a table only; a test
//! holds that.

/// Column names of contacts, by the field they mean.
pub const CONTACT_WORDS: &[(&str, &str)] = &[
    (
        "external_id",
        "customerid customernumber customerno custid clientid contactid accountid accountnumber \
         leadid recordid id externalid kundennummer kundennr kdnr kundenid debitor debitornummer \
         kundenummer codecliente idcliente codicecliente numeroclient codeclient \
         idclient номерклиента кодклиента код",
    ),
    (
        "name",
        "name fullname contactname contactperson displayname vollername ansprechpartner \
         kontaktperson navn fuldenavn kontakt kontaktnavn nomecompleto nomecognome nominativo \
         nomcomplet contacto nombrecompleto contact имяифамилия фио контактноелицо контакт",
    ),
    ("given_name", "givenname firstname forename vorname fornavn prenom nome nombre imie имя"),
    (
        "family_name",
        "familyname lastname surname nachname familienname efternavn cognome nomdefamille nom \
         apellido apellidos nazwisko фамилия",
    ),
    (
        "title",
        "title salutation titleofcourtesy anrede titel titolo civilite tratamiento обращение",
    ),
    (
        "company",
        "company companyname organization organisation organizationname account accountname \
         business firma firmenname unternehmen virksomhed firmanavn azienda societa \
         ragionesociale societe entreprise raisonsociale empresa компания организация фирма",
    ),
    (
        "job_title",
        "jobtitle contacttitle position jobposition role occupation berufsbezeichnung funktion \
         stilling mansione ruolo fonction poste cargo puesto stanowisko должность",
    ),
    ("industry", "industry sector branche settore secteur industria отрасль сфера"),
    (
        "website",
        "website web url homepage webpage internet webseite hjemmeside sitoweb siteweb sitioweb \
         paginaweb саит вебсаит",
    ),
    ("legal_name", "legalname registeredname юридическоеназвание"),
    (
        "tax_id",
        "taxid taxnumber vat vatid vatnumber vatno ustid ustidnr umsatzsteuerid steuernummer cvr \
         cvrnr momsnr partitaiva piva codicefiscale numerotva tva nif cif nip инн",
    ),
    (
        "registration_id",
        "registrationid registrationnumber companynumber handelsregister siret siren огрн",
    ),
    ("legal_address", "legaladdress registeredaddress юридическииадрес"),
    (
        "opening_hours",
        "openinghours oeffnungszeiten offnungszeiten abningstider orari horaires часыработы",
    ),
    ("status", "status leadstatus lifecyclestage stato statut estado статус"),
    ("category", "category kategorie kategori categoria categorie категория"),
    ("source", "source leadsource quelle herkunft kilde fonte origine источник"),
    ("temperature", "temperature rating"),
    (
        "birthday",
        "birthday birthdate dateofbirth dob geburtstag geburtsdatum fodselsdag fodselsdato \
         datadinascita compleanno datedenaissance fechadenacimiento cumpleanos датарождения \
         деньрождения",
    ),
    ("best_time_to_call", "besttimetocall erreichbarkeit"),
    ("language", "language sprache sprog lingua langue idioma язык"),
    ("time_zone", "timezone zeitzone tidszone"),
    ("preferred_channel", "preferredchannel preferredcontactmethod"),
    ("fax", "fax faxnumber businessfax workfax telefax faxnummer факс"),
    (
        "phone",
        "phone phonenumber telephone telephonenumber tel telno primaryphone telefon telefonnummer \
         rufnummer tlf telefono numerodetelephone numerotelefono телефон номертелефона",
    ),
    (
        "phone.mobile",
        "mobile mobilephone mobilenumber cell cellphone handy handynummer mobil mobiltelefon \
         mobilnummer cellulare portable telephoneportable movil celular мобильныи \
         мобильныителефон сотовыи",
    ),
    (
        "phone.work",
        "businessphone workphone officephone companyphone telefongeschaftlich telefondienstlich \
         arbejdstelefon telefonoufficio рабочиителефон",
    ),
    (
        "phone.home",
        "homephone privatephone telefonprivat privattelefon telefonocasa домашниителефон",
    ),
    (
        "email",
        "email emailaddress emails mail primaryemail emailadresse mailadresse courriel \
         adressemail adresseemail correo correoelectronico indirizzoemail почта электроннаяпочта \
         адресэлектроннаяпочта",
    ),
    ("email.work", "workemail businessemail"),
    ("email.home", "homeemail privateemail personalemail"),
    (
        "street",
        "street streetaddress address addressline mailingstreet businessstreet strasse \
         strassehausnummer strassenr anschrift adresse vej gade indirizzo via rue direccion calle \
         ulica адрес улица",
    ),
    (
        "postal_code",
        "postalcode postcode zip zipcode mailingzippostalcode businesspostalcode plz postleitzahl \
         postnr postnummer cap codepostal codigopostal cp kodpocztowy индекс почтовыииндекс",
    ),
    (
        "city",
        "city town mailingcity businesscity ort stadt wohnort by citta comune ville ciudad \
         localidad miasto город",
    ),
    (
        "region",
        "region state province stateprovince stateregion county mailingstateprovince \
         businessstate bundesland provincia regione departement landsdel область регион краи",
    ),
    (
        "country",
        "country countryregion mailingcountry businesscountryregion land paese nazione pays pais \
         kraj страна",
    ),
    ("tags", "tags tag labels schlagworte etichette etiquettes etiquetas теги метки"),
    (
        "note",
        "note notes comment comments remarks description notiz notizen bemerkung bemerkungen \
         kommentar noter bemaerkning appunti remarque remarques commentaire notas примечание \
         примечания комментарии заметка заметки",
    ),
];

/// Column names of purchases and of the lines of an order.
pub const PURCHASE_WORDS: &[(&str, &str)] = &[
    (
        "customer",
        "customer customerid customernumber customerno custid clientid client kundennummer \
         kundennr kdnr kundenid kunde kundenummer idcliente codicecliente cliente idclient \
         numeroclient номерклиента кодклиента клиент",
    ),
    (
        "order",
        "order orderid ordernumber orderno purchaseid invoice invoiceid invoicenumber invoiceno \
         bestellung bestellnummer bestellnr auftragsnummer auftragsnr rechnungsnummer rechnungsnr \
         ordrenummer ordrenr fakturanr numeroordine numerofattura numerocommande numerofacture \
         numeropedido номерзаказа заказ номерсчета",
    ),
    (
        "date",
        "date orderdate purchasedate invoicedate datum bestelldatum auftragsdatum rechnungsdatum \
         dato ordredato data dataordine datecommande fecha fechapedido дата датазаказа",
    ),
    (
        "amount",
        "amount total totalamount sum value net nettotal betrag summe gesamtbetrag nettobetrag \
         belob importo totale montant importe сумма итого",
    ),
    ("currency", "currency currencycode wahrung waehrung valuta devise moneda валюта"),
    (
        "product",
        "product productname item itemname artikel produkt artikelbezeichnung vare prodotto \
         articolo produit article producto товар продукт",
    ),
    ("channel", "channel saleschannel kanal vertriebskanal canale canal канал"),
    (
        "unit_price",
        "unitprice price einzelpreis stuckpreis preis stykpris pris prezzo prezzounitario prix \
         prixunitaire precio preciounitario цена ценазаединицу",
    ),
    (
        "quantity",
        "quantity qty units menge anzahl stuck antal quantita quantite cantidad ilosc количество \
         колво",
    ),
    ("discount", "discount rabatt nachlass rabat sconto remise descuento скидка"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_word_is_in_its_folded_form_and_means_one_field() {
        for table in [CONTACT_WORDS, PURCHASE_WORDS] {
            let mut seen = BTreeSet::new();
            for (field, words) in table {
                for word in words.split(' ') {
                    assert_eq!(super::super::compact(word), word, "{field}");
                    assert!(seen.insert(word), "{word} stands twice");
                }
            }
        }
    }
}

# People and devices.
never-seen = aldrig set
device-first-sync = første synkronisering, { $n } tilbage
device-behind = { $span } bagud
device-now = nu
device-nothing-unsent = intet usendt
device-known-unsent = { $edits } kendt som usendt
device-has-all = { $unsent }, har alt, hvad der er her
device-newer = { $unsent }, { $n ->
        [one] { $n } kontakt
       *[other] { $n } kontakter
    } nyere her
device-wiped = slettet { $time }
device-recovered = { $edits } reddet
device-wipes-itself = sletter sig selv ved næste kontakt
device-no-end = uden udløb
device-locked = låst
device-since = siden { $time }
device-until = til { $time }
device-readable = læsbar { $lease }
device-outdated = forældet
device-needs = kræver { $app }
never = aldrig
device-revoke-confirm = Spær enheden { $device }, der tilhører { $person }? Den får ingen data mere og kan ikke tilsluttes igen med denne nøgle.
device-revoke = Spær
device-of = { $device }, { $person }
device-none-behind = ingen enhed er bagud
device-n-behind = { $n ->
        [one] { $n } enhed bagud
       *[other] { $n } enheder bagud
    }
device-last-seen = sidst set for { $span } siden
device-and-more = og { $n } mere; { $link }
device-all = alle enheder
devices = Enheder
devices-none = Ingen enhed er tilmeldt endnu
devices-none-text = { $invite } udskriver en kode; på sælgerens enhed bruges den af { $enroll }.
devices-caption = Enheder og hvor friske de er
device = Enhed
freshness = Friskhed
last-seen = Sidst set
difference = Forskel
readable = Læsbar
app = App
actions = Handlinger
people = Personer
person = Person
role = Rolle
team = Team
person-disabled = spærret
person-code-confirm = Lav en engangskode, som { $person } sætter en ny adgangskode med?
person-code = Login-kode
person-for-hidden = til { $person }
people-add-hint = Personer tilføjes med { $add }, enheder med { $invite }.
person-code-for = Til { $person }, én gang, i { $span }. Sig den i telefonen eller personligt; den vises kun nu.
person-code-used = Den bruges på { $link }. En anden faktor forbliver, som den er.
people-back = Tilbage til personer
wipe-enrolled = tilmeldt
wipe-wiped = slettet
wipe-wiping = slettes
wipe-revoked = spærret

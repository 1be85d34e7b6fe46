# Signing in.
sign-in = Log ind
sign-in-workspace = Arbejdsområde
sign-in-login = Brugernavn
sign-in-password = Adgangskode
sign-in-or = eller
sign-in-with = Log ind med { $name }
sign-in-first-time = Første gang her? { $link }.
sign-in-use-code = Brug din engangskode
sign-in-wrong = Brugernavn og adgangskode passer ikke sammen.
sign-in-rep = Disse sider er for ledere og administratorer. Som sælger arbejder du i Roadbook-appen: bed din leder om en tilmeldingskode, og tilslut din enhed med den.
sign-in-second-title = Anden faktor
sign-in-one-more-step = Et skridt mere
sign-in-six-digits = Skriv de seks cifre, som din godkendelsesapp viser nu, eller en af dine gendannelseskoder.
sign-in-code = Kode
sign-in-neither = Har du ingen af delene? En administrator kan slå din anden faktor fra.
sign-in-took-too-long = Det tog for lang tid, eller for mange koder passede ikke. Begynd forfra.
sign-in-code-wrong = Koden passer ikke. Koder skifter hvert halve minut, og hver gælder én gang.
welcome = Velkommen
welcome-text = Din engangskode åbner døren én gang. Vælg den adgangskode, der åbner den fremover.
welcome-code = Engangskode
password-new = Ny adgangskode
password-rule = { $n } tegn eller flere; et par ord er nemme at huske.
password-again = Det samme igen
welcome-set = Gem adgangskode og log ind
welcome-have-one = Har du allerede en adgangskode? { $link }.
password-differ = De to adgangskoder er forskellige.
code-unknown = Koden kendes ikke her (tastefejl, eller fra en anden server); bed administratoren om en ny.
password-short = En adgangskode skal have mindst { $n } tegn; et par ord er nemme at huske.
password-long = En adgangskode må højst have { $n } byte.
password-easy = Adgangskoden er for nem at gætte; vælg en, der ikke er dit brugernavn eller ét gentaget tegn.

# One's own account.
account-title = Din konto
account-change-password = Skift adgangskode
account-others-out = Andre browsere logges ud.
account-others = Andre browsere
account-others-text = Afslutter alle dine sessioner undtagen denne.
account-others-end = Log ud andre steder
account-language = Sprog
account-language-browser = Som browseren foretrækker
account-language-text = På disse sider, i enhver browser du logger ind med.
save = Gem
account-your-password = Din adgangskode
account-recovery-codes = Gendannelseskoder
account-recovery-text = Hver åbner døren én gang, når din app ikke er ved hånden. Gem dem et andet sted end telefonen. De vises kun nu.
account-scan = Scan billedet med en godkendelsesapp, og skriv de seks cifre, den viser.
account-type-secret = Eller skriv dette i appen: { $secret }
account-six-digits = Seks cifre
account-turn-on = Slå til
account-factor-on = til
account-factor-since = { $chip } siden { $time }, { $n ->
        [one] { $n } gendannelseskode
       *[other] { $n } gendannelseskoder
    } tilbage
account-new-codes = Nye gendannelseskoder
account-old-end = De gamle ophører.
account-off-confirm = Slå den anden faktor fra? Så åbner din adgangskode alene døren.
account-turn-off = Slå fra
account-factor-why = Med den åbner din adgangskode alene ingenting: en app på telefonen viser en kode, der skifter hvert halve minut.
account-set-up = Sæt op
account-picture = Hemmeligheden som billede til din app
account-wrong-password = Det er ikke din adgangskode.
account-factor-done = Den anden faktor er slået til: næste login spørger efter den.
account-digits-wrong = Det er ikke de aktuelle cifre. Går telefonens ur rigtigt? Prøv de næste.

# The company's own way in.
oidc-unreachable = { $name } kan ikke nås lige nu. Log ind med din adgangskode, eller prøv igen om et par minutter.
oidc-not-let-in = { $name } lukkede dig ikke ind: { $reason }.
oidc-not-believed = { $name } kunne ikke godtages: { $reason }. Begynd forfra; bliver det ved, så sig det til administratoren, hvis log ved mere.
oidc-too-long = Det tog for lang tid, var allerede brugt eller begyndte i en anden browser. Begynd forfra.
oidc-workspace = Serveren har flere arbejdsområder, eller ikke det nævnte; en administrator skal angive det i indstillingen oidc_workspace.
oidc-nobody = { $name } kender dig som “{ $who }”, og ingen med det brugernavn må komme ind her. En administrator kan tilføje dig eller ændre dit brugernavn.

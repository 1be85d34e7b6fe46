# Signing in.
sign-in = Sign in
sign-in-workspace = Workspace
sign-in-login = Login
sign-in-password = Password
sign-in-or = or
sign-in-with = Sign in with { $name }
sign-in-first-time = First time here? { $link }.
sign-in-use-code = Use your one-time code
sign-in-wrong = Login and password do not fit together.
sign-in-rep = These pages are for managers and administrators. As a rep you work in the Roadbook app: ask your manager for an enrolment code and connect your device with it.
sign-in-second-title = Second factor
sign-in-one-more-step = One more step
sign-in-six-digits = Type the six digits that your authenticator app shows now, or one of your recovery codes.
sign-in-code = Code
sign-in-neither = Neither at hand? An administrator can turn your second factor off.
sign-in-took-too-long = That took too long, or too many codes did not fit. Start again.
sign-in-code-wrong = This code does not fit. Codes change every half minute, and each is good once.
welcome = Welcome
welcome-text = Your one-time code opens the door once. Choose the password that opens it from then on.
welcome-code = One-time code
password-new = New password
password-rule = { $n } characters or more; a few words are easy to keep in mind.
password-again = The same again
welcome-set = Set password and sign in
welcome-have-one = You have a password already? { $link }.
password-differ = The two passwords differ.
code-unknown = This code is not known here (mistyped, or of another server); ask your administrator for a new one.
password-short = A password needs { $n } characters at least; a few words are easy to keep in mind.
password-long = A password may have { $n } bytes at most.
password-easy = This password is too easy to guess; take one that is not your login or one character repeated.

# One's own account.
account-title = Your account
account-change-password = Change password
account-others-out = Other browsers are signed out.
account-others = Other browsers
account-others-text = Ends every session of yours but this one.
account-others-end = Sign out elsewhere
account-language = Language
account-language-browser = As the browser prefers
account-language-text = Of these pages, on every browser that you sign in with.
save = Save
account-your-password = Your password
account-recovery-codes = Recovery codes
account-recovery-text = Each opens the door once when your app is not at hand. Keep them where your phone is not. They are shown only now.
account-scan = Scan the picture with an authenticator app, then type the six digits that it shows.
account-type-secret = Or type this into the app: { $secret }
account-six-digits = Six digits
account-turn-on = Turn it on
account-factor-on = on
account-factor-since = { $chip } since { $time }, { $n ->
        [one] { $n } recovery code
       *[other] { $n } recovery codes
    } left
account-new-codes = New recovery codes
account-old-end = The old ones end.
account-off-confirm = Turn the second factor off? Your password alone opens the door then.
account-turn-off = Turn it off
account-factor-why = With it your password alone opens nothing: an app on your phone shows a code that changes every half minute.
account-set-up = Set it up
account-picture = The secret as a picture for your app
account-wrong-password = This is not your password.
account-factor-done = The second factor is on: the next sign-in asks for it.
account-digits-wrong = These are not the digits of now. Is the clock of your phone right? Try the next ones.

# The company's own way in.
oidc-unreachable = { $name } can't be reached just now. Sign in with your password, or try again in a few minutes.
oidc-not-let-in = { $name } did not let you in: { $reason }.
oidc-not-believed = { $name } could not be believed: { $reason }. Start again; if it stays, tell your administrator, whose log has more.
oidc-too-long = This way in took too long, was used already, or began in another browser. Start again.
oidc-workspace = This server has several workspaces, or not the one that it was told; an administrator has to name it in the setting oidc_workspace.
oidc-nobody = { $name } knows you as “{ $who }”, and nobody of that login may come in here. An administrator can add you, or change your login.

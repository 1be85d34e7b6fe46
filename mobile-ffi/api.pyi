"""The interface of the SDK, as its Python bindings show it. Kotlin and Swift have the same, in their
own spelling. Made by `mobile-ffi/python/test --write-api`; a test holds it against the library."""

class Address:
    """A postal address."""
    def __init__(self, *, id: str, street: typing.Optional[str], postal_code: typing.Optional[str], city: typing.Optional[str], region: typing.Optional[str], country: typing.Optional[str], label: typing.Optional[str]):
        self.id  # Its id.
        self.street  # Street and number.
        self.postal_code  # Postal code.
        self.city  # City.
        self.region  # Region or state.
        self.country  # Country.
        self.label  # Such as `billing`.

class Attachment:
    """A reference to a file."""
    def __init__(self, *, contact_id: str, interaction_id: str, reference: str):
        self.contact_id  # The contact.
        self.interaction_id  # The interaction, which is one of the contact's.
        self.reference  # What the app wrote there: a line of the interaction's `attachments`.

class AttachmentChanges:
    """What came and went."""
    def __init__(self, *, added: typing.List[Attachment], removed: typing.List[Attachment]):
        self.added  # What is referred to now, and was not: written here, or come from the server.
        self.removed  # What is not referred to on this device any more: taken out, its interaction deleted, its contact erased or given to somebody else, the device wiped.

class Person:
    """A user, for people."""
    def __init__(self, *, id: str, login: str, name: str):
        self.id  # Their id.
        self.login  # The login; empty where it is not known.
        self.name  # The name; empty where it is not known.

class Field(enum.Enum):
    """A field of a contact itself. The comment says what its value is where it is not text."""
    KIND = 0
    """Person or company."""
    GIVEN_NAME = 1
    """Given name."""
    FAMILY_NAME = 2
    """Family name."""
    TITLE = 3
    """Title or salutation."""
    COMPANY = 4
    """The company they work for, or that the contact is."""
    JOB_TITLE = 5
    """Job title."""
    INDUSTRY = 6
    """Industry."""
    WEBSITE = 7
    """Website."""
    LEGAL_NAME = 8
    """Legal name."""
    TAX_ID = 9
    """Tax id."""
    REGISTRATION_ID = 10
    """Registration id."""
    LEGAL_ADDRESS = 11
    """Legal address."""
    OPENING_HOURS = 12
    """Opening hours."""
    FAX = 13
    """Fax number."""
    PREFERRED_CHANNEL = 14
    """How they like to be reached."""
    BEST_TIME_TO_CALL = 15
    """When they like to be called."""
    LANGUAGE = 16
    """Language."""
    TIME_ZONE = 17
    """Time zone."""
    LATITUDE = 18
    """Latitude in degrees: a decimal."""
    LONGITUDE = 19
    """Longitude in degrees: a decimal."""
    STATUS = 20
    """Standing: lead, prospect, customer ..."""
    CATEGORY = 21
    """Category, such as key account."""
    SOURCE = 22
    """Where the contact came from."""
    TEMPERATURE = 23
    """How likely they are to buy soon."""
    BIRTHDAY = 24
    """Birthday: a date."""
    PROFESSIONAL_HOLIDAY = 25
    """Professional holiday."""
    PERSONAL_NOTE = 26
    """Personal remarks."""
    PRICE_CONDITIONS = 27
    """Price conditions."""
    CADENCE_DAYS = 28
    """They are to be contacted every so many days: an integer."""
    NEXT_VISIT = 29
    """The next visit: a date."""
    LEGAL_BASIS = 30
    """The legal basis for keeping the data."""
    DO_NOT_CONTACT = 31
    """Must not be contacted: a flag."""
    ARCHIVED = 32
    """Left out of lists unless asked for: a flag."""

class Collection(enum.Enum):
    """A list of things within a contact that have an id of their own."""
    PHONES = 0
    """Phone numbers."""
    EMAILS = 1
    """Email addresses."""
    MESSENGERS = 2
    """Accounts at messengers."""
    ADDRESSES = 3
    """Postal addresses."""
    INTERACTIONS = 4
    """Visits, calls, mails, meetings and so on."""
    DEALS = 5
    """Deals in the funnel."""
    PURCHASES = 6
    """What was bought."""
    TASKS = 7
    """Tasks and reminders."""
    CONSENTS = 8
    """Consents."""

class EntryField(enum.Enum):
    """A field of an entry of a collection. The comment says what its value is where it is not text."""
    PHONE_NUMBER = 0
    """Of a phone: the number as typed."""
    PHONE_LABEL = 1
    """Of a phone: such as `work`."""
    EMAIL_ADDRESS = 2
    """Of an email: the address."""
    EMAIL_LABEL = 3
    """Of an email: such as `work`."""
    MESSENGER_SERVICE = 4
    """Of a messenger: which one."""
    MESSENGER_HANDLE = 5
    """Of a messenger: the account."""
    MESSENGER_LABEL = 6
    """Of a messenger: such as `private`."""
    ADDRESS_STREET = 7
    """Of an address: street and number."""
    ADDRESS_POSTAL_CODE = 8
    """Of an address: postal code."""
    ADDRESS_CITY = 9
    """Of an address: city."""
    ADDRESS_REGION = 10
    """Of an address: region or state."""
    ADDRESS_COUNTRY = 11
    """Of an address: country."""
    ADDRESS_LABEL = 12
    """Of an address: such as `billing`."""
    INTERACTION_KIND = 13
    """Of an interaction: its kind."""
    INTERACTION_AT = 14
    """Of an interaction: when, a moment."""
    INTERACTION_PLACE = 15
    """Of an interaction: where."""
    INTERACTION_SUMMARY = 16
    """Of an interaction: what happened."""
    INTERACTION_OUTCOME = 17
    """Of an interaction: what came of it."""
    INTERACTION_OBJECTIONS = 18
    """Of an interaction: objections raised."""
    INTERACTION_ATTACHMENTS = 19
    """Of an interaction: references to files, one a line, which the app defines."""
    INTERACTION_NPS = 20
    """Of an interaction: how likely they are to recommend us, 0 to 10."""
    INTERACTION_COMMENT = 21
    """Of an interaction: the comment that goes with it."""
    DEAL_TITLE = 22
    """Of a deal: what it is about."""
    DEAL_AMOUNT = 23
    """Of a deal: an amount of money, which sets its currency too."""
    DEAL_CURRENCY = 24
    """Of a deal: the currency alone, as history and conflicts name it."""
    DEAL_STAGE = 25
    """Of a deal: its stage."""
    DEAL_PROBABILITY = 26
    """Of a deal: in per cent."""
    DEAL_EXPECTED_CLOSE = 27
    """Of a deal: a date."""
    DEAL_LOST_REASON = 28
    """Of a deal: why it was lost."""
    PURCHASE_EXTERNAL_ID = 29
    """Of a purchase: the order number."""
    PURCHASE_DATE = 30
    """Of a purchase: a date."""
    PURCHASE_AMOUNT = 31
    """Of a purchase: an amount of money, which sets its currency too."""
    PURCHASE_CURRENCY = 32
    """Of a purchase: the currency alone, as history and conflicts name it."""
    PURCHASE_PRODUCT = 33
    """Of a purchase: what was bought."""
    PURCHASE_CHANNEL = 34
    """Of a purchase: by which channel."""
    PURCHASE_DISCOUNT = 35
    """Of a purchase: the discount."""
    TASK_TEXT = 36
    """Of a task: what is to be done."""
    TASK_DUE = 37
    """Of a task: by when, a date."""
    TASK_DONE = 38
    """Of a task: whether it is done."""
    TASK_DONE_AT = 39
    """Of a task: when it was done, a moment."""
    CONSENT_CHANNEL = 40
    """Of a consent: for which channel."""
    CONSENT_PURPOSE = 41
    """Of a consent: for which purpose."""
    CONSENT_STATE = 42
    """Of a consent: given or withdrawn."""
    CONSENT_AT = 43
    """Of a consent: when, a moment."""
    CONSENT_HOW = 44
    """Of a consent: how it was said."""

class FieldPath:
    """Where a value stands in a contact: as conflicts, history and the quarantine name it."""
    def __init__(self): ...
    class ROOT:
        """A field of the contact itself."""
        def __init__(self, field: Field):
            self.field  # Which.
    class CUSTOM:
        """A custom field."""
        def __init__(self, name: str):
            self.name  # Its name.
    class EXTERNAL_ID:
        """The id in another system."""
        def __init__(self, system: str):
            self.system  # Which system.
    class TAG:
        """One tag."""
        def __init__(self, tag: str):
            self.tag  # Which.
    class TAGS:
        """The tags, in history."""
        def __init__(self): ...
    class NOTE:
        """The note."""
        def __init__(self): ...
    class ENTRY:
        """Whether an entry is deleted."""
        def __init__(self, collection: Collection, id: str):
            self.collection  # Where.
            self.id  # Which.
    class ENTRY_FIELD:
        """A field of an entry."""
        def __init__(self, id: str, field: EntryField):
            self.id  # Which entry.
            self.field  # Which of its fields.
    class UNKNOWN:
        """A field of a newer version of Roadbook."""
        def __init__(self, path: str):
            self.path  # Its path in the document.
    def is_ROOT(self) -> bool: ...
    def is_root(self) -> bool: ...
    def is_CUSTOM(self) -> bool: ...
    def is_custom(self) -> bool: ...
    def is_EXTERNAL_ID(self) -> bool: ...
    def is_external_id(self) -> bool: ...
    def is_TAG(self) -> bool: ...
    def is_tag(self) -> bool: ...
    def is_TAGS(self) -> bool: ...
    def is_tags(self) -> bool: ...
    def is_NOTE(self) -> bool: ...
    def is_note(self) -> bool: ...
    def is_ENTRY(self) -> bool: ...
    def is_entry(self) -> bool: ...
    def is_ENTRY_FIELD(self) -> bool: ...
    def is_entry_field(self) -> bool: ...
    def is_UNKNOWN(self) -> bool: ...
    def is_unknown(self) -> bool: ...

class Money:
    """An amount of money, exactly: never a number with a fraction."""
    def __init__(self, *, minor: int, currency: str):
        self.minor  # In minor units of the currency: cents, øre, yen.
        self.currency  # ISO 4217, such as `EUR`; empty where nobody wrote one.

class ContactKind(enum.Enum):
    """Person or company."""
    PERSON = 0
    """A person."""
    COMPANY = 1
    """A company."""

class Standing(enum.Enum):
    """The standing of a contact (its `status`)."""
    LEAD = 0
    """Somebody who showed interest."""
    PROSPECT = 1
    """Somebody who is being talked to."""
    CUSTOMER = 2
    """Somebody who bought."""
    PARTNER = 3
    """Somebody one works with."""
    LOST = 4
    """Somebody who will not buy."""

class Temperature(enum.Enum):
    """How likely a contact is to buy soon."""
    COLD = 0
    """Not soon."""
    WARM = 1
    """Perhaps."""
    HOT = 2
    """Very likely."""

class InteractionKind(enum.Enum):
    """What kind of interaction there was."""
    VISIT = 0
    """A visit."""
    CALL = 1
    """A call."""
    EMAIL = 2
    """An email."""
    MESSAGE = 3
    """A message by a messenger."""
    MEETING = 4
    """A meeting."""
    NOTE = 5
    """A note: it does not count as contact."""
    COMPLAINT = 6
    """A complaint."""
    RETURN = 7
    """Goods that came back."""
    SURVEY = 8
    """The answer to a survey."""

class Stage(enum.Enum):
    """The stage of a deal in the funnel."""
    LEAD = 0
    """Somebody may want something."""
    QUALIFIED = 1
    """It is known what they want, and that they can pay it."""
    OFFER = 2
    """An offer was made."""
    NEGOTIATION = 3
    """It is being negotiated."""
    WON = 4
    """Closed: bought."""
    LOST = 5
    """Closed: not bought."""

class ConsentState(enum.Enum):
    """Whether consent was given or taken back."""
    GIVEN = 0
    """Given."""
    WITHDRAWN = 1
    """Taken back."""

class Value:
    """A value of a field."""
    def __init__(self): ...
    class TEXT:
        """Text."""
        def __init__(self, text: str):
            self.text  # The text.
    class INTEGER:
        """A whole number: a count, per cent, days."""
        def __init__(self, number: int):
            self.number  # The number.
    class DECIMAL:
        """A number with a fraction."""
        def __init__(self, number: float):
            self.number  # The number.
    class FLAG:
        """Yes or no."""
        def __init__(self, flag: bool):
            self.flag  # Yes is true.
    class DATE:
        """A calendar date without a time."""
        def __init__(self, date: CalendarDate):
            self.date  # The date.
    class MOMENT:
        """A moment."""
        def __init__(self, moment: Timestamp):
            self.moment  # The moment; milliseconds are kept.
    class AMOUNT:
        """An amount of money: of a deal or a purchase."""
        def __init__(self, money: Money):
            self.money  # The amount.
    class KIND:
        """Person or company."""
        def __init__(self, kind: ContactKind):
            self.kind  # Which.
    class STATUS:
        """The standing of a contact."""
        def __init__(self, status: Standing):
            self.status  # Which.
    class TEMPERATURE:
        """How likely a contact is to buy soon."""
        def __init__(self, temperature: Temperature):
            self.temperature  # Which.
    class INTERACTION:
        """The kind of an interaction."""
        def __init__(self, kind: InteractionKind):
            self.kind  # Which.
    class STAGE:
        """The stage of a deal."""
        def __init__(self, stage: Stage):
            self.stage  # Which.
    class CONSENT:
        """The state of a consent."""
        def __init__(self, state: ConsentState):
            self.state  # Which.
    def is_TEXT(self) -> bool: ...
    def is_text(self) -> bool: ...
    def is_INTEGER(self) -> bool: ...
    def is_integer(self) -> bool: ...
    def is_DECIMAL(self) -> bool: ...
    def is_decimal(self) -> bool: ...
    def is_FLAG(self) -> bool: ...
    def is_flag(self) -> bool: ...
    def is_DATE(self) -> bool: ...
    def is_date(self) -> bool: ...
    def is_MOMENT(self) -> bool: ...
    def is_moment(self) -> bool: ...
    def is_AMOUNT(self) -> bool: ...
    def is_amount(self) -> bool: ...
    def is_KIND(self) -> bool: ...
    def is_kind(self) -> bool: ...
    def is_STATUS(self) -> bool: ...
    def is_status(self) -> bool: ...
    def is_TEMPERATURE(self) -> bool: ...
    def is_temperature(self) -> bool: ...
    def is_INTERACTION(self) -> bool: ...
    def is_interaction(self) -> bool: ...
    def is_STAGE(self) -> bool: ...
    def is_stage(self) -> bool: ...
    def is_CONSENT(self) -> bool: ...
    def is_consent(self) -> bool: ...

class FieldChange:
    """What one change did to one field."""
    def __init__(self, *, field: FieldPath, before: typing.Optional[Value], after: typing.Optional[Value]):
        self.field  # The field.
        self.before  # What it was before, as far as this change knew.
        self.after  # What it is after.

class Change:
    """One change in the history of a contact."""
    def __init__(self, *, id: str, author: Person, at: Timestamp, command: str, fields: typing.List[FieldChange]):
        self.id  # The change's own name.
        self.author  # Who made it.
        self.at  # When, as that device's clock said.
        self.command  # What kind of edit it was: `create`, `set`, `visit`, `undo` and so on.
        self.fields  # What it changed.

class ConflictSide:
    """One side of a conflict."""
    def __init__(self, *, value: typing.Optional[Value], author: Person, at: Timestamp, shown: bool):
        self.value  # The value; none where this side deleted what the other changed.
        self.author  # Who wrote it.
        self.at  # When, as that device's clock said.
        self.shown  # Whether all replicas show this value until somebody decides.

class Conflict:
    """A field that was changed on two sides at once, or an entry that one side deleted while another
    changed it. `Edit.Resolve` decides it.
    """
    def __init__(self, *, contact_id: str, field: FieldPath, sides: typing.List[ConflictSide]):
        self.contact_id  # The contact.
        self.field  # The field.
        self.sides  # Every side; at least two.

class Consent:
    """One statement of consent."""
    def __init__(self, *, id: str, channel: str, purpose: typing.Optional[str], state: typing.Optional[ConsentState], at: typing.Optional[Timestamp], how: typing.Optional[str]):
        self.id  # Its id.
        self.channel  # For which channel.
        self.purpose  # For which purpose.
        self.state  # Given or withdrawn.
        self.at  # When.
        self.how  # How it was said.

class Phone:
    """A phone number."""
    def __init__(self, *, id: str, number: str, label: typing.Optional[str]):
        self.id  # Its id.
        self.number  # The number as typed.
        self.label  # Such as `work`.

class Email:
    """An email address."""
    def __init__(self, *, id: str, address: str, label: typing.Optional[str]):
        self.id  # Its id.
        self.address  # The address.
        self.label  # Such as `work`.

class Messenger:
    """An account at a messenger."""
    def __init__(self, *, id: str, service: typing.Optional[str], handle: str, label: typing.Optional[str]):
        self.id  # Its id.
        self.service  # Which messenger.
        self.handle  # The account.
        self.label  # Such as `private`.

class Interaction:
    """A visit, a call, a mail and so on."""
    def __init__(self, *, id: str, kind: typing.Optional[InteractionKind], at: typing.Optional[Timestamp], place: typing.Optional[str], summary: typing.Optional[str], outcome: typing.Optional[str], objections: typing.Optional[str], attachments: typing.Optional[str], nps: typing.Optional[int], comment: typing.Optional[str]):
        self.id  # Its id.
        self.kind  # What kind.
        self.at  # When.
        self.place  # Where.
        self.summary  # What happened.
        self.outcome  # What came of it.
        self.objections  # Objections raised.
        self.attachments  # References to files, one a line, which the app defines. Files themselves are not kept here: see `observe_attachments`.
        self.nps  # How likely they are to recommend us, 0 to 10.
        self.comment  # The comment that goes with it.

class Deal:
    """A deal in the funnel."""
    def __init__(self, *, id: str, title: str, amount: typing.Optional[Money], stage: typing.Optional[Stage], probability: typing.Optional[int], expected_close: typing.Optional[CalendarDate], lost_reason: typing.Optional[str]):
        self.id  # Its id.
        self.title  # What it is about.
        self.amount  # The amount.
        self.stage  # The stage.
        self.probability  # In per cent.
        self.expected_close  # When it is expected to close.
        self.lost_reason  # Why it was lost.

class Purchase:
    """Something that was bought."""
    def __init__(self, *, id: str, external_id: typing.Optional[str], date: typing.Optional[CalendarDate], amount: typing.Optional[Money], product: typing.Optional[str], channel: typing.Optional[str], discount: typing.Optional[str]):
        self.id  # Its id.
        self.external_id  # The order number.
        self.date  # When.
        self.amount  # The amount.
        self.product  # What was bought.
        self.channel  # By which channel.
        self.discount  # The discount.

class Task:
    """A task or reminder."""
    def __init__(self, *, id: str, text: str, due: typing.Optional[CalendarDate], done: bool, done_at: typing.Optional[Timestamp]):
        self.id  # Its id.
        self.text  # What is to be done.
        self.due  # By when.
        self.done  # Whether it is done.
        self.done_at  # When it was done.

class Contact:
    """One contact, whole."""
    def __init__(self, *, id: str, display_name: str, kind: typing.Optional[ContactKind], status: typing.Optional[Standing], temperature: typing.Optional[Temperature], given_name: typing.Optional[str], family_name: typing.Optional[str], title: typing.Optional[str], company: typing.Optional[str], job_title: typing.Optional[str], industry: typing.Optional[str], website: typing.Optional[str], legal_name: typing.Optional[str], tax_id: typing.Optional[str], registration_id: typing.Optional[str], legal_address: typing.Optional[str], opening_hours: typing.Optional[str], fax: typing.Optional[str], preferred_channel: typing.Optional[str], best_time_to_call: typing.Optional[str], language: typing.Optional[str], time_zone: typing.Optional[str], latitude: typing.Optional[float], longitude: typing.Optional[float], category: typing.Optional[str], source: typing.Optional[str], birthday: typing.Optional[CalendarDate], professional_holiday: typing.Optional[str], personal_note: typing.Optional[str], price_conditions: typing.Optional[str], cadence_days: typing.Optional[int], next_visit: typing.Optional[CalendarDate], legal_basis: typing.Optional[str], do_not_contact: bool, archived: bool, note: str, tags: typing.List[str], custom: dict[str, Value], external_ids: dict[str, str], phones: typing.List[Phone], emails: typing.List[Email], messengers: typing.List[Messenger], addresses: typing.List[Address], interactions: typing.List[Interaction], deals: typing.List[Deal], purchases: typing.List[Purchase], tasks: typing.List[Task], consents: typing.List[Consent], unread: dict[str, Value]):
        self.id  # Its id.
        self.display_name  # What to call it: given and family name, else company, else a way to reach it; never empty.
        self.kind  # Person or company.
        self.status  # Its standing.
        self.temperature  # How likely they are to buy soon.
        self.given_name  # Given name.
        self.family_name  # Family name.
        self.title  # Title or salutation.
        self.company  # The company they work for, or that the contact is.
        self.job_title  # Job title.
        self.industry  # Industry.
        self.website  # Website.
        self.legal_name  # Legal name.
        self.tax_id  # Tax id.
        self.registration_id  # Registration id.
        self.legal_address  # Legal address.
        self.opening_hours  # Opening hours.
        self.fax  # Fax number.
        self.preferred_channel  # How they like to be reached.
        self.best_time_to_call  # When they like to be called.
        self.language  # Language.
        self.time_zone  # Time zone.
        self.latitude  # Latitude in degrees.
        self.longitude  # Longitude in degrees.
        self.category  # Category, such as key account.
        self.source  # Where the contact came from.
        self.birthday  # Birthday.
        self.professional_holiday  # Professional holiday.
        self.personal_note  # Personal remarks.
        self.price_conditions  # Price conditions.
        self.cadence_days  # They are to be contacted every so many days.
        self.next_visit  # The next visit.
        self.legal_basis  # The legal basis for keeping the data.
        self.do_not_contact  # Must not be contacted.
        self.archived  # Left out of lists unless asked for.
        self.note  # The note.
        self.tags  # Tags, sorted.
        self.custom  # Custom fields by name.
        self.external_ids  # Ids of this contact in other systems, by system.
        self.phones  # Phone numbers, by id, as all the lists below unless they say otherwise.
        self.emails  # Email addresses.
        self.messengers  # Accounts at messengers.
        self.addresses  # Postal addresses.
        self.interactions  # Interactions, by time.
        self.deals  # Deals.
        self.purchases  # Purchases, by date.
        self.tasks  # Tasks.
        self.consents  # Consents, one for each statement.
        self.unread  # Fields that this version does not know, or whose value it can't read, as they are stored.

class ContactRow:
    """One contact in a list."""
    def __init__(self, *, id: str, display_name: str, kind: typing.Optional[ContactKind], company: typing.Optional[str], job_title: typing.Optional[str], status: typing.Optional[Standing], temperature: typing.Optional[Temperature], category: typing.Optional[str], tags: typing.List[str], phones: typing.List[str], emails: typing.List[str], street: typing.Optional[str], postal_code: typing.Optional[str], city: typing.Optional[str], country: typing.Optional[str], latitude: typing.Optional[float], longitude: typing.Optional[float], last_contact: typing.Optional[Timestamp], next_visit: typing.Optional[CalendarDate], open_tasks: int, next_due: typing.Optional[CalendarDate], stages: typing.List[Stage], open_deals: typing.List[Money], revenue: typing.List[Money], purchases: int, do_not_contact: bool, archived: bool, conflicts: int, touched_at: Timestamp):
        self.id  # Its id.
        self.display_name  # What to call it.
        self.kind  # Person or company.
        self.company  # The company.
        self.job_title  # The job title.
        self.status  # The standing.
        self.temperature  # How likely they are to buy soon.
        self.category  # The category.
        self.tags  # Tags, sorted.
        self.phones  # Phone numbers as typed.
        self.emails  # Email addresses.
        self.street  # Of the first address.
        self.postal_code  # Of the first address.
        self.city  # Of the first address.
        self.country  # Of the first address.
        self.latitude  # Latitude in degrees.
        self.longitude  # Longitude in degrees.
        self.last_contact  # The latest interaction that counts as contact.
        self.next_visit  # The next visit.
        self.open_tasks  # Open tasks.
        self.next_due  # The earliest due date among open tasks.
        self.stages  # The stages of the deals.
        self.open_deals  # What open deals are worth, for each currency.
        self.revenue  # What was bought, for each currency.
        self.purchases  # How many purchases there were.
        self.do_not_contact  # Must not be contacted.
        self.archived  # Archived.
        self.conflicts  # Fields that wait for a decision.
        self.touched_at  # When it was edited last, as that device's clock said.

class ContactPage:
    """One window of a list."""
    def __init__(self, *, rows: typing.List[ContactRow], offset: int, total: int):
        self.rows  # The rows.
        self.offset  # So many were left out at the beginning.
        self.total  # How many there are in the whole list.

class ValueKind(enum.Enum):
    """What a field takes: for forms that are made from the model."""
    TEXT = 0
    """`Value.Text`."""
    EMAIL = 1
    """`Value.Text`, an email address."""
    PHONE = 2
    """`Value.Text`, a phone number as typed."""
    CURRENCY = 3
    """`Value.Text`, three capital letters."""
    CHOICE = 4
    """One of the words with a fixed meaning: `Value.Kind`, `Value.Status` and so on."""
    DATE = 5
    """`Value.Date`."""
    MOMENT = 6
    """`Value.Moment`."""
    INTEGER = 7
    """`Value.Integer`."""
    DECIMAL = 8
    """`Value.Decimal`."""
    FLAG = 9
    """`Value.Flag`."""
    AMOUNT = 10
    """`Value.Amount`."""

class CustomField:
    """A custom field that the office has defined: what to offer beside the fields that every contact has."""
    def __init__(self, *, name: str, kind: ValueKind, words: typing.List[str]):
        self.name  # What it is called: for `Edit.SetCustom`, and in filters as `custom."NAME"`.
        self.kind  # What it takes: text, a decimal number, a date, a flag, or a choice, whose value is text.
        self.words  # The words it takes, where it is a choice.

class Device:
    """Who the device belongs to."""
    def __init__(self, *, device_id: str, workspace_id: str, workspace_name: str, user: Person, server_url: str):
        self.device_id  # The device's id.
        self.workspace_id  # The workspace's id.
        self.workspace_name  # The workspace's name.
        self.user  # The user.
        self.server_url  # The address that the device syncs with.

class FieldAuthor:
    """Who wrote the value that a field has now."""
    def __init__(self, *, field: FieldPath, author: Person, at: Timestamp):
        self.field  # The field.
        self.author  # Who.
        self.at  # When, as that device's clock said.

class FieldInfo:
    """What there is to know of a field of a contact."""
    def __init__(self, *, field: Field, name: str, label: str, kind: ValueKind, words: typing.List[str]):
        self.field  # The field.
        self.name  # Its name in filters, in CSV files and in JSON.
        self.label  # What a person reads beside it, in English.
        self.kind  # What it takes.
        self.words  # The words it takes, where it is a choice.

class LeaseState(enum.Enum):
    """Where the permission to read offline stands."""
    VALID = 0
    """More than half of it is left."""
    RENEW = 1
    """Half of it is over: tell the user to connect."""
    ENDED = 2
    """It has ended: reading is locked until the next contact with the server, or a code of the office."""

class Lease:
    """The permission to read without a contact to the server."""
    def __init__(self, *, state: LeaseState, until: Timestamp, left: Duration):
        self.state  # Where it stands.
        self.until  # When it ends, by the server's clock.
        self.left  # How much of it is left.

class Sort(enum.Enum):
    """In which order a list comes. Contacts without the value come last."""
    NAME = 0
    """By family name, given name, company."""
    COMPANY = 1
    """By company, then name."""
    CITY = 2
    """By city, then name."""
    TOUCHED = 3
    """Latest edit first."""
    NEXT_VISIT = 4
    """Soonest visit first."""
    LAST_CONTACT = 5
    """Latest contact first."""

class ListQuery:
    """Which contacts to list: a window onto a list that may be endless."""
    def __init__(self, *, filter: typing.Optional[str]=_DEFAULT, sort: typing.Optional[Sort]=_DEFAULT, offset: int=0, limit: int=50):
        self.filter  # In the filter grammar of `docs/filters.md`, such as `status:customer city:Berlin due:overdue`; none lists everything that is not archived.
        self.sort  # The order; by name unless given.
        self.offset  # So many are left out at the beginning.
        self.limit  # At most so many rows; never more than 1,000.

class NewAddress:
    """What a postal address is added with."""
    def __init__(self, *, street: typing.Optional[str]=_DEFAULT, postal_code: typing.Optional[str]=_DEFAULT, city: typing.Optional[str]=_DEFAULT, region: typing.Optional[str]=_DEFAULT, country: typing.Optional[str]=_DEFAULT, label: typing.Optional[str]=_DEFAULT):
        self.street  # Street and number.
        self.postal_code  # Postal code.
        self.city  # City.
        self.region  # Region or state.
        self.country  # Country.
        self.label  # Such as `billing`.

class NewConsent:
    """What a statement of consent is added with."""
    def __init__(self, *, channel: str, purpose: typing.Optional[str]=_DEFAULT, state: ConsentState, at: typing.Optional[Timestamp]=_DEFAULT, how: typing.Optional[str]=_DEFAULT):
        self.channel  # For which channel.
        self.purpose  # For which purpose.
        self.state  # Given or withdrawn.
        self.at  # When; now unless given.
        self.how  # How it was said.

class NewDeal:
    """What a deal is added with."""
    def __init__(self, *, title: str, amount: typing.Optional[Money]=_DEFAULT, stage: typing.Optional[Stage]=_DEFAULT, probability: typing.Optional[int]=_DEFAULT, expected_close: typing.Optional[CalendarDate]=_DEFAULT, lost_reason: typing.Optional[str]=_DEFAULT):
        self.title  # What it is about.
        self.amount  # The amount.
        self.stage  # The stage; `lead` unless given.
        self.probability  # In per cent.
        self.expected_close  # When it is expected to close.
        self.lost_reason  # Why it was lost.

class NewEmail:
    """What an email address is added with."""
    def __init__(self, *, address: str, label: typing.Optional[str]=_DEFAULT):
        self.address  # The address.
        self.label  # Such as `work`.

class NewInteraction:
    """What an interaction is added with."""
    def __init__(self, *, kind: InteractionKind, at: typing.Optional[Timestamp]=_DEFAULT, place: typing.Optional[str]=_DEFAULT, summary: typing.Optional[str]=_DEFAULT, outcome: typing.Optional[str]=_DEFAULT, objections: typing.Optional[str]=_DEFAULT, attachments: typing.Optional[str]=_DEFAULT, nps: typing.Optional[int]=_DEFAULT, comment: typing.Optional[str]=_DEFAULT):
        self.kind  # What kind.
        self.at  # When; now unless given.
        self.place  # Where.
        self.summary  # What happened.
        self.outcome  # What came of it.
        self.objections  # Objections raised.
        self.attachments  # References to files, one a line, which the app defines. Files themselves are not kept here: see `observe_attachments`.
        self.nps  # How likely they are to recommend us, 0 to 10.
        self.comment  # The comment that goes with it.

class NewMessenger:
    """What an account at a messenger is added with."""
    def __init__(self, *, service: typing.Optional[str]=_DEFAULT, handle: str, label: typing.Optional[str]=_DEFAULT):
        self.service  # Which messenger.
        self.handle  # The account.
        self.label  # Such as `private`.

class NewPhone:
    """What a phone number is added with."""
    def __init__(self, *, number: str, label: typing.Optional[str]=_DEFAULT):
        self.number  # The number as typed.
        self.label  # Such as `work`.

class NewPurchase:
    """What a purchase is added with."""
    def __init__(self, *, external_id: typing.Optional[str]=_DEFAULT, date: typing.Optional[CalendarDate]=_DEFAULT, amount: typing.Optional[Money]=_DEFAULT, product: typing.Optional[str]=_DEFAULT, channel: typing.Optional[str]=_DEFAULT, discount: typing.Optional[str]=_DEFAULT):
        self.external_id  # The order number.
        self.date  # When.
        self.amount  # The amount.
        self.product  # What was bought.
        self.channel  # By which channel.
        self.discount  # The discount.

class NewTask:
    """What a task is added with."""
    def __init__(self, *, text: str, due: typing.Optional[CalendarDate]=_DEFAULT):
        self.text  # What is to be done.
        self.due  # By when.

class Refusal(enum.Enum):
    """What kind of refusal the server gave."""
    UNAUTHORIZED = 0
    """The device is not known to the server: enrol it with a new code."""
    REVOKED = 1
    """The office revoked the device."""
    COPIED = 2
    """Another device speaks with the same key: this replica is a copy. Enrol it with a new code."""
    PROTOCOL = 3
    """Server and library don't understand each other: update the app."""
    RATE_LIMITED = 4
    """Too much in too short a time: try again later."""
    UNAVAILABLE = 5
    """The server can't serve now: try again later."""
    CODE_REFUSED = 6
    """The enrolment code is not good: mistyped, used or too old."""
    ACTOR_TAKEN = 7
    """A random name of this replica was taken by another; it takes another one by itself."""
    INTERNAL = 8
    """The server failed: try again later."""
    MINIMUM_VERSION = 9
    """This version of the library is too old: update the app."""
    OTHER = 10
    """A reason that this version does not know."""

class RoadbookError:
    """Why a call failed. Unless a variant says otherwise, nothing was changed. `reason` is for a person:
    it names the thing, the reason and the way out.
    """
    class NotEnrolled(RoadbookError):
        """The device belongs to nobody yet: ask for a code and call `enrol`."""
        def __init__(self, reason):
            self.reason  # For a person.
    class NotFound(RoadbookError):
        """No such contact, entry or edit on this device."""
        def __init__(self, reason):
            self.reason  # For a person.
    class Ambiguous(RoadbookError):
        """The beginning of an id fits several contacts: ask for more of it."""
        def __init__(self, reason):
            self.reason  # For a person, with some of those that fit.
    class Invalid(RoadbookError):
        """A value does not fit."""
        def __init__(self, field, reason, way_out):
            self.field  # The field or argument, such as `birthday`, `phones/ID/number`, `filter`.
            self.reason  # What is wrong with the value.
            self.way_out  # What to give instead.
    class NotAllowed(RoadbookError):
        """What was asked for is not allowed."""
        def __init__(self, reason):
            self.reason  # For a person.
    class Offline(RoadbookError):
        """The server can't be reached, or the exchange did not end in time. Everything else works
        without it; edits are safe on the device. What was exchanged until then stays.
        """
        def __init__(self, reason):
            self.reason  # For a person.
    class Refused(RoadbookError):
        """The server answered, and refused."""
        def __init__(self, code, reason, retry_after):
            self.code  # What kind of refusal it is.
            self.reason  # For a person.
            self.retry_after  # When to try again, if the server said so.
    class Wiped(RoadbookError):
        """The office revoked this device, and it was wiped."""
        def __init__(self, reason):
            self.reason  # For a person: what became of the edits that were not sent.
    class LeaseEnded(RoadbookError):
        """The permission to read without a contact to the server has ended: sync once, or take a code of
        the office with `extend_lease`. Edits are still taken.
        """
        def __init__(self, reason):
            self.reason  # For a person.
    class Untrusted(RoadbookError):
        """The server's certificate is not the pinned one, or is not trusted."""
        def __init__(self, reason):
            self.reason  # For a person.
    class Address(RoadbookError):
        """The server's address can't be used."""
        def __init__(self, url, reason):
            self.url  # As given.
            self.reason  # What is wrong with it.
    class Locked(RoadbookError):
        """The directory is open already, here or in another process."""
        def __init__(self, home, holder):
            self.home  # The directory.
            self.holder  # Which process has it, as far as known.
    class NewerFile(RoadbookError):
        """A file was written by a newer version: the app must be updated."""
        def __init__(self, reason):
            self.reason  # For a person.
    class Damaged(RoadbookError):
        """Something stored is damaged."""
        def __init__(self, reason):
            self.reason  # What, how, and what happens next.
    class Suspended(RoadbookError):
        """The replica is suspended: call `resume` first."""
        def __init__(self): ...
    class Closed(RoadbookError):
        """The replica was closed or wiped: open it anew."""
        def __init__(self): ...
    class Storage(RoadbookError):
        """The disk or the database failed. An edit was not saved."""
        def __init__(self, reason):
            self.reason  # For a person.
    class Keys(RoadbookError):
        """The replica's keys can't be had: the app's own `KeyStore` or `Signer` failed, or another one was
        given than the device was enrolled with.
        """
        def __init__(self, reason):
            self.reason  # What it said.
    class Cancelled(RoadbookError):
        """The call was ended by the app before it was done. What was exchanged until then stays."""
        def __init__(self): ...
    class Panic(RoadbookError):
        """A defect of this library. The replica stays usable; please send the report to its makers."""
        def __init__(self, report):
            self.report  # Where and what. It may quote what was being worked on.

class KeyStore:
    """Keeps named secrets: Android Keystore, iOS Keychain, a keyring. Implemented by the app.

    Three small secrets, each under a name: the key that the database is encrypted with, the key that
    speaks for the device, and the key of an enrolment under way. What was put is durable, and is what
    `get` gives, once `put` has returned. Two replicas must not share the names of one store.

    Called from background threads, and from the thread that calls. It may be slow, and may fail by
    throwing `RoadbookError.Keys`: it must never give nothing for a secret that it has and can't open
    now. It must not call the replica.
    """
    def get(self, name: str) -> typing.Optional[bytes]:
        """The secret of that name; nothing where there is none."""
    def put(self, name: str, secret: bytes) -> None:
        """Keeps a secret durably, in the place of the one of that name."""
    def delete(self, name: str) -> None:
        """Destroys the secret of that name. One that is not there is no error."""

class KeyStoreImpl(KeyStore):
    """Keeps named secrets: Android Keystore, iOS Keychain, a keyring. Implemented by the app.

    Three small secrets, each under a name: the key that the database is encrypted with, the key that
    speaks for the device, and the key of an enrolment under way. What was put is durable, and is what
    `get` gives, once `put` has returned. Two replicas must not share the names of one store.

    Called from background threads, and from the thread that calls. It may be slow, and may fail by
    throwing `RoadbookError.Keys`: it must never give nothing for a secret that it has and can't open
    now. It must not call the replica.
    """
    def __init__(self, *args, **kwargs): ...
    def get(self, name: str) -> typing.Optional[bytes]:
        """The secret of that name; nothing where there is none."""
    def put(self, name: str, secret: bytes) -> None:
        """Keeps a secret durably, in the place of the one of that name."""
    def delete(self, name: str) -> None:
        """Destroys the secret of that name. One that is not there is no error."""

class SigningAlgorithm(enum.Enum):
    """The kind of a device's key."""
    ED25519 = 0
    """Ed25519: a public key of 32 bytes, signatures of 64."""
    ECDSA_P256 = 1
    """ECDSA on P-256 with SHA-256, which Secure Enclave and StrongBox can: the public key is the uncompressed point of 65 bytes, signatures are in ASN.1 DER."""

class Signer:
    """Signs in the name of the device with a key that never leaves the phone's hardware. Implemented by
    the app.

    It takes effect with the next enrolment; from then on the replica is opened with the same signer.
    Called from background threads; it may be slow, and may fail by throwing `RoadbookError.Keys`. It
    must not call the replica.
    """
    def algorithm(self) -> SigningAlgorithm:
        """The kind of the key."""
    def public_key(self) -> bytes:
        """The public half of the key."""
    def sign(self, message: bytes) -> bytes:
        """Signs a message."""

class SignerImpl(Signer):
    """Signs in the name of the device with a key that never leaves the phone's hardware. Implemented by
    the app.

    It takes effect with the next enrolment; from then on the replica is opened with the same signer.
    Called from background threads; it may be slow, and may fail by throwing `RoadbookError.Keys`. It
    must not call the replica.
    """
    def __init__(self, *args, **kwargs): ...
    def algorithm(self) -> SigningAlgorithm:
        """The kind of the key."""
    def public_key(self) -> bytes:
        """The public half of the key."""
    def sign(self, message: bytes) -> bytes:
        """Signs a message."""

class OpenSettings:
    """How a replica is opened."""
    def __init__(self, *, home: str, app: typing.Optional[str]=_DEFAULT, key_store: typing.Optional[KeyStore]=_DEFAULT, signer: typing.Optional[Signer]=_DEFAULT, begin_anew: bool=False):
        self.home  # The directory of the replica, made if it is absent. Nothing else may be kept in it, and it must not be part of the phone's cloud backup.
        self.app  # Name and version of the app, told to the server.
        self.key_store  # Keeps the replica's secrets; files in `home` do unless given.
        self.signer  # Signs in the name of the device; a key in the key store does unless given.
        self.begin_anew  # For an enrolment, where the key of the replica is lost: what can't be opened is put into a directory beside it, and an empty one is opened; `enrol` comes next. The sealed copies of its unsent edits go up with the first exchange. It is put back by `close` without an enrolment. A replica that can be opened is opened as ever.

class Receipt(enum.Enum):
    """Where an edit is."""
    SAVED = 0
    """Durable on this device."""
    STORED = 1
    """Durable on the server."""
    FORKED = 2
    """The server has another change in its place, because this replica was copied or restored: it is being made anew."""
    PROPOSED = 3
    """It came too late, the contact belongs to somebody else: it waits for the new owner's decision."""
    MERGED = 4
    """Part of the contact, in the managers' view."""
    QUARANTINED = 5
    """Kept with a reason, not part of the contact."""
    REPLACED = 6
    """Another change carries the same edit."""
    ERASED = 7
    """Erased with its contact."""

class Decision(enum.Enum):
    """What was decided about a late edit."""
    ACCEPTED = 0
    """It became part of the contact."""
    DECLINED = 1
    """It did not."""
    IN_PART = 2
    """Some of its fields did."""

class OutboxEntry:
    """One edit of this device and where it is."""
    def __init__(self, *, edit_id: str, contact_id: str, display_name: str, command: str, at: Timestamp, receipt: Receipt, reason: typing.Optional[str], decision: typing.Optional[Decision]):
        self.edit_id  # Names the edit, as `Saved` did.
        self.contact_id  # The contact.
        self.display_name  # What the contact is called; empty where it is not on this device any more, or reading is locked.
        self.command  # What kind of edit it is: `create`, `set`, `visit` and so on.
        self.at  # When it was made.
        self.receipt  # Where it is.
        self.reason  # Why, where that needs a reason.
        self.decision  # What was decided, where it came too late; none as long as it waits.

class Progress:
    """How much of a first sync, or of a repair, is done."""
    def __init__(self, *, done: int, total: int, bytes_total: int):
        self.done  # Contacts that are here.
        self.total  # Contacts that will be here.
        self.bytes_total  # Bytes of all documents before compression; 0 where it is not known.

class ProposedField:
    """One field of a late edit, on its three sides. An entry has one for each of its fields."""
    def __init__(self, *, field: FieldPath, base: typing.Optional[Value], proposed: typing.Optional[Value], now: typing.Optional[Value]):
        self.field  # The field.
        self.base  # What its author saw.
        self.proposed  # What its author wants; none where the field is to be cleared.
        self.now  # What stands there now, on this device.

class ProposalState(enum.Enum):
    """Where an item of a late edit stands, as the server has it."""
    OPEN = 0
    """It waits for a decision."""
    DUE = 1
    """Something that took place, such as a visit: it is being taken by itself."""
    ACCEPTED = 2
    """It is part of the contact."""
    DECLINED = 3
    """It is not; the office keeps it."""

class Verdict(enum.Enum):
    """What is decided about a late edit."""
    ACCEPT = 0
    """It becomes part of the contact, in the name of its author."""
    DECLINE = 1
    """It does not."""
    UNDO = 2
    """An earlier decision is taken back: it waits again."""

class ProposalItem:
    """One thing to decide about: a field, an entry, an edit of the note."""
    def __init__(self, *, item: int, path: FieldPath, fields: typing.List[ProposedField], at: Timestamp, state: ProposalState, decided_by: typing.Optional[Person], decided_at: typing.Optional[Timestamp], reason: typing.Optional[str], decision: typing.Optional[Verdict], refused: typing.Optional[str]):
        self.item  # Its number in the late edit.
        self.path  # What it is about.
        self.fields  # What it would change.
        self.at  # When it was made, as that device's clock said.
        self.state  # Where it stands.
        self.decided_by  # Who decided; none as long as it waits, and for what was taken by itself.
        self.decided_at  # When.
        self.reason  # Why it could not be taken by itself, or can't be read.
        self.decision  # What was decided on this device and is on its way, or was refused.
        self.refused  # Why that was refused: who decided what and when. None as long as it is on its way.

class Proposal:
    """The late edits of one device to one contact."""
    def __init__(self, *, number: int, contact_id: str, display_name: str, author: Person, received_at: Timestamp, items: typing.List[ProposalItem]):
        self.number  # Its number, the same as at the office.
        self.contact_id  # The contact.
        self.display_name  # What the contact is called.
        self.author  # Who made the edits.
        self.received_at  # When the first of them arrived at the server.
        self.items  # What there is to decide.

class QuarantinedField:
    """What an edit in quarantine would have done to one field."""
    def __init__(self, *, field: FieldPath, value: typing.Optional[Value]):
        self.field  # The field.
        self.value  # The value it should have had; none where it should have been cleared or deleted.

class QuarantineEntry:
    """Something that could not become part of a contact."""
    def __init__(self, *, contact_id: str, display_name: str, edit_id: typing.Optional[str], command: str, at: Timestamp, code: str, reason: str, fields: typing.List[QuarantinedField]):
        self.contact_id  # The contact.
        self.display_name  # What the contact was called.
        self.edit_id  # The edit, if it was one of this device.
        self.command  # What kind of edit it is.
        self.at  # When it was made.
        self.code  # A stable short code of the reason.
        self.reason  # The reason, for a person.
        self.fields  # What it would have done.

class Saved:
    """An edit that is durable on this device."""
    def __init__(self, *, edit_id: str, contact_id: str, added: typing.List[str]):
        self.edit_id  # Names the edit in the outbox and for its receipt, whatever becomes of it.
        self.contact_id  # The contact.
        self.added  # The ids of the entries that were added, in the order of the edits.

class SavedList:
    """A list that the office has handed to this user. It is the office's: read, and not changed here."""
    def __init__(self, *, id: str, name: str, filter: str, by: Person, handed_at: Timestamp, contacts: int):
        self.id  # Its id. A list that is handed over anew under its name has another one.
        self.name  # What it is called.
        self.filter  # The filter that finds its contacts, for `ListQuery` and `ids`; other conditions may stand beside it.
        self.by  # Who handed it over. The login is empty.
        self.handed_at  # When, by the server's clock.
        self.contacts  # How many contacts the filter finds on this device.

class Phase(enum.Enum):
    """What the exchange with the server is doing."""
    OFFLINE = 0
    """Not connected, and not trying."""
    CONNECTING = 1
    """Opening a connection."""
    SYNCING = 2
    """Connected, with work to do."""
    IDLE = 3
    """Connected, and nothing is left to do: edits and news travel as they come."""
    WAITING = 4
    """Waiting before the next attempt."""

class SyncState:
    """The exchange with the server: what is on its way, and the connection."""
    def __init__(self, *, phase: Phase, started: bool, unsent: int, stored: int, missing: int, first_sync: typing.Optional[Progress], last_sync: typing.Optional[Timestamp], trouble: typing.Optional[str], refusal: typing.Optional[Refusal], retry_at: typing.Optional[Timestamp], bytes_down: int, bytes_up: int):
        self.phase  # What it is doing.
        self.started  # Whether `start_sync` was called and `stop_sync` was not.
        self.unsent  # Edits that the server has not acknowledged: they are on this device only.
        self.stored  # Edits that are durable on the server and not yet in the managers' view.
        self.missing  # Contacts that are still to be fetched; 0 when the first sync is complete.
        self.first_sync  # The progress of the first sync, while contacts are missing.
        self.last_sync  # When everything was last exchanged.
        self.trouble  # Why the last connection ended, for a person, if it ended with an error.
        self.refusal  # What kind of refusal that was, if it was one. While connected, and for `MinimumVersion` until the next connection: why the server takes edits and sends no contacts.
        self.retry_at  # When the next attempt is due.
        self.bytes_down  # Bytes received on this connection, as they came over the wire.
        self.bytes_up  # Bytes sent on this connection.

class WipeState:
    """The wipe of this device, which the office ordered."""
    def __init__(self, *, revoked_at: Timestamp, edits: int, handed_over: bool, confirmed: bool):
        self.revoked_at  # When the office revoked the device.
        self.edits  # Edits that had not been sent and were sealed for the office.
        self.handed_over  # Whether the office has all of them.
        self.confirmed  # Whether the office knows that the device is wiped.

class Status:
    """Where the replica stands."""
    def __init__(self, *, enrolled: bool, device: typing.Optional[Device], device_name: str, role: str, contacts: int, conflicts: int, quarantined: int, proposals: int, sync: SyncState, encrypted: bool, lease: typing.Optional[Lease], wiped: typing.Optional[WipeState], copied_at: typing.Optional[Timestamp], set_aside_file: typing.Optional[str]):
        self.enrolled  # Whether the replica belongs to somebody and has its key.
        self.device  # Who it belongs to.
        self.device_name  # What the device is called.
        self.role  # The user's role: `rep`, `manager` or `admin`; empty before the first sync.
        self.contacts  # Contacts on this device.
        self.conflicts  # Contacts with a conflict that waits for a decision.
        self.quarantined  # What could not become part of a contact.
        self.proposals  # Late edits of others that wait for this user's decision; see `proposals`.
        self.sync  # What is on its way, and the connection.
        self.encrypted  # Whether the database is encrypted. What `cargo ship` builds encrypts, with a key from the key store; a build for development does not.
        self.lease  # The permission to read offline; none where it has no end.
        self.wiped  # Set where the office revoked this device and it was wiped.
        self.copied_at  # When the replica was found to be restored or copied; it goes on under a name of its own.
        self.set_aside_file  # The name under which a damaged database was set aside, if that happened.

class SyncReport:
    """What one exchange brought."""
    def __init__(self, *, sent: int, received: int, unsent: int, missing: int, quarantined: int, bytes_up: int, bytes_down: int, took: Duration, held_back: typing.Optional[Refusal], held_back_reason: typing.Optional[str]):
        self.sent  # Changes that the server acknowledged as durable.
        self.received  # Contacts that came or changed.
        self.unsent  # Edits that are still not acknowledged.
        self.missing  # Contacts that are still to be fetched.
        self.quarantined  # Edits that were refused during this exchange.
        self.bytes_up  # Bytes sent.
        self.bytes_down  # Bytes received.
        self.took  # How long it took.
        self.held_back  # Why the server took edits and sent no contacts, where it did: `MinimumVersion` (update the app), `RateLimited` or `Unavailable` (later).
        self.held_back_reason  # What the server says of that, for a person.

class Alert:
    """Something that the user has to be told."""
    def __init__(self): ...
    class LEASE_RENEW:
        """Half of the permission to work offline is over: connect some time."""
        def __init__(self, until: Timestamp):
            self.until  # When it ends.
    class LEASE_ENDED:
        """Reading is locked until the next contact with the server, or a code of the office."""
        def __init__(self, until: Timestamp):
            self.until  # When it ended.
    class WIPED:
        """The office revoked this device, and it was wiped."""
        def __init__(self, wipe: WipeState):
            self.wipe  # How far that is.
    class MINIMUM_VERSION:
        """This version of the app is too old, or will be soon: update it."""
        def __init__(self, reason: str):
            self.reason  # What the server says, for a person.
    class DEVICE_REFUSED:
        """The server does not take this device any more: enrol it anew."""
        def __init__(self, code: Refusal, reason: str):
            self.code  # Why: `Unauthorized`, `Revoked` or `Copied`.
            self.reason  # What the server says, for a person.
    def is_LEASE_RENEW(self) -> bool: ...
    def is_lease_renew(self) -> bool: ...
    def is_LEASE_ENDED(self) -> bool: ...
    def is_lease_ended(self) -> bool: ...
    def is_WIPED(self) -> bool: ...
    def is_wiped(self) -> bool: ...
    def is_MINIMUM_VERSION(self) -> bool: ...
    def is_minimum_version(self) -> bool: ...
    def is_DEVICE_REFUSED(self) -> bool: ...
    def is_device_refused(self) -> bool: ...

class Edit:
    """One edit of a contact."""
    def __init__(self): ...
    class SET:
        """Sets a field of the contact itself."""
        def __init__(self, field: Field, value: typing.Optional[Value]):
            self.field  # Which.
            self.value  # The value; none clears the field.
    class SET_CUSTOM:
        """Sets a custom field."""
        def __init__(self, name: str, value: typing.Optional[Value]):
            self.name  # Its name.
            self.value  # Text, a number, a flag or a date; none clears the field.
    class SET_EXTERNAL_ID:
        """Sets the id of this contact in another system."""
        def __init__(self, system: str, id: typing.Optional[str]):
            self.system  # Such as `crm` or `erp`.
            self.id  # The id there; none clears it.
    class ADD_TAG:
        """Adds a tag, or affirms it."""
        def __init__(self, tag: str):
            self.tag  # The tag.
    class REMOVE_TAG:
        """Removes a tag."""
        def __init__(self, tag: str):
            self.tag  # The tag.
    class SET_NOTE:
        """Replaces the text of the note. What did not change stays mergeable."""
        def __init__(self, text: str, shown: typing.Optional[str]):
            self.text  # The new text.
            self.shown  # The note as the app showed it when its user began to write: what others wrote into it since then stays. None takes the note as it is now.
    class APPEND_NOTE:
        """Adds a line at the end of the note."""
        def __init__(self, line: str):
            self.line  # The line.
    class ADD_PHONE:
        """Adds a phone number."""
        def __init__(self, phone: NewPhone):
            self.phone  # What to add.
    class ADD_EMAIL:
        """Adds an email address."""
        def __init__(self, email: NewEmail):
            self.email  # What to add.
    class ADD_MESSENGER:
        """Adds an account at a messenger."""
        def __init__(self, messenger: NewMessenger):
            self.messenger  # What to add.
    class ADD_ADDRESS:
        """Adds a postal address."""
        def __init__(self, address: NewAddress):
            self.address  # What to add.
    class ADD_INTERACTION:
        """Adds an interaction."""
        def __init__(self, interaction: NewInteraction):
            self.interaction  # What to add.
    class ADD_DEAL:
        """Adds a deal."""
        def __init__(self, deal: NewDeal):
            self.deal  # What to add.
    class ADD_PURCHASE:
        """Adds a purchase."""
        def __init__(self, purchase: NewPurchase):
            self.purchase  # What to add.
    class ADD_TASK:
        """Adds a task."""
        def __init__(self, task: NewTask):
            self.task  # What to add.
    class ADD_CONSENT:
        """Adds a statement of consent."""
        def __init__(self, consent: NewConsent):
            self.consent  # What to add.
    class CHANGE:
        """Sets one field of an entry that is there."""
        def __init__(self, id: str, field: EntryField, value: typing.Optional[Value]):
            self.id  # The entry.
            self.field  # Which of its fields; the collection follows from it.
            self.value  # The value; none clears the field.
    class COMPLETE_TASK:
        """Marks a task as done, now."""
        def __init__(self, id: str):
            self.id  # The task.
    class REMOVE:
        """Deletes an entry. It can be restored."""
        def __init__(self, collection: Collection, id: str):
            self.collection  # Where.
            self.id  # Which.
    class RESTORE:
        """Takes the deletion of an entry back."""
        def __init__(self, collection: Collection, id: str):
            self.collection  # Where.
            self.id  # Which.
    class RESOLVE:
        """Decides a conflict: the value wins on every replica."""
        def __init__(self, field: FieldPath, value: typing.Optional[Value]):
            self.field  # The field, as the conflict names it.
            self.value  # The chosen value, or another one; none clears the field or leaves the entry deleted.
    def is_SET(self) -> bool: ...
    def is_set(self) -> bool: ...
    def is_SET_CUSTOM(self) -> bool: ...
    def is_set_custom(self) -> bool: ...
    def is_SET_EXTERNAL_ID(self) -> bool: ...
    def is_set_external_id(self) -> bool: ...
    def is_ADD_TAG(self) -> bool: ...
    def is_add_tag(self) -> bool: ...
    def is_REMOVE_TAG(self) -> bool: ...
    def is_remove_tag(self) -> bool: ...
    def is_SET_NOTE(self) -> bool: ...
    def is_set_note(self) -> bool: ...
    def is_APPEND_NOTE(self) -> bool: ...
    def is_append_note(self) -> bool: ...
    def is_ADD_PHONE(self) -> bool: ...
    def is_add_phone(self) -> bool: ...
    def is_ADD_EMAIL(self) -> bool: ...
    def is_add_email(self) -> bool: ...
    def is_ADD_MESSENGER(self) -> bool: ...
    def is_add_messenger(self) -> bool: ...
    def is_ADD_ADDRESS(self) -> bool: ...
    def is_add_address(self) -> bool: ...
    def is_ADD_INTERACTION(self) -> bool: ...
    def is_add_interaction(self) -> bool: ...
    def is_ADD_DEAL(self) -> bool: ...
    def is_add_deal(self) -> bool: ...
    def is_ADD_PURCHASE(self) -> bool: ...
    def is_add_purchase(self) -> bool: ...
    def is_ADD_TASK(self) -> bool: ...
    def is_add_task(self) -> bool: ...
    def is_ADD_CONSENT(self) -> bool: ...
    def is_add_consent(self) -> bool: ...
    def is_CHANGE(self) -> bool: ...
    def is_change(self) -> bool: ...
    def is_COMPLETE_TASK(self) -> bool: ...
    def is_complete_task(self) -> bool: ...
    def is_REMOVE(self) -> bool: ...
    def is_remove(self) -> bool: ...
    def is_RESTORE(self) -> bool: ...
    def is_restore(self) -> bool: ...
    def is_RESOLVE(self) -> bool: ...
    def is_resolve(self) -> bool: ...

class LogLevel(enum.Enum):
    """How important a line is."""
    ERROR = 0
    """Something failed that should not."""
    WARN = 1
    """Something is not as it should be; it goes on."""
    INFO = 2
    """What happens, in few lines."""
    DEBUG = 3
    """What happens, in many."""
    TRACE = 4
    """Everything: the only level that may hold data of contacts. Never in production."""

class AlertObserver:
    """Watches what the user has to be told. Implemented by the app; called from a background thread."""
    def on_alerts(self, alerts: typing.List[Alert]) -> None:
        """All that there is to tell now: at once, and whenever that changed. Empty when all is well."""

class AlertObserverImpl(AlertObserver):
    """Watches what the user has to be told. Implemented by the app; called from a background thread."""
    def __init__(self, *args, **kwargs): ...
    def on_alerts(self, alerts: typing.List[Alert]) -> None:
        """All that there is to tell now: at once, and whenever that changed. Empty when all is well."""

class AttachmentObserver:
    """Watches which files are referred to, in all contacts of this device, archived ones too. Implemented
    by the app, which uploads what was made here, fetches what it has not, and deletes what is gone;
    called from a background thread, at most once a second.
    """
    def on_attachments(self, changes: AttachmentChanges) -> None:
        """At once: all that there are, as `added`. A file that the app still has from an earlier time and
        that is not among them is to be deleted, but only when no contact is `missing` (`SyncState`): until
        then they are still coming. Then: what came and what went since.
        """
    def on_error(self, error: RoadbookError) -> None:
        """They can't be read, such as `LeaseEnded`. Where the device was wiped, all of them were `removed`
        before. The observer goes on.
        """

class AttachmentObserverImpl(AttachmentObserver):
    """Watches which files are referred to, in all contacts of this device, archived ones too. Implemented
    by the app, which uploads what was made here, fetches what it has not, and deletes what is gone;
    called from a background thread, at most once a second.
    """
    def __init__(self, *args, **kwargs): ...
    def on_attachments(self, changes: AttachmentChanges) -> None:
        """At once: all that there are, as `added`. A file that the app still has from an earlier time and
        that is not among them is to be deleted, but only when no contact is `missing` (`SyncState`): until
        then they are still coming. Then: what came and what went since.
        """
    def on_error(self, error: RoadbookError) -> None:
        """They can't be read, such as `LeaseEnded`. Where the device was wiped, all of them were `removed`
        before. The observer goes on.
        """

class ContactObserver:
    """Watches one contact. Implemented by the app; called from a background thread."""
    def on_contact(self, contact: typing.Optional[Contact]) -> None:
        """The contact as it is now: at once, and whenever it changed; none where it is not on this device
        (any more).
        """
    def on_error(self, error: RoadbookError) -> None:
        """The contact can't be read, such as `LeaseEnded`. The observer goes on."""

class ContactObserverImpl(ContactObserver):
    """Watches one contact. Implemented by the app; called from a background thread."""
    def __init__(self, *args, **kwargs): ...
    def on_contact(self, contact: typing.Optional[Contact]) -> None:
        """The contact as it is now: at once, and whenever it changed; none where it is not on this device
        (any more).
        """
    def on_error(self, error: RoadbookError) -> None:
        """The contact can't be read, such as `LeaseEnded`. The observer goes on."""

class ListObserver:
    """Watches one window of a list. Implemented by the app; called from a background thread."""
    def on_page(self, page: ContactPage) -> None:
        """The window as it is now: at once, and whenever it changed."""
    def on_error(self, error: RoadbookError) -> None:
        """The window can't be read, such as `LeaseEnded`. The observer goes on."""

class ListObserverImpl(ListObserver):
    """Watches one window of a list. Implemented by the app; called from a background thread."""
    def __init__(self, *args, **kwargs): ...
    def on_page(self, page: ContactPage) -> None:
        """The window as it is now: at once, and whenever it changed."""
    def on_error(self, error: RoadbookError) -> None:
        """The window can't be read, such as `LeaseEnded`. The observer goes on."""

class LogSink:
    """Takes the lines of the log. Implemented by the app; called from one background thread, one line at
    a time.
    """
    def log(self, level: LogLevel, target: str, message: str) -> None:
        """One line: its level, the part of the library that wrote it, the text."""

class LogSinkImpl(LogSink):
    """Takes the lines of the log. Implemented by the app; called from one background thread, one line at
    a time.
    """
    def __init__(self, *args, **kwargs): ...
    def log(self, level: LogLevel, target: str, message: str) -> None:
        """One line: its level, the part of the library that wrote it, the text."""

class ObserverHandle:
    """Keeps an observer going: it ends when this is cancelled, or thrown away. Keep it for as long as
    the screen is shown.
    """
    def __init__(self, *args, **kwargs): ...
    def cancel(self) -> None:
        """Ends the observer. A call that is under way is not waited for; no other one follows. Cancelling
        twice is no error.
        """

class ReceiptObserver:
    """Watches where the edits of this device are. Implemented by the app; called from a background
    thread.
    """
    def on_receipts(self, edits: typing.List[OutboxEntry]) -> None:
        """At once: all edits that are on their way or were refused. Then: those that are new, or whose
        receipt changed.
        """

class ReceiptObserverImpl(ReceiptObserver):
    """Watches where the edits of this device are. Implemented by the app; called from a background
    thread.
    """
    def __init__(self, *args, **kwargs): ...
    def on_receipts(self, edits: typing.List[OutboxEntry]) -> None:
        """At once: all edits that are on their way or were refused. Then: those that are new, or whose
        receipt changed.
        """

class SyncObserver:
    """Watches the exchange with the server. Implemented by the app; called from a background thread."""
    def on_sync(self, state: SyncState) -> None:
        """How it stands: at once, and whenever it changed."""

class SyncObserverImpl(SyncObserver):
    """Watches the exchange with the server. Implemented by the app; called from a background thread."""
    def __init__(self, *args, **kwargs): ...
    def on_sync(self, state: SyncState) -> None:
        """How it stands: at once, and whenever it changed."""

class Roadbook:
    """One device's replica: every contact of one rep, on this device, with or without a network.

    One handle has a directory open at a time. It may be used from any thread. What is not `async`
    waits for the disk only, reading under a millisecond or two and editing for one write; call it off
    the UI thread where a frame must not be missed. Close it at the end.
    """
    @classmethod
    async def open(cls, settings: OpenSettings) -> Roadbook:
        """Opens the replica in a directory; makes an empty one if there is none. Needs no network.

        `Locked` where it is open already, here or in another process. A database that can't be read
        any more is set aside, never deleted; what was not sent is taken over from it, the rest is
        fetched again.
        """
    def __init__(self, *args, **kwargs): ...
    def archive(self, contact_id: str, archived: bool) -> typing.Optional[Saved]:
        """Archives a contact, or takes it back from the archive: lists leave archived ones out unless
        their filter asks for them.
        """
    def authors(self, contact_id: str) -> typing.List[FieldAuthor]:
        """Who wrote the value that each field of a contact has now."""
    def close(self) -> None:
        """Ends the exchange, the observers and everything that is running, and closes the files. Every
        later call fails with `Closed`. Closing twice is no error.
        """
    def conflicts(self, contact_id: typing.Union[object, typing.Optional[str]]=_DEFAULT) -> typing.List[Conflict]:
        """What waits for a decision, in one contact or in all."""
    def contact(self, contact_id: str) -> Contact:
        """One contact, whole. `NotFound` where it is not on this device."""
    def contact_as_of(self, contact_id: str, at: Timestamp) -> Contact:
        """The contact as it was at a moment, by the clocks of those who changed it."""
    def create(self, edits: typing.List[Edit]) -> Saved:
        """Makes a new contact from edits, as one change. Durable when it returns; works offline. Blocks
        for one write to the disk.
        """
    def custom_fields(self) -> typing.List[CustomField]:
        """The custom fields that the office has defined, in its order. They come and change with the exchange
        with the server, and need no network otherwise; observers of a list are told. A contact may have
        others, and a value of another kind, from a time before: show those as text.
        """
    def decide_proposal(self, number: int, verdict: Verdict, items: typing.Union[object, typing.Optional[typing.List[int]]]=_DEFAULT) -> Proposal:
        """Decides about a late edit, or about some items of it; needs no network. Durable when it returns;
        it goes up with the next exchange. If somebody decided before, that holds, and `refused` says who
        and when. `NotAllowed` where that is known here already.
        """
    def edit(self, contact_id: str, edits: typing.List[Edit]) -> typing.Optional[Saved]:
        """Edits a contact: all edits become one change, or none does. Durable when it returns; works
        offline. Blocks for one write to the disk. Gives nothing where the contact was so already: then
        there is nothing to send.
        """
    async def enrol(self, url: str, code: str, device_name: str, fingerprint: typing.Union[object, typing.Optional[str]]=_DEFAULT) -> Device:
        """Enrols the device with the one-time code that the office gave out. Needs the network.

        `url` is the server's address, with `https://` in front. `fingerprint` pins the key of a
        server whose certificate no authority has signed. What was edited under an earlier enrolment
        of the same user is kept. `Refused` with `CodeRefused` where the code is not good.
        """
    async def enrol_scanned(self, text: str, device_name: str) -> Device:
        """Enrols the device with what the picture of an invitation says, or the link that it was sent as:
        a text that begins with `roadbook://enrol`. Otherwise as `enrol`. `Invalid` where the text is no
        invitation.
        """
    def export_quarantine(self, file: str) -> int:
        """Writes the quarantine to a file, complete, as JSON with one entry per line; gives the number of
        entries. A file of that name is replaced.
        """
    def extend_lease(self, code: str) -> typing.Optional[Lease]:
        """Extends the permission to read offline with a code that the office read out. It is good once,
        for this device, and only if the server was not reached since it was made.
        """
    def history(self, contact_id: str, limit: int=50) -> typing.List[Change]:
        """The newest changes of a contact, newest first."""
    def home(self) -> str:
        """The directory."""
    def ids(self, filter: typing.Union[object, typing.Optional[str]]=_DEFAULT) -> typing.List[str]:
        """The ids of all contacts that a filter selects, by name."""
    def lease(self) -> typing.Optional[Lease]:
        """The permission to read offline; none where it has no end."""
    def list(self, query: ListQuery) -> ContactPage:
        """One window of a list. About a millisecond for 50 of 10,000. `Invalid` with the field `filter`
        where the filter can't be read.
        """
    def lists(self) -> typing.List[SavedList]:
        """The lists that the office has handed to this user, those that were handed over last first. They
        come and change with the exchange with the server, and need no network otherwise.
        """
    def observe_alerts(self, observer: AlertObserver) -> ObserverHandle:
        """Watches what the user has to be told: the lease, a wipe, a version that is too old, a device that
        is not taken any more.
        """
    def observe_attachments(self, observer: AttachmentObserver) -> ObserverHandle:
        """Watches which files the interactions of all contacts refer to.

        Looks once through every contact, some hundred milliseconds for 10,000 of them on a thread of its
        own, then only at those that changed.
        """
    def observe_contact(self, contact_id: str, observer: ContactObserver) -> ObserverHandle:
        """Watches one contact."""
    def observe_list(self, query: ListQuery, observer: ListObserver) -> ObserverHandle:
        """Watches one window of a list. Scrolling on is another window: watch that, and cancel this."""
    def observe_receipts(self, observer: ReceiptObserver) -> ObserverHandle:
        """Watches where the edits of this device are."""
    def observe_sync(self, observer: SyncObserver) -> ObserverHandle:
        """Watches the exchange with the server."""
    def outbox(self, all: bool=False) -> typing.List[OutboxEntry]:
        """The edits of this device with their receipts, oldest first: those that are still on their way or
        were refused, or with `all` also the merged ones of the last weeks.
        """
    def proposals(self, all: bool=False) -> typing.List[Proposal]:
        """Late edits of others to contacts that are this user's now, those that changed last first: those
        that wait for a decision, or with `all` also those that were decided in the last two weeks.
        """
    def quarantine(self) -> typing.List[QuarantineEntry]:
        """What could not become part of a contact, oldest first, with the reasons."""
    def receipt(self, edit_id: str) -> typing.Optional[Receipt]:
        """The receipt of one edit; none where it is not known here any more."""
    def resolve(self, contact_id: str, field: FieldPath, value: typing.Optional[Value]) -> typing.Optional[Saved]:
        """Decides a conflict: the value wins on every replica. The same as one `Edit.Resolve`."""
    def resolve_id(self, prefix: str) -> str:
        """The id of the contact whose id begins with this, as a person types it. `Ambiguous` where several
        do.
        """
    def resume(self) -> None:
        """When the app comes back: opens the files again, and goes on with the exchange if it was running.
        The errors are those of `open`.
        """
    def row(self, contact_id: str) -> ContactRow:
        """One contact as lists see it: cheaper than the whole."""
    def search(self, text: str, limit: int=50) -> typing.List[ContactRow]:
        """Search as somebody types: every word, as the beginning of a word in any field, whatever its case
        and accents; the best first. Empty text finds nothing.
        """
    def start_sync(self) -> None:
        """Starts the exchange with the server: edits and news travel as they come, and it reconnects by
        itself until `stop_sync`, across `suspend` and `resume`. Returns at once; observe the sync state
        to see how it goes. Starting twice is no error.

        It ends by itself where trying again can't help: the device was revoked, wiped or copied.
        """
    def status(self) -> Status:
        """Where the replica stands."""
    async def stop_sync(self) -> None:
        """Ends the exchange in good order: what is being sent is acknowledged or goes up next time. Takes
        two seconds at most.
        """
    def suspend(self) -> None:
        """Before the app goes to the background: ends the exchange with the server in good order, waits
        for what is running, closes every file and releases every lock. iOS kills an app that is
        suspended with a lock of SQLite.

        Blocks for the time of the goodbye to the server, two seconds at most, plus what the disk
        takes. Calls fail with `Suspended` until `resume`; observers are silent until then.
        """
    async def sync_once(self, deadline: Duration) -> SyncReport:
        """Exchanges everything in both directions, and ends: for WorkManager, `BGTaskScheduler` and "sync
        now". On success every edit made before the call is durable on the server, or listed with the
        reason.

        Does what it can in the given time; `Offline` where that was not enough, what was exchanged until
        then stays. An exchange that `start_sync` runs is replaced for that time. Cancelling the call
        ends the exchange in good order.
        """
    def undo(self, contact_id: typing.Union[object, typing.Optional[str]]=_DEFAULT) -> typing.Optional[Saved]:
        """Takes back the last edit that was made on this device, of one contact or of all, unless somebody
        changed the same fields since (`NotAllowed`). Calling it again takes back the one before.
        """
    def users(self) -> typing.List[Person]:
        """All users that the workspace's directory names, by login."""
    def wake_sync(self) -> None:
        """Tries at once instead of waiting for the next attempt: the network came back. Does nothing where
        no exchange is running.
        """
    def wipe(self, discard_unsent: bool) -> None:
        """Destroys the replica on this device because its user wants to sign out: contacts, edits, keys.
        The handle is closed then; the directory may be enrolled anew. The server keeps what it has.

        `NotAllowed` where there are edits that only this device has, unless `discard_unsent`: sync
        first, and export the quarantine.
        """

def field_infos() -> typing.List[FieldInfo]:
    """All fields of a contact itself, in the order of the document model: for forms made from it."""

def set_log_sink(level: LogLevel, sink: typing.Optional[LogSink]) -> None:
    """Sends the library's log, from `level` on upwards in importance, to this sink; none silences it. For
    the whole process: a later call replaces the sink.

    `NotAllowed` where the process has another consumer of Rust's `tracing`.
    """

# Whose figures, of which time.
everybody = Everybody
team-name = Team { $name }
of-whom = Of
period = Period
n-days = { $n ->
        [one] { $n } day
       *[other] { $n } days
    }
n-months = { $n ->
        [one] { $n } month
       *[other] { $n } months
    }
n-years = { $n ->
        [one] { $n } year
       *[other] { $n } years
    }
month-year = { $month } { $year }
figures-label = Figures
as-a-table = As a table
figures-as-a-table = The figures as a table

# Activity.
visits = Visits
calls = Calls
activity-calls-others = { $calls ->
        [one] { $calls } call
       *[other] { $calls } calls
    }, { $others } other, in { $period }
activity-hit-rate = Hit rate
activity-hit-rule = visits with a purchase or a deal won within { $n } days
activity-tasks-done = Tasks done
activity-of-due = { $done } of { $n } due in { $period }
activity-neglected = Neglected
activity-of-cadence = of { $n } with a contact cadence
nobody-yet = Nobody yet
activity-add-reps = Add reps with { $command }.
activity-caption = What each person did
activity-other = Other
new-contacts = New contacts
activity-overdue = Visits overdue
activity-narrow = { $new } new · { $done } of { $tasks } tasks · { $neglected } neglected
of-n = of { $n }
visits-and-calls = Visits and calls
activity-by-week = by week, days of UTC
activity-by-day = by day, days of UTC
activity-none = Nothing in this period
activity-none-text = Reps log visits and calls on their devices, the office on a contact's page.
activity-bar = { $day }: { $visits ->
        [one] { $visits } visit
       *[other] { $visits } visits
    }, { $calls ->
        [one] { $calls } call
       *[other] { $calls } calls
    }
week-from = Week from
day = Day

# The funnel.
funnel-none = No deals yet
funnel-none-text = Reps add deals on their devices, the office on a contact's page. They stand here by their stage.
funnel-board = Board
funnel-drag = Drag a deal to another stage, or open “Move” on it.
funnel-by-stage = Deals by stage
no-amount = no amount
funnel-open = Open deals
funnel-expected = Expected
funnel-expected-rule = amount times probability
funnel-won = Won
funnel-in-period = in this period
funnel-won-of-closed = Won of closed
funnel-n-lost = { $n ->
        [one] { $n } lost
       *[other] { $n } lost
    } in this period
funnel-nothing = nothing here
funnel-newest = The newest { $shown } of { $n }.
funnel-here = { $span } here
funnel-close = close { $date }
funnel-move = Move
funnel-move-hidden = { $title } of { $name }
funnel-to-stage = To stage
funnel-reason-if-lost = Reason, if lost
funnel-through = How deals come through
funnel-begun = begun in { $period }
funnel-none-began = No deal began
choose-longer = Choose a longer period.
funnel-conversion-label = Conversion and time per stage
stage = Stage
funnel-reached = Reached
funnel-of-all = Of all
funnel-go-on = Go on
funnel-stay = Stay, median
funnel-deals-lost = { $deals ->
        [one] { $deals } deal
       *[other] { $deals } deals
    }, { $lost } lost.
funnel-half-won = Half of those won took up to { $span }.
funnel-no-day = no day given
funnel-outlook = Expected revenue
funnel-by-close = by expected close
funnel-nothing-open = Nothing is open
funnel-nothing-open-text = Open deals with an amount stand here by their month.
funnel-by-month-label = Expected revenue by month
month = Month
funnel-expected-note = Amount times the probability that the rep gave; without one, that of the stage: { $stages }.
funnel-why-lost = Why deals were lost
funnel-none-lost = Nothing was lost
funnel-none-lost-text = In this period no deal went to Lost.
funnel-no-reason = No reason given
deals = Deals

# Value.
value-no-day = “{ $text }” is no day; write it as 2026-03-31.
value-no-limits = “{ $text }” are no limits of { $name }; write four numbers from small to large, such as 30, 90, 180, 365.
value-name-recency = recency
value-name-frequency = frequency
value-name-monetary = monetary value
value-none = Nothing was bought yet
value-none-text = Purchases come with { $command } or are entered on a contact's page.
value-incomplete = { $n ->
        [one] { $n } purchase has
       *[other] { $n } purchases have
    } no date or no amount and { $n ->
        [one] is
       *[other] are
    } in no figure.
as-of-label = As of
value-currency = Currency
value-purchases-of = Purchases of
value-all-time = all time
value-classes-by = Classes by
value-quintiles = quintiles
value-limits = chosen limits
value-limit-recency = Days since the last, class 5 to 2
value-limit-frequency = Purchases, class 2 to 5
value-limit-monetary = Revenue, class 2 to 5
value-totals-label = Totals per currency
value-revenue-in = Revenue in { $currency }
value-total-of = { $purchases ->
        [one] { $purchases } purchase
       *[other] { $purchases } purchases
    } of { $customers ->
        [one] { $customers } customer
       *[other] { $customers } customers
    } up to { $date }
n-customers = { $n ->
        [one] { $n } customer
       *[other] { $n } customers
    }
value-rf = Recency and frequency
value-customers-in = customers, { $currency }
value-rf-note = R 5 bought latest, F 5 most often. Each class is a fifth of all customers; equal customers share a class.
value-rf-note-limits = R 5 bought latest, F 5 most often, by the limits above; equal customers share a class.
value-rf-label = Customers by recency and frequency
value-recency = Recency
value-cell = { $customers } with recency { $r } and frequency { $f }: { $amount }
class = Class
customers = Customers
revenue = Revenue
value-each = Each
value-mean-m = Mean M
value-moved = Who moved
value-moved-against = against 3 months before
value-moves-label = Moves between groups
value-group = Group
value-now = Now
value-came = Came
value-first = First
value-left = Left
value-moves-note = Came from another group, bought for the first time, left for another group.
value-no-customer = no customer
value-from-to = From, to
value-abc = Who makes the revenue
value-no-revenue = No revenue
value-no-revenue-text = Nothing was earned in this time.
value-curve-label = Share of the revenue that the largest customers make
value-curve-note = Across: customers, the largest first. Up: their share of the revenue.
value-abc-label = ABC classes
share = Share
value-a = first 80 %
value-b = next 15 %
value-c = last 5 %
value-seasons = Months and seasons
value-months-label = Revenue of each of the last 24 months
purchases = Purchases
value-season = Season: 100 is an average month
value-season-label = Index of each calendar month over whole years
value-index = Index
value-season-none = Seasons are told as soon as there is a whole year of purchases.
value-silent = Gone silent, worth reviving
value-choose-all = Choose all time
value-choose-all-text = Silence is judged by all purchases of a customer.
value-silent-none = Nobody has gone silent
value-silent-none-text = Everybody bought within twice their usual time.
value-silent-caption = Customers who have gone silent, the largest first
customer = Customer
owner = Owner
value-silent-for = Silent for
value-usual = Usual
nobody = nobody
value-every = every { $span }
value-once = once
value-silent-note = Silent for more than twice their usual time between purchases and more than { $days } days; who bought once, for more than { $once }.
value-nps = Would they recommend us
value-nps-what = net promoter score, 12 months
value-nps-none = No answer yet
value-nps-none-text = Reps log a survey with its answer from 0 to 10 on their devices, the office on a contact's page.
value-nps-answers = { $n ->
        [one] { $n } answer
       *[other] { $n } answers
    }: { $promoters } promoters (9–10), { $passives } passives (7–8), { $detractors } detractors (0–6)
value-nps-no-answer = no answer
value-nps-label = Score of each month
value-score = Score
value-no-comment = Nobody said a word with their answer.
group-champions = Champions
group-loyal = Loyal
group-promising = Promising
group-new = New
group-need-attention = Need attention
group-fading = Fading
group-at-risk = At risk
group-dormant = Dormant

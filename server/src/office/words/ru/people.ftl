# People and devices.
never-seen = не выходило на связь
device-first-sync = первая синхронизация, осталось { $n }
device-behind = отстаёт на { $span }
device-now = сейчас
device-nothing-unsent = всё отправлено
device-known-unsent = { $edits } ещё не отправлено
device-has-all = { $unsent }, есть всё, что здесь
device-newer = { $unsent }, { $n ->
        [one] { $n } контакт новее
        [few] { $n } контакта новее
       *[many] { $n } контактов новее
    } здесь
device-wiped = очищено { $time }
device-recovered = { $edits } восстановлено
device-wipes-itself = очистится при следующей связи
device-no-end = без срока
device-locked = заблокировано
device-since = с { $time }
device-until = до { $time }
device-readable = читаемо { $lease }
device-outdated = устарело
device-needs = нужна { $app }
never = никогда
device-revoke-confirm = Отозвать устройство { $device } ({ $person })? Оно больше не получит данных и не подключится с этим ключом.
device-revoke = Отозвать
device-of = { $device }, { $person }
device-none-behind = ни одно устройство не отстаёт
device-n-behind = { $n ->
        [one] { $n } устройство отстаёт
        [few] { $n } устройства отстают
       *[many] { $n } устройств отстают
    }
device-last-seen = на связи { $span } назад
device-and-more = и ещё { $n }; { $link }
device-all = все устройства
devices = Устройства
devices-none = Устройств пока нет
devices-none-text = { $invite } печатает код; на устройстве представителя его использует { $enroll }.
devices-caption = Устройства и их свежесть
device = Устройство
freshness = Свежесть
last-seen = Последняя связь
difference = Разница
readable = Читаемо
app = Приложение
actions = Действия
people = Люди
person = Человек
role = Роль
team = Команда
person-disabled = отключён
person-code-confirm = Создать одноразовый код, с которым { $person } задаст новый пароль?
person-code = Код входа
person-for-hidden = для: { $person }
people-add-hint = Людей добавляют командой { $add }, устройства — { $invite }.
person-code-for = Для { $person }, один раз, на { $span }. Сообщите его по телефону или лично; он показывается только сейчас.
person-code-used = Его вводят на { $link }. Второй фактор остаётся как есть.
people-back = Назад к людям
wipe-enrolled = подключено
wipe-wiped = очищено
wipe-wiping = очищается
wipe-revoked = отозвано

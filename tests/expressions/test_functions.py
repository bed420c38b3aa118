"""Functions and dates. Each text is what Kestra 1.3's own engine printed; of newer ones, what their source says."""

from __future__ import annotations

import pytest

from tests.expressions.given import FAILS, Rows, check

DATES: Rows = {
    'a pattern': ("{{ when | date('yyyy-MM-dd') }}", '2024-03-05'),
    'a zone': ("{{ when | date(format='HH:mm', timeZone='Asia/Tokyo') }}", '19:11'),
    'words': ('{{ when | date("EEEE, d MMMM yyyy \'at\' HH \'o\'\'clock\'") }}', "Tuesday, 5 March 2024 at 10 o'clock"),
    'fractions': ("{{ when | date('ss.SSS SSSSSS') }}", '12.345 345678'),
    'presets': ("{{ when | date('iso') }} {{ when | date('iso_sec') }} {{ when | date('sql') }} {{ when | date('sql_sec') }}", '2024-03-05T10:11:12.345678Z 2024-03-05T10:11:12Z 2024-03-05 10:11:12.345678 2024-03-05 10:11:12'),
    'more presets': ("{{ when | date('iso_date_time') }} {{ when | date('iso_date') }} {{ when | date('iso_time') }} {{ when | date('iso_instant') }}", '2024-03-05T10:11:12.345678Z[UTC] 2024-03-05Z 10:11:12.345678Z 2024-03-05T10:11:12.345678Z'),
    'even more': ("{{ when | date('iso_local_date') }} {{ when | date('iso_ordinal_date') }} {{ when | date('iso_week_date') }} {{ when | date('rfc_1123_date_time') }}", '2024-03-05 2024-065Z 2024-W10-2Z Tue, 5 Mar 2024 10:11:12 GMT'),
    'with the region': ("{{ when | date('iso_zoned_date_time', timeZone='Europe/Paris') }} {{ when | date('iso_milli') }}", '2024-03-05T11:11:12.345678+01:00[Europe/Paris] 2024-03-05T10:11:12.345Z'),
    'numbers of weeks': ("{{ when | date('w W e c D F') }}", '10 2 3 3 65 1'),
    'offsets': ("{{ when | date('X XX XXX x Z ZZZZ O', timeZone='Europe/Paris') }}", '+01 +0100 +01:00 +01 +0100 GMT+01:00 GMT+1'),
    'halves of the day': ("{{ when | date('h:mm a K k') }}", '10:11 AM 10 10'),
    'quarters and eras': ("{{ when | date('Q QQQ QQQQ G GGGG') }}", '1 Q1 1st quarter AD Anno Domini'),
    'parts of the day': ("{{ when | date('A n N B') }}", '36672345 345678000 36672345678000 in the morning'),
    'an unknown letter': ("{{ when | date('nope') }}", FAILS),
    'an open quote': ('{{ when | date("yyyy\'") }}', FAILS),
    'a text is read': ("{{ '2024-03-05' | date('iso') }} {{ '2024-03-05T10:11:12' | date('iso') }} {{ '2024-03-05T10:11:12+02:00' | date('iso') }}", '2024-03-05T00:00:00.000000Z 2024-03-05T10:11:12.000000Z 2024-03-05T08:11:12.000000Z'),
    'a text of another form': ("{{ 'July 24, 2001' | date('yyyy-MM-dd', existingFormat='MMMM dd, yyyy') }} {{ '5/3/24 4:05 PM' | date('iso', existingFormat='d/M/yy h:mm a') }}", '2001-07-24 2024-03-05T16:05:00.000000Z'),
    'digits beside digits': ("{{ '20240305' | date('iso', existingFormat='yyyyMMdd') }}", '2024-03-05T00:00:00.000000Z'),
    'a day that is not there': ("{{ '2024-02-30' | date('iso') }}", FAILS),
    'a day that a pattern clamps': ("{{ '2024-02-30' | date('iso', existingFormat='yyyy-MM-dd') }}", '2024-02-29T00:00:00.000000Z'),
    'a text that is no date': ('{{ word | date }}', FAILS),
    'seconds since 1970': ('{{ 1709633472 | date }}', '2024-03-05T10:11:12.000000Z'),
    'an Integer is no date': ('{{ count | date }}', FAILS),
    'an hour that is skipped': ("{{ '2024-03-31T02:30:00' | date(timeZone='Europe/Paris') }}", '2024-03-31T03:30:00.000000+02:00'),
    'an hour that comes twice': ("{{ '2024-10-27T02:30:00' | date(timeZone='Europe/Paris') }}", '2024-10-27T02:30:00.000000+02:00'),
    'an unknown zone': ("{{ when | date(timeZone='Nowhere/Land') }}", FAILS),
    'zones of all kinds': ("{{ when | date('VV', timeZone='UTC+3') }} {{ when | date('VV', timeZone='+02') }} {{ when | date('z', timeZone='America/New_York') }}", 'UTC+03:00 +02:00 EST'),
    'dateAdd': ("{{ when | dateAdd(1, 'DAYS') }} {{ when | dateAdd(-2, 'HOURS') }} {{ when | dateAdd(1, 'WEEKS', format='iso_sec') }}", '2024-03-06T10:11:12.345678Z 2024-03-05T08:11:12.345678Z 2024-03-12T10:11:12Z'),
    'dateAdd clamps': ("{{ '2024-01-31' | dateAdd(1, 'MONTHS') }} {{ '2024-02-29' | dateAdd(1, 'YEARS') }}", '2024-02-29T00:00:00.000000Z 2025-02-28T00:00:00.000000Z'),
    'dateAdd of an Integer': ("{{ when | dateAdd(count, 'DAYS') }}", '2024-03-08T10:11:12.345678Z'),
    'dateAdd of no unit': ("{{ when | dateAdd(1, 'days') }}", FAILS),
    'timestamps': ('{{ when | timestamp }} {{ when | timestampMilli }} {{ when | timestampMicro }} {{ when | timestampNano }}', '1709633472 1709633472345 1709633472345678 1709633472345678000'),
    'a timestamp is a Long': ('{{ when | timestamp | className }} {{ when | timestampNano | className }}', 'java.lang.Long java.lang.String'),
    'another language': ("{{ when | date('EEEE d MMMM', locale='fr') }} {{ when | date('EEE', locale='de_DE') }}", 'mardi 5 mars Di.'),
}  # fmt: skip

FUNCTIONS: Rows = {
    'fromJson': ('{{ fromJson(\'{"a":[666]}\').a[0] }} {{ json(\'{"b":1}\').b }} [{{ fromJson(nothing) }}]', '666 1 []'),
    'fromJson of no JSON': ("{{ fromJson('{nope}') }}", FAILS),
    'fromJson of a number': ('{{ fromJson(count) }}', FAILS),
    'yaml': ("{{ yaml('foo: [666, x]').foo[0] }} {{ yaml('a: yes\nb: 2024-01-02\nc: 1.5\nd: ~') }}", '666 {"a":true,"b":"2024-01-02","c":1.5}'),
    'yaml of nothing': ("{{ yaml('') }}", FAILS),
    'yaml that is none': ("{{ yaml('a: [') }}", FAILS),
    'yaml of an alias': ("{{ yaml('a: &x 1\nb: *x') }}", '{"a":1,"b":"x"}'),
    'fromIon': ('{{ fromIon(\'{a:1,b:[2,"x"]}\') }} {{ fromIon(\'{a:1} {a:2}\') }} {{ fromIon(\'{a:1} {a:2}\', true) }} [{{ fromIon(nothing) }}]', '{"a":1,"b":[2,"x"]} {"a":1} [{"a":1},{"a":2}] []'),
    'fromIon of no Ion': ("{{ fromIon('{not: ion') }}", FAILS),
    'render': ("{{ render('{{ word }}') }} {{ render(vars.second) }} {{ renderOnce(vars.second) }}", 'bird bird {{ word }}'),
    'render of lists and maps': ("{{ render(['{{ word }}']) }} {{ render({'k': '{{ count }}'}) }} {{ render(5) }} [{{ render(nothing) }}]", '["bird"] {"k":"3"} 5 []'),
    'render without end': ('{{ render(vars.loop) }}', FAILS),
    'render once by an argument': ('{{ render(vars.second, recursive=false) }}', '{{ word }}'),
    'the context': ('{{ printContext().word }} {{ fetchContext().count }}', 'bird 3'),
    'fileURI': ("{{ fileURI('a/b.txt') }} {{ fileURI('/c') }}", 'kestra:///my/team/_files/a/b.txt kestra:///my/team/_files/c'),
    'fileURI out of its folder': ("{{ fileURI('../x') }}", FAILS),
    'tasksWithState': ("{{ tasksWithState('failed') }}", '[{"state":"FAILED","taskId":"a"},{"state":"FAILED","value":"v1","taskId":"b"}]'),
    'randomInt of one number': ('{{ randomInt(3, 3) }}', '3'),
    'randomInt the wrong way': ('{{ randomInt(3, 1) }}', FAILS),
    'randomInt of texts': ("{{ randomInt('1', '2') }}", FAILS),
    'identifiers': ("{{ uuid() | length }} {{ ksuid() | length }} {{ nanoId() | length }} {{ nanoId(5) | length }} {{ nanoId(length=3, alphabet='x') }}", '36 27 21 5 xxx'),
    'what is sealed opens': ("{{ decrypt(key, encrypt(key, 'grüß')) }}", 'grüß'),
    'a key that is none': ("{{ encrypt('bad', 'x') }}", FAILS),
    'a damaged text': ("{{ decrypt(key, 'AAAA') }}", FAILS),
    'newer: env': ("{{ env('token') }} {{ env('no', 'd') }}", 't d'),
    'newer: env that is not there': ("{{ env('no') }}", FAILS),
    'newer: the calendar': ('{{ isWeekend(when) }} {{ dayOfWeek(when) }} {{ dayOfMonth(when) }} {{ monthOfYear(when) }} {{ hourOfDay(when) }}', 'false TUESDAY 5 3 10'),
    'newer: the first Tuesday': ("{{ isDayWeekInMonth(when, 'TUESDAY', 'FIRST') }} {{ isDayWeekInMonth(when, 'TUESDAY', 'LAST') }}", 'true false'),
    'newer: a position that is none': ("{{ isDayWeekInMonth(when, 'TUESDAY', 'NEVER') }}", FAILS),
    'newer: the last working day': ("{{ isLastWorkingDay('2024-03-29') }} {{ isLastWorkingDay('2024-03-31') }} {{ isLastWorkingDay('2024-03-31', 'SUNDAY') }}", 'true false true'),
    'newer: before, after, between': ("{{ isDateBefore(when, '2025-01-01T00:00:00Z') }} {{ isDateAfter(when, '2025-01-01T00:00:00Z') }} {{ isDateBetween(when, '2024-01-01T00:00:00Z', '2025-01-01T00:00:00Z') }}", 'true false true'),
    'newer: a date without an offset': ("{{ isDateBefore('2024-01-01', when) }}", FAILS),
    'newer: outputs of a Loop': ("{{ loopOutputs([{'outputs': {'r': 1}}, {'outputs': {}}, 5], 'r') }}", '[1,null,null]'),
    'newer: on a server only': ("{{ subflow('a', 'b') }}", FAILS),
    'newer: other spellings': ('{{ jsonDecode(\'{"a":1}\').a }} {{ {\'a\':1} | jsonEncode }}', '1 {"a":1}'),
    'parent is of no use': ('{{ parent() }}', FAILS),
}  # fmt: skip

TABLES: dict[str, Rows] = {"dates": DATES, "functions": FUNCTIONS}
ROWS = [pytest.param(*row, id=f"{table}: {name}") for table, rows in TABLES.items() for name, row in rows.items()]


@pytest.mark.parametrize(("template", "expected"), ROWS)
def test_a_row_of_the_table(template: str, expected: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")

    check(template, expected)

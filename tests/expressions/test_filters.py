"""Filters, and how they are called. Each text is what Kestra 1.3's own engine printed; of newer ones, what their source says."""

from __future__ import annotations

import pytest

from tests.expressions.given import FAILS, Rows, check

CALLS: Rows = {
    'max and min': ('{{ max(1, 3, 2) }} {{ min(2, 1) }}', '3 1'),
    'range has both ends': ("{{ range(1, 3) }} {{ range(0, 6, 2) }} {{ range(3, 1, -1) }} {{ range('a', 'c') }}", '[1,2,3] [0,2,4,6] [3,2,1] ["a","b","c"]'),
    'range needs two': ('{{ range(3) }}', FAILS),
    'range of no step': ('{{ range(1, 3, 0) }}', FAILS),
    'an unknown filter': ('{{ word | nofilter }}', FAILS),
    'an unknown function': ('{{ nofunction() }}', FAILS),
    'an unknown filter that is not reached': ('{% if false %}{{ word | nofilter }}{% endif %}ok', 'ok'),
    'an unknown argument': ("{{ word | default(value='q') }}", FAILS),
    'too many arguments': ("{{ word | split('a', 1, 2) }}", FAILS),
    'a function of Jinja2': ('{{ lipsum() }}', FAILS),
    'named arguments': ("{{ 'a.b.c' | split(delimiter='.', limit=2) }}", '["",".b.c"]'),
}  # fmt: skip

FILTERS: Rows = {
    'upper, lower': ("{{ word | upper }} {{ 'ABC' | lower }} {{ 5 | upper }}", 'BIRD abc 5'),
    'capitalize makes nothing small': ("{{ 'hELLO wORLD' | capitalize }}", 'HELLO wORLD'),
    'title neither': ("{{ 'hELLO wORLD' | title }}", 'HELLO WORLD'),
    'trim': ("[{{ '  a ' | trim }}]", '[a]'),
    'abbreviate': ("{{ 'a long sentence' | abbreviate(9) }} {{ word | abbreviate(9) }}", 'a long... bird'),
    'length': ('{{ word | length }} {{ numbers | length }} {{ pair | length }} {{ 5 | length }} {{ nothing | length }}', '4 3 2 0 0'),
    'first and last': ('{{ numbers | first }} {{ numbers | last }} {{ word | first }}', '1 3 b'),
    'join': ("{{ numbers | join('-') }} {{ numbers | join }}", '1-2-3 123'),
    'sort, rsort, reverse': ('{{ [3,1,2] | sort }} {{ [3,1,2] | rsort }} {{ [3,1,2] | reverse }}', '[1,2,3] [3,2,1] [2,1,3]'),
    'sort changes the list itself': ('{{ numbers | rsort }} {{ numbers }}', '[3,2,1] [3,2,1]'),
    'slice': ("{{ 'abcdef' | slice(1, 3) }} {{ numbers | slice(1, 2) }} {{ 'abc' | slice(1) }}", 'bc [2] bc'),
    'slice past the end': ("{{ 'abc' | slice(1, 9) }}", FAILS),
    'split': ("{{ 'a,b,,' | split(',') }} {{ 'a1b22c' | split('[0-9]+') }}", '["a","b"] ["a","b","c"]'),
    'split without a delimiter': ("{{ 'a b' | split }}", FAILS),
    'merge': ("{{ pair | merge({'c': 3}) }} {{ [1] | merge([2]) }}", '{"a":1,"b":"two","c":3} [1,2]'),
    'replace': ("{{ 'a-b' | replace({'-': '+', 'a': 'z'}) }}", 'z+b'),
    'replace by patterns': ("{{ 'a1b2' | replace({'[0-9]': '<$0>'}, regexp=true) }}", 'a<1>b<2>'),
    'replace in lists and maps': ("{{ ['ab', 'b'] | replace({'b': 'c'}) }} {{ {'k': 'b'} | replace({'b': 'c'}) }}", '["ac","c"] {"k":"c"}'),
    'replace wants a map': ("{{ word | replace('a', 'z') }}", FAILS),
    'nl2br': ("{{ 'a\nb' | nl2br }}", 'a<br />b'),
    'urlencode': ("{{ 'a b/c&d' | urlencode }} {{ 'a+b%2Fc' | urldecode }}", 'a+b%2Fc%26d a b/c'),
    'base64': ("{{ 'grüß' | base64encode }} {{ 'Z3LDvMOf' | base64decode }}", 'Z3LDvMOf grüß'),
    'base64 of what is none': ("{{ '!!' | base64decode }}", FAILS),
    'hashes': ("{{ 'a' | md5 }} {{ 'a' | sha1 }} {{ 'a' | sha256 | slice(0, 8) }} {{ 'a' | sha512 | slice(0, 8) }}", '0cc175b9c0f1b6a831c399e269772661 86f7e437faa5a7fce15d1ddcb9eaeaea377667b8 ca978112 1f40fc92'),
    'hashes want texts': ('{{ 5 | sha256 }}', FAILS),
    'abs': ('{{ -5 | abs }} {{ -1.5 | abs }}', '5 1.5'),
    'abs of a text': ('{{ word | abs }}', FAILS),
    'numberFormat': ('{{ 1234.5 | numberFormat("#,##0.00") }} {{ 0.5 | numberFormat(\'#.##\') }} {{ 0.125 | numberFormat(\'0.00\') }}', '1,234.50 0.5 0.12'),
    'number formats with an exponent': ("{{ 12345 | numberFormat('##0.##E0') }} {{ 0.00012 | numberFormat('0.0E00') }}", '12.345E3 1.2E-04'),
    'percent and affixes': ('{{ 0.256 | numberFormat(\'0.0%\') }} {{ -5 | numberFormat(\'0;(0)\') }} {{ 7 | numberFormat("0\' kg\'") }}', '25.6% (5) 7 kg'),
    'not numberformat': ("{{ 5 | numberformat('0') }}", FAILS),
    'number': ("{{ '12' | number | className }} {{ '12.3' | number | className }} {{ '3000000000' | number | className }}", 'java.lang.Integer java.lang.Float java.lang.Long'),
    'number of a type': ("{{ '1.5' | number('DOUBLE') | className }} {{ '7' | number('LONG') | className }} {{ '0x1F' | number('INT') }}", 'java.lang.Double java.lang.Long 31'),
    'a number too large for its type': ("{{ '3000000000' | number('INT') }}", FAILS),
    'number of what is none': ('{{ word | number }}', FAILS),
    'className': ('{{ 1 | className }} {{ word | className }} {{ numbers | className }} {{ 1.5 | className }} {{ yes | className }}', 'java.lang.Long java.lang.String java.util.ArrayList java.lang.Double java.lang.Boolean'),
    'chunk': ('{{ [1,2,3,4,5] | chunk(2) }}', '[[1,2],[3,4],[5]]'),
    'flatten': ('{{ [[1],[2,[3]],4] | flatten }}', '[1,2,[3],4]'),
    'keys and values': ("{{ pair | keys }} {{ pair | values }} {{ ['x','y'] | keys }}", '["a","b"] [1,"two"] [0,1]'),
    'distinct': ("{{ ['1','1','2'] | distinct }}", '["1","2"]'),
    'json': ("{{ pair | toJson }} {{ pair | json }} {{ word | toJson }} {{ null | toJson }} {{ {'k': null} | toJson }}", '{"a":1,"b":"two"} {"a":1,"b":"two"} "bird" null {}'),
    'not tojson': ('{{ pair | tojson }}', FAILS),
    'yaml': ("{{ {'a': [1, {'b': 'x: y'}], 'c': 'no'} | yaml }}", 'a:\n - 1\n -\n  b: "x: y"\nc: "no"\n'),
    'yaml of texts': ("{{ 'plain' | yaml }}{{ '' | yaml }}{{ '- x' | yaml }}{{ 'two\nlines' | yaml }}", 'plain\n--- ""\n\'- x\'\n|-\n  two\n  lines\n'),
    'Ion': ('{{ {\'a\': 1} | toIon }} {{ 1.5 | toIon }} {{ "it\'s" | toIon }} {{ {\'a b\': true} | toIon }}', '{a:1} 1.5e0 "it\'s" {\'a b\':true}'),
    'jq gives a list': ('{{ pair | jq(\'.a\') }} {{ \'{"x":[1,2]}\' | jq(\'.x[]\') }} {{ numbers | jq(\'map(. + 1)\') | first }}', '[1] [1,2] [2,3,4]'),
    'jq of no JSON': ("{{ 'nope' | jq('.') }}", FAILS),
    'a wrong jq': ("{{ pair | jq('.[') }}", FAILS),
    'indent': ("{{ 'a\nb' | indent(2) }} {{ 'a\nb' | indent(1, '>') }}", 'a\n  b a\n>b'),
    'nindent': ("{{ 'a\nb' | nindent(2) }}", '\n  a\n  b'),
    'indent of less than nothing': ('{{ word | indent(-1) }}', FAILS),
    'escapeChar': ('{{ "it\'s" | escapeChar(\'single\') }} {{ \'a"b\' | escapeChar(\'double\') }} {{ "it\'s" | escapeChar(\'shell\') }}', 'it\\\'s a\\"b it\'\\\'\'s'),
    'escapeChar of no kind': ("{{ word | escapeChar('x') }}", FAILS),
    'slugify': ("{{ 'Ünï  Cödé_x!' | slugify }}", 'uni-code-x'),
    'startsWith, endsWith': ("{{ word | startsWith('bi') }} {{ word | endsWith('x') }}", 'true false'),
    'parts of a text': ("{{ 'a.b.c' | substringBefore('.') }} {{ 'a.b.c' | substringBeforeLast('.') }} {{ 'a.b.c' | substringAfter('.') }} {{ 'a.b.c' | substringAfterLast('.') }}", 'a a.b b.c c'),
    'parts that are not there': ("{{ 'abc' | substringBefore('.') }}|{{ 'abc' | substringAfter('.') }}|{{ 'abc' | substringAfterLast('.') }}|{{ 'abc' | substringBeforeLast('.') }}", 'abc|||abc'),
    'string': ('{{ 123 | string | className }}', 'java.lang.String'),
    'null stays null': ("[{{ nothing | upper }}{{ nothing | trim }}{{ nothing | replace({'a':'b'}) }}{{ nothing | date }}{{ nothing | chunk(2) }}]", '[]'),
    'newer: regexMatch': ("{{ 'order-12' | regexMatch('\\d+') }} {{ 'order' | regexMatch('\\d+') }} {{ nothing | regexMatch('x') }}", 'true false false'),
    'newer: regexReplace': ("{{ 'a1b2' | regexReplace('(\\d)', '[$1]') }}", 'a[1]b[2]'),
    'newer: regexExtract': ("{{ 'order-12' | regexExtract('order-(\\d+)', 1) }}[{{ 'x' | regexExtract('\\d') }}]", '12[]'),
    'newer: condenseString': ("{{ '  a   b\nc ' | condenseString }}", 'a b c'),
    'newer: format': ("{{ '%s has %d of %.1f%%' | format('x', 3, 2.25) }}", 'x has 3 of 2.3%'),
    'newer: other spellings': ("{{ 'a b' | urlEncode }} {{ 'a+b' | urlDecode }} {{ 'a' | base64Encode }} {{ 'YQ==' | base64Decode }}", 'a+b a b YQ== a'),
    'newer: uniq': ("{{ ['a','a'] | uniq }}", '["a"]'),
}  # fmt: skip

TABLES: dict[str, Rows] = {"calls": CALLS, "filters": FILTERS}
ROWS = [pytest.param(*row, id=f"{table}: {name}") for table, rows in TABLES.items() for name, row in rows.items()]


@pytest.mark.parametrize(("template", "expected"), ROWS)
def test_a_row_of_the_table(template: str, expected: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")

    check(template, expected)

import sys
import threading

import pytest
from jinja2 import TemplateError

from app.serving.template_sandbox import LONGEST_TEMPLATE, Sandbox, TemplateLimitError, TemplateRefusalError

MESSAGES = [{"role": "user", "content": "hello"}]


def render(source, **variables):
    return Sandbox().compile(source)({"messages": MESSAGES, **variables})


def repeated(first, step, last=""):
    """A template that does the same thing to `ns.s` sixty times: what doubles has grown 2**60-fold."""
    begin, loop, end = f"{{% set ns = namespace(s={first}) %}}", "{% for i in range(60) %}", "{% endfor %}"
    return begin + loop + step + end + last


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{% for m in messages %}{{ m['role'] + ': ' + m.content | trim }}{% endfor %}", "user: hello"),
        ("{{ messages[0].content.replace('l', 'L') ~ '!' }}", "heLLo!"),
        ("{{ ['a', 'b'] | join(', ') }}{{ '-'.join(['c', 'd']) }}", "a, bc-d"),
        ("{{ {'name': 'é'} | tojson }}", '{"name": "é"}'),
        ("{% set s = namespace(n=1) %}{% for i in [2] %}{% set s.n = s.n + i %}{% endfor %}{{ s.n }}", "3"),
        ("{% for i in range(9) %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% endfor %}", "01"),
        ("{% generation %}kept{% endgeneration %}", "kept"),
        ("{{ 7 * 6 }}{{ 2 + 3 }}{{ 7 % 4 }}", "4253"),
        ("{{ 'ab' * 2 }}", "abab"),
        ("{{ 'x\ny' | indent(2) }}", "x\n  y"),
        ("{{ messages | selectattr('role', 'equalto', 'user') | list | length }}", "1"),
        ("{%- macro twice(t) -%}{{ t }}{{ t }}{%- endmacro -%}{{ twice('q') }}", "qq"),
    ],
)  # fmt: skip
def test_what_real_chat_templates_use_works(source, expected):
    assert render(source) == expected


def test_the_date_is_there_for_templates_that_tell_it():
    assert render("{{ strftime_now('%Y') }}").isdecimal()


def test_a_template_can_refuse():
    with pytest.raises(TemplateRefusalError, match="no system"):
        render("{{ raise_exception('no system messages') }}")


@pytest.mark.parametrize(
    "source",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}",
        "{{ range(10 ** 9) | list }}",
        "{{ 'a' * 10000000000 }}",
        "{{ 10000000000 * 'a' }}",
        "{{ ['a'] * 10000000000 }}",
        "{{ 9 ** 9 ** 9 ** 9 }}",
        repeated("'ab'", "{% set ns.s = ns.s + ns.s %}"),
        repeated("'ab'", "{% set ns.s = ns.s ~ ns.s %}"),
        repeated("'ab'", "{% set ns.s %}{{ ns.s }}{{ ns.s }}{% endset %}"),
        repeated("'ab'", "{% set ns.s = ns.s.replace('a', ns.s) %}"),
        repeated("'ab'", "{% set ns.s = ns.s | replace('a', ns.s) %}"),
        repeated("'ab'", "{% set ns.s = [ns.s, ns.s] | join %}"),
        repeated("'ab'", "{% set ns.s = ns.s.join([ns.s, ns.s]) %}"),
        repeated("1", "{% set ns.s = [ns.s, ns.s] %}", "{{ ns.s }}"),
        repeated("1", "{% set ns.s = [ns.s, ns.s] %}", "{{ ns.s | tojson }}"),
        repeated("9", "{% set ns.s = ns.s * ns.s %}", "{{ ns.s }}"),
        "{{ '%1000000000d' % 1 }}",
        "{{ '{:1000000000}'.format(1) }}",
        "{{ 'a'.ljust(10000000000) }}",
        "{{ 'a' | center(10000000000) }}",
        "{{ (1).to_bytes(10000000000, 'big') }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ messages.__class__.__base__.__subclasses__() }}",
        "{{ messages.append(1) }}",
        "{{ cycler.__init__.__globals__ }}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}{{ os }}",
        "{{ 1 / 0 }}",
        "{{ nothing.at.all }}",
        "{% for m in messages %}",
        "{{ " + "(" * 5_000,
        "{{ " + "-" * 50_000 + "1 }}",
        "{{ x" + "[0]" * 5_000 + " }}",
        "{% if a %}" * 500,
        "x" * (LONGEST_TEMPLATE + 1),
    ],
    ids=lambda source: source[:90],
)  # fmt: skip
def test_a_hostile_or_broken_template_fails_soon_and_alone(source):
    with pytest.raises(TemplateError):
        render(source)


def test_an_endless_rendering_is_stopped_by_processor_time_and_tracing_ends_with_it():
    with pytest.raises(TemplateLimitError, match="longer than"):
        render("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}")

    assert sys.gettrace() is None


def test_threads_render_at_the_same_time_with_a_meter_each():
    template = Sandbox().compile("{% for i in range(200) %}{{ word }}{% endfor %}")
    found = {}

    def work(word):
        found[word] = {template({"word": word}) for _ in range(20)}

    threads = [threading.Thread(target=work, args=(word,)) for word in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == {word: {word * 200} for word in "abcd"}

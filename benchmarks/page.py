"""What a run writes into the page *Performance*: an answer and a chart for each question."""

from collections.abc import Callable, Iterable, Iterator

from benchmarks.cells import Spec
from benchmarks.chart import Chart, Row
from benchmarks.contenders import (
    BEAKER,
    FILE,
    FIND,
    FLASK,
    FLASK_INDEXED,
    MEMORY,
    MONGO_SESSION,
    REDIS,
    TYPE,
)
from benchmarks.figures import Figures, is_ours, title_of
from benchmarks.plan import LARGE, LARGE_SESSIONS, MILLION, SMALL, THOUSAND
from benchmarks.tables import medians_table
from benchmarks.workloads import CHANGE, LOGIN, NEW, READ, WORKLOADS

_ALTERNATIVES = (MONGO_SESSION, TYPE, REDIS, FILE, FLASK_INDEXED, FLASK, BEAKER)
_IN_A_DATABASE = (MONGO_SESSION, TYPE, REDIS, BEAKER)
_WITH_THREADS = (MONGO_SESSION, TYPE, REDIS, FILE, BEAKER)
_THREADS = 8
_READ, _CHANGE = Spec("", READ), Spec("", CHANGE)
_FAR = Spec("", READ, round_trip_ms=1.0)

Value = Callable[[Spec], float | None]


def charts(figures: Figures) -> list[Chart]:
    """Return the charts of the page.

    :param figures: the figures of a run.
    """
    reads, changes = (Spec("", each, threads=_THREADS) for each in (READ, CHANGE))
    stored = [
        Row(
            _plain(each["title"]),
            (each["data_mb"], each["index_mb"]),
            each["title"].startswith("**"),
        )
        for each in figures.raw["stored"]
    ]
    return [
        Chart(
            "performance-speed",
            "Median milliseconds of a request, session of 2 kB",
            ("reads the session", "changes one value"),
            _rows(_ALTERNATIVES, figures.ms, (_READ, _CHANGE)),
            ".2f",
        ),
        Chart(
            "performance-distance",
            "Median milliseconds of a request that reads, 2 kB",
            ("database on the same machine", "1 ms away"),
            _rows(_IN_A_DATABASE, figures.ms, (_READ, _FAR)),
            ".2f",
        ),
        Chart(
            "performance-throughput",
            f"Requests a second of one process with {_THREADS} threads",
            ("read the session", "change one value"),
            _rows(_WITH_THREADS, figures.rate, (reads, changes)),
            ",.0f",
        ),
        Chart(
            "performance-size",
            "Megabytes of a million sessions of 200 B",
            ("data", "indexes"),
            stored,
            ",.0f",
        ),
    ]


def page(figures: Figures) -> str:
    """Return the text of the page, in Markdown.

    :param figures: the figures of a run.
    """
    parts = [
        *_part("How fast is it, beside what I have?", "speed", _speed(figures)),
        *_part("How far away may the database be?", "distance", _distance(figures)),
        *_part("How many requests a second?", "throughput", _throughput(figures)),
        *_part("How large are the sessions?", "size", _size(figures)),
        "## All medians\n",
        *_medians(figures),
        "## Conditions of the run\n",
        _conditions(figures),
    ]
    return "\n".join(parts)


def _part(title: str, chart: str, sentences: Iterable[str]) -> Iterator[str]:
    yield f"## {title}\n"
    yield f"{' '.join(sentences)}\n"
    yield f"![The figures of this answer as bars](images/performance-{chart}.svg)\n"


def _speed(figures: Figures) -> Iterator[str]:
    read, change = (figures.ms(each.of(MONGO_SESSION)) for each in (_READ, _CHANGE))
    if read and change:
        yield (
            f"A request that reads a session of 2 kB takes {read:.2f} ms with MongoSession, and "
            f"one that changes a value takes {change:.2f} ms. This includes the application, the "
            "middleware and the database; all run on one machine."
        )
    yield from _compare(figures, _READ, (BEAKER, FLASK, FLASK_INDEXED, FILE, REDIS))
    floor = figures.ms(_READ.of(FIND))
    if floor:
        yield f"PyMongo alone needs {floor:.2f} ms to find a document of this size."
    memory = figures.ms(_READ.of(MEMORY))
    if memory:
        yield (
            f"Beaker's `memory` takes {memory:.2f} ms, but only one process can use it, and a "
            "restart ends its sessions."
        )


def _distance(figures: Figures) -> Iterator[str]:
    near_ms, far_ms = (figures.ms(each.of(MONGO_SESSION)) for each in (_READ, _FAR))
    yield (
        "A read costs one round trip to the database, and a change two. Each millisecond of "
        "distance therefore adds one millisecond to a read, and two to a change."
    )
    if near_ms and far_ms:
        yield (
            f"Measured with a database that is one millisecond away: {far_ms:.2f} ms instead of "
            f"{near_ms:.2f} ms."
        )
    yield (
        "Beaker's `ext:redis` needs two round trips for each request, and its `ext:mongodb` four, "
        "also if nothing changed."
    )
    yield from _compare(figures, _FAR, (BEAKER, REDIS))


def _throughput(figures: Figures) -> Iterator[str]:
    reads, changes = (Spec("", each, threads=_THREADS) for each in (READ, CHANGE))
    read, change = (figures.rate(each.of(MONGO_SESSION)) for each in (reads, changes))
    cores = figures.raw["machine"]["cores"]
    if read and change:
        yield (
            f"One process with {_THREADS} threads answered {read:,.0f} reading or {change:,.0f} "
            f"changing requests a second, on {cores} cores that it shared with the database."
        )
    yield (
        "Python runs one thread of a process at a time, so more threads hardly raise this number. "
        "More processes do."
    )


def _size(figures: Figures) -> Iterator[str]:
    for each in figures.raw["stored"][:1]:
        yield (
            f"A million sessions of 200 B take {each['data_mb']:,.0f} MB of data and "
            f"{each['index_mb']:,.0f} MB of indexes {each['where']}."
        )
    if not figures.raw["stored"]:
        yield "This was not measured in this run."
    among = [figures.ms(Spec(MONGO_SESSION, READ, SMALL, each)) for each in (THOUSAND, MILLION)]
    if among[0] and among[1]:
        yield (
            f"A read takes {among[1]:.2f} ms among a million sessions, and {among[0]:.2f} ms among "
            "a thousand."
        )
    yield "A process keeps nothing in memory about its visitors."


def _compare(figures: Figures, spec: Spec, names: Iterable[str]) -> Iterator[str]:
    """Yield a sentence with the ratios of other contenders to MongoSession."""
    ours = figures.ms(spec.of(MONGO_SESSION))
    ratios = [
        (_marked(name), f"{theirs / ours:.1f}")
        for name in names
        if ours and (theirs := figures.ms(spec.of(name)))
    ]
    if ratios:
        (name, ratio), *others = ratios
        rest = "".join(f", {each} ({name})" for name, each in others)
        yield f"For the same read, other stores take {ratio} times as long ({name}){rest}."


def _medians(figures: Figures) -> Iterator[str]:
    middle = {WORKLOADS[each].title: Spec("", each) for each in (READ, CHANGE, LOGIN, NEW)}
    others = {
        f"{WORKLOADS[each].title}, {size:,} B": Spec("", each, size, sessions)
        for size, sessions in ((SMALL, THOUSAND), (LARGE, LARGE_SESSIONS))
        for each in (READ, CHANGE)
    }
    for title, columns in (("sessions of 2 kB", middle), ("other sizes", others)):
        measured = {spec.of("") for spec in figures.cells}
        found = {name: spec for name, spec in columns.items() if spec in measured}
        if found:
            yield f"In microseconds, {title}:\n"
            yield medians_table(found, figures.cells)


def _conditions(figures: Figures) -> str:
    raw = figures.raw
    where = raw["machine"]
    named = ", ".join(f"{name} {each}" for name, each in raw["versions"].items())
    lines = [
        f"{where['cores']} cores ({where['processor']}), {where['system']}.",
        f"Load {where['load']:.1f} before, {raw['load_after']:.1f} after {raw['seconds']:.0f} s.",
        f"Versions: {named}.",
    ]
    lines += [f"Missing: {title}, because {reason}." for title, reason in raw["missing"].items()]
    for each in raw["distances"]:
        figure = f"{each['median_ms']:.2f} ms (median; 95 %: {each['p95_ms']:.2f} ms)"
        lines.append(f"1 ms of round trip to {each['server']} was {figure} more than on loopback.")
    return "\n".join(f"- {line}" for line in lines) + "\n"


def _rows(names: Iterable[str], value: Value, specs: Iterable[Spec]) -> list[Row]:
    wanted = tuple(specs)
    rows = [
        Row(title_of(name), [value(spec.of(name)) for spec in wanted], is_ours(name))
        for name in names
    ]
    return [row for row in rows if any(each is not None for each in row.values)]


def _marked(name: str) -> str:
    if name in (FLASK, FLASK_INDEXED):
        return "Flask-Session" if name == FLASK else "Flask-Session with an index"
    return f"Beaker's `{name}`"


def _plain(title: str) -> str:
    return title.replace("*", "").replace("`", "")

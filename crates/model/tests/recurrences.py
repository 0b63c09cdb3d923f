"""When recurrence rules are due around changes of the clocks, by python-dateutil and the zones of Python: an independent implementation.

Reads names of zones, and prints a line for each rule at each change: zone, beginning, rule, an instant before the change,
and the next four times after that instant and before 2025. The rules are drawn at random, the same ones each time.

    printf 'Europe/Berlin\\nAmerica/New_York\\nAustralia/Lord_Howe\\nAfrica/Casablanca\\nAsia/Tehran\\nUTC\\n' |
        python3 -B recurrences.py > recurrences.tsv
"""

import datetime as dt
import random
import sys
import zoneinfo

from dateutil.rrule import rrulestr

UTC = dt.timezone.utc
FIRST, LAST = dt.datetime(2012, 1, 1, tzinfo=UTC), dt.datetime(2024, 1, 1, tzinfo=UTC)
# What clocks will show later is decided anew each year, and not each machine has heard of it.
KNOWN_UNTIL = dt.datetime(2025, 1, 1, tzinfo=UTC)
DAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]


def changes(zone):
    """The instants at which the offset changes, to the second."""
    step, at = dt.timedelta(days=5), FIRST
    offset = lambda when: when.astimezone(zone).utcoffset()
    while at < LAST:
        before, after = at, at + step
        if offset(before) != offset(after):
            while after - before > dt.timedelta(seconds=1):
                middle = (before + (after - before) / 2).replace(microsecond=0)
                before, after = (middle, after) if offset(middle) == offset(at) else (before, middle)
            yield after
        at += step


def some(draw, choices, most):
    return ",".join(str(one) for one in sorted(draw.sample(choices, draw.randint(1, most)), key=str))


def rule(draw, year):
    freq = draw.choice(["DAILY", "WEEKLY", "WEEKLY", "MONTHLY", "MONTHLY", "YEARLY"])
    parts = [f"FREQ={freq}"]
    if draw.random() < 0.5:
        parts.append(f"INTERVAL={draw.randint(2, 5)}")
    if draw.random() < 0.3:
        parts.append(f"BYMONTH={some(draw, [3, 4, 9, 10, 11], 4)}")
    if freq == "WEEKLY" and draw.random() < 0.8:
        parts.append(f"BYDAY={some(draw, DAYS, 3)}")
        if draw.random() < 0.3:
            parts.append("WKST=SU")
    if freq == "MONTHLY":
        choice = draw.random()
        if choice < 0.4:
            parts.append(f"BYDAY={some(draw, [f'{n}{day}' for n in (1, 2, -1) for day in DAYS], 2)}")
        elif choice < 0.6:
            parts.append(f"BYMONTHDAY={some(draw, [1, 15, 28, 31, -1, -2], 3)}")
        elif choice < 0.8:
            parts.append(f"BYDAY={some(draw, DAYS, 5)};BYSETPOS={draw.choice([1, 2, -1])}")
    if freq == "YEARLY" and draw.random() < 0.5:
        parts.append(draw.choice(["BYYEARDAY=87,300", "BYWEEKNO=12,43;BYDAY=SU", "BYMONTH=3,10;BYDAY=-1SU"]))
        parts = [part for at, part in enumerate(parts) if not (part.startswith("BYMONTH=") and at + 1 < len(parts))]
    if draw.random() < 0.3:
        parts.append(f"BYHOUR={some(draw, [0, 1, 2, 3, 23], 3)};BYMINUTE={some(draw, [0, 30], 2)}")
    if draw.random() < 0.15:
        parts.append(f"COUNT={draw.randint(20, 900)}")
    elif draw.random() < 0.2:
        parts.append(f"UNTIL={year + draw.randint(1, 12)}0615T120000")
    return ";".join(parts)


def main():
    for name in sorted(zoneinfo.available_timezones() & set(sys.stdin.read().split())):
        zone, draw = zoneinfo.ZoneInfo(name), random.Random(name)
        for change in list(changes(zone)) or [dt.datetime(2020, 2, 28, tzinfo=UTC)]:
            begin = dt.datetime(draw.randint(2009, change.year), draw.randint(1, 12), draw.randint(1, 28))
            begin = begin.replace(hour=draw.choice([0, 1, 2, 2, 2, 3, 22]), minute=draw.choice([0, 0, 15, 30, 30]))
            text = rule(draw, begin.year)
            start = (change - dt.timedelta(hours=draw.randint(1, 60))).replace(second=0)
            near = start.astimezone(zone).replace(tzinfo=None) - dt.timedelta(hours=26)
            times = set()
            # A change may put times in another order: some more than are wanted, then the first of them.
            for number, wall in enumerate(rrulestr(text, dtstart=begin).xafter(near, count=200)):
                at = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
                times.add(int(at.timestamp()))
                if len([one for one in times if one > start.timestamp()]) > 12:
                    break
            times = sorted(one for one in times if start.timestamp() < one < KNOWN_UNTIL.timestamp())[:4]
            print(name, begin.strftime("%Y-%m-%dT%H:%M"), text, int(start.timestamp()), *times, sep="\t")


main()

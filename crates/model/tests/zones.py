"""When a daily time is due around each change of the clocks, by the zones of Python: an independent implementation.

Prints a line for each change: zone, hour and minute, an instant before it, and the next four times after that instant.
In the hour that does not exist, what is due is due right after it; in the hour that comes twice, the first time.
"""

import datetime as dt
import sys
import zoneinfo

UTC = dt.timezone.utc
TIMES = [(0, 0), (0, 30), (1, 30), (2, 0), (2, 30), (3, 0)]
FIRST, LAST = dt.datetime(2012, 1, 1, tzinfo=UTC), dt.datetime(2024, 1, 1, tzinfo=UTC)


def offset(zone, at):
    return at.astimezone(zone).utcoffset()


def changes(zone):
    """The instants at which the offset changes, to the second."""
    step, at = dt.timedelta(days=5), FIRST
    while at < LAST:
        before, after = at, at + step
        if offset(zone, before) != offset(zone, after):
            while after - before > dt.timedelta(seconds=1):
                middle = before + (after - before) / 2
                middle = middle.replace(microsecond=0)
                before, after = (middle, after) if offset(zone, middle) == offset(zone, at) else (before, middle)
            yield after
        at += step


def due(zone, day, hour, minute):
    """The instant at which this time of this day is due."""
    wall = dt.datetime(day.year, day.month, day.day, hour, minute)
    first = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if first.astimezone(zone).replace(tzinfo=None) == wall:
        return first
    # It does not exist: the first instant whose wall clock shows something later.
    low, high = first - dt.timedelta(hours=26), first + dt.timedelta(hours=26)
    while high - low > dt.timedelta(seconds=1):
        middle = (low + (high - low) / 2).replace(microsecond=0)
        shows = middle.astimezone(zone).replace(tzinfo=None)
        low, high = (low, middle) if wall < shows else (middle, high)
    return high


def main():
    for name in sorted(zoneinfo.available_timezones() & set(sys.stdin.read().split())):
        zone = zoneinfo.ZoneInfo(name)
        for change in changes(zone):
            start = (change - dt.timedelta(hours=40)).replace(second=0)
            first = start.astimezone(zone).date() - dt.timedelta(days=1)
            for hour, minute in TIMES:
                days = [first + dt.timedelta(days=number) for number in range(8)]
                times = sorted({due(zone, day, hour, minute) for day in days})
                times = [int(at.timestamp()) for at in times if start < at][:4]
                print(name, f"{minute} {hour} * * *", int(start.timestamp()), *times, sep="\t")


main()

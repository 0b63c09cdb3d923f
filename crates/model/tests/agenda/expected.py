"""When the events of team.ics are, by the Python packages icalendar and recurring-ical-events: an independent implementation.

    python3 -B expected.py > expected.tsv        (with recurring-ical-events 3.8)
"""

import datetime as dt
import pathlib
import zoneinfo

import icalendar
import recurring_ical_events

UTC, BERLIN = dt.timezone.utc, zoneinfo.ZoneInfo("Europe/Berlin")
FROM, UNTIL = dt.datetime(2026, 3, 1, tzinfo=UTC), dt.datetime(2026, 12, 1, tzinfo=UTC)


def instant(value):
    if not isinstance(value, dt.datetime):
        value = dt.datetime(value.year, value.month, value.day)
    return int((value if value.tzinfo else value.replace(tzinfo=BERLIN)).timestamp())


calendar = icalendar.Calendar.from_ical((pathlib.Path(__file__).parent / "team.ics").read_bytes())
rows = set()
for event in recurring_ical_events.of(calendar).between(FROM, UNTIL):
    if event.get("STATUS") == "CANCELLED":
        continue
    start, end = instant(event["DTSTART"].dt), instant(event["DTEND"].dt)
    if FROM.timestamp() < end and start < UNTIL.timestamp():
        rows.add((start, end, str(event["SUMMARY"])))
for row in sorted(rows):
    print(*row, sep="\t")

"""Makes peers.json: what other implementations say of a few series.

    python3 -m venv venv && venv/bin/pip install scipy pymannkendall pyhomogeneity pandas statsmodels
    venv/bin/python make_peers.py > peers.json

Slopes are those of scipy.stats.theilslopes, trends those of pymannkendall, changes of level those of pyhomogeneity,
what is usual that of pandas and statsmodels.robust.
"""

import json

import numpy as np
import pandas as pd
import pyhomogeneity
import pymannkendall
from scipy import stats
from statsmodels.robust import mad

DAY = 86_400
START = 1_767_571_200  # 2026-01-05, a Monday
rng = np.random.default_rng(4)


def series():
    """Name, times in seconds, values."""
    days = START + DAY * np.arange(60)
    noise = rng.normal(0, 3, 60)
    yield "line", days, 0.5 * np.arange(60) + noise
    yield "chance", days, noise
    yield "step", days, np.where(np.arange(60) < 35, 10, 18) + noise
    yield "ties", days, np.round(np.arange(60) / 6 + noise / 3)
    yield "same but for one", days, np.where(np.arange(60) == 30, 7.0, 2.0)
    gaps = np.sort(rng.choice(days, 25, replace=False))
    yield "gaps", gaps, -0.2 * (gaps - START) / DAY + rng.normal(0, 1, 25)
    spiky = 0.3 * np.arange(40) + rng.normal(0, 1, 40)
    spiky[::7] += 1000
    yield "spikes", days[:40], spiky
    yield "ten", days[:10], np.array([3, 1, 4, 1, 5, 9, 2, 6, 5, 3.0])
    yield "even", days[:12], np.arange(12.0)
    hours = START + 3600 * np.arange(24 * 14 + 60)
    yield "hours", hours, 20 + 10 * np.sin(np.arange(len(hours)) * np.pi / 12) + rng.normal(0, 2, len(hours))


def slope(at, values):
    x = (at - at[0]) / DAY
    found = stats.theilslopes(values, x, alpha=0.95)
    return {"per_day": found.slope, "low": found.low_slope, "high": found.high_slope, "intercept": found.intercept}


def monotone(values):
    found = pymannkendall.original_test(values)
    return {"score": found.s, "tau": found.Tau, "z": found.z, "p": found.p}


def shift(at, values):
    found = pyhomogeneity.pettitt_test(values, sim=None)
    # It numbers points from 1: `cp` is the first point of the new level, counted from 0.
    return {"statistic": found.U, "p": min(found.p, 1), "at": int(at[found.cp]) if found.cp < len(at) else None}


def usual(at, values, slots):
    when = pd.to_datetime(at, unit="s", utc=True)
    slot = when.day_of_week if slots == 7 else when.day_of_week * 24 + when.hour
    groups = pd.Series(values).groupby(np.asarray(slot))
    return {int(key): [float(group.median()), float(mad(group)), len(group)] for key, group in groups if len(group) >= 3}


def main():
    peers = []
    for name, at, values in series():
        at, values = np.asarray(at), np.asarray(values, dtype=float).round(6)
        peer = {"name": name, "at": at.tolist(), "values": values.tolist(), "slope": slope(at, values)}
        peer |= {"monotone": monotone(values), "shift": shift(at, values)}
        peer |= {"day_of_week": usual(at, values, 7), "hour_of_week": usual(at, values, 168)}
        peers.append(peer)
    print(json.dumps(peers, separators=(",", ":")).replace('{"name"', '\n{"name"'))


main()

"""Run the topics named on the command line, or all of them, and leave tables and figures in `data/results/benchmarks`."""

import argparse
import importlib
import time

import matplotlib as mpl

from benchmarks import TOPICS, report


def main():
    """Measure, print and save."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("topics", nargs="*", metavar="TOPIC", help=f"one or more of {', '.join(TOPICS)} (default: all)")
    topics = parser.parse_args().topics or TOPICS
    unknown = [topic for topic in topics if topic not in TOPICS]
    if unknown:
        parser.error(f"TOPIC is {unknown[0]!r}, expected one of {', '.join(TOPICS)}.")
    mpl.use("Agg")
    for topic in topics:
        start = time.perf_counter()
        table, figure = importlib.import_module(f"benchmarks.{topic}").run()
        report.save(topic, table, figure)
        print(f"{topic} ({time.perf_counter() - start:.0f} s)\n{table.map(report.written).to_string(index=False)}\n", flush=True)


if __name__ == "__main__":
    main()

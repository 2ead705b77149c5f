#!/usr/bin/env python3
"""A program that works on servers which on.py started: random histories told to both engines
(engines.c), failures one by one (failures.c)."""

import argparse
import os
import subprocess
import sys

import servers


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", help="as all tests have it; not used")
    parser.add_argument("--program", required=True)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--rounds", default="4")
    options = parser.parse_args()
    database = f"engines_{os.getpid()}"
    done = subprocess.run([options.program, os.environ["TALLY_TEST_HOSTS"], servers.NAME, database,
                           options.seed, options.rounds], check=False, stdin=subprocess.DEVNULL)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())

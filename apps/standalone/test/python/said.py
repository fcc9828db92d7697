"""How programs tell the test what they see: a line `name: <JSON>` each."""
import json
import os
import random
import sys
import time


def say(name, value=True):
    print(f'{name}: {json.dumps(value)}', flush=True)


def make_checks_of_firmware(succeed_at_first):
    """The SDK fails one check in three on purpose, by chance: these chances are ours to choose."""
    random.seed(76 if succeed_at_first else 157)


def told(name):
    return os.environ[name]


def wait_until(condition, what):
    deadline = time.monotonic() + 20
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f'waited in vain until {what}')
        time.sleep(0.02)


def go_on():
    """Until the test ends the program."""
    while True:
        time.sleep(1)

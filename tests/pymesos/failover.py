"""A framework on pymesos whose master changes while its tasks run.

usage: failover.py MASTER TASKS      (MASTER as zk://...)

Prints `running` when so many tasks run. When another master has taken the framework back it asks about them, runs as many
short ones, and prints one line of JSON: the states of both kinds, and how often it was registered anew.

A master says nothing of a task that may be on an agent which has not reregistered yet; so it is in Mesos, too (`reconcile` in
master.cpp: unknown task, recovered agent). Whoever reconciles asks again about those for which there was no answer.
"""

import collections
import logging
import sys
import threading

from scheduler import Tasks, run


class Failover(Tasks):
    """The first tasks run for ever; as many short ones are launched under the second master."""

    def __init__(self, count):
        super().__init__(count)
        self.long = count
        self.states = {}
        self.reregistrations = 0

    def command(self, number):
        return {'command': {'value': 'exec sleep 1000' if number < self.long else 'exit 0', 'shell': True}}

    def reregistered(self, driver, master_info):
        self.reregistrations += 1
        if self.reregistrations == 1:
            # What is told from now on is known by this master.
            self.states.clear()
            self.count = 2 * self.long
            driver.reviveOffers()
            threading.Thread(target=self.reconcile, args=(driver,), daemon=True).start()

    def reconcile(self, driver):
        """Asks each second about the long tasks of which this master has said nothing."""
        while True:
            names = ['task-%d' % number for number in range(self.long)]
            silent = [{'task_id': {'value': name}} for name in names if name not in self.states]
            if not silent:
                return
            try:
                driver.reconcileTasks(silent)
            except (OSError, RuntimeError):
                # The connection is being made anew, or the master refuses: that is told, and it is asked again.
                logging.exception('cannot reconcile')
            if self.done.wait(1):
                return

    def statusUpdate(self, driver, update):
        self.states[update['task_id']['value']] = update['state']
        counts = collections.Counter(self.states.values())
        if not self.reregistrations and counts['TASK_RUNNING'] == self.long:
            print('running', flush=True)
        if counts['TASK_RUNNING'] == self.long and counts['TASK_FINISHED'] == self.long:
            self.done.set()

    def report(self):
        return {
            'states': collections.Counter(self.states.values()),
            'reregistrations': self.reregistrations,
            'error': self.failed,
        }


if __name__ == '__main__':
    run(Failover(int(sys.argv[2])), sys.argv[1], 'pymesos failover', seconds=90, failover_timeout=3600)

"""A framework on pymesos that runs command tasks, all to their end.

usage: scheduler.py MASTER TASKS      (MASTER as ip:port)

Prints one line of JSON: how many tasks ended in which state and on which agent.
"""

import collections
import json
import logging
import sys
import threading

from pymesos import MesosSchedulerDriver, Scheduler

CPUS, MEM = 0.1, 16
TERMINAL = {
    'TASK_FINISHED', 'TASK_FAILED', 'TASK_KILLED', 'TASK_LOST', 'TASK_ERROR', 'TASK_DROPPED', 'TASK_GONE',
}


def amount(offer, name):
    return sum(r['scalar']['value'] for r in offer['resources'] if r['name'] == name)


class Tasks(Scheduler):
    """Fills every offer with tasks until all are launched, then waits for their ends."""

    def __init__(self, count):
        self.count = count
        self.launched = 0
        self.ended = {}
        self.agents = collections.Counter()
        self.done = threading.Event()
        self.failed = None

    def command(self, number):
        """What the task of that number has beside its resources."""
        return {'command': {'value': 'exit 0', 'shell': True}}

    def resourceOffers(self, driver, offers):
        for offer in offers:
            tasks = []
            cpus, mem = amount(offer, 'cpus'), amount(offer, 'mem')
            while self.launched < self.count and cpus >= CPUS and mem >= MEM:
                tasks.append(self.task(offer, self.launched))
                self.launched += 1
                cpus, mem = cpus - CPUS, mem - MEM
            if tasks:
                driver.launchTasks(offer['id'], tasks, {'refuse_seconds': 0})
            else:
                driver.declineOffer(offer['id'], {'refuse_seconds': 600 if self.launched == self.count else 0.1})

    def task(self, offer, number):
        task = {
            'name': 'task %d' % number,
            'task_id': {'value': 'task-%d' % number},
            'agent_id': offer['agent_id'],
            'resources': [
                {'name': 'cpus', 'type': 'SCALAR', 'scalar': {'value': CPUS}},
                {'name': 'mem', 'type': 'SCALAR', 'scalar': {'value': MEM}},
            ],
        }
        task.update(self.command(number))
        return task

    def statusUpdate(self, driver, update):
        task, state = update['task_id']['value'], update['state']
        if state not in TERMINAL:
            return
        self.ended[task] = state
        self.agents[update['agent_id']['value']] += 1
        if state != 'TASK_FINISHED':
            print(json.dumps(update), file=sys.stderr)
        if len(self.ended) == self.count:
            self.done.set()

    def error(self, driver, message):
        self.failed = message
        self.done.set()

    def report(self):
        return {
            'states': collections.Counter(self.ended.values()),
            'agents': self.agents,
            'error': self.failed,
        }


def run(scheduler, master, name, seconds=100, failover_timeout=0):
    """Runs a scheduler to its end and prints its report."""
    logging.basicConfig(stream=sys.stderr)
    framework = {'user': 'root', 'name': name, 'hostname': 'localhost', 'failover_timeout': failover_timeout}
    driver = MesosSchedulerDriver(scheduler, framework, master)
    driver.start()
    in_time = scheduler.done.wait(seconds)
    driver.stop()
    driver.join()
    print(json.dumps(scheduler.report()))
    sys.exit(0 if in_time and scheduler.failed is None else 1)


if __name__ == '__main__':
    run(Tasks(int(sys.argv[2])), sys.argv[1], 'pymesos command tasks')

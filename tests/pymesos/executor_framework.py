"""A framework on pymesos whose tasks run in its own executor, executor.py beside this file.

usage: executor_framework.py MASTER TASKS

Prints one line of JSON, as scheduler.py does, with the results that the executors sent.
"""

import base64
import os
import sys

from scheduler import Tasks, run

HERE = os.path.dirname(os.path.abspath(__file__))


class ExecutorTasks(Tasks):
    """Each task is a sum that an executor works out; all tasks on an agent share one executor."""

    def __init__(self, count):
        super().__init__(count)
        self.results = {}

    def command(self, number):
        return {
            'data': base64.b64encode(b'%d + 1' % number).decode(),
            'executor': {
                'type': 'CUSTOM',
                'executor_id': {'value': 'expressions'},
                'framework_id': {'value': self.framework_id},
                'command': {
                    'value': '%s %s' % (sys.executable, os.path.join(HERE, 'executor.py')),
                    'shell': True,
                },
                'resources': [
                    {'name': 'cpus', 'type': 'SCALAR', 'scalar': {'value': 0.1}},
                    {'name': 'mem', 'type': 'SCALAR', 'scalar': {'value': 64}},
                ],
            },
        }

    def registered(self, driver, framework_id, master_info):
        self.framework_id = framework_id['value']

    def resourceOffers(self, driver, offers):
        # A few tasks an offer, so that every agent gets some and each executor is used again.
        for offer in offers:
            tasks = []
            while self.launched < self.count and len(tasks) < 5:
                tasks.append(self.task(offer, self.launched))
                self.launched += 1
            if tasks:
                driver.launchTasks(offer['id'], tasks, {'refuse_seconds': 0})
            else:
                driver.declineOffer(offer['id'], {'refuse_seconds': 600})

    def frameworkMessage(self, driver, executor_id, agent_id, data):
        task, result = base64.b64decode(data).decode().split('=')
        self.results[task] = int(result)
        self.finish()

    def statusUpdate(self, driver, update):
        super().statusUpdate(driver, update)
        self.finish()

    def finish(self):
        # Messages are not acknowledged and may come after the update that ends their task.
        self.done.clear()
        if len(self.ended) == self.count and len(self.results) == self.count:
            self.done.set()

    def report(self):
        return dict(super().report(), results=self.results)


if __name__ == '__main__':
    run(ExecutorTasks(int(sys.argv[2])), sys.argv[1], 'pymesos executor tasks', seconds=60)

"""An executor on pymesos: runs what a task's data says as a Python expression, and sends the result back.

Started by an agent; each task ends with a framework message `<task id>=<result>` and then TASK_FINISHED.
"""

import base64
import logging
import sys
import threading

from pymesos import Executor, MesosExecutorDriver


def encode(text):
    return base64.b64encode(text.encode()).decode()


class Expressions(Executor):
    def launchTask(self, driver, task):
        threading.Thread(target=self.evaluate, args=(driver, task)).start()

    def evaluate(self, driver, task):
        self.update(driver, task, 'TASK_RUNNING')
        result = eval(base64.b64decode(task['data']).decode())
        driver.sendFrameworkMessage(encode('%s=%s' % (task['task_id']['value'], result)))
        self.update(driver, task, 'TASK_FINISHED')

    def update(self, driver, task, state):
        driver.sendStatusUpdate({'task_id': task['task_id'], 'agent_id': task['agent_id'], 'state': state})


if __name__ == '__main__':
    logging.basicConfig(stream=sys.stderr)
    MesosExecutorDriver(Expressions()).run()

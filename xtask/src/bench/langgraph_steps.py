"""Durable steps of LangGraph with its SQLite checkpointer: one workflow, then many at once.

langgraph_steps.py FILE SECONDS WORKFLOWS; prints one JSON object.
"""

import json
import sqlite3
import sys
import threading
import time
from typing import TypedDict

from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph

WORDS = (
    "the check found that the function returns a list where its caller wants an iterator, "
    "and that the name of its second argument differs from the one in the documentation; both are put right "
    "in the next attempt, together with the test that was written for the old behaviour of the function"
)
# Steps of one invocation; one is as good as another.
STEPS = 200


class State(TypedDict):
    n: int
    words: str


def main(path, seconds, workflows):
    connection = sqlite3.connect(path, check_same_thread=False)
    saver = SqliteSaver(connection)
    saver.setup()
    # As its users get it, but for the one thing that is compared: each commit is on the disk.
    connection.execute("PRAGMA synchronous = FULL")
    builder = StateGraph(State)
    builder.add_node("step", lambda state: {"n": state["n"] + 1, "words": WORDS})
    builder.add_edge(START, "step")
    builder.add_conditional_edges("step", lambda state: END if state["n"] >= STEPS else "step")
    graph = builder.compile(checkpointer=saver)

    def run(name, until, counts):
        count = 0
        while time.monotonic() < until:
            config = {"configurable": {"thread_id": f"{name}-{count}"}, "recursion_limit": STEPS + 10}
            graph.invoke({"n": 0, "words": WORDS}, config, durability="sync")
            count += STEPS
        counts.append(count)

    def rate(threads):
        counts, begin = [], time.monotonic()
        running = [
            threading.Thread(target=run, args=(f"{threads}-{number}", begin + seconds, counts))
            for number in range(threads)
        ]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
        return sum(counts) / (time.monotonic() - begin)

    journal = connection.execute("PRAGMA journal_mode").fetchone()[0]
    print(json.dumps({"journal_mode": journal, "one": rate(1), "many": rate(workflows)}))


main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]))

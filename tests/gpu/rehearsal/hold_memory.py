"""A stand-in for hold_memory.py, which the other stand-ins see."""
import os
import sys

if sys.argv[-1] != "rehearsal-engine-holder":
    os.execv(sys.executable, [sys.executable, __file__, "rehearsal-engine-holder"])
import time

print("holding", flush=True)
time.sleep(600)

"""Takes a command of GenAI-Perf or AIPerf as the tool's own parser does, and starts nothing.

    python3 options_of_client.py aiperf profile --model ...
"""
import sys

if sys.argv[1] == "aiperf":
    from aiperf.cli import app

    _, bound, *_ = app.parse_args(sys.argv[2:], exit_on_error=False, print_error=False)
    # What goes together is checked by the configuration's own validators, which ran.
    assert bound.arguments, "nothing was read"
else:
    from genai_perf import parser

    sys.argv = sys.argv[1:]
    parser.parse_args()

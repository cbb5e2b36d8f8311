#!/usr/bin/env python3
"""Stand-ins for the start commands of other servers, each under its own name.

    vllm serve MODEL ...             /usr/local/bin/vllm
    trtllm-serve MODEL ...           /usr/local/bin/trtllm-serve
    python3 -m sglang.launch_server  imports this file
    llama-server -m FILE ...         /app/llama-server
    start_server.sh                  /opt/nim/start_server.sh, which takes NIM_* variables

Each takes the options that the recipes use, as the real one spells them (table in
tests/lab/README.md), no others and no abbreviations, checks that its model is visible
in this container and that it has its GPUs, and becomes fake_nim.py. LAB_NIM_ARGS is handed
to fake_nim.py as it is.

Of a NIM on several nodes only the leader listens, since the lab's nodes share one network.
The others say what they know and wait for their end; LAB_NIM_WORKER=SECONDS:STATUS has
them exit after so many seconds with that status.
"""
import argparse
import os
import runpy
import signal
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))


def listen(name, model, served, host, port, gpus_needed, *more):
    gpus = [gpu for gpu in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if gpu]
    print(f"lab {name}: argv {sys.argv[1:]} model {model} gpus {','.join(gpus) or 'none'}", flush=True)
    if not os.path.exists(model):
        sys.exit(f"lab {name}: no model {model!r} (not mounted?)")
    if len(gpus) < gpus_needed:
        sys.exit(f"lab {name}: {gpus_needed} GPUs are needed, {len(gpus)} are visible")
    sys.argv = ["fake_nim", "--host", host, "--port", str(port), "--model", served]
    sys.argv += [*more, *os.environ.get("LAB_NIM_ARGS", "").split()]
    runpy.run_path(os.path.join(HERE, "fake_nim.py"), run_name="__main__")


def vllm():
    parser = argparse.ArgumentParser("vllm", allow_abbrev=False)
    parser.add_argument("verb", choices=["serve"])
    parser.add_argument("model")
    parser.add_argument("--served-model-name", required=True)
    parser.add_argument("--tensor-parallel-size", type=int, default=1)
    parser.add_argument("--host", default="0.0.0.0")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--enable-prefix-caching", action=argparse.BooleanOptionalAction, default=True)
    args = parser.parse_args()
    cache = "on" if args.enable_prefix_caching else "off"
    gpus = args.tensor_parallel_size
    listen("vLLM", args.model, args.served_model_name, args.host, args.port, gpus, "--prefix-cache", cache)


def sglang():
    parser = argparse.ArgumentParser("sglang.launch_server", allow_abbrev=False)
    parser.add_argument("--model-path", required=True)
    parser.add_argument("--served-model-name", required=True)
    parser.add_argument("--tp-size", "--tensor-parallel-size", type=int, default=1)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=30000)
    parser.add_argument("--disable-radix-cache", action="store_true")
    parser.add_argument("--enable-metrics", action="store_true")
    args = parser.parse_args()
    listen("SGLang", args.model_path, args.served_model_name, args.host, args.port, args.tp_size)


# What Open MPI 4.1 says to a program that is started by srun --mpi=none, without mpirun.
NO_MPIRUN = """\
--------------------------------------------------------------------------
The application appears to have been direct launched using "srun",
but OMPI was not built with SLURM's PMI support and therefore cannot
execute.
--------------------------------------------------------------------------
*** An error occurred in MPI_Init_thread
*** on a NULL communicator
*** MPI_ERRORS_ARE_FATAL (processes in this communicator will now abort,
***    and potentially your MPI job)"""


def trtllm():
    parser = argparse.ArgumentParser("trtllm-serve", allow_abbrev=False)
    parser.add_argument("model")
    parser.add_argument("--tp_size", "--tensor_parallel_size", dest="tp_size", type=int, default=1)
    parser.add_argument("--host", default="localhost")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--extra_llm_api_options")
    args = parser.parse_args()
    # It starts a process for each GPU with MPI_Comm_spawn.
    if args.tp_size > 1 and "SLURM_STEP_ID" in os.environ and "OMPI_COMM_WORLD_SIZE" not in os.environ:
        sys.exit(NO_MPIRUN)
    if args.extra_llm_api_options:
        with open(args.extra_llm_api_options) as file:
            options = file.read()
        if options != "kv_cache_config:\n  enable_block_reuse: false\n":
            sys.exit(f"lab TensorRT-LLM: {options!r} are other options than the recipe's")
    served = os.path.basename(os.path.normpath(args.model))
    listen("TensorRT-LLM", args.model, served, args.host, args.port, args.tp_size)


def llama_cpp():
    parser = argparse.ArgumentParser("llama-server", allow_abbrev=False)
    parser.add_argument("-m", "--model", required=True)
    parser.add_argument("--alias", required=True)
    parser.add_argument("--n-gpu-layers", type=int)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    args = parser.parse_args()
    listen("llama.cpp", args.model, args.alias, args.host, args.port, 1)


def nim():
    say = lambda name: os.environ.get(name, "")
    gpus = say("CUDA_VISIBLE_DEVICES")
    print(
        f"lab NIM: rank {say('NIM_NODE_RANK')} of {say('NIM_NUM_COMPUTE_NODES')}, leader {say('NIM_LEADER_IP_ADDRESS')},"
        f" role {say('NIM_LEADER_ROLE')}, node {say('SLURMD_NODENAME')}, gpus {gpus}",
        flush=True,
    )
    if say("NIM_LEADER_ROLE") == "0":
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        seconds, _, status = say("LAB_NIM_WORKER").partition(":")
        time.sleep(float(seconds or 10**6))
        sys.exit(int(status))
    needed = int(say("NIM_TENSOR_PARALLEL_SIZE") or 1)
    listen("NIM", say("NIM_MODEL_NAME"), say("NIM_SERVED_MODEL_NAME"), "0.0.0.0", say("NIM_SERVER_PORT"), needed)


if __name__ == "__main__":
    {"vllm": vllm, "trtllm-serve": trtllm, "llama-server": llama_cpp, "start_server.sh": nim}[os.path.basename(sys.argv[0])]()

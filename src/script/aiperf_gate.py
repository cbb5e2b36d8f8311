import asyncio, builtins, functools, os, time

gate, build_class = os.environ["NIM_SLURM_GATE"], builtins.__build_class__

def build(body, name, *bases, **options):
    made = build_class(body, name, *bases, **options)
    start = getattr(made, "_start_profiling_all_services", None)
    end = getattr(made, "_process_credits_complete_message", None)
    if name == "SystemController" and start and end:
        async def held(self):
            while not os.path.exists(gate + "/open"):
                await asyncio.sleep(0.05)
            self.gate_opened = time.monotonic()
            await start(self)

        @functools.wraps(end)
        async def told(self, message):
            try:
                with open(gate + "/over", "w") as file:
                    print(int(1000 * (time.monotonic() - self.gate_opened)), file=file)
            except (OSError, AttributeError):
                pass  # Then the next point waits for the end of this tool.
            await end(self, message)

        made._start_profiling_all_services, made._process_credits_complete_message = held, told
        open(gate + "/../known", "w").close()
    return made

builtins.__build_class__ = build

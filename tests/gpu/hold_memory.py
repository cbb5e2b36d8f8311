"""hold_memory.py SHARE: holds this share of the first GPU's memory until it is ended."""
import sys
import time

import torch

size = int(torch.cuda.mem_get_info()[1] * float(sys.argv[1]))
block = torch.empty(size, dtype=torch.uint8, device="cuda")
torch.cuda.synchronize()
print(f"holding {size >> 20} MiB", flush=True)
time.sleep(600)

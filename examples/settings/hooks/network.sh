# The nodes have two networks; NCCL is to use the fast one.
export NCCL_SOCKET_IFNAME=ib0 GLOO_SOCKET_IFNAME=ib0

"""Gives the loopback interface the address 10.99.99.99 as well.

Where it is the only interface, the C library hides 127.0.0.1 from who asks for the addresses that are of
use (AI_ADDRCONFIG), and Slurm finds none for the node.
"""
import fcntl
import socket
import struct

SIOCSIFADDR, SIOCSIFNETMASK = 0x8916, 0x891C


def interface(address):
    return struct.pack("16sHH4s8x", b"lo:gpu", socket.AF_INET, 0, socket.inet_aton(address))


with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
    fcntl.ioctl(any_socket, SIOCSIFADDR, interface("10.99.99.99"))
    fcntl.ioctl(any_socket, SIOCSIFNETMASK, interface("255.255.255.255"))

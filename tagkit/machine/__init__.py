"""What the computer offers: devices, and the processes of torchrun."""

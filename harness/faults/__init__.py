"""Makes calls into the kernel and the C library fail, at every place where a server makes them."""

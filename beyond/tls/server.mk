# OpenSSL 3 (Debian: libssl-dev), found by pkg-config.
tls_ABSENT := $(if $(shell pkg-config --atleast-version=3.0 openssl 2>/dev/null && echo yes),,needs OpenSSL 3: \
    pkg-config finds no openssl)
tls_CFLAGS := $(shell pkg-config --cflags openssl 2>/dev/null)
tls_LDLIBS := $(shell pkg-config --libs openssl 2>/dev/null)

#!/bin/sh
# Installs what the lab and the tests need on a Debian machine, and nothing that is there already. Works as root or through sudo.
set -eu

packages="
	qemu-system-x86 cpio xz-utils zstd kmod iproute2
	rdma-core ibverbs-utils ibverbs-providers rdmacm-utils infiniband-diags perftest
	gcc libc6-dev mandoc zsh fish jq"

missing() {
	for p in $packages; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || printf '%s ' "$p"
	done
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		echo "deps: root or sudo is needed to run: $*" >&2
		return 1
	fi
}

# Recommends would bring in graphics and audio that a lab without a display has no use for.
install() {
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $(missing)
}

if ! command -v dpkg-query >/dev/null; then
	echo "deps: this is no Debian machine; please install the equivalents of:" $packages >&2
	exit 1
fi
wanted=$(missing)
[ -n "$wanted" ] || exit 0
echo "deps: installing $wanted"

# Package lists that are missing or stale show as a failed install: only then are they worth fetching.
install || { as_root apt-get update -q && install; }

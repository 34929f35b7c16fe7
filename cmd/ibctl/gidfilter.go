package main

import (
	"net/netip"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/ibctl/ibctl/core/rdma"
)

// gidFilter is what the flags of gid show let through. Its zero value lets
// everything through.
type gidFilter struct {
	short  string
	netdev string
	gid    rdma.Opt[rdma.GID]
}

func gidFilterFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "all", Aliases: []string{"a"}, Usage: "empty slots, too"},
		&cli.StringFlag{Name: "type", Usage: "only GIDs of `TYPE`: v1, v2 or ib"},
		&cli.StringFlag{Name: "netdev", Usage: "only GIDs that came from `NETDEV`"},
		&cli.StringFlag{Name: "ip", Usage: "only GIDs that stand for the IPv4 or IPv6 `ADDRESS`"},
	}
}

// newGIDFilter reads the flags.
func newGIDFilter(c *cli.Context) (gidFilter, error) {
	f := gidFilter{short: c.String("type"), netdev: c.String("netdev")}
	if c.IsSet("type") && !slices.Contains(gidTypeNames(), f.short) {
		return f, &usageError{problem: "--type " + f.short + ": no such type of GID", candidates: gidTypeNames()}
	}
	if c.IsSet("ip") {
		addr, err := netip.ParseAddr(c.String("ip"))
		if err != nil || addr.Zone() != "" {
			return f, usagef("--ip %s: not an IPv4 or IPv6 address; an interface goes into --netdev", c.String("ip"))
		}
		f.gid = rdma.Known(rdma.GIDFromAddr(addr))
	}
	return f, nil
}

// passes tells whether the filter lets item through.
func (f gidFilter) passes(item gidItem) bool {
	gid, byGID := f.gid.Get()
	return (f.short == "" || item.short == f.short) &&
		(f.netdev == "" || item.Netdev == f.netdev) &&
		(!byGID || item.GID == gid)
}

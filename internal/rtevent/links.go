package rtevent

import (
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Links lists the interfaces of the calling thread's namespace (RTM_GETLINK).
func Links() ([]Link, error) {
	req := nl.NewNetlinkRequest(unix.RTM_GETLINK, unix.NLM_F_DUMP)
	req.AddData(nl.NewIfInfomsg(unix.AF_UNSPEC))
	messages, err := req.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWLINK)
	if err != nil {
		return nil, fmt.Errorf("list network interfaces: %w", err)
	}
	var links []Link
	for _, m := range messages {
		l, err := decodeLink(m)
		if err != nil {
			return nil, fmt.Errorf("list network interfaces: %w", err)
		}
		links = append(links, l)
	}
	return links, nil
}

package roce

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/netstate"
	"github.com/ibctl/ibctl/internal/sysfs"
	"github.com/ibctl/ibctl/plugins/roce/survey"
)

// netdevsFile is where a copied tree has what sysfs does not tell: a [recording].
const netdevsFile = "netdevs.json"

// recording is what a survey knew beside tables.
type recording struct {
	netstate.Snapshot
	Ports []recordedPort `json:"ports"`
}

// recordedPort tells which netdev is behind a port.
type recordedPort struct {
	Device string       `json:"device"`
	Port   uint32       `json:"port"`
	Netdev netstate.Ref `json:"netdev,omitzero"`
}

func newRecording(s *survey.Survey) recording {
	r := recording{Snapshot: s.Netdevs, Ports: []recordedPort{}}
	for _, p := range s.Ports {
		r.Ports = append(r.Ports, recordedPort{p.Device, p.Port, s.Behind[p]})
	}
	return r
}

// behind returns what a survey wants to know of ports.
func (r recording) behind() (map[survey.PortName]netstate.Ref, []survey.PortName) {
	refs := map[survey.PortName]netstate.Ref{}
	var order []survey.PortName
	for _, p := range r.Ports {
		name := survey.PortName{Device: p.Device, Port: p.Port}
		order = append(order, name)
		if p.Netdev != (netstate.Ref{}) {
			refs[name] = p.Netdev
		}
	}
	return refs, order
}

// recorded are the sources of a copied tree.
func recorded(tree *sysfs.FS, tables survey.Tables) survey.Sources {
	return survey.Sources{
		Netdevs: func(context.Context) (netstate.Snapshot, []rdma.Warning, error) {
			r, err := readRecording(tree)
			return r.Snapshot, nil, err
		},
		Behind: func(context.Context, *netstate.Snapshot) (map[survey.PortName]netstate.Ref, []survey.PortName, []rdma.Warning, error) {
			r, err := readRecording(tree)
			refs, order := r.behind()
			return refs, order, nil, err
		},
		Tables: tables,
	}
}

func readRecording(tree *sysfs.FS) (r recording, err error) {
	text, err := tree.Whole(netdevsFile)
	if errors.Is(err, fs.ErrNotExist) {
		return r, status.Errorf(codes.Unavailable, "the tree has no %s: sysfs does not tell what addresses there are; ibctl gid audit --record writes it", netdevsFile)
	}
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return r, fmt.Errorf("%s: %w", netdevsFile, err)
	}
	if len(r.Namespaces) == 0 {
		return r, fmt.Errorf("%s: no network namespace", netdevsFile)
	}
	return r, nil
}

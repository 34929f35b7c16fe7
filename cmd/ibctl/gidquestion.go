package main

import (
	"context"
	"net/netip"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/host"
	"github.com/ibctl/ibctl/plugins/roce"
	"github.com/ibctl/ibctl/plugins/roce/rocev1"
)

// gidQuestion asks for one GID.
type gidQuestion struct {
	text     string // "to 10.0.0.7 of type v2"
	to, from netip.Addr
	netdev   string
	typ      rdma.GIDType
	on       *target // the device that it must be of
	// wish is set where no answer is no error: it was asked of every port.
	wish bool
}

// gidQuestions are those of a command line.
type gidQuestions struct {
	questions []gidQuestion
	devices   []rdma.Device // all there are: the kernel chooses among them
}

// gidQuestions reads the flags of gid resolve.
func (inv *invocation) gidQuestions(ctx context.Context, c *cli.Context) (all gidQuestions, err error) {
	to, netdevs, devices := c.StringSlice("to"), c.StringSlice("netdev"), c.StringSlice("device")
	if err := checkRepeated(to, netdevs, devices); err != nil {
		return all, err
	}
	if len(to)+len(netdevs)+len(devices) == 0 && !c.IsSet("from") {
		return all, usagef("%s needs --to, --from, --netdev or --device", c.Command.HelpName)
	}
	if (len(to) > 0 || c.IsSet("from")) && inv.root != "" {
		return all, usagef("--to and --from ask the routes of this host, and not a captured tree: they do not go with --root")
	}
	found, err := inv.targets(ctx, nil, host.Summary)
	if err != nil {
		return all, err
	}
	all.devices = devicesOf(found.targets)
	base := gidQuestion{}
	if err := base.setCommon(c); err != nil {
		return all, err
	}
	list := []gidQuestion{base}
	for _, add := range []func([]gidQuestion) ([]gidQuestion, error){
		func(l []gidQuestion) ([]gidQuestion, error) { return withTo(ctx, c, l, to) },
		func(l []gidQuestion) ([]gidQuestion, error) { return withNetdevs(l, netdevs), nil },
		func(l []gidQuestion) ([]gidQuestion, error) {
			return inv.withDevices(ctx, l, devices, len(to)+len(netdevs) == 0 && !c.IsSet("from"))
		},
	} {
		if list, err = add(list); err != nil {
			return all, err
		}
	}
	all.questions = list
	return all, nil
}

// checkRepeated lets one flag be given several times, not two.
func checkRepeated(lists ...[]string) error {
	several := 0
	for _, l := range lists {
		if len(l) > 1 {
			several++
		}
	}
	if several > 1 {
		return usagef("only one of --to, --netdev and --device may be given more than once")
	}
	return nil
}

// setCommon reads what goes for all questions.
func (q *gidQuestion) setCommon(c *cli.Context) error {
	if c.IsSet("type") {
		typ, err := gidTypeOf(c.String("type"))
		if err != nil {
			return err
		}
		q.typ = typ
		q.say("of type", c.String("type"))
	}
	if !c.IsSet("from") {
		return nil
	}
	ip, err := parseAddr("--from", c.String("from"))
	if err != nil {
		return err
	}
	q.from = ip
	q.say("from", c.String("from"))
	return nil
}

// gidTypeOf returns the kernel's text for a word of --type.
func gidTypeOf(word string) (rdma.GIDType, error) {
	switch word {
	case "v2":
		return rdma.GIDTypeRoCEv2, nil
	case "v1", "ib":
		return rdma.GIDTypeIBOrRoCEv1, nil
	}
	return "", &usageError{problem: "--type " + word + ": no such type of GID", candidates: gidTypeNames()}
}

func (q *gidQuestion) say(words ...string) {
	q.text = strings.TrimSpace(q.text + " " + strings.Join(words, " "))
}

// withTo asks each question for each destination.
func withTo(ctx context.Context, c *cli.Context, list []gidQuestion, hosts []string) (all []gidQuestion, err error) {
	if len(hosts) == 0 {
		return list, nil
	}
	for _, host := range hosts {
		ip, err := hostAddr(ctx, "--to", host)
		if err != nil {
			return nil, err
		}
		for _, q := range list {
			q.to = ip
			q.say("to", host)
			all = append(all, q)
		}
	}
	return all, nil
}

func withNetdevs(list []gidQuestion, netdevs []string) (all []gidQuestion) {
	if len(netdevs) == 0 {
		return list
	}
	for _, netdev := range netdevs {
		for _, q := range list {
			q.netdev = netdev
			q.say("on", netdev)
			all = append(all, q)
		}
	}
	return all
}

// withDevices asks each question of each device or, where nothing else was asked,
// of each of its ports.
func (inv *invocation) withDevices(ctx context.Context, list []gidQuestion, args []string, eachPort bool) (all []gidQuestion, err error) {
	if len(args) == 0 {
		return list, nil
	}
	targets, wish, err := inv.resolveTargets(ctx, args)
	if err != nil {
		return nil, err
	}
	for _, t := range targets {
		for _, one := range portsOf(t, eachPort) {
			for _, q := range list {
				q.on, q.wish = &one, wish
				q.say("of", one.name())
				all = append(all, q)
			}
		}
	}
	return all, nil
}

// resolveTargets finds the devices that args name. Each must be there.
func (inv *invocation) resolveTargets(ctx context.Context, args []string) (targets []target, all bool, err error) {
	if len(args) == 1 && args[0] == everyPort {
		args = nil
	}
	found, err := inv.targets(ctx, args, host.Summary)
	if err == nil && len(found.problems) > 0 {
		err = found.problems
	}
	for _, t := range found.targets {
		if t.index.IsKnown() {
			return nil, false, usagef("--device %s: want a device or a port, not a slot", t.name())
		}
	}
	return found.targets, args == nil, err
}

// portsOf returns a target for each port of one that names none.
func portsOf(t target, each bool) []target {
	if t.port.IsKnown() || !each {
		return []target{t}
	}
	var all []target
	for _, p := range t.device.Ports {
		all = append(all, target{device: t.device, port: rdma.Known(p.Number), named: t.named})
	}
	return all
}

// ask asks the client.
func (q gidQuestion) ask(ctx context.Context, s session, client rocev1.RoCEClient) (gidResolution, []rdma.Warning, error) {
	request := &rocev1.ResolveGIDRequest{
		To: rocev1.NewIPAddress(q.to), From: rocev1.NewIPAddress(q.from), Netdev: q.netdev, Type: string(q.typ),
	}
	if q.on != nil {
		id, err := s.device(roce.Name, q.on.device)
		if err != nil {
			return gidResolution{}, nil, err
		}
		request.Device, request.Port = id, pointer(q.on.port)
	}
	answer, err := client.ResolveGID(ctx, request)
	if err != nil {
		return gidResolution{}, nil, err
	}
	item, err := newGIDResolution(q.text, answer)
	return item, rocev1.RDMAWarnings(answer.GetWarnings()), err
}

// hostAddr is the address of a host, which may be given by its name.
func hostAddr(ctx context.Context, what, text string) (netip.Addr, error) {
	if ip, err := netip.ParseAddr(text); err == nil {
		return indexed(what, ip)
	}
	return lookUp(ctx, text)
}

// parseAddr reads an address and no name.
func parseAddr(what, text string) (netip.Addr, error) {
	ip, err := netip.ParseAddr(text)
	if err != nil {
		return ip, usagef("%s %s: not an IPv4 or IPv6 address", what, text)
	}
	return indexed(what, ip)
}

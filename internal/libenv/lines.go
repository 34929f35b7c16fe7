package libenv

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/sourcegid"
)

// Line is a variable to set, with what there is to be said of it, or a remark.
type Line struct {
	Name    string `json:"name,omitzero"`
	Value   string `json:"value,omitzero"`
	Comment string `json:"comment,omitzero"`
}

func remark(format string, args ...any) Line { return Line{Comment: fmt.Sprintf(format, args...)} }

// Libraries are the words that [Lines] knows.
func Libraries() []string { return []string{"nccl", "ucx", "mpi", "plain"} }

// Lines returns the settings with which a library uses the choices, of which there
// is one at least and no two for one port.
func Lines(library string, choices []Choice) []Line {
	switch library {
	case "nccl":
		return ncclLines(choices)
	case "ucx":
		return ucxLines(choices)
	case "mpi":
		return mpiLines(choices)
	}
	return plainLines(choices)
}

// roceOnly leaves out InfiniBand, where no index has to be chosen.
func roceOnly(choices []Choice) []Choice {
	return slices.DeleteFunc(slices.Clone(choices), func(c Choice) bool { return !c.Port.roce() })
}

// oneIndex returns the index that all choices share.
func oneIndex(choices []Choice) (index uint32, ok bool) {
	for _, c := range choices {
		if c.Entry.Index != choices[0].Entry.Index {
			return 0, false
		}
	}
	return choices[0].Entry.Index, true
}

// indices lists what is where: "3 on mlx5_0:1 (10.0.0.1), 5 on …".
func indices(choices []Choice) string {
	var all []string
	for _, c := range choices {
		all = append(all, fmt.Sprintf("%d on %s (%v)", c.Entry.Index, c.Port.Name(), c.Entry.GID.Addr()))
	}
	return strings.Join(all, ", ")
}

func ncclLines(choices []Choice) []Line {
	lines := []Line{{"NCCL_IB_HCA", "=" + names(choices), "'=' takes names exactly: without it, mlx5_1 is mlx5_11, too"}}
	roce := roceOnly(choices)
	if len(roce) == 0 {
		return append(lines, remark("InfiniBand needs no NCCL_IB_GID_INDEX"))
	}
	if len(roce) < len(choices) {
		lines = append(lines, remark("InfiniBand and RoCE together: the index is that of RoCE"))
	}
	if index, same := oneIndex(roce); same {
		return append(lines, Line{"NCCL_IB_GID_INDEX", fmt.Sprint(index), "it is " + indices(roce)})
	}
	lines = append(lines, remark("NCCL_IB_GID_INDEX is one number for all HCAs, and the right one differs: %s", indices(roce)))
	return append(lines, searchLines(roce)...)
}

// searchLines let NCCL look for itself, if it would find what is wanted.
func searchLines(choices []Choice) []Line {
	search, ok := searchFor(choices)
	if !ok {
		return []Line{remark("and no setting lets NCCL find them all. Use one HCA for each process, or make the indices equal: " +
			"the same number of addresses on each interface, added in the same order (ibctl gid show)")}
	}
	lines := []Line{
		{"NCCL_IB_ROCE_VERSION_NUM", fmt.Sprint(search.Version), "NCCL 2.21 and newer finds each of them by itself with NCCL_IB_GID_INDEX unset and"},
		{"NCCL_IB_ADDR_FAMILY", familyName(search.IPv6), ""},
	}
	if search.Range.IsValid() {
		lines = append(lines, Line{"NCCL_IB_ADDR_RANGE", search.Range.String(), ""})
	}
	return append(lines, remark("older NCCL uses index 0 then: give it one HCA a process, or make the indices equal"))
}

func familyName(ipv6 bool) string {
	if ipv6 {
		return "AF_INET6"
	}
	return "AF_INET"
}

// searchFor returns the search by which NCCL finds each choice on its port.
func searchFor(choices []Choice) (GIDSearch, bool) {
	first := choices[0].Entry
	s := GIDSearch{Version: ncclVersion(first.Type), IPv6: isIPv6(first.GID)}
	var addrs []netip.Addr
	for _, c := range choices {
		if ncclVersion(c.Entry.Type) != s.Version || isIPv6(c.Entry.GID) != s.IPv6 {
			return s, false
		}
		addrs = append(addrs, c.Entry.GID.Addr())
	}
	if s.findsAll(choices) {
		return s, true
	}
	s.Range = rangeOf(addrs)
	return s, s.Range.Bits() > 0 && s.findsAll(choices)
}

func (s GIDSearch) findsAll(choices []Choice) bool {
	return !slices.ContainsFunc(choices, func(c Choice) bool { return c.Port.Unread || s.find(c.Port) != c.Entry.Index })
}

func ucxLines(choices []Choice) []Line {
	lines := []Line{{"UCX_NET_DEVICES", names(choices), ""}}
	roce := roceOnly(choices)
	if len(roce) == 0 {
		return append(lines, remark("InfiniBand needs no UCX_IB_GID_INDEX"))
	}
	index, same := oneIndex(roce)
	if same && len(roce) == len(choices) {
		return append(lines, Line{"UCX_IB_GID_INDEX", fmt.Sprint(index), "it is " + indices(roce)})
	}
	if !same {
		lines = append(lines, remark("UCX_IB_GID_INDEX is one number for all devices, and the right one differs: %s", indices(roce)))
	} else {
		lines = append(lines, remark("UCX_IB_GID_INDEX would be InfiniBand's index as well: it is left unset"))
	}
	return append(lines, ucxSearchLines(roce)...)
}

// ucxSearchLines let UCX choose, and say so where it would choose something else.
func ucxSearchLines(choices []Choice) []Line {
	var others []string
	for _, c := range choices {
		if e, ok := ucxGID(c.Port); !ok || e.Index != c.Entry.Index {
			others = append(others, fmt.Sprintf("%d on %s", e.Index, c.Port.Name()))
		}
	}
	if len(others) == 0 {
		return []Line{remark("without it, UCX chooses just these")}
	}
	lines := []Line{remark("without it, UCX would choose %s", strings.Join(others, ", "))}
	if subnets, ok := subnetsFor(choices); ok {
		return append(lines, Line{"UCX_IB_ROCE_SUBNETS", subnets, "UCX 1.18 and newer then chooses the right ones"})
	}
	return append(lines, remark("Use one device for each process, or make the indices equal (ibctl gid show)"))
}

// subnetsFor returns a list of addresses by which UCX finds each choice.
func subnetsFor(choices []Choice) (string, bool) {
	var list []string
	for _, c := range choices {
		ip := c.Entry.GID.Addr()
		list = append(list, netip.PrefixFrom(ip, ip.BitLen()).String())
	}
	for _, c := range choices {
		narrowed := c.Port
		narrowed.Table = slices.DeleteFunc(slices.Clone(c.Port.Table), func(e rdma.GIDEntry) bool {
			ip := e.GID.Addr()
			return !slices.Contains(list, netip.PrefixFrom(ip, ip.BitLen()).String())
		})
		if e, ok := ucxGID(narrowed); !ok || e.Index != c.Entry.Index {
			return "", false
		}
	}
	return strings.Join(list, ","), true
}

func mpiLines(choices []Choice) []Line {
	lines := []Line{
		{"OMPI_MCA_pml", "ucx", "Open MPI leaves RDMA to UCX"},
		{"OMPI_MCA_osc", "ucx", ""},
	}
	lines = append(lines, ucxLines(choices)...)
	lines = append(lines, remark("Open MPI before 5.0 without UCX, with the openib BTL:"),
		remark("OMPI_MCA_btl_openib_if_include=%s", names(choices)))
	if roce := roceOnly(choices); len(roce) > 0 {
		if index, same := oneIndex(roce); same {
			lines = append(lines, remark("OMPI_MCA_btl_openib_gid_index=%d", index))
		}
		lines = append(lines, remark("libfabric's verbs provider finds the GID by the address: FI_VERBS_IFACE=%s", netdevs(roce)))
	}
	return lines
}

func netdevs(choices []Choice) string {
	var all []string
	for _, c := range choices {
		if c.Entry.Netdev != "" && !slices.Contains(all, c.Entry.Netdev) {
			all = append(all, c.Entry.Netdev)
		}
	}
	return strings.Join(all, ",")
}

// plainLines are for scripts: a word for each choice, in one order.
func plainLines(choices []Choice) []Line {
	list := func(name, comment string, value func(Choice) string) Line {
		var words []string
		for _, c := range choices {
			words = append(words, cmp.Or(value(c), "-"))
		}
		return Line{name, strings.Join(words, ","), comment}
	}
	return []Line{
		list("RDMA_DEVICE", "as in ib_write_bw -d RDMA_DEVICE -i RDMA_PORT -x RDMA_GID_INDEX", func(c Choice) string { return c.Port.Device }),
		list("RDMA_PORT", "", func(c Choice) string { return fmt.Sprint(c.Port.Number) }),
		list("RDMA_GID_INDEX", "", func(c Choice) string { return fmt.Sprint(c.Entry.Index) }),
		list("RDMA_GID", "", func(c Choice) string { return c.Entry.GID.String() }),
		list("RDMA_GID_TYPE", "", func(c Choice) string { return plainType(c) }),
		list("RDMA_NETDEV", "", func(c Choice) string { return c.Entry.Netdev }),
	}
}

// plainType is the type in a word, as perftest and ibctl gid show have it.
func plainType(c Choice) string {
	switch class := sourcegid.ClassOf(c.Entry, c.Port.Link); {
	case class == sourcegid.InfiniBand:
		return "ib"
	case class < sourcegid.V1IPv4:
		return "v2"
	}
	return "v1"
}
